"""One fault after the other on one pool, each followed by a watch until the pool is whole."""

import os
import sys
import threading
import time
from dataclasses import dataclass

from fault.kinds import Fault, Struck
from fault.load import Load, Tally, tally
from fault.pool import NotHappened, Pool

SETTLE_S = 2.0
STEP_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class Suffered:
    """What a fault did.

    ``whole_s``: from the fault's end until the pool was whole; none if it was not within the limit. ``steps_lost``: by
    how many steps training fell back. ``own_failed``: honest requests of the fault's own that failed. ``note``: what
    was missing last, or why the fault did not count. ``died_at``: when what was killed was seen dead.
    """

    fault: Fault
    began_at: float
    whole_s: float | None
    steps_lost: int
    own_failed: int
    note: str
    happened: bool
    died_at: float | None = None


class Steps:
    """Follows training's step in a thread: ``lost`` is the most that it fell back by."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._highest = -1
        self.lost = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="steps", daemon=True)
        self._thread.start()

    def stop(self) -> int:
        """Stop to look; returns ``lost``."""
        self._over.set()
        self._thread.join()
        return self.lost

    def _run(self) -> None:
        while not self._over.wait(STEP_EVERY_S):
            # A state that is being replaced, or is damaged, has no step; `Pool.missing` says so if that lasts.
            now = self._pool.step()
            if now is not None:
                self.lost = max(self.lost, self._highest - now)
                self._highest = max(self._highest, now)


def suffer(pool: Pool, fault: Fault, limit_s: float) -> Suffered:
    """Do a fault to a whole pool and watch until it is whole again, ``limit_s`` at most."""
    began_at = time.monotonic()
    steps = Steps(pool)
    whole_s, missing, happened, struck = None, "", True, Struck()
    try:
        time.sleep(2 * STEP_EVERY_S)
        struck = fault.strike(pool)
        whole_s, missing = pool.until_whole(pool.step() or 0, limit_s, struck.unhealed)
    except NotHappened as error:
        missing, happened = str(error), False
    finally:
        lost = steps.stop()
    return Suffered(fault, began_at, whole_s, lost, struck.failed, missing, happened, struck.died_at)


def settle(pool: Pool, limit_s: float) -> bool:
    """Wait until a pool is whole and has been so for a moment; whether it is."""
    whole_s, _ = pool.until_whole(-1, limit_s)
    time.sleep(SETTLE_S)
    return whole_s is not None


def explain(pool: Pool) -> None:
    """Show what a pool that did not get over a fault said last, who works on its slots, and how busy the machine is."""
    for name in ("controller.log", "front.log", "train-companion.log"):
        print(pool.log_tail(name), file=sys.stderr)
    state = pool.state()
    slots = ", ".join(f"{slot['slot']} {slot['awake'] or 'nobody'}" for slot in state.get("slots", ()))
    print(f"slots: {slots}; alarms: {state.get('alarms', ())}", file=sys.stderr)
    print(f"{os.getloadavg()[0]:.1f} processes want one of {os.cpu_count()} cores", file=sys.stderr)


def tallies(suffered: list[Suffered], load: Load) -> list[Tally]:
    """Count the requests of each fault's time; the load must have stopped."""
    ends = [each.began_at for each in suffered[1:]] + [float("inf")]
    return [
        tally(load.requests, each.began_at, end, each.fault.streams, each.fault.hands, each.died_at)
        for each, end in zip(suffered, ends, strict=True)
    ]
