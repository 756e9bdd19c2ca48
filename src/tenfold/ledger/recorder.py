"""Write to the ledger, and go on when it cannot be written: a full disk, a lock, a disk that went read-only."""

import datetime as dt
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from sqlalchemy.exc import DatabaseError

from tenfold.core.errors import TenfoldError
from tenfold.ledger.ledger import Event, Ledger

log = logging.getLogger(__name__)

TRY_EVERY_S = 1.0
KEPT = 1000
"""Events that wait in memory; beyond, the oldest is dropped that is not the latest of its kind."""


class Recorder:
    """Records events, at once where that works, and else when it works again, with the time at which they happened.

    Args:
        open_ledger: opens the ledger; called again until it succeeds.
        where: what the ledger is called in sentences, e.g. its path.
        clock: gives Unix seconds.

    ``recorded`` and ``dropped`` count events since it was made.
    """

    def __init__(self, open_ledger: Callable[[], Ledger], where: str, clock: Callable[[], float] = time.time) -> None:
        self._open = open_ledger
        self._where = where
        self._clock = clock
        self._ledger: Ledger | None = None
        self._waiting: deque[Event] = deque()
        self._dropped = 0
        self.recorded = 0
        self.dropped = 0
        self._failed_at: float | None = None
        self._tried_at = 0.0
        self._cause = ""

    def append(self, kind: str, subject: str, body: Mapping[str, object]) -> None:
        """Record one event; it waits in memory while the ledger cannot be written."""
        self._waiting.append(Event(0, self._clock(), kind, subject, body))
        if self._failed_at is None:
            self._write()
        elif len(self._waiting) > KEPT:
            self._drop_one()

    def tend(self) -> None:
        """Try again, if it could not write and enough time has passed; to be called every now and then."""
        if self._failed_at is not None and not 0 <= self._clock() - self._tried_at < TRY_EVERY_S:
            self._write()

    @property
    def unrecorded(self) -> int:
        """Events that wait in memory."""
        return len(self._waiting)

    @property
    def trouble(self) -> str:
        """What is wrong, in a sentence; empty while all is recorded."""
        if self._failed_at is None:
            return ""
        since = f"{dt.datetime.fromtimestamp(self._failed_at):%H:%M:%S}"
        return f"nothing is recorded since {since}: {self._where} cannot be written ({self._cause}); the pool goes on"

    def latest(self, kind: str, limit: int = 1) -> Sequence[Event]:
        """Read the newest events of a kind, newest first; none if the ledger cannot be read, which is then trouble."""
        try:
            return self._opened().latest(kind, limit)
        except (DatabaseError, OSError, TenfoldError) as error:
            self._note(error)
            return ()

    def close(self) -> None:
        """Close the ledger; what could not be written is lost."""
        if self._waiting:
            self._write()
        if self._waiting:
            log.warning("%d events were never recorded: %s (%s)", len(self._waiting), self._where, self._cause)
        if self._ledger is not None:
            self._ledger.close()

    def _opened(self) -> Ledger:
        if self._ledger is None:
            self._ledger = self._open()
        return self._ledger

    def _write(self) -> None:
        """Write what waits, oldest first, as far as it goes."""
        try:
            ledger = self._opened()
            while self._waiting:
                event = self._waiting[0]
                ledger.append(event.kind, event.subject, event.body, at=event.at)
                self._waiting.popleft()
                self.recorded += 1
            if self._failed_at is not None:
                gap = {"since": self._failed_at, "cause": self._cause, "dropped": self._dropped}
                ledger.append("unrecorded", "ledger", gap)
        except (DatabaseError, OSError, TenfoldError) as error:
            self._note(error)
            return
        if self._failed_at is not None:
            log.warning("%s is written again; %d events were dropped", self._where, self._dropped)
        self._failed_at, self._cause, self._dropped = None, "", 0

    def _note(self, error: Exception) -> None:
        self._tried_at = self._clock()
        self._cause = str(error.orig) if isinstance(error, DatabaseError) else str(error)
        if self._failed_at is None:
            self._failed_at = self._tried_at
            log.warning("%s cannot be written: %s", self._where, self._cause)

    def _drop_one(self) -> None:
        """The latest of each kind stays, so that the allocation in force is known once anything is."""
        latest = {event.kind: index for index, event in enumerate(self._waiting)}
        index = next(index for index, event in enumerate(self._waiting) if latest[event.kind] != index)
        del self._waiting[index]
        self._dropped += 1
        self.dropped += 1
