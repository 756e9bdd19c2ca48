"""A token bucket of CPU time, by which a process keeps to its slot's share of a core."""

from collections.abc import Callable


class Pace:
    """What a process may use of its core.

    Without it a slot takes what its core's other slots leave at the moment, so a slot has no size: two training slots
    on one core train hardly more than one. With it a slot does the same whatever its neighbours do, as on an
    accelerator of its own, and they find their part of the core free at once.

    Args:
        share: CPU-seconds earned a second; none for no limit.
        clock: gives wall seconds.
        cpu: gives the CPU seconds used so far.
        most_saved_s: CPU-seconds that may be saved up while there is nothing to do, and spent above the share later.
    """

    def __init__(
        self, share: float | None, clock: Callable[[], float], cpu: Callable[[], float], most_saved_s: float
    ) -> None:
        self._share, self._clock, self._cpu = share, clock, cpu
        self._most_saved_s = most_saved_s
        self._at_s, self._used_s = clock(), cpu()
        self._saved_s = 0.0

    def begin(self) -> None:
        """Begin to work after a sleep: what was overspent before it is owed still, and nothing was saved in it."""
        self.rest_s()
        self._saved_s = min(0.0, self._saved_s)

    def rest_s(self) -> float:
        """Seconds to wait before the next piece of work; 0 if it may begin."""
        if self._share is None:
            return 0.0
        now_s, used_s = self._clock(), self._cpu()
        earned_s = self._share * (now_s - self._at_s)
        self._saved_s = min(self._most_saved_s, self._saved_s + earned_s - (used_s - self._used_s))
        self._at_s, self._used_s = now_s, used_s
        return max(0.0, -self._saved_s / self._share)
