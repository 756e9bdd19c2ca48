"""Requests counted in steps while a log is read, so that none of them need be kept.

Letters: N requests of a batch, T steps.
"""

import math
from collections import Counter

import numpy as np

from tenfold.replay.traces import STEP_S
from tenfold.replay.week import Floats

EVEN_S = (1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0, STEP_S)
FEW_STEPS = 300
"""A log of requests is cut in so many steps at least, if steps of a second allow it."""

WIDTHS_S = (1.0, 5.0, 30.0, 60.0, STEP_S)
"""Steps that are counted in, once a log has ``FEW_STEPS`` of them: each divides all steps that it may have then."""

Count = Counter[int]
"""Requests by the number of their step; steps before the first batch's have numbers below 0."""


class Tally:
    """Counts of one log.

    They are of seconds while the log is short, and of longer steps as it is seen to be longer: it takes about as much
    room as the steps that it is cut in at last.
    """

    def __init__(self) -> None:
        self._base_s = 0.0
        self._width_s = EVEN_S[0]
        self._first_s, self._last_s = math.inf, -math.inf
        self._counts: list[Count] = []

    def count(self) -> Count:
        """A new count, of zero."""
        self._counts.append(Counter())
        return self._counts[-1]

    def reach(self, at_s_N: Floats) -> None:
        """Take note of the times of a batch, before any of them is added to a count."""
        if not math.isfinite(self._first_s):
            self._base_s = float(at_s_N.min())
        self._first_s, self._last_s = min(self._first_s, float(at_s_N.min())), max(self._last_s, float(at_s_N.max()))
        fits = [width_s for width_s in WIDTHS_S if self._last_s - self._first_s >= FEW_STEPS * width_s]
        if fits and fits[-1] > self._width_s:
            together = round(fits[-1] / self._width_s)
            self._width_s = fits[-1]
            for count in self._counts:
                fine = list(count.items())
                count.clear()
                for step, requests in fine:
                    count[step // together] += requests

    def add(self, count: Count, at_s_N: Floats) -> None:
        """Count requests that came then."""
        steps, requests = np.unique(np.floor((at_s_N - self._base_s) / self._width_s), return_counts=True)
        for step, times in zip(steps.astype(np.int64).tolist(), requests.tolist(), strict=True):
            count[step] += times

    @property
    def begin_s(self) -> float:
        """When the first step begins: with the first request, or less than a step before it."""
        return self._base_s + self._width_s * self._first

    @property
    def end_s(self) -> float:
        """When the last request came."""
        return self._last_s

    @property
    def step_s(self) -> float:
        """Seconds of a step of the series."""
        return max((even for even in EVEN_S if (self.end_s - self.begin_s) / even >= FEW_STEPS), default=EVEN_S[0])

    def series(self, count: Count) -> Floats:
        """How many requests came in each whole step; one that has only begun at the end is left out."""
        steps = max(1, math.floor((self.end_s - self.begin_s) / self.step_s))
        together = round(self.step_s / self._width_s)
        found_T = np.zeros(steps)
        for step, requests in count.items():
            place = (step - self._first) // together
            if place < steps:
                found_T[place] += requests
        return found_T

    @property
    def _first(self) -> int:
        """The number of the first request's step."""
        return math.floor((self._first_s - self._base_s) / self._width_s)
