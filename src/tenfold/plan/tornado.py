"""Which uncertain inputs move the cost most: one input at a time is lowered and raised, and the plan made anew.

Each answer is the change of the linear relaxation's cost, all decisions free to adapt, on one tree of at most ``NODES``
nodes; relaxing phases and lots moves the cost of a plan by its gap at most, and the differences by less. Demand moves
over its own range; for other inputs, of which a study holds one value, a fifth is a convention and not a forecast.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from tenfold.plan.columns import Floats
from tenfold.plan.demand import DemandProcess
from tenfold.plan.extensive import extensive
from tenfold.plan.highs import Solver
from tenfold.plan.model import template
from tenfold.plan.result import Sensitivity, Tornado
from tenfold.plan.solve import Progress, Report
from tenfold.plan.study import Accelerator, Lease, Phase, Power, Study
from tenfold.plan.tree import Tree, reduce, widths

NODES = 150
FIFTH = 0.2
POINTS = 0.02


@dataclass(frozen=True, slots=True)
class Variation:
    """An input, lowered and raised."""

    name: str
    low: str
    high: str
    lowered: tuple[Study, Tree]
    raised: tuple[Study, Tree]


def tornado(study: Study, report: Report | None = None) -> Tornado | None:
    """All inputs' effects on cost, the largest first; None if the report says to stop before all are known."""
    settings = study.tree
    paths_NTK = DemandProcess.fit(study).simulate(settings.paths, np.random.default_rng(settings.seed))
    nodes = max(study.periods, min(NODES, settings.nodes))
    tree = reduce(paths_NTK, widths(nodes, study.periods, settings.paths))
    began = time.monotonic()
    base = _cost_usd(study, tree)
    assert base is not None, "a study with a plan has a relaxation"
    bars = []
    for variation in variations(study, tree, paths_NTK):
        low, high = _cost_usd(*variation.lowered), _cost_usd(*variation.raised)
        bars.append(
            Sensitivity(
                name=variation.name,
                low=variation.low,
                high=variation.high,
                low_usd=None if low is None else low - base,
                high_usd=None if high is None else high - base,
            )
        )
        progress = Progress(f"what if: {variation.name}", base, np.inf, time.monotonic() - began, 1.0)
        if report is not None and not report(progress):
            return None
    return Tornado(nodes=len(tree), base_usd=base, bars=tuple(sorted(bars, key=_width, reverse=True)))


def _width(bar: Sensitivity) -> float:
    """Without a plan at one end, the input matters more than any amount."""
    if bar.low_usd is None or bar.high_usd is None:
        return np.inf
    return max(abs(bar.low_usd), abs(bar.high_usd), abs(bar.high_usd - bar.low_usd))


def _cost_usd(study: Study, tree: Tree) -> float | None:
    """Cost of the linear relaxation; None if floors and limits cannot be met."""
    node = template(study, tree.demand_nK.max(axis=0))
    answer = Solver(extensive(node, tree)).run()
    return None if answer.value_C is None else answer.objective * node.columns.money_unit_usd


def variations(study: Study, tree: Tree, paths_NTK: Floats) -> Iterator[Variation]:
    """Every input that the study has: demands over their ranges, prices and rates by a fifth, leads by a period."""
    for k, name in enumerate(study.workloads):
        low_T, high_T = np.quantile(paths_NTK[:, :, k], (0.1, 0.9), axis=0) / paths_NTK[:, :, k].mean(axis=0)
        yield Variation(
            f"demand of {name}",
            "p10",
            "p90",
            (study, _scaled(tree, k, low_T)),
            (study, _scaled(tree, k, high_T)),
        )
    if study.accelerators:
        yield _by_a_fifth("prices of accelerators", study, tree, _accelerator_prices)
        yield _by_a_fifth("throughput of accelerators", study, tree, _throughputs)
        yield _by_a_period("deliveries of accelerators", study, tree, _deliveries)
    if any(p.done_in_months is None for site in study.sites.values() for p in site.phases.values()):
        yield _by_a_fifth("cost of building", study, tree, _building_costs)
        yield _by_a_period("time of building", study, tree, _building_times)
    if study.leases:
        yield _by_a_fifth("rent of leases", study, tree, _lease_rents)
    if study.rent:
        yield _by_a_fifth("price of cloud rent", study, tree, _cloud_prices)
    if study.sites or study.leases:
        yield _by_a_fifth("price of electricity", study, tree, _electricity)
    yield _by_a_fifth("cost of a shortage", study, tree, _shortage_costs)
    rate = study.discount_rate
    yield Variation(
        "discount rate",
        f"{max(0.0, rate - POINTS):.0%}",
        f"{min(1.0, rate + POINTS):.0%}",
        (study.model_copy(update={"discount_rate": max(0.0, rate - POINTS)}), tree),
        (study.model_copy(update={"discount_rate": min(1.0, rate + POINTS)}), tree),
    )


def _scaled(tree: Tree, k: int, factor_T: Floats) -> Tree:
    demand_nK = tree.demand_nK.copy()
    demand_nK[:, k] *= factor_T[tree.stage_n]
    return replace(tree, demand_nK=demand_nK)


def _by_a_fifth(name: str, study: Study, tree: Tree, change: Callable[[Study, float], Study]) -> Variation:
    low, high = change(study, 1 - FIFTH), change(study, 1 + FIFTH)
    return Variation(name, f"{-FIFTH:+.0%}", f"{FIFTH:+.0%}", (low, tree), (high, tree))


def _by_a_period(name: str, study: Study, tree: Tree, change: Callable[[Study, float], Study]) -> Variation:
    months = study.calendar.months
    low, high = change(study, -months), change(study, months)
    return Variation(name, f"{-months:+d} months", f"{months:+d} months", (low, tree), (high, tree))


def _accelerator_prices(study: Study, factor: float) -> Study:
    def change(offer: Accelerator) -> dict[str, object]:
        by_period = {label: price * factor for label, price in offer.prices_usd.items()}
        return {"price_usd": offer.price_usd * factor, "prices_usd": by_period}

    return _accelerators(study, change)


def _throughputs(study: Study, factor: float) -> Study:
    return _accelerators(
        study, lambda offer: {"throughput": {name: rate * factor for name, rate in offer.throughput.items()}}
    )


def _deliveries(study: Study, months: float) -> Study:
    """Notice of a cancellation must leave time to cancel, so it shortens with the lead."""

    def change(offer: Accelerator) -> dict[str, object]:
        lead = max(0.0, offer.lead_months + months)
        terms = offer.cancellation
        if terms is not None and terms.notice_months >= lead:
            terms = terms.model_copy(update={"notice_months": lead / 2}) if lead else None
        return {"lead_months": lead, "cancellation": terms}

    return _accelerators(study, change)


def _building_costs(study: Study, factor: float) -> Study:
    built = _phases(study, lambda phase: {"capex_usd": phase.capex_usd * factor})
    if built.fit_out is None:
        return built
    fit_out = built.fit_out.model_copy(update={"usd_per_mw": built.fit_out.usd_per_mw * factor})
    return built.model_copy(update={"fit_out": fit_out})


def _building_times(study: Study, months: float) -> Study:
    def change(phase: Phase) -> dict[str, object]:
        return {"lead_months": max(0.0, phase.lead_months + months)} if phase.done_in_months is None else {}

    return _phases(study, change)


def _lease_rents(study: Study, factor: float) -> Study:
    def change(lease: Lease) -> Lease:
        return lease.model_copy(update={"usd_per_mw_month": lease.usd_per_mw_month * factor})

    return study.model_copy(update={"leases": {name: change(lease) for name, lease in study.leases.items()}})


def _cloud_prices(study: Study, factor: float) -> Study:
    rent = {
        name: offer.model_copy(update={"usd_per_hour": offer.usd_per_hour * factor})
        for name, offer in study.rent.items()
    }
    return study.model_copy(update={"rent": rent})


def _electricity(study: Study, factor: float) -> Study:
    def change(power: Power) -> dict[str, Power]:
        return {"power": power.model_copy(update={"usd_per_mwh": power.usd_per_mwh * factor})}

    sites = {name: site.model_copy(update=change(site.power)) for name, site in study.sites.items()}
    leases = {name: lease.model_copy(update=change(lease.power)) for name, lease in study.leases.items()}
    return study.model_copy(update={"sites": sites, "leases": leases})


def _shortage_costs(study: Study, factor: float) -> Study:
    workloads = {
        name: w.model_copy(update={"shortage_usd_per_unit_month": w.shortage_usd_per_unit_month * factor})
        for name, w in study.workloads.items()
    }
    return study.model_copy(update={"workloads": workloads})


def _accelerators(study: Study, change: Callable[[Accelerator], dict[str, object]]) -> Study:
    changed = {name: offer.model_copy(update=change(offer)) for name, offer in study.accelerators.items()}
    return study.model_copy(update={"accelerators": changed})


def _phases(study: Study, change: Callable[[Phase], dict[str, object]]) -> Study:
    sites = {
        name: site.model_copy(
            update={"phases": {phase: p.model_copy(update=change(p)) for phase, p in site.phases.items()}}
        )
        for name, site in study.sites.items()
    }
    return study.model_copy(update={"sites": sites})
