"""The node template: the rows and costs of one node, over the variables of the node and of its ancestors.

A term is (variable, lag, coefficient): lag 0 is the node, lag 1 its parent, and so on. A lead time is a lag: what was
ordered L periods ago is what the ancestor L steps up ordered. The extensive form places the template on every node of
a tree. Terms that reach back before the study are turned into constants by the variables' initial values.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tenfold.plan.columns import FREE, WORKING, Columns, Floats, Key, Restriction, columns
from tenfold.plan.costs import Category, cost_terms
from tenfold.plan.finance import Finance
from tenfold.plan.leads import Leads
from tenfold.plan.rows import Row, node_rows
from tenfold.plan.study import Study
from tenfold.plan.terms import Term

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Entries:
    """Terms as arrays, in order of ``row``; in the solver's units."""

    row: Ints
    variable: Ints
    lag: Ints
    value: Floats


@dataclass(frozen=True, slots=True)
class Stage:
    """The template of the nodes of one stage.

    Attributes:
        lower_V, upper_V: bounds.
        upper_demand_VK: what each unit of demand adds to the upper bound, sparse in truth but small.
        labels: what each row is about, for explanations: ("power", "north").
        matrix: the rows' terms.
        row_lower_R, row_upper_R: the rows' bounds, initial values taken out.
        row_demand_RK: what each unit of demand adds to a row's lower bound.
        costs: by category, terms of discounted cost (``row`` is 0 throughout), and the constant of initial values.
    """

    lower_V: Floats
    upper_V: Floats
    upper_demand_VK: Floats
    labels: tuple[Key, ...]
    matrix: Entries
    row_lower_R: Floats
    row_upper_R: Floats
    row_demand_RK: Floats
    costs: dict[Category, tuple[Entries, float]]


@dataclass(frozen=True, slots=True)
class Template:
    """A study's template, one ``Stage`` per period.

    Attributes:
        discount_T: value now of a dollar in each period; ``costs`` are not discounted yet.
    """

    study: Study
    columns: Columns
    stages: tuple[Stage, ...]
    discount_T: Floats
    restriction: Restriction


def template(study: Study, largest_demand_K: Floats, restriction: Restriction = FREE) -> Template:
    """The template of a study; ``largest_demand_K`` sets the units."""
    cols = columns(study, largest_demand_K, restriction)
    finance, leads = Finance.of(study), Leads.of(study)
    unit_K = cols.unit_V[[cols.place["short", workload] for workload in study.workloads]]
    stages = tuple(_stage(study, cols, finance, leads, period, restriction, unit_K) for period in range(study.periods))
    discount_T = np.array([finance.discount(period) for period in range(study.periods)])
    return Template(study, cols, stages, discount_T, restriction)


def _stage(
    study: Study, cols: Columns, finance: Finance, leads: Leads, period: int, restriction: Restriction, unit_K: Floats
) -> Stage:
    costs = {
        category: _entries(cols, [terms], period, 1 / cols.money_unit_usd)
        for category, terms in cost_terms(study, cols, finance, leads, period).items()
    }
    rows = node_rows(study, cols, leads, period, restriction)
    packed = [_entries(cols, [row.terms], period, 1 / row.unit) for row in rows]
    if study.risk.weight:
        rows.append(Row(("spent",), [], 0.0, 0.0))
        packed.append(_spent_row(cols, costs, period, finance.discount(period)))
    constant_R = np.array([constant for _, constant in packed])
    workloads = list(study.workloads)
    row_demand_RK = np.zeros((len(rows), len(workloads)))
    for place, row in enumerate(rows):
        if row.demand_of is not None:
            row_demand_RK[place, workloads.index(row.demand_of)] = 1 / row.unit
    lower_V, upper_V = _bounds(study, cols, leads, period)
    upper_demand_VK = np.zeros((len(cols), len(workloads)))
    for k, (name, workload) in enumerate(study.workloads.items()):
        place = cols.place["short", name]
        upper_V[place] = 0.0
        upper_demand_VK[place, k] = (1 - workload.floor) / unit_K[k]
    return Stage(
        lower_V=lower_V,
        upper_V=upper_V,
        upper_demand_VK=upper_demand_VK,
        labels=tuple(row.label for row in rows),
        matrix=_stack([entries for entries, _ in packed]),
        row_lower_R=np.array([row.lower / row.unit for row in rows]) - constant_R,
        row_upper_R=np.array([row.upper / row.unit for row in rows]) - constant_R,
        row_demand_RK=row_demand_RK,
        costs={category: (entries, constant) for category, (entries, constant) in costs.items()},
    )


def _entries(cols: Columns, rows: Iterable[list[Term]], period: int, scale: float) -> tuple[Entries, float]:
    """Terms in real units as entries in the solver's, and the constant of what lies before the study."""
    merged: dict[tuple[int, int, int], float] = {}
    constant = 0.0
    for row, terms in enumerate(rows):
        for variable, lag, coefficient in terms:
            if lag > period:
                constant += coefficient * cols.initial_V[variable] * cols.unit_V[variable] * scale
            else:
                key = (row, variable, lag)
                merged[key] = merged.get(key, 0.0) + coefficient * cols.unit_V[variable] * scale
    kept = [(key, value) for key, value in merged.items() if value]
    key_E3 = np.array([key for key, _ in kept], dtype=np.int64).reshape(-1, 3)
    return Entries(key_E3[:, 0], key_E3[:, 1], key_E3[:, 2], np.array([value for _, value in kept])), constant


def _stack(rows: list[Entries]) -> Entries:
    sizes = [len(entries.value) for entries in rows]
    return Entries(
        row=np.repeat(np.arange(len(rows)), sizes),
        variable=np.concatenate([entries.variable for entries in rows]),
        lag=np.concatenate([entries.lag for entries in rows]),
        value=np.concatenate([entries.value for entries in rows]),
    )


def _spent_row(
    cols: Columns, costs: dict[Category, tuple[Entries, float]], period: int, discount: float
) -> tuple[Entries, float]:
    """Spent = spent before + discounted cost of this node."""
    spent = cols.place[("spent",)]
    lags = [0, 1] if period else [0]
    own = Entries(
        np.zeros(len(lags), dtype=np.int64),
        np.full(len(lags), spent),
        np.array(lags),
        np.array([1.0, -1.0][: len(lags)]),
    )
    merged: dict[tuple[int, int], float] = {}
    for entries, _ in costs.values():
        for variable, lag, value in zip(entries.variable, entries.lag, entries.value, strict=True):
            merged[int(variable), int(lag)] = merged.get((int(variable), int(lag)), 0.0) - discount * value
    keys_E2 = np.array(list(merged), dtype=np.int64).reshape(-1, 2)
    cost = Entries(np.zeros(len(merged), dtype=np.int64), keys_E2[:, 0], keys_E2[:, 1], np.array(list(merged.values())))
    return _stack([own, cost]), -discount * sum(constant for _, constant in costs.values())


def _bounds(study: Study, cols: Columns, leads: Leads, period: int) -> tuple[Floats, Floats]:
    """Bounds in the solver's units; demand's part of them is not in here."""
    lower_V, upper_V = np.zeros(len(cols)), np.full(len(cols), np.inf)
    for group in ("phase", "lease", "break", "extend"):
        upper_V[cols.of([group])] = 1.0
    for kind, offer in study.accelerators.items():
        place = cols.place["order", kind]
        if not leads.may_order(kind, period):
            upper_V[place] = 0.0
        elif offer.limit_per_period is not None:
            limit = offer.limit_per_period / cols.unit_V[place]
            upper_V[place] = np.floor(limit) if offer.lot else limit
    for name in study.rent:
        if not leads.may_rent(name, period):
            for task in study.tasks(name):
                upper_V[cols.place["rented", name, task]] = 0.0
    for name in study.runs:
        upper_V[cols.place["undone", name]] = float(leads.due[name] == period)
        if not leads.may_run(name, period):
            at_work = [cols.place[group, *key] for group in WORKING for key in cols.keys(group) if key[1] == name]
            upper_V[at_work] = 0.0
    if study.risk.weight:
        lower_V[cols.place[("spent",)]] = -np.inf
    return lower_V, upper_V
