"""Whether products answer: one that answers every request with an error is said, as one that dies is.

A process may live, send its signs of life and yet fail at everything: its database is locked, its disk full, its tables
damaged. Only its answers tell.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

FAILURES = 3
"""Requests in a row that must have failed, and none beside been answered, before it is said: one may be odd."""
TOLD_FOR_S = 300.0
"""How long that holds after the last failure, where nobody asks any more."""


@dataclass(frozen=True, slots=True)
class _Streak:
    """Failures since the last good answer; ``last``: what the last one was."""

    failures: int
    last: str
    at: float


class ProductHealth:
    """What became of the last requests to each product.

    Args:
        clock: seconds of any clock that only goes on.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._streaks: dict[str, _Streak] = {}

    def note_answer(self, product: str, status: int) -> None:
        """Note the status of an answer; below 500 the product did its part."""
        if status < 500:
            self._streaks.pop(product, None)
        else:
            self.note_failure(product, f"answered {status}")

    def note_failure(self, product: str, how: str) -> None:
        """Note a request that failed by the product."""
        before = self._streaks.get(product)
        self._streaks[product] = _Streak(1 + (before.failures if before else 0), how, self._clock())

    @property
    def trouble(self) -> str:
        """Which products fail at all that is asked of them; empty where none does."""
        since = self._clock() - TOLD_FOR_S
        return "; ".join(
            f"the product {name} failed at each of its last {streak.failures} requests, and {streak.last} to the last; "
            f"logs/{name}.log says why"
            for name, streak in sorted(self._streaks.items())
            if streak.failures >= FAILURES and streak.at >= since
        )
