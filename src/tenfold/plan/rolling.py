"""Re-planning: each period, plan the rest of a study for one forecast of demand, and do the first period of that.

What planners with a solver and no model of chance do. The forecast is the mean of what may follow today's demand,
raised by a buffer. In such a plan the yes-or-no decisions of later periods may be fractions; those of the period that
is decided are whole. Floors must bend in the template, so that no past leaves a period without a plan.

Shapes: N futures, T periods, K workloads, V variables of a node, C columns of a chain (period by period), R its rows,
Z entries of its matrix, G points of a table.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tenfold.plan.columns import DECISIONS, Floats
from tenfold.plan.demand import DemandProcess
from tenfold.plan.extensive import extensive
from tenfold.plan.highs import Answer, Solver
from tenfold.plan.improve import Part, take_out
from tenfold.plan.model import Template
from tenfold.plan.tree import Tree

Ints = NDArray[np.int64]
Told = Callable[[], None]
"""Called each time that a period of a future has been decided."""

POINTS = 25
FORECAST_PATHS = 2000
WHOLE = 1e-6
ROW_SLACK = 1e-5
"""By how much rows give, in the solver's units, where a past that was whole only to rounding leaves no room (rare)."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """Mean demand of all later periods, given demand now.

    Each workload is a Markov process whose growth does not depend on other workloads' levels, so that its own demand
    is all there is to know.

    Attributes:
        now_TGK: demand now, rising along G.
        later_TGTK: mean demand of each period, given that.
    """

    now_TGK: Floats
    later_TGTK: Floats

    @classmethod
    def of(cls, process: DemandProcess, rng: np.random.Generator, paths: int = FORECAST_PATHS) -> Self:
        """Simulate onward from points between the quantiles that paths pass through."""
        seen_NTK = process.simulate(paths, rng)
        periods = seen_NTK.shape[1]
        now_TGK = np.quantile(seen_NTK, np.linspace(0.0, 1.0, POINTS), axis=0).transpose(1, 0, 2)
        later_TGTK = np.zeros((periods, POINTS, *seen_NTK.shape[1:]))
        for period in range(periods):
            seed = int(rng.integers(2**63))
            for g in range(POINTS):
                later_TGTK[period, g, period] = now_TGK[period, g]
                if period + 1 < periods:
                    onward = process.simulate_from(period, now_TGK[period, g], paths, np.random.default_rng(seed))
                    later_TGTK[period, g, period + 1 :] = onward.mean(axis=0)
        return cls(now_TGK, later_TGTK)

    def mean(self, period: int, demand_NTK: Floats) -> Floats:
        """Demand until ``period``, which is known, and mean demand of all periods after it, shape (N, T, K)."""
        mean_NTK, demand_NK = demand_NTK.copy(), demand_NTK[:, period]
        for k in range(demand_NK.shape[1]):
            log_now_N, log_table_G = np.log(demand_NK[:, k]), np.log(self.now_TGK[period, :, k])
            for later in range(period + 1, demand_NTK.shape[1]):
                log_later_G = np.log(self.later_TGTK[period, :, later, k])
                mean_NTK[:, later, k] = np.exp(_interpolate(log_now_N, log_table_G, log_later_G))
        return mean_NTK


def _interpolate(at_N: Floats, known_G: Floats, value_G: Floats) -> Floats:
    """Straight lines between points; beyond them demand later moves as demand now does."""
    return np.interp(at_N, known_G, value_G) + at_N - np.clip(at_N, known_G[0], known_G[-1])


class Chain:
    """A study along one path: the template on a chain of nodes, one per period, for a demand that is told later.

    Args:
        node: of the study, without a weight on risk, whose floors bend.
    """

    def __init__(self, node: Template) -> None:
        assert not node.study.risk.weight and not node.restriction.floors
        periods, workloads = node.study.periods, list(node.study.workloads)
        nothing_TK = np.zeros((periods, len(workloads)))
        path = Tree(np.arange(periods), np.arange(periods) - 1, np.ones(periods), nothing_TK)
        self.node, self.program = node, extensive(node, path)
        short_K = np.array([node.columns.place["short", name] for name in workloads])
        self._short_TK = self.program.column_nV[:, short_K]
        self._most_short_TK = np.stack([np.diag(stage.upper_demand_VK[short_K]) for stage in node.stages])
        self._demand_RK = np.concatenate([stage.row_demand_RK for stage in node.stages])
        sizes_R = np.diff(np.append(self.program.start_R, len(self.program.value_Z)))
        self._row_Z = np.repeat(np.arange(len(sizes_R)), sizes_R)

    def row_bounds(self, done_C: Floats, demand_TK: Floats) -> tuple[Floats, Floats]:
        """Bounds of all rows for a demand, with what was done taken out of them."""
        program = self.program
        terms_Z = program.value_Z * done_C[program.index_Z]
        done_R = np.bincount(self._row_Z, terms_Z, minlength=len(program.row_lower_R))
        needed_R = (self._demand_RK * demand_TK[program.row_node_R]).sum(axis=1)
        return program.row_lower_R + needed_R - done_R, program.row_upper_R - done_R

    def short_bounds(self, first: int, demand_TK: Floats) -> tuple[Ints, Floats]:
        """The columns of shortages from period ``first`` on, and their upper bounds for a demand."""
        return self._short_TK[first:].ravel(), (demand_TK * self._most_short_TK)[first:].ravel()


class Rest:
    """A chain from one period on, as a program of its own that is solved again and again, from the last basis.

    Args:
        chain: the whole of it.
        first: the period.
    """

    def __init__(self, chain: Chain, first: int) -> None:
        self.chain, self.first = chain, first
        columns = chain.program.column_nV[first:].ravel()
        self._part = Part.of(chain.program, columns)
        program = take_out(chain.program, self._part, np.zeros(len(chain.program.cost_C)))
        self._solver, self._first_column = Solver(program), int(columns[0])
        self._integer = np.flatnonzero(chain.node.columns.integer_V)
        self._lower, self._upper = program.lower_C[self._integer], program.upper_C[self._integer]

    def hold(self, decisions_TD: Floats) -> None:
        """Let the first T periods decide just this, whatever comes."""
        places = self.chain.node.columns.of(DECISIONS)
        held = self.chain.program.column_nV[self.first : self.first + len(decisions_TD)][:, places].ravel()
        self._solver.bound(held - self._first_column, decisions_TD.ravel(), decisions_TD.ravel())
        self._integer, self._lower, self._upper = self._integer[:0], self._lower[:0], self._upper[:0]

    def plan(self, done_C: Floats, demand_TK: Floats) -> Answer:
        """The best for a demand that is known, integers relaxed; what was done before costs nothing in it.

        Args:
            done_C: what was done in earlier periods; zero from the first one on.
            demand_TK: demand of all periods.
        """
        rows = self._part.rows
        lower_R, upper_R = (bound_R[rows] for bound_R in self.chain.row_bounds(done_C, demand_TK))
        short, most = self.chain.short_bounds(self.first, demand_TK)
        self._solver.bound(short - self._first_column, np.zeros(len(short)), most)
        for slack in (0.0, ROW_SLACK):
            self._solver.bound_rows(lower_R - slack, upper_R + slack)
            answer = self._solver.again()
            if answer.value_C is not None:
                return answer
        raise AssertionError("floors bend and shortages are paid for: every past has a plan")

    def decide(self, done_C: Floats, demand_TK: Floats) -> Floats:
        """The variables of the first period, those whole that must be, shape (V,)."""
        answer = whole(self._solver, self.plan(done_C, demand_TK), self._integer, self._lower, self._upper)
        assert answer.value_C is not None
        integer_V = self.chain.node.columns.integer_V
        value_V = answer.value_C[: len(integer_V)]
        return np.where(integer_V, np.round(value_V), value_V)


def whole(solver: Solver, answer: Answer, integer: Ints, lower: Floats, upper: Floats) -> Answer:
    """Make some columns whole, one at a time: the least whole one is tried down and up, and the cheaper way is kept.

    At last all are fixed to what they are near to: a phase at 0.0000001, seen as 0 in later periods, would leave them
    with a fit-out that has no room. The bounds are put back at the end.
    """
    now_lower, now_upper = lower.copy(), upper.copy()
    moved = False
    while len(integer) and answer.value_C is not None:
        value = answer.value_C[integer]
        away = np.abs(value - np.round(value))
        worst = int(away.argmax())
        if away[worst] == 0.0:
            break
        moved = True
        if away[worst] < WHOLE:
            solver.bound(integer, np.round(value), np.round(value))
            answer = solver.again()
            break
        down, up = np.floor(value[worst]), np.ceil(value[worst])
        column = integer[worst : worst + 1]
        solver.bound(column, now_lower[worst : worst + 1], np.array([down]))
        lower_way = solver.again()
        solver.bound(column, np.array([up]), now_upper[worst : worst + 1])
        answer = solver.again()
        if lower_way.objective <= answer.objective:
            answer = lower_way
            now_upper[worst] = down
            solver.bound(column, now_lower[worst : worst + 1], now_upper[worst : worst + 1])
        else:
            now_lower[worst] = up
    if moved:
        solver.bound(integer, lower, upper)
    return answer


class Replanning:
    """The way of deciding: commit in the first period to what a plan says, and plan anew in each one after it.

    Args:
        node: of the study, without a weight on risk, whose floors bend.
        forecast: of its demand.
        now_D: what is committed to in the first period, in the solver's units.
    """

    def __init__(self, node: Template, forecast: Forecast, now_D: Floats) -> None:
        chain = Chain(node)
        self._node, self._forecast = node, forecast
        self._rests = [Rest(chain, period) for period in range(node.study.periods)]
        self._rests[0].hold(now_D[None])

    def follow(self, demand_NTK: Floats, buffer: float, told: Told) -> Floats:
        """What is done along futures, shape (N, T, V), in the solver's units; each period knows demand up to it only.

        Args:
            demand_NTK: the futures.
            buffer: by how much the forecast a year ahead is raised, 0.15 for 15%; it rises with the root of the time
                ahead, as the spread of a random walk does.
            told: of progress.
        """
        count, periods, _ = demand_NTK.shape
        amount_NTV = np.zeros((count, periods, len(self._node.columns)))
        for period in range(periods):
            planned_NTK = self.planned_for(period, demand_NTK, buffer)
            # In order of demand, so that each solve starts near where the last one ended.
            for n in np.argsort(demand_NTK[:, period].sum(axis=1), kind="stable"):
                amount_NTV[n, period] = self._rests[period].decide(amount_NTV[n].ravel(), planned_NTK[n])
                told()
        return amount_NTV

    def planned_for(self, period: int, demand_NTK: Floats, buffer: float) -> Floats:
        """The demand that a period plans for: what is known, and the raised forecast of the rest."""
        planned_NTK = self._forecast.mean(period, demand_NTK)
        years_T = np.arange(1, demand_NTK.shape[1] - period) * self._node.study.calendar.months / 12
        planned_NTK[:, period + 1 :] *= 1 + buffer * np.sqrt(years_T)[:, None]
        return planned_NTK


def follow_static(node: Template, decisions_TD: Floats, demand_NTK: Floats, told: Told) -> Floats:
    """What is done along futures if all commitments of all periods were fixed at the start; only operation adapts."""
    rest = Rest(Chain(node), 0)
    rest.hold(decisions_TD)
    return np.stack([_along(rest, demand_TK, told)[0] for demand_TK in demand_NTK])


def foresee(node: Template, demand_NTK: Floats, told: Told) -> Floats:
    """The least that each future would cost, in USD, if it had been known from the start; integers relaxed."""
    rest = Rest(Chain(node), 0)
    return np.array([_along(rest, demand_TK, told)[1] for demand_TK in demand_NTK])


def _along(rest: Rest, demand_TK: Floats, told: Told) -> tuple[Floats, float]:
    """The best along a known path: all variables, shape (T, V), and their cost in USD."""
    program = rest.chain.program
    answer = rest.plan(np.zeros(len(program.cost_C)), demand_TK)
    assert answer.value_C is not None
    told()
    cost_usd = (answer.objective + program.offset) * rest.chain.node.columns.money_unit_usd
    return answer.value_C[program.column_nV], cost_usd
