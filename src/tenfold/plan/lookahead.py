"""The template over a few periods from one on, as a program whose bounds hold the past and the demand.

A rolling plan solves it anew each period; SDDP solves it for one period, with cuts in place of the rest. What must
bend, bends: demand below a floor may stay unserved, and capex may exceed its limit, each at a stated price, so that
no past makes it infeasible (relatively complete recourse).

Shapes: V variables of a node, S slots of the past, R rows, F forecast demands (period by workload), N paths.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tenfold.plan.columns import Floats
from tenfold.plan.extensive import Program
from tenfold.plan.highs import Outcome, Solver
from tenfold.plan.model import Template

Ints = NDArray[np.int64]

FLOOR_FACTOR = 5.0
"""What unserved demand below a floor costs, as a multiple of the workload's shortage price."""
OVER_LIMIT_FACTOR = 1.0
"""What each dollar of capex over its limit costs on top of itself, in dollars of its period."""
WHOLE = 1e-6
ROW_SLACK = 1e-5
"""By how much rows give, in their units, where a past that was whole only to rounding leaves no room (rare)."""


@dataclass(frozen=True, slots=True)
class Lookahead:
    """Periods ``first`` to ``first + periods - 1`` of a template, given what was done before.

    The first V columns are the variables of period ``first``, the next V those of the one after, and so on; elastic
    columns follow.

    Attributes:
        program: with the past and demand at zero.
        slot_period_S, slot_variable_S: what of the past it depends on.
        past_RS: what one unit of a slot adds to a row.
        past_cost_S: what one unit of a slot costs.
        demand_RF: what one unit of demand adds to a row's lower bound.
        short_F, short_upper_F: column of the shortage of each demand, and its upper bound per unit of demand.
        below_F: column of what is unserved below the floor.
        integer: columns of period ``first`` that must be whole.
    """

    template: Template
    first: int
    periods: int
    program: Program
    slot_period_S: Ints
    slot_variable_S: Ints
    past_RS: Floats
    past_cost_S: Floats
    demand_RF: Floats
    short_F: Ints
    short_upper_F: Floats
    below_F: Ints
    integer: Ints

    def slots(self, amount_NTV: Floats) -> Floats:
        """What the past holds in each slot, shape (N, S); ``amount_NTV`` in the solver's units."""
        return amount_NTV[:, self.slot_period_S, self.slot_variable_S]

    def row_bounds(self, slot_NS: Floats, demand_NF: Floats) -> tuple[Floats, Floats]:
        """Bounds of the rows, shape (N, R) each."""
        past_NR = slot_NS @ self.past_RS.T
        lower_NR = self.program.row_lower_R + demand_NF @ self.demand_RF.T - past_NR
        return lower_NR, self.program.row_upper_R - past_NR

    def short_bounds(self, demand_NF: Floats) -> Floats:
        """Upper bounds of the shortages, shape (N, F)."""
        return demand_NF * self.short_upper_F

    def own(self, value_C: Floats) -> Floats:
        """The variables of period ``first``, whole ones rounded, shape (V,); unserved demand all in ``short``."""
        columns = self.template.columns
        value_V = value_C[: len(columns)].copy()
        value_V[columns.integer_V] = np.round(value_V[columns.integer_V])
        workloads = len(self.template.study.workloads)
        value_V[self.short_F[:workloads]] += value_C[self.below_F[:workloads]]
        return value_V


def lookahead(template: Template, first: int, periods: int, after: Lookahead | None = None) -> Lookahead:
    """Build the program of ``periods`` periods from ``first`` on; its slots hold what ``after`` must know, too."""
    assert not template.study.risk.weight, "risk is over whole paths: a policy weighs it in its own way"
    book = _Book(template, first, periods)
    if after is not None:
        for period, variable in zip(after.slot_period_S.tolist(), after.slot_variable_S.tolist(), strict=True):
            if period < first:
                book.slot(period, variable)
    for ahead in range(periods):
        book.place(ahead)
    return book.lookahead()


class _Book:
    """Collects rows, columns and costs period by period."""

    def __init__(self, template: Template, first: int, periods: int) -> None:
        self.template, self.first, self.periods = template, first, periods
        self.width = len(template.columns)
        self.workloads = len(template.study.workloads)
        core = self.width * periods
        self.cost: list[float] = [0.0] * core
        self.upper: list[float] = []
        self.lower: list[float] = []
        self.rows: list[tuple[float, float, dict[int, float]]] = []
        self.slots: dict[tuple[int, int], int] = {}
        self.past: list[tuple[int, int, float]] = []
        self.past_cost: dict[int, float] = {}
        self.demand: list[tuple[int, int, float]] = []
        self.short: list[int] = []
        self.short_upper: list[float] = []
        self.below: list[int] = []
        self.offset = 0.0

    def place(self, ahead: int) -> None:
        """One period's bounds, costs and rows."""
        period = self.first + ahead
        stage, discount = self.template.stages[period], float(self.template.discount_T[period])
        self.lower += stage.lower_V.tolist()
        self.upper += stage.upper_V.tolist()
        for entries, constant in stage.costs.values():
            self.offset += discount * constant
            for variable, lag, value in zip(
                entries.variable.tolist(), entries.lag.tolist(), entries.value.tolist(), strict=True
            ):
                if lag <= ahead:
                    self.cost[(ahead - lag) * self.width + variable] += discount * value
                else:
                    slot = self.slot(period - lag, variable)
                    self.past_cost[slot] = self.past_cost.get(slot, 0.0) + discount * value
        self._place_rows(ahead)

    def slot(self, period: int, variable: int) -> int:
        """The slot of what was done then."""
        return self.slots.setdefault((period, variable), len(self.slots))

    def _place_rows(self, ahead: int) -> None:
        period = self.first + ahead
        stage = self.template.stages[period]
        base = len(self.rows)
        contents: list[dict[int, float]] = [{} for _ in stage.labels]
        matrix = stage.matrix
        for row, variable, lag, value in zip(
            matrix.row.tolist(), matrix.variable.tolist(), matrix.lag.tolist(), matrix.value.tolist(), strict=True
        ):
            if lag <= ahead:
                contents[row][(ahead - lag) * self.width + variable] = value
            else:
                self.past.append((base + row, self.slot(period - lag, variable), value))
        names = list(self.template.study.workloads)
        below: dict[int, int] = {}
        for row, label in enumerate(stage.labels):
            if label[0] == "demand":
                k = names.index(label[1])
                short = self.template.columns.place["short", label[1]]
                short_cost = self.cost[ahead * self.width + short]
                below[k] = self._elastic(FLOOR_FACTOR * short_cost)
                contents[row][below[k]] = contents[row][ahead * self.width + short]
            elif label[0] == "capex limit":
                over = self._elastic(OVER_LIMIT_FACTOR * float(self.template.discount_T[period]))
                contents[row][over] = -1.0
            for k in np.flatnonzero(stage.row_demand_RK[row]):
                self.demand.append((base + row, ahead * self.workloads + int(k), float(stage.row_demand_RK[row, k])))
            self.rows.append((float(stage.row_lower_R[row]), float(stage.row_upper_R[row]), contents[row]))
        for k, name in enumerate(names):
            short = self.template.columns.place["short", name]
            self.short.append(ahead * self.width + short)
            self.short_upper.append(float(stage.upper_demand_VK[short, k]))
            self.below.append(below[k])

    def _elastic(self, cost: float) -> int:
        self.cost.append(cost)
        return len(self.cost) - 1

    def lookahead(self) -> Lookahead:
        """All of it as arrays."""
        count, extra = len(self.cost), len(self.cost) - self.width * self.periods
        integer_V = self.template.columns.integer_V
        integer_C = np.zeros(count, dtype=bool)
        integer_C[: self.width] = integer_V
        sizes = [len(content) for _, _, content in self.rows]
        past_RS = np.zeros((len(self.rows), len(self.slots)))
        for row, slot, value in self.past:
            past_RS[row, slot] += value
        past_cost_S = np.zeros(len(self.slots))
        for slot, value in self.past_cost.items():
            past_cost_S[slot] = value
        demand_RF = np.zeros((len(self.rows), self.periods * self.workloads))
        for row, forecast, value in self.demand:
            demand_RF[row, forecast] = value
        program = Program(
            cost_C=np.array(self.cost),
            offset=self.offset,
            lower_C=np.array(self.lower + [0.0] * extra),
            upper_C=np.array(self.upper + [np.inf] * extra),
            integer_C=integer_C,
            row_lower_R=np.array([lower for lower, _, _ in self.rows]),
            row_upper_R=np.array([upper for _, upper, _ in self.rows]),
            start_R=np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int32),
            index_Z=np.array([column for *_, content in self.rows for column in content], dtype=np.int32),
            value_Z=np.array([value for *_, content in self.rows for value in content.values()]),
            column_nV=np.arange(self.width * self.periods).reshape(self.periods, self.width),
            row_node_R=np.zeros(len(self.rows), dtype=np.int64),
            row_label_R=np.full(len(self.rows), -1),
        )
        slots = np.array(list(self.slots), dtype=np.int64).reshape(-1, 2)
        return Lookahead(
            template=self.template,
            first=self.first,
            periods=self.periods,
            program=program,
            slot_period_S=slots[:, 0],
            slot_variable_S=slots[:, 1],
            past_RS=past_RS,
            past_cost_S=past_cost_S,
            demand_RF=demand_RF,
            short_F=np.array(self.short),
            short_upper_F=np.array(self.short_upper),
            below_F=np.array(self.below),
            integer=np.flatnonzero(integer_V),
        )


def decide(look: Lookahead, solver: Solver, rows_NR: tuple[Floats, Floats], demand_NF: Floats) -> tuple[Floats, Floats]:
    """Solve for many states, one after the other in order of demand, so that each starts near where the last one ended.

    Args:
        look: the program.
        solver: of the program, perhaps with more rows and columns.
        rows_NR: lower and upper bounds of its rows.
        demand_NF: demand, which bounds the shortages.
    Returns:
        The variables of the first period, shape (N, V), and the cost with integers relaxed, shape (N,); in the cost,
        what the past alone determines is left out.
    """
    short_NF = look.short_bounds(demand_NF)
    zeros_F, integer = np.zeros(short_NF.shape[1]), look.integer
    lower, upper = solver.program.lower_C[integer], solver.program.upper_C[integer]
    decided_NV = np.empty((len(demand_NF), len(look.template.columns)))
    cost_N = np.empty(len(demand_NF))
    for n in np.argsort(demand_NF.sum(axis=1)):
        solver.bound(look.short_F, zeros_F, short_NF[n])
        for slack in (0.0, ROW_SLACK):
            solver.bound_rows(rows_NR[0][n] - slack, rows_NR[1][n] + slack)
            relaxed = solver.again()
            outcome = whole(solver, relaxed, integer, lower, upper)
            if outcome.value_C is not None:
                break
        assert outcome.value_C is not None, "what must bend bends: every state has a solution"
        cost_N[n], decided_NV[n] = relaxed.objective, look.own(outcome.value_C)
    return decided_NV, cost_N


def whole(solver: Solver, outcome: Outcome, integer: Ints, lower: Floats, upper: Floats) -> Outcome:
    """Make some columns whole, one at a time: the least whole one is tried down and up, and the cheaper way is kept.

    At last all are fixed to what they are near to: a phase at 0.0000001, seen as 0 in later periods, would leave them
    with a fit-out that has no room. The bounds are put back at the end.
    """
    now_lower, now_upper = lower.copy(), upper.copy()
    moved = False
    while len(integer) and outcome.value_C is not None:
        value = outcome.value_C[integer]
        away = np.abs(value - np.round(value))
        worst = int(away.argmax())
        if away[worst] == 0.0:
            break
        moved = True
        if away[worst] < WHOLE:
            solver.bound(integer, np.round(value), np.round(value))
            outcome = solver.again()
            break
        down, up = np.floor(value[worst]), np.ceil(value[worst])
        column = integer[worst : worst + 1]
        solver.bound(column, now_lower[worst : worst + 1], np.array([down]))
        lower_way = solver.again()
        solver.bound(column, np.array([up]), now_upper[worst : worst + 1])
        outcome = solver.again()
        if lower_way.objective <= outcome.objective:
            outcome = lower_way
            now_upper[worst] = down
            solver.bound(column, now_lower[worst : worst + 1], now_upper[worst : worst + 1])
        else:
            now_lower[worst] = up
    if moved:
        solver.bound(integer, lower, upper)
    return outcome
