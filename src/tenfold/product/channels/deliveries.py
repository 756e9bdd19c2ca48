"""What goes out by itself: replies on WhatsApp and Messenger, and the word to a human that a customer waits for them.

It is written in the transaction of what it tells, so that neither is there without the other, and sent afterwards until
it was taken. A process killed between sending and noting that it was sent sends once more, unless the channel tells
meanwhile that it has it: WhatsApp's reports of status quote the delivery.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection

log = logging.getLogger(__name__)

Made = TypeVar("Made")
Run = Callable[[Callable[[Connection], Made]], Awaitable[Made]]
Channel = Literal["whatsapp", "messenger", "webhook", "email"]

MOST_TRIES = 10
FIRST_PAUSE_S = 2.0
"""Until a delivery is tried again; twice as long each further time, to an hour."""
LONGEST_PAUSE_S = 3600.0
DOUBT_S = 60.0
"""How long a delivery that a killed process was sending waits for a word that it arrived."""
AT_ONCE = 50
LOOK_EVERY_S = 5.0
_WAITS = ("pending", "sending")
WINDOW_S = 24 * 3600.0 - 60.0
"""For how long after a customer's message Meta lets a business write to them, but for a minute on the way."""
OUTSIDE = (
    "held back: Meta lets a business write within 24 hours of the customer's last message; it goes out as soon as they "
    "write again"
)


@dataclass(frozen=True, slots=True)
class Delivery:
    """Something to send. ``detail``: why the last try failed."""

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
    """It was not taken; ``for_good``: it never will be."""

    def __init__(self, message: str, *, for_good: bool = False) -> None:
        super().__init__(message)
        self.for_good = for_good


class OutsideWindow(NotSent):
    """The channel takes it only once the customer has written again."""


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

    def note_arrived(self, connection: Connection, business: str, number: int) -> None:
        """Note that a delivery is there: the channel says so."""
        mine = (self.table.c.number == number) & (self.table.c.business == business)
        connection.execute(sa.update(self.table).where(mine).values(state="sent", detail=""))

    def read_unsent(self, connection: Connection, business: str, most: int = 200) -> list[Delivery]:
        """Read what customers have not got, held back or refused for good; the latest of it, in order of writing."""
        columns = self.table.c
        unsent = columns.state.in_(("held", "failed")) & columns.channel.in_(("whatsapp", "messenger"))
        query = sa.select(self.table).where(columns.business == business, unsent)
        rows = connection.execute(query.order_by(columns.number.desc()).limit(most))
        return [Delivery(*row) for row in reversed(rows.all())]

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

    def note(self, connection: Connection, number: int, values: Mapping[str, object]) -> None:
        """Note what became of a delivery."""
        connection.execute(sa.update(self.table).where(self.table.c.number == number).values(**values))


def _waits(is_held: bool) -> dict[str, str]:
    return {"state": "held", "detail": OUTSIDE} if is_held else {"state": "pending", "detail": ""}


class Courier:
    """Sends what is due.

    Args:
        deliveries: what is to be sent.
        read: runs work in a reading transaction, outside of the loop.
        write: the same, in a writing one.
        send: sends one; raises ``NotSent``.
        clock: Unix seconds.
    """

    def __init__(
        self,
        deliveries: Deliveries,
        read: Run,
        write: Run,
        send: Callable[[Delivery], Awaitable[None]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._deliveries = deliveries
        self._read = read
        self._write = write
        self._send = send
        self._clock = clock
        self._wanted = asyncio.Event()

    def hurry(self) -> None:
        """Look at once: something may be due."""
        self._wanted.set()

    async def turn(self) -> None:
        """Send all that is due, then wait until something may be."""
        self._wanted.clear()
        due = await self._read(lambda connection: self._deliveries.read_due(connection, self._clock()))
        # In order within a thread; threads beside each other.
        by_thread: dict[tuple[str, str, str], list[Delivery]] = {}
        for delivery in due:
            by_thread.setdefault((delivery.business, delivery.thread, delivery.channel), []).append(delivery)
        await asyncio.gather(*map(self._send_in_order, by_thread.values()))
        if len(due) == AT_ONCE:
            return
        try:
            async with asyncio.timeout(LOOK_EVERY_S):
                await self._wanted.wait()
        except TimeoutError:
            pass

    async def _send_in_order(self, due: list[Delivery]) -> None:
        for delivery in due:
            if not await self._send_one(delivery):
                return

    async def _send_one(self, delivery: Delivery) -> bool:
        """Whether it was sent; what comes behind it in its thread waits for it."""
        begun = {"state": "sending", "tries": delivery.tries + 1, "next_at": self._clock() + DOUBT_S}
        await self._set(delivery, **begun)
        try:
            await self._send(delivery)
        except OutsideWindow as error:
            await self._set(delivery, state="held", tries=0, next_at=self._clock(), detail=str(error)[:500])
            return False
        except NotSent as error:
            is_over = error.for_good or delivery.tries + 1 >= MOST_TRIES
            pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**delivery.tries)
            state = "failed" if is_over else "pending"
            log.log(logging.WARNING if is_over else logging.INFO, "delivery %d: %s", delivery.number, error)
            await self._set(delivery, state=state, next_at=self._clock() + pause_s, detail=str(error)[:500])
            return False
        await self._set(delivery, state="sent", detail="")
        return True

    async def _set(self, delivery: Delivery, **values: object) -> None:
        await self._write(lambda connection: self._deliveries.note(connection, delivery.number, values))
