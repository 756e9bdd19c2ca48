"""Compare two arms: by how much one is better, with an interval that holds whenever somebody looks."""

import math
from dataclasses import dataclass

import numpy as np

from tenfold.experiment.moments import DIVISOR, FIGURES, OUTCOME, PAST, Moments, Vector
from tenfold.experiment.sequence import MIXING, widening

ALPHA = 0.05
LEAST_PEOPLE = 30
"""In each arm: with fewer, a mean is not nearly normal, and nothing is said."""
MOST_TIMES = 1e5
"""Nobody waits for more than so many times what was seen."""


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate, its ends, which hold at every look together, and its standard error."""

    estimate: float
    low: float
    high: float
    error: float

    @property
    def is_sure(self) -> bool:
        """Whether 0 is outside."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """What ``treated`` has beyond ``control``.

    ``treated``, ``control``: outcome per divisor of each, as counted. ``difference``: of the two, after what differed
    before the experiment is taken out. ``relative``: the same as a part of control's. ``saved``: part of the variance
    that the past has taken out, 0 to 1. ``information``: how much was seen, and ``mixing``: where intervals are
    narrowest, as ``sequence.widening`` takes them.
    """

    treated: float
    control: float
    difference: Interval
    relative: Interval
    saved: float
    information: float
    mixing: float

    def times_until_sure(self, effect: float, alpha: float = ALPHA) -> float:
        """How many times as much must be seen until a difference of this size is told from none; 1 if it would be now.

        What is seen grows as it did until now: the difference of sums in proportion, its error by the root. Infinite
        where that takes more than ``MOST_TIMES``.
        """
        if effect == 0 or self.information <= 0:
            return math.inf
        size = abs(effect) / self.difference.error
        times = np.geomspace(1.0, MOST_TIMES, 2000)
        would = [size * math.sqrt(each) >= widening(self.information * each, alpha, self.mixing) for each in times]
        return float(times[would.index(True)]) if any(would) else math.inf


def compare(
    treated: Moments, control: Moments, alpha: float = ALPHA, *, mixing: float = MIXING, unseen: float = 0.0
) -> Comparison | None:
    """Compare two arms, adjusted by the past (CUPED: Deng, Xu, Kohavi and Walker 2013), by the delta method for ratios.

    Args:
        treated: of whom the effect is told.
        control: against whom.
        alpha: chance that the interval is wrong at any look.
        mixing: how much is usually seen, as ``sequence.widening`` takes it; it may not depend on the data.
        unseen: contributions beyond those seen that each arm is as uncertain as if it had had. An arm of few people
            who did nothing yet has no variance of its own, and is not sure to go on so.

    Returns:
        The comparison; none while an arm has too few people, or nothing to divide by.
    """
    if min(treated.people, control.people) < LEAST_PEOPLE or min(treated.sum_K[DIVISOR], control.sum_K[DIVISOR]) <= 0:
        return None
    theta = _slope(treated, control)
    both_past = float((treated + control).mean_K[PAST])
    adjusted = [arm.value - theta * (float(arm.mean_K[PAST]) - both_past) for arm in (treated, control)]
    beyond = unseen * _step_square(treated + control)
    seen = [_variance(arm, theta) for arm in (treated, control)]
    variances = [of + beyond / float(arm.sum_K[DIVISOR]) ** 2 for of, arm in zip(seen, (treated, control), strict=True)]
    error = math.sqrt(sum(variances))
    information = _information(treated, control, error)
    wide = widening(information, alpha, mixing)
    difference = adjusted[0] - adjusted[1]
    raw = sum(_variance(arm, 0.0) for arm in (treated, control))
    return Comparison(
        treated=treated.value,
        control=control.value,
        difference=_around(difference, error, wide),
        relative=_relative(adjusted, variances, wide),
        saved=1.0 - sum(seen) / raw if raw > 0 else 0.0,
        information=information,
        mixing=mixing,
    )


def _slope(treated: Moments, control: Moments) -> float:
    """How much of the outcome per divisor goes with a unit of the past, in both arms."""
    covariance, variance = 0.0, 0.0
    for arm in (treated, control):
        gradient_K = _gradient(arm, 0.0)
        covariance += arm.people * float(gradient_K @ arm.covariance_KK[PAST])
        variance += arm.people * float(arm.covariance_KK[PAST, PAST])
    return covariance / variance if variance > 0 else 0.0


def _gradient(arm: Moments, theta: float) -> Vector:
    """How the adjusted outcome per divisor moves with the mean of each figure."""
    gradient_K = np.zeros(FIGURES)
    per = arm.mean_K[DIVISOR]
    gradient_K[OUTCOME], gradient_K[DIVISOR], gradient_K[PAST] = 1.0 / per, -arm.value / per, -theta
    return gradient_K


def _variance(arm: Moments, theta: float) -> float:
    """Variance of an arm's adjusted outcome per divisor."""
    gradient_K = _gradient(arm, theta)
    return max(0.0, float(gradient_K @ arm.covariance_KK @ gradient_K)) / arm.people


def _information(treated: Moments, control: Moments, error: float) -> float:
    """Variance of the difference of the arms' sums, in mean squares of one contribution."""
    both = treated + control
    square = _step_square(both)
    return (float(both.sum_K[DIVISOR]) * error) ** 2 / square if square > 0 else 0.0


def _step_square(arm: Moments) -> float:
    """Mean square of one contribution; 0 where there is none."""
    return arm.step_squares / arm.steps if arm.steps else 0.0


def _around(estimate: float, error: float, wide: float) -> Interval:
    reach = wide * error if error > 0 else math.inf
    return Interval(estimate, estimate - reach, estimate + reach, error)


def _relative(adjusted: list[float], variances: list[float], wide: float) -> Interval:
    treated, control = adjusted
    if control <= 0:
        return Interval(math.nan, -math.inf, math.inf, math.inf)
    ratio = treated / control
    error = math.sqrt(variances[0] + ratio**2 * variances[1]) / control
    return _around(ratio - 1.0, error, wide)
