"""How a trainer keeps to its slot: its share of a core, its place behind services, and its memory."""

import ctypes
import os
from collections.abc import Callable

SAVED_S = 2.0
"""CPU-seconds that may be saved up, while a step ends or services need the core, and spent above the share later."""

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -2, -3, -8


class Pace:
    """A token bucket of CPU time: what a workload that always has more to do may use of its core.

    Without it a training slot takes what its core's other slots leave at the moment, so a slot has no size: two
    training slots on one core train hardly more than one. With it a slot trains the same whatever its neighbours do,
    as on an accelerator of its own, and they find their part of the core free at once.

    Args:
        share: CPU-seconds earned a second; none for no limit.
        clock: gives wall seconds.
        cpu: gives the CPU seconds used so far.
    """

    def __init__(self, share: float | None, clock: Callable[[], float], cpu: Callable[[], float]) -> None:
        self._share, self._clock, self._cpu = share, clock, cpu
        self._at_s, self._used_s = clock(), cpu()
        self._saved_s = 0.0

    def rest_s(self) -> float:
        """Seconds to wait before the next piece of work; 0 if it may begin."""
        if self._share is None:
            return 0.0
        now_s, used_s = self._clock(), self._cpu()
        earned_s = self._share * (now_s - self._at_s)
        self._saved_s = min(SAVED_S, self._saved_s + earned_s - (used_s - self._used_s))
        self._at_s, self._used_s = now_s, used_s
        return max(0.0, -self._saved_s / self._share)


def stand_behind_services() -> None:
    """Let a service on the same core go first, by so much that it gets its share where the core is short.

    What the pool itself uses (gateway, controller, coordinator) comes out of the cores too, up to a fifth of each under
    load. At two steps of niceness Linux gives the service 61% of what is left: half the core. At equal priority a
    ranking slot at 75% of its capacity answered 84% in time; at four steps, services took half of training's share.
    """
    os.nice(2)


def keep_freed_memory() -> None:
    """Make glibc keep what this process frees, for the next microbatch; a no-op with another C library.

    Left alone it returns large buffers to the kernel after every microbatch and faults them in again: 3,000 to 10,000
    page faults and a tenth of the time.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    limits = {_M_MMAP_THRESHOLD: 1 << 30, _M_TRIM_THRESHOLD: (1 << 31) - 1, _M_TOP_PAD: 64 << 20, _M_ARENA_MAX: 1}
    for parameter, value in limits.items():
        mallopt(parameter, value)
