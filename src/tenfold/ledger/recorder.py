"""Write to the ledger, and go on when it cannot be written: a full disk, a lock, a database server that is away."""

import asyncio
import concurrent.futures
import datetime as dt
import itertools
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from sqlalchemy.exc import DBAPIError

from tenfold.core.errors import TenfoldError
from tenfold.core.store import cause_of
from tenfold.ledger.ledger import Event, Ledger

log = logging.getLogger(__name__)

Found = TypeVar("Found")

TRY_EVERY_S = 1.0
WAIT_S = 2.0
"""A slow disk is no trouble yet; heartbeats go on after it. The ledger itself gives up a lock sooner, and says so."""
OPEN_S = 60.0
CLOSE_S = 1.5
TOGETHER = 100
"""Events that are written in one transaction, at most."""
KEPT = 1000
"""Events that wait in memory; beyond, the oldest is dropped that is not the latest of its kind."""


class Recorder:
    """Records events, at once where that works, and else when it works again, with the time at which they happened.

    The ledger is opened, written and read by a thread of its own, and waited for ``WAIT_S`` at most: a database server
    that does not answer stops nobody.

    Args:
        open_ledger: opens the ledger; called again until it succeeds.
        where: what the ledger is called in sentences, e.g. its path.
        clock: gives Unix seconds.

    ``recorded`` and ``dropped`` count events since it was made. ``unforgotten``: why old events could not be taken out
    of the ledger, in a sentence, or empty; whoever tries says so here.
    """

    def __init__(self, open_ledger: Callable[[], Ledger], where: str, clock: Callable[[], float] = time.time) -> None:
        self._open = open_ledger
        self._where = where
        self._clock = clock
        self._ledger: Ledger | None = None
        self._thread = _Thread()
        self._waiting: deque[Event] = deque()
        self._order: concurrent.futures.Future[Sequence[Event]] | None = None
        self._ordered = 0
        """Events at the head of those that wait which the thread is writing."""
        self._is_late = False
        self._dropped = 0
        self.recorded = 0
        self.dropped = 0
        self._failed_at: float | None = None
        self._tried_at = 0.0
        self._cause = ""
        self.unforgotten = ""

    async def opened(self) -> None:
        """Wait until the ledger is open, or cannot be opened, which is then trouble."""
        order = asyncio.wrap_future(self._thread.do(self._opened))
        done, _ = await asyncio.wait([order], timeout=OPEN_S)
        if not done:
            self._note_late(OPEN_S)
        elif error := order.exception():
            self._note(error)

    def append(self, kind: str, subject: str, body: Mapping[str, object]) -> None:
        """Record one event; it waits in memory while the ledger cannot be written."""
        self._waiting.append(Event(0, self._clock(), kind, subject, body))
        if self._failed_at is None:
            self._write(WAIT_S)
        elif len(self._waiting) > KEPT:
            self._drop_one()

    async def record_once(self, kind: str, subject: str, number: int, body: Mapping[str, object]) -> bool | None:
        """Record an event unless its number is known (see ``Ledger.append_once``); whether it was new.

        It does not wait in memory: none says that it is not known to be recorded, and must be told again.
        """
        order = self._thread.do(lambda: self._opened().append_once(kind, subject, number, body))
        done, _ = await asyncio.wait([asyncio.wrap_future(order)], timeout=WAIT_S)
        if not done:
            self._note_late(WAIT_S)
            return None
        if error := order.exception():
            self._note(error)
            return None
        self.recorded += order.result()
        return order.result()

    def tend(self) -> None:
        """Try again, if it could not write and enough time has passed; to be called every now and then."""
        if self._failed_at is None:
            return
        if self._order is not None or not 0 <= self._clock() - self._tried_at < TRY_EVERY_S:
            # One that was late once is not waited for again before it has answered.
            self._write(0.0 if self._is_late else WAIT_S)

    @property
    def unrecorded(self) -> int:
        """Events that wait in memory."""
        return len(self._waiting)

    @property
    def trouble(self) -> str:
        """What is wrong, in a sentence; empty while all is recorded."""
        if self._failed_at is None:
            return self.unforgotten
        since = f"{dt.datetime.fromtimestamp(self._failed_at):%H:%M:%S}"
        return f"nothing is recorded since {since}: {self._where} cannot be written ({self._cause}); the pool goes on"

    def latest(self, kind: str, limit: int = 1) -> Sequence[Event]:
        """Read the newest events of a kind, newest first; none if the ledger cannot be read, which is then trouble."""
        order = self._thread.do(lambda: self._opened().latest(kind, limit))
        if not _is_done(order, WAIT_S):
            self._note_late(WAIT_S)
        elif error := order.exception():
            self._note(error)
        else:
            return order.result()
        return ()

    def close(self) -> None:
        """Close the ledger; what could not be written is lost."""
        wait_s = 0.0 if self._is_late else CLOSE_S
        if self._waiting:
            self._write(wait_s)
        if self._waiting:
            log.warning("%d events were never recorded: %s (%s)", len(self._waiting), self._where, self._cause)
        if not _is_done(self._thread.do(self._close), wait_s):
            log.warning("%s does not answer; it is left without a word", self._where)
        self._thread.end()

    # ---- what the thread does

    def _opened(self) -> Ledger:
        if self._ledger is None:
            self._ledger = self._open()
        return self._ledger

    def _close(self) -> None:
        if self._ledger is not None:
            self._ledger.close()

    # ---- what its caller does

    def _write(self, wait_s: float) -> None:
        """Write what waits, oldest first, as far as it goes; each transaction is waited for ``wait_s`` at most."""
        while self._waiting:
            if self._order is None:
                self._order_next()
            assert self._order is not None
            if not _is_done(self._order, wait_s):
                self._note_late(wait_s)
                return
            error, self._order = self._order.exception(), None
            if error is not None:
                self._note(error)
                return
            for _ in range(self._ordered):
                self._waiting.popleft()
            self.recorded += self._ordered
            self._is_late = False
            if not self._waiting and self._failed_at is not None:
                self._recover()

    def _order_next(self) -> None:
        batch = tuple(itertools.islice(self._waiting, TOGETHER))
        self._ordered = len(batch)
        self._order = self._thread.do(lambda: self._opened().extend(batch))

    def _recover(self) -> None:
        """All is written again: the gap is an event of its own."""
        gap = {"since": self._failed_at, "cause": self._cause, "dropped": self._dropped}
        log.warning("%s is written again; %d events were dropped", self._where, self._dropped)
        self._failed_at, self._cause, self._dropped = None, "", 0
        self._waiting.append(Event(0, self._clock(), "unrecorded", "ledger", gap))

    def _note_late(self, waited_s: float) -> None:
        self._is_late = True
        if waited_s:
            self._note(TenfoldError(f"no answer within {waited_s:g} s"))

    def _note(self, error: BaseException) -> None:
        """Note a failure.

        Raises:
            BaseException: it is none of those that a disk or a server may bring.
        """
        if not isinstance(error, DBAPIError | OSError | TenfoldError):
            raise error
        self._tried_at = self._clock()
        self._cause = cause_of(error) if isinstance(error, DBAPIError) else str(error)
        if self._failed_at is None:
            self._failed_at = self._tried_at
            log.warning("%s cannot be written: %s", self._where, self._cause)

    def _drop_one(self) -> None:
        """The latest of each kind stays, so that the allocation in force is known once anything is."""
        latest = {event.kind: index for index, event in enumerate(self._waiting)}
        first = self._ordered if self._order is not None else 0
        for index, event in enumerate(self._waiting):
            if index >= first and latest[event.kind] != index:
                del self._waiting[index]
                self._dropped += 1
                self.dropped += 1
                return


class _Thread:
    """Does one thing after another. At the end of the process nobody waits for it."""

    def __init__(self) -> None:
        self._orders: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        threading.Thread(target=self._work, name="ledger", daemon=True).start()

    def do(self, work: Callable[[], Found]) -> concurrent.futures.Future[Found]:
        order: concurrent.futures.Future[Found] = concurrent.futures.Future()

        def carry_out() -> None:
            if not order.set_running_or_notify_cancel():
                return
            try:
                order.set_result(work())
            except BaseException as error:
                order.set_exception(error)

        self._orders.put(carry_out)
        return order

    def end(self) -> None:
        self._orders.put(None)

    def _work(self) -> None:
        while (order := self._orders.get()) is not None:
            order()


def _is_done(order: concurrent.futures.Future[Found], wait_s: float) -> bool:
    return bool(concurrent.futures.wait([order], wait_s).done)
