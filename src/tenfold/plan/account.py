"""What was done along futures, charged by the template's own costs.

Shapes: N futures, T periods, K workloads, V variables of a node.
"""

from dataclasses import dataclass

import numpy as np

from tenfold.plan.columns import Floats
from tenfold.plan.costs import Category
from tenfold.plan.model import Template
from tenfold.plan.outcomes import SHORT, spread
from tenfold.plan.result import Year
from tenfold.plan.study import Study


@dataclass(frozen=True, slots=True)
class Account:
    """What a way of deciding did along futures.

    Attributes:
        cost_usd_N: discounted.
        capex_usd_NT: not discounted.
        short_NTK: demand not served, that below a floor included; in the workloads' units.
        below_NK: whether a floor was once missed.
    """

    cost_usd_N: Floats
    capex_usd_NT: Floats
    short_NTK: Floats
    below_NK: np.ndarray

    def capex_by_year(self, study: Study, weight_N: Floats) -> tuple[Year, ...]:
        """Capex by calendar year over the futures, which count by their weights."""
        calendar = study.calendar
        year_T = np.array([calendar.year(period) for period in range(study.periods)])
        return tuple(
            Year(year=year, capex_usd=spread(self.capex_usd_NT[:, year_T == year].sum(axis=1), weight_N))
            for year in calendar.years()
        )


def account(node: Template, amount_NTV: Floats, demand_NTK: Floats) -> Account:
    """Charge what was done along futures by the template's own costs; amounts in the solver's units."""
    columns, study = node.columns, node.study
    cost_N = np.zeros(len(amount_NTV))
    capex_NT = np.zeros(amount_NTV.shape[:2])
    for period, stage in enumerate(node.stages):
        for category, (entries, constant) in stage.costs.items():
            spent_N = amount_NTV[:, period - entries.lag, entries.variable] @ entries.value + constant
            cost_N += node.discount_T[period] * spent_N
            if category is Category.CAPEX:
                capex_NT[:, period] = spent_N
    short_NTK = np.zeros_like(demand_NTK)
    below_NK = np.zeros((len(amount_NTV), len(study.workloads)), dtype=bool)
    for k, name in enumerate(study.workloads):
        place = columns.place["short", name]
        short_NTK[:, :, k] = amount_NTV[:, :, place] * columns.unit_V[place]
        if ("below", name) in columns.place:
            place = columns.place["below", name]
            below_NT = amount_NTV[:, :, place] * columns.unit_V[place]
            short_NTK[:, :, k] += below_NT
            below_NK[:, k] = (below_NT > SHORT * demand_NTK[:, :, k]).any(axis=1)
    unit = columns.money_unit_usd
    return Account(cost_N * unit, capex_NT * unit, short_NTK, below_NK)
