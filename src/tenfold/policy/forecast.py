"""What may be asked of each service a moment from now, when a slot that is decided on now begins to serve.

Letters: S services, E ways to forecast, B bins of a season, M errors remembered, D demands that may come.
"""

from bisect import bisect_right
from collections import deque
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from tenfold.policy.claims import Floats

_EDGES = np.r_[np.arange(0.0, 0.9, 0.05), np.arange(0.90, 0.99, 0.01), 0.99, 0.992, 0.994, 0.996, 0.998, 0.999, 1.0]
LEVELS_D: Floats = (_EDGES[:-1] + _EDGES[1:]) / 2
"""Quantiles that stand for everything that demand may be; denser near the top, where the last few slots are decided."""

CHANCES_D: Floats = np.diff(_EDGES)
"""How likely demand is to lie in the part that each quantile stands for; sums to 1."""

PRIOR_ERROR, PRIOR_ERRORS = 0.08, 20.0
"""Until errors are known, forecasts are taken to err by this share of demand; that weighs as much as 20 errors seen."""

_PRIOR_D: Floats = np.where(LEVELS_D < 0.5, np.log(2 * LEVELS_D), -np.log(2 * (1 - LEVELS_D)))
"""Errors of mean size 1 are assumed to follow Laplace's law until they are known."""

_TAIL = int(np.searchsorted(LEVELS_D, 0.9))
"""Up to this level errors are taken to be as the remembered ones were. Those beyond are too few to tell, and mostly of
the same few surges; there errors fall off exponentially, by their mean size, as in the prior."""

LEAST_ERROR = 1e-3
"""Errors are compared with what was expected of them, which is taken as at least this share of demand."""

TREND_SHARE = 0.5
"""How much of the last change is expected to go on."""

LEAST_LEVEL, LEAST_OF_ACTUAL = 0.05, 0.05
"""Errors are divided by the root of demand, which is taken as at least these shares of its mean and of what came."""

RECENT_SHARE = 0.25
"""How much the size of recent errors counts for the size of the next, beside that of all errors remembered."""

RECENT_HORIZONS = 2.0
"""Time constant of what is recent, in horizons: of the level, and of the size of errors."""

SKILL_OBSERVATIONS = 60.0
"""Observations over which the ways to forecast are compared."""

SEASON_S = 86400.0
SEASON_BINS = 144
SEASON_WEIGHT = 0.4
"""Weight of the newest season in the profile."""

MOST_ERRORS = 1024
"""Errors remembered; of more within the memory the oldest are forgotten."""

SORTS_PER_MEMORY = 128
"""Quantiles of errors are found anew this often in the time in which all remembered errors are replaced."""


@dataclass(frozen=True, slots=True)
class _Moment:
    """What was known after one observation, and what was then predicted for the next ``horizon_s``.

    ``error_S``: how large the error was expected to be, over the root of demand. ``most_S``: the most that demand might
    be.
    """

    units_S: Floats
    seconds_S: Floats
    actual_S: Floats
    ways_ES: Floats
    predicted_S: Floats
    error_S: Floats
    most_S: Floats


class Forecasts:
    """Demand of S services a horizon from now, and how far such forecasts were off lately.

    There are four ways to forecast: the last measurement; the same plus part of its last change; the same carried along
    the profile of the day; and a smoothed level. For each service the way with the smallest recent error is used, so
    season and trend are ignored where they do not help, as in the noise of a few requests a second.

    At every observation the demand of the last ``horizon_s`` is compared with what had been predicted for it. These
    errors tell what demand may be: bursty demand gets a wide spread and steady demand a narrow one, with nothing to
    tune per service. A new level is followed at once, and its error is only one of many. Errors are remembered divided
    by the root of the prediction, because counts scatter like that: a surge at noon is larger than one at night.

    Large errors follow one another: a surge brings many in an hour, and then there are days with none. So what is drawn
    from the past is an error over the size that was expected of it then, times the size that is expected now; that size
    follows the recent errors (filtered historical simulation; Hull & White 1998). Else the hours of surges would keep
    slots ready in all calm ones.

    Args:
        horizon_s_S: seconds over which demand must be met: from a decision to the slot's first work, or as long as a
            request may wait, if that is longer.
        memory_s: how far back errors count.
    """

    def __init__(self, horizon_s_S: Floats, memory_s: float = 90.0) -> None:
        count = len(horizon_s_S)
        self._horizon_s_S = np.asarray(horizon_s_S, dtype=np.float64)
        self._columns = [(h, np.flatnonzero(self._horizon_s_S == h)) for h in np.unique(self._horizon_s_S)]
        self._memory_s = memory_s
        self._now_s = 0.0
        self._season = _Season(count)
        zeros_S = np.zeros(count)
        start = _Moment(zeros_S, zeros_S, zeros_S, np.zeros((4, count)), zeros_S, zeros_S, np.full(count, np.inf))
        self._ends_s: list[float] = [0.0]
        self._moments: deque[_Moment] = deque([start])
        self._level_S = np.zeros(count)
        self._mean_S = np.zeros(count)
        self._unforeseen_S = np.zeros(count)
        self._skill_ES = np.zeros((4, count))
        self._recent_S = np.zeros(count)
        self._usual_S = np.zeros(count)
        self._largest_S = np.zeros(count)
        self._ratios_MS = np.full((MOST_ERRORS, count), np.inf)
        self._error_at_MS = np.full((MOST_ERRORS, count), -np.inf)
        self._error_count_S = np.zeros(count, dtype=np.int64)
        self._remembered_S = np.zeros(count)
        self._sorted_DS = np.zeros((len(LEVELS_D), count))
        self._until_sort = 0

    @property
    def level_S(self) -> Floats:
        """Demand per second now, smoothed."""
        return self._level_S

    @property
    def predicted_S(self) -> Floats:
        """Demand per second expected over the next ``horizon_s``."""
        return self._moments[-1].predicted_S

    @property
    def unforeseen_S(self) -> Floats:
        """Demand beyond the most that was thought possible one horizon ago.

        It is averaged over the last horizon, of which one observation is a part; so a jump shows for a whole horizon.
        """
        return self._unforeseen_S

    def observe(self, units_S: Floats, seconds: float) -> None:
        """Record the demand that arrived over the last ``seconds``; NaN where nothing was measured."""
        self._now_s += seconds
        measured_S = np.isfinite(units_S)
        last = self._moments[-1]
        units_S = np.where(measured_S, units_S, 0.0)
        cumulative_S = last.units_S + units_S
        seconds_S = last.seconds_S + np.where(measured_S, seconds, 0.0)
        since = self._a_horizon_ago()
        span_S = seconds_S - since.seconds_S
        actual_S = np.divide(cumulative_S - since.units_S, span_S, out=last.actual_S.copy(), where=span_S > 0)
        rate_S = units_S / seconds
        fades = 1.0 - float(np.exp(-seconds / self._memory_s))
        weight_S = np.where(last.seconds_S > 0, fades, 1.0)
        self._mean_S = self._mean_S + np.where(measured_S, weight_S * (rate_S - self._mean_S), 0.0)
        self._unforeseen_S = np.where(measured_S, seconds * np.maximum(0.0, actual_S - since.most_S), 0.0)
        # The first measurement is the level; later ones move it.
        recent_S = 1.0 - np.exp(-seconds / (RECENT_HORIZONS * self._horizon_s_S))
        self._judge(measured_S & (since.seconds_S > 0), actual_S, since, recent_S, fades)
        weight_S = np.where(last.seconds_S > 0, recent_S, 1.0)
        self._level_S = self._level_S + np.where(measured_S, weight_S * (rate_S - self._level_S), 0.0)
        self._season.observe(units_S, measured_S, seconds)
        carried_S = actual_S * self._season.ratio_S(self._horizon_s_S)
        trend_S = np.maximum(0.0, actual_S + TREND_SHARE * (actual_S - since.actual_S))
        ways_ES = np.stack((actual_S, trend_S, carried_S, self._level_S))
        best_S = np.argmin(self._skill_ES, axis=0)
        predicted_S = np.take_along_axis(ways_ES, best_S[None, :], axis=0)[0]
        self._ends_s.append(self._now_s)
        error_S = self._error_S(predicted_S)
        most_S = predicted_S + self._scale_S(predicted_S) * np.maximum(self._largest_S, _PRIOR_D[-1] * error_S)
        self._moments.append(_Moment(cumulative_S, seconds_S, actual_S, ways_ES, predicted_S, error_S, most_S))
        # Two horizons back is the oldest that is looked at.
        while len(self._ends_s) > 2 and self._ends_s[1] <= self._now_s - 2 * self._columns[-1][0]:
            del self._ends_s[0]
            self._moments.popleft()

    def _a_horizon_ago(self) -> _Moment:
        """Gather what was known and predicted of each service at the latest moment at least one horizon ago."""
        arrays = {each.name: getattr(self._moments[-1], each.name).copy() for each in fields(_Moment)}
        for horizon_s, columns in self._columns:
            moment = self._moments[max(0, bisect_right(self._ends_s, self._now_s - horizon_s + 1e-9) - 1)]
            for name, array in arrays.items():
                array[..., columns] = getattr(moment, name)[..., columns]
        return _Moment(**arrays)

    def _judge(
        self, judged_S: NDArray[np.bool_], actual_S: Floats, since: _Moment, recent_S: Floats, fades: float
    ) -> None:
        """Remember how far each way and the prediction were off; before the first measurement there was none."""
        missed_ES = np.abs(since.ways_ES - actual_S)
        self._skill_ES += np.where(judged_S, (missed_ES - self._skill_ES) / SKILL_OBSERVATIONS, 0.0)
        # Demand that starts from nothing must not look as if it could grow as many times again.
        scale_S = self._scale_S(np.maximum(since.predicted_S, LEAST_OF_ACTUAL * actual_S))
        error_S = (actual_S - since.predicted_S) / scale_S
        mean_S = judged_S / (1.0 + self._error_count_S)
        self._recent_S += np.maximum(mean_S, judged_S * recent_S) * (np.abs(error_S) - self._recent_S)
        self._usual_S += np.maximum(mean_S, judged_S * fades) * (np.abs(error_S) - self._usual_S)
        self._largest_S = np.maximum((1.0 - fades) * self._largest_S, judged_S * error_S)
        columns = np.flatnonzero(judged_S)
        rows = self._error_count_S[columns] % MOST_ERRORS
        # After silence no error was expected; what came is set beside how large errors are now known to be.
        expected_S = np.maximum(np.maximum(since.error_S, self._usual_S), LEAST_ERROR * scale_S)
        self._ratios_MS[rows, columns] = error_S[columns] / expected_S[columns]
        self._error_at_MS[rows, columns] = self._now_s
        self._error_count_S[columns] += 1
        self._until_sort -= 1
        if self._until_sort <= 0:
            self._sort()

    def _sort(self) -> None:
        rows = int(np.clip(self._error_count_S.max(initial=0), 1, MOST_ERRORS))
        counted_MS = self._error_at_MS[:rows] >= self._now_s - self._memory_s
        count_S = counted_MS.sum(axis=0)
        ordered_MS = np.sort(np.where(counted_MS, self._ratios_MS[:rows], np.inf), axis=0)
        picks_DS = np.minimum((LEVELS_D[:, None] * count_S).astype(np.int64), np.maximum(count_S - 1, 0))
        self._sorted_DS = np.where(count_S > 0, np.take_along_axis(ordered_MS, picks_DS, axis=0), 0.0)
        self._remembered_S = count_S
        self._until_sort = int(count_S.min(initial=MOST_ERRORS)) // SORTS_PER_MEMORY

    def _error_S(self, predicted_S: Floats) -> Floats:
        """How large the error of this prediction is expected to be, over the root of demand."""
        seen_S = self._usual_S + RECENT_SHARE * (self._recent_S - self._usual_S)
        prior_S = PRIOR_ERRORS / (PRIOR_ERRORS + self._error_count_S)
        return seen_S + prior_S * (PRIOR_ERROR * predicted_S / self._scale_S(predicted_S) - seen_S)

    def demands_SD(self) -> Floats:
        """What demand per second may be, with chances ``CHANCES_D``; ascending along D, never below zero."""
        predicted_S = self.predicted_S
        prior_S = PRIOR_ERRORS / (PRIOR_ERRORS + self._remembered_S)
        error_SD = _PRIOR_D + (1 - prior_S)[:, None] * (self._sorted_DS.T - _PRIOR_D)
        error_SD[:, _TAIL:] = error_SD[:, _TAIL, None] + _PRIOR_D[_TAIL:] - _PRIOR_D[_TAIL]
        scale_S = self._scale_S(predicted_S) * self._error_S(predicted_S)
        return np.maximum(0.0, predicted_S[:, None] + scale_S[:, None] * error_SD)

    def _scale_S(self, predicted_S: Floats) -> Floats:
        """What errors are divided by: the root of demand; 1 where nothing was ever asked."""
        level_S = np.maximum(predicted_S, LEAST_LEVEL * self._mean_S)
        return np.sqrt(np.where(level_S > 0, level_S, 1.0))

    def upper_S(self, quantile: float = 0.9) -> Floats:
        """Demand per second that is exceeded in a share of ``1 - quantile`` of the time; not below what is expected."""
        return np.maximum(self.predicted_S, self.demands_SD()[:, np.searchsorted(LEVELS_D, quantile)])


class _Season:
    """The profile of a day, from the days before."""

    def __init__(self, count: int) -> None:
        self._bin_s = SEASON_S / SEASON_BINS
        self._now_s = 0.0
        self._units_S = np.zeros(count)
        self._seconds_S = np.zeros(count)
        self._profile_BS = np.full((SEASON_BINS, count), np.nan)
        self._smooth_BS = self._profile_BS

    def observe(self, units_S: Floats, measured_S: NDArray[np.bool_], seconds: float) -> None:
        """Add what was measured to the present bin; a bin that ends becomes part of the profile."""
        self._units_S += units_S
        self._seconds_S += np.where(measured_S, seconds, 0.0)
        before, self._now_s = int(self._now_s / self._bin_s), self._now_s + seconds
        now = int(self._now_s / self._bin_s + 1e-9)
        if now == before:
            return
        seen_S = self._seconds_S > 0
        rate_S = np.divide(self._units_S, self._seconds_S, out=np.zeros_like(self._units_S), where=seen_S)
        for number in range(max(before, now - SEASON_BINS), now):
            row_S = self._profile_BS[number % SEASON_BINS]
            mixed_S = np.where(np.isfinite(row_S), row_S + SEASON_WEIGHT * (rate_S - row_S), rate_S)
            self._profile_BS[number % SEASON_BINS] = np.where(seen_S, mixed_S, row_S)
        neighbours = np.roll(self._profile_BS, 1, axis=0) + np.roll(self._profile_BS, -1, axis=0)
        self._smooth_BS = (2 * self._profile_BS + neighbours) / 4
        self._units_S[:] = self._seconds_S[:] = 0.0

    def ratio_S(self, horizon_s_S: Floats) -> Floats:
        """By how much demand over the next horizon exceeds that of the last; 1 until a whole season was seen."""
        ahead_S, behind_S = (self._at(self._now_s + sign * horizon_s_S / 2) for sign in (1.0, -1.0))
        known_S = np.isfinite(ahead_S) & np.isfinite(behind_S) & (behind_S > 0)
        return np.clip(np.divide(ahead_S, behind_S, out=np.ones_like(ahead_S), where=known_S), 0.5, 2.0)

    def _at(self, at_s_S: Floats) -> Floats:
        """Interpolate the profile between the middles of its bins."""
        place_S = at_s_S / self._bin_s - 0.5
        low_S = np.floor(place_S).astype(np.int64)
        share_S, columns = place_S - low_S, np.arange(len(place_S))
        low = self._smooth_BS[low_S % SEASON_BINS, columns]
        return low + share_S * (self._smooth_BS[(low_S + 1) % SEASON_BINS, columns] - low)
