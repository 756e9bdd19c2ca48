"""Rolling a policy along demand paths it has not seen, with an exact account of what it cost.

Shapes: N paths, T periods, V variables of a node, K workloads.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tenfold.plan.columns import DECISIONS, Floats
from tenfold.plan.highs import Solver
from tenfold.plan.lookahead import FLOOR_FACTOR, OVER_LIMIT_FACTOR, decide, lookahead
from tenfold.plan.model import Template
from tenfold.plan.outcomes import tail_mean


class Policy(Protocol):
    """Decides period by period, from what was done before and the demand seen so far."""

    def decide(self, period: int, amount_NTV: Floats, demand_NK: Floats) -> Floats:
        """What to do in a period, shape (N, V), in the solver's units.

        Args:
            period: the period.
            amount_NTV: what was done before it; what follows is zero.
            demand_NK: demand in it.
        """
        ...


@dataclass(frozen=True, slots=True)
class Account:
    """What a policy did along each path, and what it cost.

    Attributes:
        amount_NTV: all variables, in the solver's units.
        cost_usd_N: discounted, penalties included.
        penalty_usd_N: of it, for demand unserved below a floor and capex over its limit.
    """

    amount_NTV: Floats
    cost_usd_N: Floats
    penalty_usd_N: Floats

    @property
    def mean_usd(self) -> float:
        """Mean cost."""
        return float(self.cost_usd_N.mean())

    def cvar_usd(self, alpha: float = 0.95) -> float:
        """Mean cost of the worst 1 - alpha of the paths."""
        return tail_mean(self.cost_usd_N, np.ones(len(self.cost_usd_N)), alpha)


@dataclass(frozen=True, slots=True)
class StartsWith:
    """Commits in the first period to what a plan says, and follows a policy from then on.

    Attributes:
        first_V: the plan's first node, in the solver's units; only its commitments count, operation is free.
    """

    template: Template
    first_V: Floats
    then: Policy

    def decide(self, period: int, amount_NTV: Floats, demand_NK: Floats) -> Floats:
        """What to do in a period, shape (N, V), in the solver's units."""
        if period:
            return self.then.decide(period, amount_NTV, demand_NK)
        look, decisions = lookahead(self.template, 0, 1), self.template.columns.of(DECISIONS)
        solver = Solver(look.program)
        given = self.first_V[decisions]
        solver.bound(decisions, given, given)
        rows_NR = look.row_bounds(look.slots(amount_NTV), demand_NK)
        return decide(look, solver, rows_NR, demand_NK)[0]


def simulate(template: Template, policy: Policy, paths_NTK: Floats) -> Account:
    """Roll a policy along paths."""
    count, periods, _ = paths_NTK.shape
    amount_NTV = np.zeros((count, periods, len(template.columns)))
    for period in range(periods):
        amount_NTV[:, period] = policy.decide(period, amount_NTV, paths_NTK[:, period])
    return account(template, amount_NTV, paths_NTK)


def account(template: Template, amount_NTV: Floats, paths_NTK: Floats) -> Account:
    """Charge what was done by the template's own costs, and by the stated price of what had to bend."""
    cost_N, penalty_N = np.zeros(len(amount_NTV)), np.zeros(len(amount_NTV))
    for period, stage in enumerate(template.stages):
        discount = template.discount_T[period]
        for entries, constant in stage.costs.values():
            done_NE = amount_NTV[:, period - entries.lag, entries.variable]
            cost_N += discount * (done_NE @ entries.value + constant)
        penalty_N += discount * _bent(template, period, amount_NTV, paths_NTK[:, period])
    unit = template.columns.money_unit_usd
    return Account(amount_NTV, (cost_N + penalty_N) * unit, penalty_N * unit)


def _bent(template: Template, period: int, amount_NTV: Floats, demand_NK: Floats) -> Floats:
    """Penalties of a period, not discounted, in the template's unit of money."""
    study, place, stage = template.study, template.columns.place, template.stages[period]
    penalty_N = np.zeros(len(amount_NTV))
    for k, (name, workload) in enumerate(study.workloads.items()):
        short = place["short", name]
        below_N = amount_NTV[:, period, short] - demand_NK[:, k] * stage.upper_demand_VK[short, k]
        usd = workload.shortage_usd_per_unit_month * study.calendar.months * template.columns.unit_V[short]
        penalty_N += (FLOOR_FACTOR - 1) * usd / template.columns.money_unit_usd * np.maximum(below_N, 0.0)
    matrix = stage.matrix
    for row, label in enumerate(stage.labels):
        if label[0] == "capex limit":
            of_row = matrix.row == row
            spent_N = amount_NTV[:, period - matrix.lag[of_row], matrix.variable[of_row]] @ matrix.value[of_row]
            penalty_N += OVER_LIMIT_FACTOR * np.maximum(spent_N - stage.row_upper_R[row], 0.0)
    return penalty_N


def broken(template: Template, amount_NTV: Floats, paths_NTK: Floats) -> float:
    """By how much any constraint that may not bend is broken at most, in the solver's units."""
    worst = 0.0
    for period, stage in enumerate(template.stages):
        matrix = stage.matrix
        done_NE = amount_NTV[:, period - matrix.lag, matrix.variable] * matrix.value
        rows_NR = np.zeros((len(amount_NTV), len(stage.labels)))
        np.add.at(rows_NR.T, matrix.row, done_NE.T)
        hard_R = np.array([label[0] != "capex limit" for label in stage.labels])
        needed_NR = stage.row_lower_R + paths_NTK[:, period] @ stage.row_demand_RK.T
        worst = max(worst, float((needed_NR - rows_NR)[:, hard_R].max()))
        worst = max(worst, float((rows_NR - stage.row_upper_R)[:, hard_R].max()))
        bends_V = stage.upper_demand_VK.any(axis=1)
        amount_NV = amount_NTV[:, period]
        worst = max(worst, float((stage.lower_V - amount_NV).max()))
        worst = max(worst, float((amount_NV - stage.upper_V)[:, ~bends_V].max()))
    return worst
