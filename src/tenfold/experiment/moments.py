"""What an arm's people came to, in sums that can be added: enough for means, ratios and their errors.

Of each person three figures count: the *outcome* (say, seconds watched), the *divisor* that it is told per (1 for each
person, or their visits), and the *past*: the outcome before the experiment, by which luck of the draw is taken out.
Shape legend: K = 3 figures, in this order.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

OUTCOME, DIVISOR, PAST = range(3)
FIGURES = 3

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Sums over the people of one arm.

    ``people``: how many. ``sum_K``: of each figure. ``product_KK``: of each pair of a person's figures. ``steps``: how
    many contributions the outcome came in (watched clips, orders), over all people; ``step_squares``: sum of their
    squares.
    """

    people: int
    sum_K: Vector
    product_KK: Vector
    steps: int = 0
    step_squares: float = 0.0

    def __add__(self, other: "Moments") -> "Moments":
        return Moments(
            self.people + other.people,
            self.sum_K + other.sum_K,
            self.product_KK + other.product_KK,
            self.steps + other.steps,
            self.step_squares + other.step_squares,
        )

    @property
    def mean_K(self) -> Vector:
        """Mean of each figure over the people."""
        return self.sum_K / self.people

    @property
    def covariance_KK(self) -> Vector:
        """Covariance of a person's figures."""
        mean_K = self.mean_K
        return (self.product_KK - self.people * np.outer(mean_K, mean_K)) / max(1, self.people - 1)

    @property
    def value(self) -> float:
        """Outcome per divisor; 0 where there was nothing to divide by."""
        return float(self.sum_K[OUTCOME] / self.sum_K[DIVISOR]) if self.sum_K[DIVISOR] else 0.0


def moments_of(
    outcomes: Sequence[float],
    divisors: Sequence[float] | None = None,
    pasts: Sequence[float] | None = None,
    steps: Iterable[float] | None = None,
) -> Moments:
    """Sum up people.

    Args:
        outcomes: of each person.
        divisors: of each; default 1, so that the outcome is told per person.
        pasts: of each, from before the experiment; default 0, where nothing is known.
        steps: contributions that the outcomes came in; default: each person's outcome is one.
    """
    count = len(outcomes)
    divisor_P = np.ones(count) if divisors is None else np.asarray(divisors, dtype=np.float64)
    past_P = np.zeros(count) if pasts is None else np.asarray(pasts, dtype=np.float64)
    figure_PK = np.stack([np.asarray(outcomes, dtype=np.float64), divisor_P, past_P], axis=1)
    step_S = np.fromiter(outcomes if steps is None else steps, dtype=np.float64)
    return Moments(count, figure_PK.sum(axis=0), figure_PK.T @ figure_PK, len(step_S), float(step_S @ step_S))
