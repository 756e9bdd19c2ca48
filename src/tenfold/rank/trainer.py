"""The resident of ``rank-train``: learns what is new in rounds, while it is awake.

Learning is a thread that stops at the next step when the slot is wanted, with all that it has in hand, and goes on from
there when it wakes. It holds a lock while it is awake. A resident of another slot that gets the lock in between takes
over at the epoch that was kept, and what the first had in hand is dropped.
"""

import asyncio
import fcntl
import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import torch
from starlette.routing import BaseRoute

from tenfold.core.errors import AssetError, ResidentFailed
from tenfold.pool.pace import Pace
from tenfold.pool.resident import Context, Counters, Resident
from tenfold.rank.fit import TrainingDiverged
from tenfold.rank.rounds import Rounds
from tenfold.rank.workload import RankTrainSettings

LOOK_EVERY_S = 2.0
RETRY_S = 30.0
SAVED_S = 2.0
LOCK_EVERY_S = 0.2

log = logging.getLogger(__name__)


def create(context: Context) -> Resident:
    """Make the resident of one slot."""
    return TrainerResident(context)


class _Over(Exception):
    """The round is another's now, or the resident closes."""


@dataclass(slots=True)
class _Done:
    """What was done so far. ``looks``: how often it looked for something new."""

    events: float = 0.0
    looks: int = 0
    busy_s: float = 0.0
    working: bool = False
    rounds: int = 0


class TrainerResident:
    """A thread that learns while it is awake, and waits without using CPU while it is not."""

    def __init__(self, context: Context) -> None:
        settings = RankTrainSettings.model_validate(context.settings)
        self._context = context
        self._rounds = Rounds(context.home, context.cache, settings.stale_s)
        self._pace = Pace(context.cpu_share, time.monotonic, time.process_time, SAVED_S)
        self._turn = _Turn(context.home / "rank" / "train.turn")
        self._awake, self._parked, self._closing = threading.Event(), threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._failed: BaseException | None = None
        self._done = _Done()

    def load(self) -> None:
        """Nothing: data and network are read when a round begins, and freed when it ends."""

    async def wake(self) -> None:
        """Begin to learn, or go on."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="rank-train", daemon=True)
            self._thread.start()
        self._parked.clear()
        self._awake.set()

    async def sleep(self, deadline_s: float) -> None:
        """Stop at the next step."""
        del deadline_s  # The pool enforces it by killing the process; the round is then taken up at its last epoch.
        self._awake.clear()
        await asyncio.to_thread(self._parked.wait)

    def counters(self) -> Counters:
        """``units`` are new events learned, as far as rounds have come; ``requests`` are looks for something new.

        Raises:
            ResidentFailed: the thread has ended by an error.
        """
        if self._failed is not None:
            raise ResidentFailed(f"rank-train of {self._context.slot} ended") from self._failed
        done = self._done
        facts = {"rounds": float(done.rounds)}
        return Counters(done.events, done.looks, done.busy_s, int(done.working), facts)

    def routes(self) -> Sequence[BaseRoute]:
        """No routes: it takes no requests."""
        return ()

    def close(self) -> None:
        """Let the thread end."""
        self._closing.set()
        self._awake.set()
        if self._thread is not None:
            self._thread.join(timeout=5.0)

    # ---- the thread

    def _run(self) -> None:
        torch.set_num_threads(self._context.threads)
        try:
            while not self._closing.is_set():
                try:
                    self._take_turn()
                    self._work()
                except _Over:
                    continue
                finally:
                    self._turn.release()
        except BaseException as error:
            self._failed = error
            self._parked.set()
            raise

    def _work(self) -> None:
        """Look for something new, and learn it, for as long as the slot is this one's."""
        self._pace.begin()
        while True:
            self._wait(0.0)
            self._done.looks += 1
            if not self._rounds.has_news():
                self._wait(LOOK_EVERY_S)
                continue
            began = time.monotonic()
            self._done.working = True
            try:
                self._learn()
            except (AssetError, TrainingDiverged) as error:
                log.warning("nothing was learned, and what is served stays: %s", error)
                self._wait(RETRY_S)
            finally:
                self._done.working = False
                self._done.busy_s += time.monotonic() - began

    def _learn(self) -> None:
        before = self._done.events

        def beat(learned: float) -> None:
            self._done.events = max(self._done.events, before + learned)
            self._wait(self._pace.rest_s())

        beat(self._rounds.learn(beat))
        self._done.rounds += 1

    def _wait(self, seconds: float) -> None:
        """Pass so many seconds; asleep for as long as it takes.

        Raises:
            _Over: it is closing, or another resident has taken over.
        """
        until = time.monotonic() + seconds
        while True:
            if self._closing.is_set():
                raise _Over
            if not self._awake.is_set():
                self._park()
            left_s = until - time.monotonic()
            if left_s <= 0:
                return
            time.sleep(min(left_s, 0.05))

    def _park(self) -> None:
        """Let the turn go, wait until awake, and go on if nobody had it in between."""
        working, began = self._done.working, time.monotonic()
        self._done.working = False
        self._turn.release()
        self._parked.set()
        self._awake.wait()
        if working:
            self._done.busy_s -= time.monotonic() - began
            self._done.working = True
        if not self._closing.is_set() and not self._turn.resume():
            log.info("another resident has gone on with the round")
            raise _Over
        self._pace.begin()

    def _take_turn(self) -> None:
        while not self._turn.begin():
            if self._closing.is_set():
                raise _Over
            if not self._awake.is_set():
                self._parked.set()
                self._awake.wait()
            time.sleep(LOCK_EVERY_S)


class _Turn:
    """Whose turn it is to learn: a lock that the dead let go, and a number by which a new turn is told from an old."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None
        self._number = -1

    def begin(self) -> bool:
        """Begin a turn, unless it is somebody's."""
        return self._lock(None)

    def resume(self) -> bool:
        """Go on with the turn that was released, unless somebody has begun one since."""
        return self._lock(self._number)

    def release(self) -> None:
        """Let others begin."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _lock(self, wanted: int | None) -> bool:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = self._path.open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        file.seek(0)
        number = int(file.read() or 0)
        if wanted is not None and number != wanted:
            file.close()
            return False
        self._file, self._number = file, number + 1
        file.seek(0)
        file.truncate()
        file.write(str(self._number))
        file.flush()
        return True
