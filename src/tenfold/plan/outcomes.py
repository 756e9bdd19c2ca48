"""What a solved tree means: amounts in real units, and money and shortage over all scenarios."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from tenfold.plan.columns import CUMULATIVE, Floats, Group
from tenfold.plan.costs import Category
from tenfold.plan.extensive import Program
from tenfold.plan.model import Template
from tenfold.plan.result import Spread
from tenfold.plan.study import Risk
from tenfold.plan.terms import Term
from tenfold.plan.tree import Tree

SHORT = 1e-3


@dataclass(frozen=True, slots=True)
class Outcomes:
    """A solution on its tree.

    Attributes:
        amount_nV: every variable in every node, in real units.
        cost_n: by category, USD spent in each node, not discounted.
    """

    template: Template
    tree: Tree
    amount_nV: Floats
    cost_n: Mapping[Category, Floats]

    @classmethod
    def of(cls, template: Template, tree: Tree, program: Program, value_C: Floats) -> Self:
        """Read a solution."""
        solved_nV = value_C[program.column_nV]
        ancestors_nT = tree.ancestors_nT()
        cost_n = {category: np.zeros(len(tree)) for category in Category}
        for stage, content in enumerate(template.stages):
            nodes = tree.at(stage)
            for category, (entries, constant) in content.costs.items():
                terms_mE = solved_nV[ancestors_nT[nodes][:, entries.lag], entries.variable] * entries.value
                cost_n[category][nodes] = (terms_mE.sum(axis=1) + constant) * template.columns.money_unit_usd
        return cls(template, tree, solved_nV * template.columns.unit_V, cost_n)

    def of_name(self, group: Group, *key: str) -> Floats:
        """A variable in every node."""
        return self.amount_nV[:, self.template.columns.place[(group, *key)]]

    def sum_of(self, terms: list[Term], stage: int) -> Floats:
        """A sum over variables of nodes and their ancestors, in every node of a stage."""
        columns, ancestors_mT = self.template.columns, self.tree.ancestors_nT()[self.tree.at(stage)]
        total_m = np.zeros(len(ancestors_mT))
        for variable, lag, coefficient in terms:
            if lag > stage:
                total_m += coefficient * columns.initial_V[variable] * columns.unit_V[variable]
            else:
                total_m += coefficient * self.amount_nV[ancestors_mT[:, lag], variable]
        return total_m

    def taken_up(self, group: Group, *key: str) -> Floats:
        """What is newly committed to in every node: the rise of cumulative variables, others as they are."""
        amount_n = self.of_name(group, *key)
        if group not in CUMULATIVE:
            return amount_n
        place = self.template.columns.place[(group, *key)]
        before = self.template.columns.initial_V[place] * self.template.columns.unit_V[place]
        return amount_n - np.where(self.tree.parent_n < 0, before, amount_n[self.tree.parent_n])

    def along(self, amount_n: Floats, *, after_root: bool = False) -> Floats:
        """Sum over each scenario, shape (leaf,)."""
        paths_sT = self.tree.ancestors_nT()[self.tree.leaves()]
        if after_root:
            paths_sT = paths_sT[:, :-1]
        return amount_n[paths_sT].sum(axis=1)

    def spread(self, amount_s: Floats) -> Spread:
        """Distribution over scenarios."""
        return spread(amount_s, self.tree.probability_n[self.tree.leaves()])

    def scenario_cost_usd(self) -> Floats:
        """Discounted cost of each scenario, shape (leaf,)."""
        discount_n = self.template.discount_T[self.tree.stage_n]
        total_n = np.sum(list(self.cost_n.values()), axis=0)
        return self.along(total_n * discount_n)

    def mean_cost_usd(self, category: Category) -> float:
        """Mean discounted cost of a category."""
        weight_n = self.tree.probability_n * self.template.discount_T[self.tree.stage_n]
        return float(weight_n @ self.cost_n[category])

    def capex_usd(self, year: int) -> Floats:
        """Capex of each scenario in a calendar year, shape (leaf,)."""
        calendar = self.template.study.calendar
        year_n = np.array([calendar.year(period) for period in range(calendar.count)])[self.tree.stage_n]
        return self.along(np.where(year_n == year, self.cost_n[Category.CAPEX], 0.0))

    def is_short(self, workload: str) -> Floats:
        """Whether each node serves noticeably less than is asked for."""
        k = list(self.template.study.workloads).index(workload)
        return (self.of_name("short", workload) > SHORT * self.tree.demand_nK[:, k]).astype(float)


def spread(amount_s: Floats, weight_s: Floats) -> Spread:
    """Mean and quantiles of weighted amounts."""
    order = np.argsort(amount_s)
    reached_s = np.cumsum(weight_s[order]) / weight_s.sum()
    low, middle, high = (
        float(amount_s[order][min(np.searchsorted(reached_s, share - 1e-12), len(order) - 1)])
        for share in (0.1, 0.5, 0.9)
    )
    return Spread(mean=float(np.average(amount_s, weights=weight_s)), p10=low, p50=middle, p90=high)


def tail_mean(cost_s: Floats, weight_s: Floats, alpha: float) -> float:
    """CVaR: mean of the worst 1 - alpha."""
    order = np.argsort(cost_s)[::-1]
    room = 1 - alpha
    taken_s = np.diff(np.minimum(np.cumsum(weight_s[order] / weight_s.sum()), room), prepend=0.0)
    return float(taken_s @ cost_s[order] / room)


def weighed(cost_s: Floats, weight_s: Floats, risk: Risk) -> float:
    """What a study wants low: the mean cost, and the tail by its weight on risk."""
    return float(np.average(cost_s, weights=weight_s)) + risk.weight * tail_mean(cost_s, weight_s, risk.alpha)
