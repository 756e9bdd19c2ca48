"""What agents remember: businesses, threads, and each message with what was replied to it.

A message is stored before it is acknowledged, and its reply in one transaction with what the agent remembers of the
thread. A unique index holds that no message is answered twice.
"""

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import sqlalchemy as sa
from sqlalchemy import Connection

MIGRATIONS = Path(__file__).parent / "migrations"

Role = Literal["customer", "agent", "human"]
Holder = Literal["agent", "human"]
Json = Mapping[str, object]

metadata = sa.MetaData()
# The columns of each table are in the order of the fields of what is read from it.

businesses = sa.Table(
    "businesses",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("since", sa.Float, nullable=False),
    sa.Column("secret", sa.String, nullable=False),
    sa.Column("settings", sa.JSON, nullable=False),
)
threads = sa.Table(
    "threads",
    metadata,
    sa.Column("business", sa.String, primary_key=True),
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("channel", sa.String, nullable=False),
    sa.Column("address", sa.String, nullable=False),
    sa.Column("held_by", sa.String, nullable=False),
    sa.Column("memory", sa.JSON, nullable=False),
    sa.Column("since", sa.Float, nullable=False),
    sa.Column("last_at", sa.Float, nullable=False),
    sa.Column("held_out", sa.Boolean, nullable=False),
    sa.Column("share", sa.Float, nullable=False),
    sa.Column("handed_off", sa.Boolean, nullable=False),
    sa.Column("resolved_by", sa.String, nullable=False),
    sa.Column("customer", sa.String, nullable=False),
    sa.Column("proven_until", sa.Float, nullable=False),
    sa.Column("earned_usd", sa.Float, nullable=False),
    sa.Column("told_usd", sa.Float, nullable=False),
)
messages = sa.Table(
    "messages",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("business", sa.String, nullable=False),
    sa.Column("thread", sa.String, nullable=False),
    sa.Column("id", sa.String, nullable=False),
    sa.Column("role", sa.String, nullable=False),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("said", sa.JSON, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("answers", sa.Integer, nullable=True),
    sa.Column("waiting", sa.Boolean, nullable=False),
    sa.UniqueConstraint("business", "thread", "role", "id"),
)


@dataclass(frozen=True, slots=True)
class Business:
    """Somebody whose customers an agent answers.

    ``secret``: signs the tokens by which the shop says who a customer is. ``settings``: a ``BusinessSettings``.
    """

    id: str
    name: str
    since: float
    secret: str
    settings: Json


@dataclass(frozen=True, slots=True)
class Thread:
    """One conversation of a business with one customer.

    ``held_by``: who answers now. ``memory``: what the agent keeps from turn to turn. ``handed_off``: a human was asked
    for at least once. ``resolved_by``: how it is known to be resolved (``button``, ``thanks``, ``order``), or empty.
    ``customer``: who it is, as the shop calls them, where that was proven; it counts as proven until ``proven_until``.
    ``held_out``: gets templates for good, as a ``share`` of people does. ``earned_usd``: see ``worth``.
    """

    business: str
    id: str
    channel: str
    address: str
    held_by: Holder
    memory: Json
    since: float
    last_at: float
    held_out: bool
    share: float
    handed_off: bool
    resolved_by: str
    customer: str
    proven_until: float
    earned_usd: float
    told_usd: float

    def customer_at(self, now: float) -> str:
        """Who the customer is proven to be; empty where nobody is."""
        return self.customer if now < self.proven_until else ""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a thread; ``number`` orders all of them.

    ``id``: the sender's, unique within its thread; a reply has that of what it replies to. ``kind``: of an agent's, the
    type of its reply. ``said``: of an agent's, the reply as the API gives it. ``answers``: the number of the message
    that it replies to. ``waiting``: it is to be replied to.
    """

    number: int
    business: str
    thread: str
    id: str
    role: Role
    kind: str
    text: str
    said: Json
    at: float
    answers: int | None
    waiting: bool


@dataclass(frozen=True, slots=True)
class Opening:
    """What a new thread begins with."""

    channel: str
    address: str
    held_out: bool
    share: float


# ---- businesses


def add_business(connection: Connection, identity: str, name: str, now: float) -> Business:
    """Make a business; one that is there keeps its secret and its threads."""
    found = read_business(connection, identity)
    if found is not None:
        connection.execute(sa.update(businesses).where(businesses.c.id == identity).values(name=name))
        return read_business(connection, identity) or found
    made = Business(identity, name, now, secrets.token_urlsafe(32), {})
    connection.execute(sa.insert(businesses).values(asdict(made)))
    return made


def set_settings(connection: Connection, identity: str, settings: Json) -> None:
    """Write a business's settings."""
    mine = businesses.c.id == identity
    connection.execute(sa.update(businesses).where(mine).values(settings=dict(settings)))


def read_business(connection: Connection, identity: str) -> Business | None:
    """Read a business; none if there is none of this name."""
    row = connection.execute(sa.select(businesses).where(businesses.c.id == identity)).first()
    return None if row is None else Business(*row)


def read_businesses(connection: Connection) -> list[Business]:
    """Read all of them, by name."""
    return [Business(*row) for row in connection.execute(sa.select(businesses).order_by(businesses.c.id))]


# ---- threads


def read_thread(connection: Connection, business: str, thread: str) -> Thread | None:
    """Read a thread; none if nobody has written there."""
    row = connection.execute(sa.select(threads).where(_is_thread(business, thread))).first()
    return None if row is None else Thread(*row)


def change_thread(connection: Connection, business: str, thread: str, **values: object) -> bool:
    """Set columns of a thread; whether there is one."""
    return bool(connection.execute(sa.update(threads).where(_is_thread(business, thread)).values(**values)).rowcount)


def read_threads(connection: Connection, business: str, *, held_by: Holder | None = None, most: int) -> list[Thread]:
    """Read the threads that were written in last, the latest first."""
    query = sa.select(threads).where(threads.c.business == business)
    if held_by is not None:
        query = query.where(threads.c.held_by == held_by)
    rows = connection.execute(query.order_by(threads.c.last_at.desc()).limit(most))
    return [Thread(*row) for row in rows]


def _is_thread(business: str, thread: str) -> sa.ColumnElement[bool]:
    return (threads.c.business == business) & (threads.c.id == thread)


# ---- messages


def take_message(
    connection: Connection, business: str, thread: str, identity: str, text: str, opening: Opening, now: float
) -> tuple[Message, bool]:
    """Write down a customer's message; gives it, and whether it is new.

    One with an id that the thread has seen is not written again. While a human holds the thread no agent replies.

    Args:
        connection: in a transaction that may write.
        business: whose customer writes.
        thread: in which conversation.
        identity: the sender's own id of the message.
        text: what they write.
        opening: what the thread begins with, if this is its first message.
        now: Unix seconds.
    """
    found = read_message(connection, business, thread, identity)
    if found is not None:
        return found, False
    known = read_thread(connection, business, thread)
    if known is None:
        row = {"business": business, "id": thread, "held_by": "agent", "memory": {}, "since": now, "last_at": now}
        more = {"channel": opening.channel, "address": opening.address}
        arm = {
            "held_out": opening.held_out,
            "share": opening.share,
            "handed_off": False,
            "resolved_by": "",
            "customer": "",
            "proven_until": 0.0,
            "earned_usd": 0.0,
            "told_usd": 0.0,
        }
        connection.execute(sa.insert(threads).values(**row, **more, **arm))
    else:
        change_thread(connection, business, thread, last_at=now)
    waiting = known is None or known.held_by == "agent"
    return add_message(connection, business, thread, identity, "customer", text, now, waiting=waiting), True


def add_message(
    connection: Connection,
    business: str,
    thread: str,
    identity: str,
    role: Role,
    text: str,
    now: float,
    *,
    kind: str = "text",
    said: Json | None = None,
    answers: int | None = None,
    waiting: bool = False,
) -> Message:
    """Write a message of a thread that is there."""
    row = {"business": business, "thread": thread, "id": identity, "role": role, "kind": kind, "text": text, "at": now}
    values = {**row, "said": dict(said or {}), "answers": answers, "waiting": waiting}
    made = connection.execute(sa.insert(messages).values(values).returning(messages.c.number)).scalar_one()
    return Message(number=made, **values)


def read_message(
    connection: Connection, business: str, thread: str, identity: str, role: Role = "customer"
) -> Message | None:
    """Read a message by its sender's id."""
    mine = (messages.c.role == role) & (messages.c.id == identity)
    query = sa.select(messages).where(_of(business, thread), mine)
    row = connection.execute(query).first()
    return None if row is None else Message(*row)


def read_messages(connection: Connection, business: str, thread: str, *, after: int = 0, most: int) -> list[Message]:
    """Read the messages of a thread behind the number ``after``, in order."""
    query = sa.select(messages).where(_of(business, thread), messages.c.number > after)
    rows = connection.execute(query.order_by(messages.c.number).limit(most))
    return [Message(*row) for row in rows]


def read_reply(connection: Connection, number: int) -> Message | None:
    """Read what was replied to the message ``number``."""
    row = connection.execute(sa.select(messages).where(messages.c.answers == number)).first()
    return None if row is None else Message(*row)


def next_waiting(connection: Connection, business: str, thread: str) -> Message | None:
    """Read the first message of a thread that is to be replied to."""
    query = sa.select(messages).where(_of(business, thread), messages.c.waiting).order_by(messages.c.number).limit(1)
    row = connection.execute(query).first()
    return None if row is None else Message(*row)


def threads_waiting(connection: Connection) -> list[tuple[str, str]]:
    """List the threads with a message that is to be replied to, by whose waits longest."""
    first = sa.func.min(messages.c.number)
    columns = messages.c.business, messages.c.thread
    query = sa.select(*columns).where(messages.c.waiting).group_by(*columns).order_by(first)
    return [(row.business, row.thread) for row in connection.execute(query)]


def count_waiting(connection: Connection, business: str, thread: str) -> int:
    """Count the messages of a thread that are to be replied to."""
    query = sa.select(sa.func.count()).select_from(messages).where(_of(business, thread), messages.c.waiting)
    return connection.scalar(query) or 0


def answer(
    connection: Connection, question: Message, kind: str, text: str, said: Json, memory: Json, now: float
) -> Message | None:
    """Write the reply to a message, and what the agent remembers; none where the message waits no more."""
    mine = (messages.c.number == question.number) & messages.c.waiting
    if not connection.execute(sa.update(messages).where(mine).values(waiting=False)).rowcount:
        return None
    business, thread = question.business, question.thread
    change_thread(connection, business, thread, memory=dict(memory), last_at=now)
    return add_message(
        connection,
        business,
        thread,
        question.id,
        "agent",
        text,
        now,
        kind=kind,
        said=said,
        answers=question.number,
    )


def stop_waiting(connection: Connection, business: str, thread: str) -> None:
    """Take away the agent's turn: a human holds the thread."""
    connection.execute(sa.update(messages).where(_of(business, thread), messages.c.waiting).values(waiting=False))


def _of(business: str, thread: str) -> sa.ColumnElement[bool]:
    return (messages.c.business == business) & (messages.c.thread == thread)
