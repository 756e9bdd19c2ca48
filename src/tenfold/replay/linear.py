"""Linear programs over time: every variable and every row is a series of T steps."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tenfold.core.errors import TenfoldError
from tenfold.core.highs import INFINITE, Matrix, ending, is_infeasible, is_optimal, load
from tenfold.replay.week import Floats, Ints


class NoSolution(TenfoldError):
    """The program has no solution, or the solver found none."""


class Infeasible(NoSolution):
    """The program has no solution: what is asked cannot be."""


@dataclass(frozen=True, slots=True)
class Term:
    """``factor`` times a variable, ``lag`` steps ago; before the first step every variable is 0."""

    variable: int
    factor: float | Floats
    lag: int = 0


@dataclass(frozen=True, slots=True)
class Solution:
    """Least cost and the value of each variable in each step, shape (variables, T)."""

    cost: float
    value_VT: Floats


class LinearProgram:
    """A linear program that is put together from series, for ``steps`` steps."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._cost: list[Floats] = []
        self._upper: list[Floats] = []
        self._rows: list[tuple[Ints, Ints, Floats]] = []
        self._row_lower: list[Floats] = []
        self._row_upper: list[Floats] = []
        self._row_count = 0

    def variable(self, *, cost: float | Floats = 0.0, upper: float | Floats = INFINITE) -> int:
        """Add a variable of 0 and above per step; returns its number."""
        for given, series in ((cost, self._cost), (upper, self._upper)):
            series.append(np.broadcast_to(np.asarray(given, dtype=np.float64), (self._steps,)))
        return len(self._cost) - 1

    def rows(
        self, terms: Sequence[Term], *, lower: float | Floats = -INFINITE, upper: float | Floats = INFINITE
    ) -> None:
        """Bound a sum of terms in every step."""
        steps = np.arange(self._steps)
        for term in terms:
            factor = np.broadcast_to(np.asarray(term.factor, dtype=np.float64), (self._steps,))
            since = steps[term.lag :]
            column = term.variable * self._steps + since - term.lag
            self._rows.append((self._row_count + since, column, factor[term.lag :]))
        for given, series in ((lower, self._row_lower), (upper, self._row_upper)):
            series.append(np.broadcast_to(np.asarray(given, dtype=np.float64), (self._steps,)))
        self._row_count += self._steps

    def total(self, terms: Sequence[Term], *, lower: float = -INFINITE, upper: float = INFINITE) -> None:
        """Bound a sum of terms over all steps together."""
        for term in terms:
            columns = term.variable * self._steps + np.arange(self._steps)
            factor = np.broadcast_to(np.asarray(term.factor, dtype=np.float64), (self._steps,))
            self._rows.append((np.full(self._steps, self._row_count), columns, factor))
        self._row_lower.append(np.array([lower]))
        self._row_upper.append(np.array([upper]))
        self._row_count += 1

    def solve(self) -> Solution:
        """Minimise the cost.

        Raises:
            Infeasible: there is none.
            NoSolution: the solver found none.
        """
        row, column, factor = (np.concatenate(parts) for parts in zip(*self._rows, strict=True))
        highs = load(
            Matrix.of(row, column, factor, self._row_count),
            cost_C=np.concatenate(self._cost),
            lower_C=np.zeros(len(self._cost) * self._steps),
            upper_C=np.concatenate(self._upper),
            row_lower_R=np.concatenate(self._row_lower),
            row_upper_R=np.concatenate(self._row_upper),
        )
        # Ten times as fast as the simplex method on a week of steps that are linked; no basis is needed.
        highs.setOptionValue("solver", "ipm")
        highs.setOptionValue("run_crossover", "off")
        highs.run()
        if not is_optimal(highs):
            failure = Infeasible if is_infeasible(highs) else NoSolution
            raise failure(f"a linear program has no solution: {ending(highs)}")
        value_VT = np.array(highs.getSolution().col_value).reshape(len(self._cost), self._steps)
        return Solution(float(highs.getInfo().objective_function_value), value_VT)
