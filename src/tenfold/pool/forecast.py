"""How much demand to plan for when a slot that is decided on now serves a moment later."""

import math
from collections import deque


class Forecast:
    """Level of recent demand plus its own recent errors at the horizon.

    The level is an exponentially weighted mean over two horizons. At every observation the demand of the last
    ``horizon_s`` is compared with the level that was predicted for it. The errors of the last ``memory_s`` say what
    demand may be: bursty demand gets a wide spread and steady demand a narrow one, with nothing to tune per workload.

    Args:
        horizon_s: seconds over which demand must be met: from a decision to the slot's first work, or as long as a
            request may wait, if that is longer.
        memory_s: how far back errors count.
        quantile: share of errors that ``upper`` covers, in (0, 1).
    """

    def __init__(self, horizon_s: float = 1.5, memory_s: float = 90.0, quantile: float = 0.9) -> None:
        self._horizon_s = horizon_s
        self._smoothing_s = 2 * horizon_s
        self._memory_s = memory_s
        self._quantile = quantile
        self._level = 0.0
        self._now_s = 0.0
        self._recent: deque[tuple[float, float, float, float]] = deque()  # (end_s, seconds, units, level predicted)
        self._errors: deque[tuple[float, float]] = deque()  # (at_s, error)

    @property
    def level(self) -> float:
        """Demand per second now, smoothed."""
        return self._level

    def observe(self, units: float, seconds: float) -> None:
        """Record that ``units`` of demand arrived over the last ``seconds``; a gap is simply not observed."""
        self._now_s += seconds
        self._recent.append((self._now_s, seconds, units, self._level))
        while self._recent and self._recent[0][0] <= self._now_s - self._horizon_s:
            self._recent.popleft()
        span_s = sum(entry[1] for entry in self._recent)
        actual = sum(entry[2] for entry in self._recent) / span_s
        self._errors.append((self._now_s, actual - self._recent[0][3]))
        while self._errors[0][0] < self._now_s - self._memory_s:
            self._errors.popleft()
        weight = 1.0 - math.exp(-seconds / self._smoothing_s)
        self._level += weight * (units / seconds - self._level)

    def demands(self) -> tuple[float, ...]:
        """What demand per second may be, equally likely each, ascending and never below zero."""
        if not self._errors:
            return (self._level,)
        return tuple(sorted(max(0.0, self._level + error) for _, error in self._errors))

    def upper(self) -> float:
        """Demand per second that is exceeded seldom; never below the level."""
        demands = self.demands()
        return max(self._level, demands[min(len(demands) - 1, int(self._quantile * len(demands)))])
