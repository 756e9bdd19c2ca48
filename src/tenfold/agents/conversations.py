"""Takes customers' messages and replies to each once, whatever is killed in between.

A message is on disk when it is acknowledged. What is to be replied to is found in the database when the process starts;
the reply is computed outside of a transaction, and written in one with the thread's memory and all that is sent because
of it. So a process that is killed before has done nothing, and one that is killed after has done everything.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import Connection

from tenfold.agents import tables
from tenfold.agents.contract import MOST_WAITING
from tenfold.agents.tables import Json, Message, Opening, Thread
from tenfold.core.store import Store
from tenfold.product.transactions import Transactions

log = logging.getLogger(__name__)

Key = tuple[str, str]
"""Business and thread."""

AGAIN_S = 1.0
"""Seconds until a reply that could not be written is tried again; each further time twice as many, to a minute."""


@dataclass(frozen=True, slots=True)
class Replied:
    """What is replied. ``said``: as the API gives it. ``memory``: what the agent keeps of the thread."""

    kind: str
    text: str
    said: Json
    memory: Json


class Thinker(Protocol):
    """Computes replies."""

    async def think(self, thread: Thread, message: Message) -> Callable[[Connection], Replied]:
        """Find what to reply, without a transaction.

        Gives what fills the reply in from the database and writes what comes of it, in the transaction that writes the
        reply; called with a connection, it may raise ``ThinkAgain``.
        """


class ThinkAgain(Exception):
    """What a reply was made from has changed meanwhile."""


class TooMany(Exception):
    """A thread has as many messages waiting as it may have."""


class Conversations:
    """All threads of all businesses.

    Args:
        store: the database.
        thinker: computes replies.
        sent: called with each reply once it is on disk.
    """

    def __init__(self, store: Store, thinker: Thinker, sent: Callable[[Message], None] = lambda _: None) -> None:
        self._transactions = Transactions(store)
        self.read, self.write = self._transactions.read, self._transactions.write
        self._thinker = thinker
        self._sent = sent
        self._at_work: dict[Key, asyncio.Task[None]] = {}
        self._woken: set[Key] = set()
        self._waiters: defaultdict[int, set[asyncio.Future[Message]]] = defaultdict(set)

    async def open(self) -> None:
        """Go on with what was not replied to in a life before."""
        for key in await self.read(tables.threads_waiting):
            self._wake(key)

    async def close(self) -> None:
        """Stop; what is not written yet is found by the next process."""
        tasks = list(self._at_work.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._transactions.close()

    async def take(self, business: str, thread: str, identity: str, text: str, opening: Opening) -> Message:
        """Write a customer's message down, and have it replied to; one that was seen before is given as it is.

        Raises:
            TooMany: the thread has too many that wait.
        """

        def taking(connection: Connection) -> tuple[Message, bool] | None:
            is_new = tables.read_message(connection, business, thread, identity) is None
            if is_new and tables.count_waiting(connection, business, thread) >= MOST_WAITING:
                return None
            return tables.take_message(connection, business, thread, identity, text, opening, time.time())

        found = await self.write(taking)
        if found is None:
            raise TooMany
        message, is_new = found
        if is_new and message.waiting:
            self._wake((business, thread))
        return message

    async def reply_to(self, message: Message, wait_s: float) -> Message | None:
        """Wait for the reply to a message; none if there is none by then, or a human holds the thread."""
        waiter: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._waiters[message.number].add(waiter)
        try:
            # It may have been written before there was anybody to be told.
            found = await self.read(lambda connection: tables.read_reply(connection, message.number))
            if found is not None or not message.waiting:
                return found
            async with asyncio.timeout(wait_s):
                return await waiter
        except TimeoutError:
            return None
        finally:
            self._waiters[message.number].discard(waiter)
            if not self._waiters[message.number]:
                del self._waiters[message.number]

    def _wake(self, key: Key) -> None:
        """See that somebody works on a thread."""
        if key in self._at_work:
            self._woken.add(key)
            return
        self._at_work[key] = asyncio.create_task(self._work(key))

    async def _work(self, key: Key) -> None:
        """Reply to what waits in a thread, in order, until nothing does."""
        more, pause_s = True, AGAIN_S
        try:
            while more or key in self._woken:
                self._woken.discard(key)
                try:
                    more, pause_s = await self._step(key), AGAIN_S
                except Exception:
                    # The disk is full, or the server is away: what is not replied to stays in the database.
                    log.exception("a reply in %s could not be written; it is tried again in %g s", key, pause_s)
                    await asyncio.sleep(pause_s)
                    pause_s = min(60.0, 2 * pause_s)
        finally:
            # Before anybody else has a turn: who wakes it from now on starts it anew.
            del self._at_work[key]

    async def _step(self, key: Key) -> bool:
        """Reply to the first message that waits; whether there was one."""

        def reading(connection: Connection) -> tuple[Thread | None, Message | None]:
            return tables.read_thread(connection, *key), tables.next_waiting(connection, *key)

        thread, message = await self.read(reading)
        if thread is None or message is None:
            return False
        finish = await self._thinker.think(thread, message)

        def writing(connection: Connection) -> Message | None:
            found = finish(connection)
            return tables.answer(connection, message, found.kind, found.text, found.said, found.memory, time.time())

        try:
            reply = await self.write(writing)
        except ThinkAgain:
            return True
        if reply is not None:
            for waiter in self._waiters.get(message.number, ()):
                if not waiter.done():
                    waiter.set_result(reply)
            self._sent(reply)
        return True
