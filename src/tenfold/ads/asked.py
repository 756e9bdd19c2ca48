"""What was asked for lately: a sample of pages, which a new campaign is forecast on as if it had been there.

The sample forgets: each page that is kept takes the place of a random one, so that what is held is about a day old on
average once it is full. How many pages come is counted by the hour.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Singles = NDArray[np.float32]

MOST = 2_000
DAY_S, HOUR_S = 86_400.0, 3_600.0
_LEAST_SPAN_S = 60.0


@dataclass(frozen=True, slots=True)
class AskedPage:
    """A page. ``least_micro``: the least bid of somebody new that would have won a place."""

    person: str
    surface: str
    genres: tuple[str, ...]
    person_D: Singles
    least_micro: float


class Asked:
    """Keeps a sample of pages.

    Args:
        rng: chooses which are kept.
        most: how many.
    """

    def __init__(self, rng: np.random.Generator, most: int = MOST) -> None:
        self._rng = rng
        self._most = most
        self.pages: list[AskedPage] = []
        self._hours: deque[tuple[int, int]] = deque(maxlen=24)
        self._began: float | None = None

    def note(self, page: AskedPage, now: float) -> None:
        """Count a page, and keep it or not."""
        self._began = now if self._began is None else self._began
        hour = int(now // HOUR_S)
        if self._hours and self._hours[-1][0] == hour:
            self._hours[-1] = hour, self._hours[-1][1] + 1
        else:
            self._hours.append((hour, 1))
        if len(self.pages) < self._most:
            self.pages.append(page)
        elif self._rng.random() < self._most / max(self._most, self.per_day(now)):
            self.pages[int(self._rng.integers(self._most))] = page

    def per_day(self, now: float) -> float:
        """Pages in a day, as the last day's, or what there was of it, went on."""
        if self._began is None:
            return 0.0
        since = now // HOUR_S - 23
        count = sum(of for hour, of in self._hours if hour >= since)
        span_s = min(now - self._began, DAY_S - HOUR_S + now % HOUR_S)
        return count * DAY_S / max(_LEAST_SPAN_S, span_s)
