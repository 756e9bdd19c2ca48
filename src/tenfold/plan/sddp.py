"""Stochastic dual dynamic programming on a Markov lattice: what the rest of the study costs, as a set of cuts.

For each node of the lattice, a lower bound on the expected cost from the next period on, as a maximum of functions that
are linear in what was done so far (Pereira and Pinto 1991; on Markov chains, Philpott and de Matos 2012). Integers are
relaxed in the bound, not in the period that is decided. Within a node, demand is part of the state too: it deviates
from the node's by a ratio that is taken to last, so that the bound bends with demand between the nodes.

Risk enters each period's expectation as a mixture of mean and CVaR of the next period's values (nested, so that plans
stay consistent over time).

Shapes: J nodes, I nodes of the period before, S slots of the past, C cuts, K workloads, N paths, V variables of a node.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tenfold.plan.columns import Floats
from tenfold.plan.extensive import Program
from tenfold.plan.highs import Outcome, Solver
from tenfold.plan.lattice import Lattice
from tenfold.plan.lookahead import Lookahead, decide, lookahead
from tenfold.plan.model import Template

Ints = NDArray[np.int64]

HIGH_EVERY = 3
CAUTIONS = (0.0, 0.1, 0.0, 0.2)
"""In turn while training; not a multiple of HIGH_EVERY, so that high paths meet all of them."""
FORGET_EVERY = 50
STRIDE = 7919  # a prime, so that the high paths come in no order
LEAST_FUTURE = -1e7
"""A bound on the future's cost before there are cuts, in the template's unit of money."""


@dataclass(frozen=True, slots=True)
class Nested:
    """How the next period's values are weighed: (1 - weight) x mean + weight x mean of the worst 1 - alpha."""

    weight: float = 0.0
    alpha: float = 0.8

    def weights(self, probability_J: Floats, value_J: Floats) -> Floats:
        """The probabilities under which the mean is the wanted mixture."""
        if not self.weight:
            return probability_J
        order = np.argsort(-value_J)
        room = 1 - self.alpha
        taken = np.diff(np.minimum(np.cumsum(probability_J[order]), room), prepend=0.0)
        tail_J = np.zeros_like(probability_J)
        tail_J[order] = taken / room
        return (1 - self.weight) * probability_J + self.weight * tail_J


@dataclass(frozen=True, slots=True)
class Value:
    """What a node costs from its period on, and how that changes with the past and with the ratio of demand."""

    cost: float
    slope_S: Floats
    ratio_slope_K: Floats


class Stage:
    """One period of the lattice: a program per node, and the cuts on what follows.

    Args:
        look: the period alone.
        after: the period after it, None for the last.
        demand_JK: demand of the nodes.
        most_V: no sensible plan does more; keeps early programs bounded, when cuts are few.
    """

    def __init__(self, look: Lookahead, after: Lookahead | None, demand_JK: Floats, most_V: Floats) -> None:
        self.look, self.demand_JK = look, demand_JK
        self.program = look.program if after is None else _with_future(look.program, most_V)
        self.future = len(look.program.cost_C)
        self.solvers = [Solver(self.program) for _ in demand_JK]
        slots, workloads = len(look.slot_period_S), demand_JK.shape[1]
        self.intercept_JC: list[list[float]] = [[] for _ in demand_JK]
        after_slots = 0 if after is None else len(after.slot_period_S)
        self.cut_JCY: list[Floats] = [np.zeros((0, after_slots + workloads)) for _ in demand_JK]
        self.reached_PY: Floats = np.zeros((0, after_slots + workloads))
        self.slope_JCX: list[Floats] = [np.zeros((0, slots + workloads)) for _ in demand_JK]
        if after is not None:
            made = after.slot_period_S == look.first
            self.own_slots, self.own_columns = np.flatnonzero(made), after.slot_variable_S[made]
            place = {slot: s for s, slot in enumerate(zip(look.slot_period_S, look.slot_variable_S, strict=True))}
            self.kept_slots = np.flatnonzero(~made)
            self.kept_from = np.array(
                [place[after.slot_period_S[s], after.slot_variable_S[s]] for s in self.kept_slots], dtype=np.int64
            )

    def add_cut(self, node: int, intercept: float, slope_S: Floats, ratio_slope_K: Floats) -> None:
        """Bound a node's future from below: intercept + slope x slots of the next period + slope x ratio of demand."""
        slots = len(self.look.slot_period_S)
        slope_X = np.concatenate([np.zeros(slots), ratio_slope_K])
        np.add.at(slope_X, self.kept_from, slope_S[self.kept_slots])
        own = slope_S[self.own_slots]
        index = np.append(self.own_columns, self.future)
        self.solvers[node].add_row(0.0, index, np.append(-own, 1.0))
        self.cut_JCY[node] = np.vstack([self.cut_JCY[node], np.concatenate([slope_S, ratio_slope_K])])
        self.intercept_JC[node].append(intercept)
        self.slope_JCX[node] = np.vstack([self.slope_JCX[node], slope_X])

    def reached(self, slot_S: Floats, ratio_K: Floats) -> None:
        """Remember a state that cuts are made for."""
        self.reached_PY = np.vstack([self.reached_PY, np.concatenate([slot_S, ratio_K])])

    def forget(self) -> None:
        """Drop the cuts that are the highest at no state reached so far (de Matos, Philpott and Finardi 2015)."""
        fixed = len(self.look.program.row_lower_R)
        for node, solver in enumerate(self.solvers):
            height_CP = np.array(self.intercept_JC[node])[:, None] + self.cut_JCY[node] @ self.reached_PY.T
            keep_C = np.zeros(len(height_CP), dtype=bool)
            keep_C[height_CP.argmax(axis=0)] = True
            solver.drop_rows(fixed + np.flatnonzero(~keep_C))
            self.intercept_JC[node] = list(np.array(self.intercept_JC[node])[keep_C])
            self.cut_JCY[node], self.slope_JCX[node] = self.cut_JCY[node][keep_C], self.slope_JCX[node][keep_C]

    def rows(self, node: int, slot_NS: Floats, demand_NK: Floats, ratio_NK: Floats) -> tuple[Floats, Floats]:
        """Bounds of all rows, cuts included, for states in one node."""
        lower_NR, upper_NR = self.look.row_bounds(slot_NS, demand_NK)
        cut_NC = np.array(self.intercept_JC[node]) + np.hstack([slot_NS, ratio_NK]) @ self.slope_JCX[node].T
        return np.hstack([lower_NR, cut_NC]), np.hstack([upper_NR, np.full(cut_NC.shape, np.inf)])

    def solve(self, node: int, slot_S: Floats, ratio_K: Floats, caution: float = 0.0) -> Outcome:
        """The linear program of a node for one state.

        The future is weighed at the node's demand times the ratio, which is higher by the caution than demand now.
        """
        demand_K = self.demand_JK[node] * ratio_K / (1 + caution)
        lower_NR, upper_NR = self.rows(node, slot_S[None], demand_K[None], ratio_K[None])
        solver = self.solvers[node]
        solver.bound_rows(lower_NR[0], upper_NR[0])
        solver.bound(self.look.short_F, np.zeros(len(demand_K)), self.look.short_bounds(demand_K))
        return solver.again()

    def value(self, node: int, slot_S: Floats, ratio_K: Floats) -> Value:
        """Cost from this period on, with its slopes."""
        look, outcome = self.look, self.solve(node, slot_S, ratio_K)
        assert outcome.dual_R is not None and outcome.reduced_C is not None
        rows = len(look.program.row_lower_R)
        dual_R, dual_C = outcome.dual_R[:rows], outcome.dual_R[rows:]
        cut_X = dual_C @ self.slope_JCX[node]
        slots = len(slot_S)
        at_upper_K = np.minimum(outcome.reduced_C[look.short_F], 0.0) * look.short_upper_F
        return Value(
            cost=outcome.objective + float(look.past_cost_S @ slot_S),
            slope_S=look.past_cost_S - dual_R @ look.past_RS + cut_X[:slots],
            ratio_slope_K=(dual_R @ look.demand_RF + at_upper_K) * self.demand_JK[node] + cut_X[slots:],
        )


def _sensible(template: Template, demand_K: Floats) -> Floats:
    """Twice the order that would serve all of a demand by one kind alone, shape (V,); infinite for what is no order."""
    study, columns = template.study, template.columns
    demand = dict(zip(study.workloads, demand_K, strict=True))
    most_V, total = np.full(len(columns), np.inf), 0.0
    for kind, offer in study.accelerators.items():
        count = 2 * sum(demand[workload] / rate for workload, rate in offer.throughput.items())
        total += count
        most_V[columns.place["order", kind]] = np.ceil(count / columns.unit_V[columns.place["order", kind]])
    if ("kit-order",) in columns.place:
        most_V[columns.place[("kit-order",)]] = total / columns.unit_V[columns.place[("kit-order",)]]
    return most_V


def _with_future(program: Program, most_V: Floats) -> Program:
    """One more column: what comes after."""
    upper_C = program.upper_C.copy()
    upper_C[: len(most_V)] = np.minimum(upper_C[: len(most_V)], most_V)
    return replace(
        program,
        cost_C=np.append(program.cost_C, 1.0),
        lower_C=np.append(program.lower_C, LEAST_FUTURE),
        upper_C=np.append(upper_C, np.inf),
        integer_C=np.append(program.integer_C, False),
    )


class Cuts:
    """A trained lattice; as a policy, it decides each period by its own exact program and the cuts on what follows.

    Args:
        template: of the study, without a weight on risk.
        lattice: of its demand.
        nested: how risk is weighed.
    """

    def __init__(self, template: Template, lattice: Lattice, nested: Nested = Nested()) -> None:
        self.template, self.lattice, self.nested = template, lattice, nested
        self.iterations = 0
        looks: list[Lookahead] = []
        for period in reversed(range(lattice.periods)):
            looks.insert(0, lookahead(template, period, 1, looks[0] if looks else None))
        most_V = _sensible(template, np.max([demand_JK.max(axis=0) for demand_JK in lattice.demand_JK], axis=0))
        self.stages = [
            Stage(look, after, demand_JK, most_V)
            for look, after, demand_JK in zip(looks, [*looks[1:], None], lattice.demand_JK, strict=True)
        ]

    def train(self, iterations: int, paths_NTK: Floats) -> None:
        """Add cuts where the policy, as it stands, goes along demand paths, one path per iteration, over and over.

        Every third iteration goes along one of the tenth of the paths with the highest demand: what is costly is rare,
        and cuts must be good there too. Iterations take turns in being cautious, so that cuts are good where a cautious
        policy goes, too.
        """
        if not self.stages[0].intercept_JC[0]:
            mean_TK = paths_NTK.mean(axis=0)
            for buffer in (1.0, 1.2):
                self._learn(self._planned(mean_TK * buffer), mean_TK * buffer)
        height_N = (paths_NTK / paths_NTK.mean(axis=0)).sum(axis=(1, 2))
        high = np.argsort(height_N)[-max(1, len(height_N) // 10) :]
        for _ in range(iterations):
            third, rest = divmod(self.iterations, HIGH_EVERY)
            high_turn = rest == HIGH_EVERY - 1
            demand_TK = paths_NTK[high[third * STRIDE % len(high)] if high_turn else self.iterations % len(paths_NTK)]
            caution = CAUTIONS[self.iterations % len(CAUTIONS)]
            self._learn(self._forward(demand_TK, caution), demand_TK * (1 + caution))
            self.iterations += 1
            if self.iterations % FORGET_EVERY == 0:
                for stage in self.stages[:-1]:
                    stage.forget()

    def bound(self) -> float:
        """Lower bound on the expected cost on the lattice, if ratios are 1 and integers relaxed."""
        first, ones_K = self.stages[0], np.ones(self.lattice.demand_JK[0].shape[1])
        empty = np.zeros(len(first.look.slot_period_S))
        value_J = np.array([first.value(node, empty, ones_K).cost for node in range(len(first.solvers))])
        return float(self.nested.weights(self.lattice.move_IJ[0][0], value_J) @ value_J)

    def decide(self, period: int, amount_NTV: Floats, demand_NK: Floats) -> Floats:
        """What to do in a period, shape (N, V), in the solver's units, given all that was done before."""
        return self.decide_as_if(period, amount_NTV, demand_NK, demand_NK)

    def decide_as_if(self, period: int, amount_NTV: Floats, demand_NK: Floats, believed_NK: Floats) -> Floats:
        """The same, but the future is weighed as if demand now were ``believed_NK``."""
        stage = self.stages[period]
        slot_NS = stage.look.slots(amount_NTV)
        node_N = self.lattice.nearest(period, believed_NK)
        decided_NV = np.empty((len(demand_NK), len(self.template.columns)))
        for node in np.unique(node_N):
            at = np.flatnonzero(node_N == node)
            rows_NR = stage.rows(int(node), slot_NS[at], demand_NK[at], believed_NK[at] / stage.demand_JK[node])
            decided_NV[at], _ = decide(stage.look, stage.solvers[node], rows_NR, demand_NK[at])
        return decided_NV

    def cautious(self, caution_K: Floats) -> "Cautious":
        """The policy that weighs the future as if demand were higher by ``caution_K``, 0.1 for 10%."""
        return Cautious(self, caution_K)

    def _planned(self, demand_TK: Floats) -> Floats:
        """What a plan for one path does, integers relaxed, shape (T, V)."""
        ahead = lookahead(self.template, 0, self.lattice.periods)
        solver, demand_F = Solver(ahead.program), demand_TK.ravel()
        lower_NR, upper_NR = ahead.row_bounds(np.zeros((1, 0)), demand_F[None])
        solver.bound_rows(lower_NR[0], upper_NR[0])
        solver.bound(ahead.short_F, np.zeros(len(demand_F)), ahead.short_bounds(demand_F))
        outcome = solver.again()
        assert outcome.value_C is not None
        return outcome.value_C[ahead.program.column_nV]

    def _forward(self, demand_TK: Floats, caution: float) -> Floats:
        """What the policy does along a path, integers relaxed, shape (T, V)."""
        amount_TV = np.zeros((len(demand_TK), len(self.template.columns)))
        for period, stage in enumerate(self.stages):
            believed_K = demand_TK[period] * (1 + caution)
            node = int(self.lattice.nearest(period, believed_K[None])[0])
            ratio_K = believed_K / stage.demand_JK[node]
            outcome = stage.solve(node, stage.look.slots(amount_TV[None])[0], ratio_K, caution)
            assert outcome.value_C is not None
            amount_TV[period] = outcome.value_C[: amount_TV.shape[1]]
        return amount_TV

    def _learn(self, amount_TV: Floats, demand_TK: Floats) -> None:
        """From the last period to the second: value every node at the state reached, and cut every node before it."""
        for period in range(self.lattice.periods - 1, 0, -1):
            stage, before = self.stages[period], self.stages[period - 1]
            node = int(self.lattice.nearest(period - 1, demand_TK[period - 1 : period])[0])
            ratio_K = demand_TK[period - 1] / before.demand_JK[node]
            slot_S = stage.look.slots(amount_TV[None])[0]
            before.reached(slot_S, ratio_K)
            values = [stage.value(child, slot_S, ratio_K) for child in range(len(stage.solvers))]
            cost_J = np.array([value.cost for value in values])
            slope_JS = np.array([value.slope_S for value in values])
            ratio_slope_JK = np.array([value.ratio_slope_K for value in values])
            intercept_J = cost_J - slope_JS @ slot_S - ratio_slope_JK @ ratio_K
            for parent, move_J in enumerate(self.lattice.move_IJ[period]):
                weight_J = self.nested.weights(move_J, cost_J)
                before.add_cut(parent, float(weight_J @ intercept_J), weight_J @ slope_JS, weight_J @ ratio_slope_JK)


@dataclass(frozen=True, slots=True)
class Cautious:
    """Cuts with a margin on demand: for what a nested risk does not say, and for errors of lattice and cuts."""

    cuts: Cuts
    caution_K: Floats

    def decide(self, period: int, amount_NTV: Floats, demand_NK: Floats) -> Floats:
        """What to do in a period, shape (N, V), in the solver's units, given all that was done before."""
        return self.cuts.decide_as_if(period, amount_NTV, demand_NK, demand_NK * (1 + self.caution_K))
