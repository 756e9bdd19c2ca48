"""What goes out by itself: replies on WhatsApp and Messenger, and the word to a human that a customer waits for them.

It is written in the transaction of what it tells, so that neither is there without the other, and sent afterwards until
it was taken. A process killed between sending and noting that it was sent sends once more, unless the channel tells
meanwhile that it has it: WhatsApp's reports of status quote the delivery.

A channel that takes nothing from us at all, since its access token has expired or was revoked, costs no reply: all wait
for it, one now and then asks whether it takes some again, and whoever runs the pool is told. It ends as all waiting
does: by Meta's 24 hours, after which a reply waits for its customer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

import sqlalchemy as sa
from sqlalchemy import Connection

Channel = Literal["whatsapp", "messenger", "webhook", "email"]

AT_ONCE = 50
REFUSED_PAUSE_S = 300.0
"""Until a channel that took nothing is asked again; at once where its settings are others by then."""
MOST_FORGOTTEN = 1000
"""Deliveries that one transaction forgets; the rest is forgotten in the next ones."""
_WAITS = ("pending", "sending", "refused")
_ENDED = ("sent", "failed", "held")
WINDOW_S = 24 * 3600.0 - 60.0
"""For how long after a customer's message Meta lets a business write to them, but for a minute on the way."""
OUTSIDE = (
    "held back: Meta lets a business write within 24 hours of the customer's last message; it goes out as soon as they "
    "write again"
)

BEHIND = "waits behind an earlier message, as the channel takes nothing now"


@dataclass(frozen=True, slots=True)
class Delivery:
    """Something to send. ``tries``: that its channel took, or may have. ``detail``: why the last try failed.

    ``content["taken"]``: how many parts of a long text the channel took before it failed at the next one.
    """

    number: int
    business: str
    thread: str
    channel: Channel
    address: str
    content: Mapping[str, object]
    state: str
    tries: int
    next_at: float
    detail: str


class NotSent(Exception):
    """It was not taken.

    ``for_good``: it never will be. ``parts_taken``: of a long text, how many were before the one that failed.
    """

    def __init__(self, message: str, *, for_good: bool = False) -> None:
        super().__init__(message)
        self.for_good = for_good
        self.parts_taken = 0


class OutsideWindow(NotSent):
    """The channel takes it only once the customer has written again."""


class ChannelRefused(NotSent):
    """The channel takes nothing of ours, whatever it is, until whoever has it mends something, e.g. its token."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A channel that takes nothing. ``since``: Unix seconds. ``waiting``: deliveries that wait for it."""

    business: str
    channel: str
    since: float
    why: str
    waiting: int

    def told(self, whose: str) -> str:
        """Say it in a sentence without its end."""
        since = datetime.fromtimestamp(self.since, UTC)
        return (
            f"{self.channel} of {whose} takes nothing since {since:%Y-%m-%d %H:%M} UTC ({self.why}); "
            f"{self.waiting} messages wait for it, each until 24 hours after its customer wrote"
        )


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a channel says of a delivery that it had taken: it arrived, or ``failed`` says why it never will.

    ``tried``: of which try it speaks, counted from 0; none: nobody knows. ``is_late``: only since the customer's last
    message is too old by now. ``is_under_way``: it has not arrived yet, and may still fail.
    """

    number: int
    failed: str = ""
    tried: int | None = None
    is_late: bool = False
    is_under_way: bool = False


LastWrote = Callable[["sa.ColumnElement[str]", "sa.ColumnElement[str]"], "sa.ScalarSelect[float]"]
"""When somebody on the other side of a thread wrote last, in Unix seconds, by business and thread."""


class Deliveries:
    """The table of what is to be sent, in a product's database.

    ``business`` in it is whose channel it is; empty where the product itself has it.

    Args:
        metadata: of the product's tables.
        last_wrote: tells of a thread when somebody wrote to it last.
    """

    def __init__(self, metadata: sa.MetaData, last_wrote: LastWrote) -> None:
        self.last_wrote = last_wrote
        self.table = sa.Table(
            "deliveries",
            metadata,
            sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
            sa.Column("business", sa.String, nullable=False),
            sa.Column("thread", sa.String, nullable=False),
            sa.Column("channel", sa.String, nullable=False),
            sa.Column("address", sa.String, nullable=False),
            sa.Column("content", sa.JSON, nullable=False),
            sa.Column("state", sa.String, nullable=False),
            sa.Column("tries", sa.Integer, nullable=False),
            sa.Column("next_at", sa.Float, nullable=False),
            sa.Column("detail", sa.Text, nullable=False),
        )
        self.refusals = sa.Table(
            "channel_refusals",
            metadata,
            sa.Column("business", sa.String, primary_key=True),
            sa.Column("channel", sa.String, primary_key=True),
            sa.Column("since", sa.Float, nullable=False),
            sa.Column("why", sa.Text, nullable=False),
        )

    def is_open(self, connection: Connection, business: str, thread: str, now: float) -> bool:
        """Whether WhatsApp and Messenger take a message to a thread's customer now."""
        last = connection.scalar(sa.select(self.last_wrote(sa.literal(business), sa.literal(thread))))
        return last is not None and now - last < WINDOW_S

    def send_later(
        self,
        connection: Connection,
        business: str,
        thread: str,
        channel: Channel,
        address: str,
        content: Mapping[str, object],
        now: float,
    ) -> None:
        """Have something sent, once the caller's transaction is committed.

        On WhatsApp and Messenger it is held back where the customer's last message is too old, see ``OUTSIDE``.
        """
        is_held = channel in ("whatsapp", "messenger") and not self.is_open(connection, business, thread, now)
        row = {"business": business, "thread": thread, "channel": channel, "address": address, "content": dict(content)}
        connection.execute(sa.insert(self.table).values(**row, tries=0, next_at=now, **_waits(is_held)))

    def take_receipt(self, connection: Connection, business: str, receipt: Receipt, now: float) -> None:
        """Note what the channel says of a delivery."""
        mine = (self.table.c.number == receipt.number) & (self.table.c.business == business)
        if not receipt.failed:
            if receipt.is_under_way:
                # Receipts come in any order: that it failed may have been said before.
                mine &= self.table.c.state.in_(_WAITS)
            connection.execute(sa.update(self.table).where(mine).values(state="sent", detail=""))
            return
        state, detail = ("held", OUTSIDE) if receipt.is_late else ("failed", receipt.failed[:500])
        # What waits again meanwhile, or was sent again, is not what it speaks of; it may come again and again itself.
        taken = mine & self.table.c.state.in_(("sent", "sending"))
        if receipt.tried is not None:
            taken &= self.table.c.tries == receipt.tried + 1
        connection.execute(sa.update(self.table).where(taken).values(state=state, next_at=now, detail=detail))

    def read_unsent(self, connection: Connection, business: str, most: int = 200) -> list[Delivery]:
        """Read what customers have not got, held back, refused or failed; the latest of it, in order of writing."""
        columns, refusals = self.table.c, self.refusals.c
        same = (refusals.business == columns.business) & (refusals.channel == columns.channel)
        # What waits behind one that was refused is not tried itself.
        behind = (columns.state == "pending") & sa.exists().where(same)
        unsent = columns.state.in_(("held", "refused", "failed")) | behind
        mine = (columns.business == business) & columns.channel.in_(("whatsapp", "messenger"))
        rows = connection.execute(
            sa.select(self.table).where(mine, unsent).order_by(columns.number.desc()).limit(most)
        ).all()
        found = [Delivery(*row) for row in reversed(rows)]
        return [replace(each, state="refused", detail=BEHIND) if each.state == "pending" else each for each in found]

    def read_due(self, connection: Connection, now: float) -> list[Delivery]:
        """Read what is to be sent now, in the order of writing."""
        columns, before = self.table.c, self.table.alias("before")
        # What comes behind one that is to be tried again later waits with it: a thread is read in order.
        same = (before.c.business == columns.business) & (before.c.thread == columns.thread)
        earlier = same & (before.c.channel == columns.channel) & (before.c.number < columns.number)
        held_up = sa.exists().where(earlier, before.c.state.in_(_WAITS), before.c.next_at > now)
        # What is held back waits for the customer to write again.
        wrote = self.last_wrote(columns.business, columns.thread) > columns.next_at
        waits = columns.state.in_(_WAITS) | ((columns.state == "held") & wrote)
        due = waits & (columns.next_at <= now) & ~held_up
        query = sa.select(self.table).where(due).order_by(columns.number).limit(AT_ONCE)
        return [Delivery(*row) for row in connection.execute(query)]

    def begin(self, connection: Connection, delivery: Delivery, until: float) -> bool:
        """Note that a delivery is being sent; no where it is not as it was read any more, e.g. since it has arrived.

        Args:
            connection: of a transaction that writes.
            delivery: as it was read.
            until: Unix seconds from which another process may send it, if nothing more was noted of it.
        """
        columns = self.table.c
        as_read = (columns.state == delivery.state) & (columns.tries == delivery.tries)
        values = {"state": "sending", "tries": delivery.tries + 1, "next_at": until}
        begun = sa.update(self.table).where(columns.number == delivery.number, as_read).values(**values)
        return bool(connection.execute(begun).rowcount)

    def note(self, connection: Connection, delivery: Delivery, values: Mapping[str, object]) -> None:
        """Note what became of a try, unless the channel has said meanwhile what became of the delivery."""
        connection.execute(sa.update(self.table).where(self._in_hand(delivery)).values(**values))

    def note_sent(self, connection: Connection, delivery: Delivery, now: float) -> None:
        """Note that a delivery was taken, and so that its channel takes what waits for it."""
        self.note(connection, delivery, {"state": "sent", "detail": ""})
        if connection.execute(sa.delete(self.refusals).where(_of(self.refusals, delivery))).rowcount:
            refused = _of(self.table, delivery) & (self.table.c.state == "refused")
            connection.execute(sa.update(self.table).where(refused).values(next_at=now))

    def note_refused(self, connection: Connection, delivery: Delivery, refusal: ChannelRefused, now: float) -> bool:
        """Have all that is for a delivery's channel wait for it; whether it took something until now."""
        why = str(refusal)[:500]
        values = {"state": "refused", "next_at": now + REFUSED_PAUSE_S, "detail": why}
        # It was not the delivery's fault, so it counts no try.
        self.note(connection, delivery, {**values, "tries": delivery.tries, **parts_taken(delivery, refusal)})
        waits = _of(self.table, delivery) & self.table.c.state.in_(("pending", "refused"))
        connection.execute(sa.update(self.table).where(waits).values(**values))
        known = sa.update(self.refusals).where(_of(self.refusals, delivery)).values(why=why)
        if connection.execute(known).rowcount:
            return False
        row = {"business": delivery.business, "channel": delivery.channel, "since": now, "why": why}
        connection.execute(sa.insert(self.refusals).values(row))
        return True

    def renew(self, connection: Connection, business: str, channel: str, now: float) -> None:
        """Begin anew with a channel whose settings are others now: what waits for it is tried at once."""
        gone = (self.refusals.c.business == business) & (self.refusals.c.channel == channel)
        connection.execute(sa.delete(self.refusals).where(gone))
        columns = self.table.c
        mine = (columns.business == business) & (columns.channel == channel) & (columns.state == "refused")
        connection.execute(sa.update(self.table).where(mine).values(state="pending", next_at=now))

    def read_refusals(self, connection: Connection) -> list[Refusal]:
        """Read which channels take nothing, the oldest first."""
        columns, waits = self.refusals.c, self.table.c
        same = (waits.business == columns.business) & (waits.channel == columns.channel)
        of = same & waits.state.in_(("pending", "refused"))
        waiting = sa.select(sa.func.count()).select_from(self.table).where(of).scalar_subquery()
        query = sa.select(columns.business, columns.channel, columns.since, columns.why, waiting)
        return [Refusal(*row) for row in connection.execute(query.order_by(columns.since))]

    def forget(self, connection: Connection, before: float) -> int:
        """Delete up to ``MOST_FORGOTTEN`` deliveries that ended before a moment; how many those were.

        Of the replies themselves nothing goes: they are among the messages.
        """
        columns = self.table.c
        # The newest stays, so that no number is given twice: what a channel says of a delivery names it by its number.
        newest = sa.select(sa.func.max(columns.number)).scalar_subquery()
        ended = columns.state.in_(_ENDED) & (columns.next_at < before) & (columns.number < newest)
        old = sa.select(columns.number).where(ended).order_by(columns.number).limit(MOST_FORGOTTEN)
        return connection.execute(sa.delete(self.table).where(columns.number.in_(old))).rowcount

    def _in_hand(self, delivery: Delivery) -> "sa.ColumnElement[bool]":
        """A delivery whose try ``begin`` noted, as long as nothing else was noted of it."""
        columns = self.table.c
        is_begun = (columns.state == "sending") & (columns.tries == delivery.tries + 1)
        return (columns.number == delivery.number) & is_begun


def parts_taken(delivery: Delivery, error: NotSent) -> dict[str, object]:
    """What to note so that the next try goes on behind what the channel has taken of a long text."""
    return {"content": {**delivery.content, "taken": error.parts_taken}} if error.parts_taken else {}


def _of(table: sa.Table, delivery: Delivery) -> "sa.ColumnElement[bool]":
    """Rows of a delivery's channel."""
    return (table.c.business == delivery.business) & (table.c.channel == delivery.channel)


def _waits(is_held: bool) -> dict[str, str]:
    return {"state": "held", "detail": OUTSIDE} if is_held else {"state": "pending", "detail": ""}
