"""Sends what is due, in order within a thread, and tries again what was not taken."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from sqlalchemy import Connection

from tenfold.product.channels.deliveries import (
    AT_ONCE,
    MOST_FORGOTTEN,
    ChannelRefused,
    Deliveries,
    Delivery,
    NotSent,
    OutsideWindow,
    Refusal,
    parts_taken,
)

log = logging.getLogger(__name__)

Made = TypeVar("Made")
Run = Callable[[Callable[[Connection], Made]], Awaitable[Made]]

MOST_TRIES = 35
"""For about a day; on WhatsApp and Messenger 24 hours end it before."""
FIRST_PAUSE_S = 2.0
"""Until a delivery is tried again; twice as long each further time, to an hour."""
LONGEST_PAUSE_S = 3600.0
DOUBT_S = 60.0
"""How long a delivery that a killed process was sending waits for a word that it arrived."""
LOOK_EVERY_S = 5.0
FORGET_EVERY_S = 3600.0


class Courier:
    """Sends what is due.

    Args:
        deliveries: what is to be sent.
        read: runs work in a reading transaction, outside of the loop.
        write: the same, in a writing one.
        send: sends one; raises ``NotSent``.
        tell: called with the channels that take nothing, once a turn.
        keep_days: days after which what was sent, or never will be, is forgotten.
        clock: Unix seconds.
    """

    def __init__(
        self,
        deliveries: Deliveries,
        read: Run,
        write: Run,
        send: Callable[[Delivery], Awaitable[None]],
        tell: Callable[[Sequence[Refusal]], None],
        keep_days: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._deliveries = deliveries
        self._read = read
        self._write = write
        self._send = send
        self._tell = tell
        self._keep_s = 86_400.0 * keep_days
        self._clock = clock
        self._wanted = asyncio.Event()
        self._forget_at = 0.0

    def hurry(self) -> None:
        """Look at once: something may be due."""
        self._wanted.set()

    async def turn(self) -> None:
        """Send all that is due, then wait until something may be."""
        self._wanted.clear()
        due, refusals = await self._read(self._look)
        self._tell(refusals)
        refused = {(each.business, each.channel) for each in refusals}
        by_channel: dict[tuple[str, str], list[Delivery]] = {}
        for delivery in due:
            by_channel.setdefault((delivery.business, delivery.channel), []).append(delivery)
        await asyncio.gather(*(self._send_on(mine, asks=key in refused) for key, mine in by_channel.items()))
        await self._forget()
        if len(due) == AT_ONCE:
            return
        try:
            async with asyncio.timeout(LOOK_EVERY_S):
                await self._wanted.wait()
        except TimeoutError:
            pass

    def _look(self, connection: Connection) -> tuple[list[Delivery], list[Refusal]]:
        return self._deliveries.read_due(connection, self._clock()), self._deliveries.read_refusals(connection)

    async def _send_on(self, due: list[Delivery], *, asks: bool) -> None:
        """Send what is due on one channel: in order within a thread, threads beside each other.

        Args:
            due: in order of writing.
            asks: whether one is to show first that the channel takes anything.
        """
        by_thread: dict[str, list[Delivery]] = {}
        for delivery in due:
            by_thread.setdefault(delivery.thread, []).append(delivery)
        threads = list(by_thread.values())
        while asks and threads:
            became = await self._send_one(threads[0].pop(0))
            if became == "sent":
                break
            if became != "held":
                return
            # That one says nothing of the channel, and its thread waits behind it.
            del threads[0]
        await asyncio.gather(*map(self._send_in_order, threads))

    async def _send_in_order(self, due: list[Delivery]) -> None:
        for delivery in due:
            if await self._send_one(delivery) != "sent":
                return

    async def _send_one(self, delivery: Delivery) -> str:
        """What it became; unless it was sent, what comes behind it in its thread waits for it.

        One that is not as it was read any more is ``changed``, and not sent.
        """
        until = self._clock() + DOUBT_S
        if not await self._write(lambda connection: self._deliveries.begin(connection, delivery, until)):
            return "changed"
        try:
            await self._send(delivery)
        except OutsideWindow as error:
            # The customer's silence counts no try.
            await self._note(delivery, error, state="held", tries=delivery.tries, next_at=self._clock())
            return "held"
        except ChannelRefused as error:
            refusal, now = error, self._clock()
            if await self._write(lambda connection: self._deliveries.note_refused(connection, delivery, refusal, now)):
                log.error("%s of %r takes nothing; replies wait for it: %s", delivery.channel, delivery.business, error)
            return "refused"
        except NotSent as error:
            return await self._try_later(delivery, error)
        except Exception as error:
            # What nobody foresaw of one, e.g. a token that no header can hold, keeps no other waiting.
            log.exception("delivery %d failed", delivery.number)
            return await self._try_later(delivery, NotSent(f"{type(error).__name__}: {error}"))
        now = self._clock()
        await self._write(lambda connection: self._deliveries.note_sent(connection, delivery, now))
        return "sent"

    async def _try_later(self, delivery: Delivery, error: NotSent) -> str:
        """Have it tried again where that may help; what it became."""
        is_over = error.for_good or delivery.tries + 1 >= MOST_TRIES
        pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**delivery.tries)
        state = "failed" if is_over else "pending"
        log.log(logging.WARNING if is_over else logging.INFO, "delivery %d: %s", delivery.number, error)
        await self._note(delivery, error, state=state, next_at=self._clock() + pause_s)
        return state

    async def _forget(self) -> None:
        """Now and then forget what ended long ago."""
        now = self._clock()
        if now < self._forget_at:
            return
        gone = await self._write(lambda connection: self._deliveries.forget(connection, now - self._keep_s))
        if gone < MOST_FORGOTTEN:
            self._forget_at = now + FORGET_EVERY_S

    async def _note(self, delivery: Delivery, error: NotSent, **became: object) -> None:
        values = {**became, "detail": str(error)[:500], **parts_taken(delivery, error)}
        await self._write(lambda connection: self._deliveries.note(connection, delivery, values))
