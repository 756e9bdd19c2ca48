"""What the assistant keeps: people, threads with their messages, what it was told to remember, and what it has read.

A message is on disk before it is acknowledged, and waits there for its reply. The reply is written in one transaction
with the end of the waiting, and a unique index holds that no message is replied to twice.
"""

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Connection

MIGRATIONS = Path(__file__).parent / "migrations"
INVITE_S = 7 * 24 * 3600.0
ASSISTANT = ""
"""Who wrote a message that the assistant wrote."""

metadata = sa.MetaData()

people = sa.Table(
    "people",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("key_hash", sa.String, nullable=False, unique=True),
    sa.Column("since", sa.Float, nullable=False),
)
threads = sa.Table(
    "threads",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("since", sa.Float, nullable=False),
    sa.Column("held_out", sa.Boolean, nullable=False),
    sa.Column("share", sa.Float, nullable=False),
    sa.Column("plan", sa.JSON, nullable=True),
)
members = sa.Table(
    "members",
    metadata,
    sa.Column("thread", sa.String, primary_key=True),
    sa.Column("person", sa.String, primary_key=True, index=True),
    sa.Column("since", sa.Float, nullable=False),
)
invites = sa.Table(
    "invites",
    metadata,
    sa.Column("code_hash", sa.String, primary_key=True),
    sa.Column("thread", sa.String, nullable=False),
    sa.Column("until", sa.Float, nullable=False),
    sa.Column("used_by", sa.String, nullable=True),
)
messages = sa.Table(
    "messages",
    metadata,
    sa.Column("thread", sa.String, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("person", sa.String, nullable=False),
    sa.Column("id", sa.String, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("said", sa.JSON, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("waiting", sa.Boolean, nullable=False, index=True),
    sa.Column("answers", sa.Integer, nullable=True),
    sa.UniqueConstraint("thread", "person", "id"),
    sa.UniqueConstraint("thread", "answers"),
)
remembered = sa.Table(
    "remembered",
    metadata,
    sa.Column("thread", sa.String, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("by", sa.String, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
)
images = sa.Table(
    "images",
    metadata,
    sa.Column("thread", sa.String, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("content", sa.LargeBinary, nullable=False),
)
arms = sa.Table(
    "arms",
    metadata,
    sa.Column("share", sa.Float, primary_key=True),
    sa.Column("held_out", sa.Boolean, primary_key=True),
    sa.Column("threads", sa.BigInteger, nullable=False),
    sa.Column("answered", sa.BigInteger, nullable=False),
    sa.Column("told", sa.BigInteger, nullable=False),
    sa.Column("tokens", sa.BigInteger, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who writes in threads."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Thread:
    """A thread. ``held_out``: its answers are worded by templates, for the comparison; see ``earning.py``."""

    id: str
    name: str
    since: float
    held_out: bool
    share: float
    plan: Mapping[str, object] | None


@dataclass(frozen=True, slots=True)
class Message:
    """A message. ``person`` is empty where the assistant wrote it; ``said`` is what it said beside the text."""

    thread: str
    number: int
    person: str
    id: str
    text: str
    said: Mapping[str, object]
    at: float
    waiting: bool
    answers: int | None


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that somebody told the assistant to remember in a thread."""

    thread: str
    number: int
    text: str
    by: str
    at: float


def hashed(secret: str) -> str:
    """What is kept of a key or a code, which are random and long."""
    return hashlib.sha256(secret.encode()).hexdigest()


def make_person(connection: Connection, name: str, now: float) -> tuple[Person, str]:
    """Make a person; gives the key too, of which only a hash is kept."""
    person, key = Person(secrets.token_hex(8), name), secrets.token_urlsafe(24)
    connection.execute(people.insert().values(id=person.id, name=name, key_hash=hashed(key), since=now))
    return person, key


def person_of_key(connection: Connection, key: str) -> Person | None:
    """Whose key it is."""
    row = connection.execute(sa.select(people.c.id, people.c.name).where(people.c.key_hash == hashed(key))).first()
    return Person(*row) if row else None


def make_thread(
    connection: Connection, name: str, person: str, share: float, now: float, is_without: Callable[[str, float], bool]
) -> Thread:
    """Make a thread with its first member; ``is_without`` says whether it is among the ``share`` held out."""
    id = secrets.token_hex(12)
    thread = Thread(id, name, now, is_without(id, share), share, None)
    values = {"id": id, "name": name, "since": now, "held_out": thread.held_out, "share": share, "plan": sa.null()}
    connection.execute(threads.insert().values(values))
    connection.execute(members.insert().values(thread=thread.id, person=person, since=now))
    return thread


def read_thread(connection: Connection, thread: str, person: str) -> Thread | None:
    """Read a thread for one of its members; none if there is none of that name, or the person is not in it."""
    is_member = sa.exists().where(members.c.thread == threads.c.id, members.c.person == person)
    row = connection.execute(sa.select(threads).where(threads.c.id == thread, is_member)).first()
    return Thread(*row) if row else None


def thread_of(connection: Connection, thread: str) -> Thread | None:
    """Read a thread for the assistant itself."""
    row = connection.execute(sa.select(threads).where(threads.c.id == thread)).first()
    return Thread(*row) if row else None


def threads_of(connection: Connection, person: str) -> list[Thread]:
    """All threads that a person is in, the latest first."""
    mine = sa.select(members.c.thread).where(members.c.person == person)
    rows = connection.execute(sa.select(threads).where(threads.c.id.in_(mine)).order_by(threads.c.since.desc()))
    return [Thread(*row) for row in rows]


def members_of(connection: Connection, thread: str) -> list[Person]:
    """Who is in a thread, in the order in which they came."""
    query = sa.select(people.c.id, people.c.name).join(members, members.c.person == people.c.id)
    rows = connection.execute(query.where(members.c.thread == thread).order_by(members.c.since, people.c.id))
    return [Person(*row) for row in rows]


def make_invite(connection: Connection, thread: str, now: float) -> str:
    """Make a code by which one person joins a thread."""
    code = secrets.token_urlsafe(18)
    connection.execute(
        invites.insert().values(code_hash=hashed(code), thread=thread, until=now + INVITE_S, used_by=None)
    )
    return code


def use_invite(connection: Connection, code: str, person: str, now: float) -> str | None:
    """Join by a code; gives the thread, or none if the code is not good any more. The same person may use it again."""
    row = connection.execute(sa.select(invites).where(invites.c.code_hash == hashed(code))).first()
    if row is None or row.until < now or (row.used_by is not None and row.used_by != person):
        return None
    if row.used_by is None:
        connection.execute(sa.update(invites).where(invites.c.code_hash == row.code_hash).values(used_by=person))
        at = members.c.thread == row.thread
        if connection.execute(sa.select(members.c.person).where(at, members.c.person == person)).first() is None:
            connection.execute(members.insert().values(thread=row.thread, person=person, since=now))
    return row.thread


def leave(connection: Connection, thread: str, person: str) -> None:
    """Take a person out of a thread; with the last one the thread and all that is in it goes."""
    connection.execute(sa.delete(members).where(members.c.thread == thread, members.c.person == person))
    if connection.execute(sa.select(members.c.person).where(members.c.thread == thread)).first() is None:
        for table in (messages, remembered, images, invites):
            connection.execute(sa.delete(table).where(table.c.thread == thread))
        connection.execute(sa.delete(threads).where(threads.c.id == thread))


def take(
    connection: Connection, thread: str, person: str, id: str, text: str, now: float, *, waiting: bool
) -> tuple[Message, bool]:
    """Write a message down, or give the one that has this id already; whether it is new."""
    mine = (messages.c.thread == thread, messages.c.person == person, messages.c.id == id)
    row = connection.execute(sa.select(messages).where(*mine)).first()
    if row is not None:
        return Message(*row), False
    made = Message(thread, _next(connection, messages, thread), person, id, text, {}, now, waiting, None)
    connection.execute(messages.insert().values(_values(made)))
    return made, True


def reply(connection: Connection, asked: Message, text: str, said: Mapping[str, object], now: float) -> Message | None:
    """Write the assistant's reply; none if the message does not wait for one any more."""
    at = (messages.c.thread == asked.thread, messages.c.number == asked.number, messages.c.waiting)
    if not connection.execute(sa.update(messages).where(*at).values(waiting=False)).rowcount:
        return None
    number = _next(connection, messages, asked.thread)
    made = Message(asked.thread, number, ASSISTANT, f"re:{asked.number}", text, said, now, False, asked.number)
    connection.execute(messages.insert().values(_values(made)))
    return made


def reply_to(connection: Connection, thread: str, number: int) -> Message | None:
    """The reply to a message."""
    at = (messages.c.thread == thread, messages.c.answers == number)
    row = connection.execute(sa.select(messages).where(*at)).first()
    return Message(*row) if row else None


def read_messages(connection: Connection, thread: str, after: int = 0, most: int = 200) -> list[Message]:
    """Messages of a thread after a number, in order."""
    query = sa.select(messages).where(messages.c.thread == thread, messages.c.number > after)
    return [Message(*row) for row in connection.execute(query.order_by(messages.c.number).limit(most))]


def read_before(connection: Connection, thread: str, before: int, most: int) -> list[Message]:
    """The latest messages of a thread before a number, in order."""
    query = sa.select(messages).where(messages.c.thread == thread, messages.c.number < before)
    rows = connection.execute(query.order_by(messages.c.number.desc()).limit(most)).all()
    return [Message(*row) for row in reversed(rows)]


def count_messages(connection: Connection, thread: str) -> int:
    """How many messages a thread has."""
    query = sa.select(sa.func.count()).select_from(messages).where(messages.c.thread == thread)
    return connection.execute(query).scalar_one()


def delete_message(connection: Connection, thread: str, number: int, person: str) -> bool:
    """Delete the words of one's own message, and of the reply to it; the numbers stay."""
    gone = {"text": "(deleted)", "said": {}, "waiting": False}
    mine = (messages.c.thread == thread, messages.c.number == number, messages.c.person == person)
    found = connection.execute(sa.update(messages).where(*mine).values(gone)).rowcount
    if found:
        its_reply = (messages.c.thread == thread, messages.c.answers == number)
        connection.execute(sa.update(messages).where(*its_reply).values(gone))
    return bool(found)


def waiting(connection: Connection) -> list[Message]:
    """Messages that wait for a reply, the oldest first."""
    query = sa.select(messages).where(messages.c.waiting).order_by(messages.c.at, messages.c.number)
    return [Message(*row) for row in connection.execute(query)]


def remember(connection: Connection, thread: str, text: str, by: str, now: float) -> Fact:
    """Keep what somebody said is to be remembered."""
    fact = Fact(thread, _next(connection, remembered, thread), text, by, now)
    values = {"thread": thread, "number": fact.number, "text": text, "by": by, "at": now}
    connection.execute(remembered.insert().values(values))
    return fact


def facts_of(connection: Connection, thread: str) -> list[Fact]:
    """What is remembered of a thread."""
    query = sa.select(remembered).where(remembered.c.thread == thread).order_by(remembered.c.number)
    return [Fact(*row) for row in connection.execute(query)]


def forget(connection: Connection, thread: str, numbers: Sequence[int] | None) -> int:
    """Delete some of what is remembered, or all; gives how many that were."""
    query = sa.delete(remembered).where(remembered.c.thread == thread)
    if numbers is not None:
        query = query.where(remembered.c.number.in_(numbers))
    return connection.execute(query).rowcount


def write_plan(connection: Connection, thread: str, plan: Mapping[str, object] | None) -> None:
    """Put a plan in place of a thread's, or none."""
    value = sa.null() if plan is None else plan
    connection.execute(sa.update(threads).where(threads.c.id == thread).values(plan=value))


def write_image(connection: Connection, thread: str, number: int, kind: str, content: bytes) -> None:
    """Keep an image that was made as the reply to a message."""
    connection.execute(images.insert().values(thread=thread, number=number, kind=kind, content=content))


def read_image(connection: Connection, thread: str, number: int) -> tuple[str, bytes] | None:
    """Kind and content of an image."""
    at = (images.c.thread == thread, images.c.number == number)
    row = connection.execute(sa.select(images.c.kind, images.c.content).where(*at)).first()
    return (row.kind, row.content) if row else None


def _next(connection: Connection, table: sa.Table, thread: str) -> int:
    query = sa.select(sa.func.max(table.c.number)).where(table.c.thread == thread)
    return (connection.execute(query).scalar() or 0) + 1


def _values(message: Message) -> dict[str, object]:
    return {name: getattr(message, name) for name in Message.__slots__}
