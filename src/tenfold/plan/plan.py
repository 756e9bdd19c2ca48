"""From a solved tree to a plan: what to commit to now, what to keep as an option, and when to take it up."""

from dataclasses import replace

import numpy as np

from tenfold.page.figures import amount, percent
from tenfold.plan.columns import WORKING, Floats, Group
from tenfold.plan.costs import Category
from tenfold.plan.dates import remarks
from tenfold.plan.finance import accelerator_price_usd
from tenfold.plan.leads import Leads
from tenfold.plan.outcomes import SHORT, Outcomes, spread, tail_mean
from tenfold.plan.result import (
    COUNTED,
    FEW,
    Item,
    Plan,
    PowerPeriod,
    RunOutlook,
    RunPeriod,
    Solve,
    SolveStep,
    Trigger,
    Unseen,
    Verdict,
    What,
    WorkloadOutlook,
    WorkloadPeriod,
    Worth,
    Year,
    count,
)
from tenfold.plan.shadow import run_prices_usd
from tenfold.plan.solve import DEFAULT_EFFORT, Effort, Progress, Report
from tenfold.plan.solved import Solved, solve_study
from tenfold.plan.study import Study
from tenfold.plan.terms import times
from tenfold.plan.tornado import tornado
from tenfold.plan.triggers import Rule, levels, rule
from tenfold.plan.unseen import cost_unseen
from tenfold.plan.values import all_worths

NOTICEABLE = 1e-3
MOST = 0.5
WHOLE = 1e-6
VERBS: dict[What, str] = {
    "phase": "start",
    "lease": "sign",
    "accelerators": "order",
    "fit-out": "fit out",
    "conversion": "order",
}
WORTH_SHARE = 0.4


def make_plan(
    study: Study,
    effort: Effort = DEFAULT_EFFORT,
    report: Report | None = None,
    *,
    worth: bool = True,
    follow: bool = False,
) -> Plan:
    """Grow the tree, solve it, and read the plan off it.

    Args:
        study: the study.
        effort: how hard to try; of its time, ``WORTH_SHARE`` is for the values.
        report: told of progress.
        worth: whether to also solve the restricted models that say what fungibility, staging and so on are worth, and
            those that say which inputs move the cost.
        follow: whether to also follow the plan along futures that it has not seen.
    Raises:
        NoPlan: floors and limits cannot all be met; names the periods and places.
    """
    share = WORTH_SHARE if worth else 0.0
    solved = solve_study(study, replace(effort, seconds=(1 - share) * effort.seconds), report)
    if solved.solution.stopped:
        return read_plan(solved)
    followed = cost_unseen(solved, report) if follow else None
    if not worth:
        return read_plan(solved, unseen=followed)
    part = replace(effort, seconds=share * effort.seconds)
    worths = all_worths(solved.node, solved.tree, solved.program, solved.solution, part, report)
    return read_plan(solved, worths, followed).model_copy(update={"tornado": tornado(study, report)})


def read_plan(solved: Solved, worths: tuple[Worth, ...] = (), unseen: Unseen | None = None) -> Plan:
    """The plan that a solution stands for."""
    outcomes, tree, study = solved.outcomes(), solved.tree, solved.node.study
    years = study.calendar.years()
    cost_s, weight_s = outcomes.scenario_cost_usd(), tree.probability_n[tree.leaves()]
    return Plan(
        study=study,
        solve=_solve(solved),
        cost_usd=outcomes.spread(cost_s),
        cvar_usd=tail_mean(cost_s, weight_s, study.risk.alpha),
        unseen=unseen,
        cost_by_category_usd={category.value: outcomes.mean_cost_usd(category) for category in Category},
        items=_items(outcomes),
        capex=tuple(Year(year=year, capex_usd=outcomes.spread(outcomes.capex_usd(year))) for year in years),
        workloads=tuple(_outlook(outcomes, name) for name in study.workloads),
        runs=_runs(solved, outcomes),
        worth=worths,
        notes=tuple(remarks(study)),
        power=_power(outcomes),
    )


def _items(outcomes: Outcomes) -> tuple[Item, ...]:
    study = outcomes.template.study
    items = []
    for name, site in study.sites.items():
        for phase, settings in site.phases.items():
            if settings.done_in_months is None:
                items.append(
                    _item(
                        outcomes, "phase", f"{name}/{phase}", "", settings.capex_usd, ("phase", name, phase), once=True
                    )
                )
    for name in study.leases:
        items.append(_item(outcomes, "lease", name, "", 0.0, ("lease", name), once=True))
    for kind, offer in study.accelerators.items():
        price = accelerator_price_usd(study, offer, 0)
        items.append(_item(outcomes, "accelerators", kind, kind, price, ("order", kind), once=False))
    if study.fit_out is not None:
        items.append(_item(outcomes, "fit-out", "all sites", "MW", study.fit_out.usd_per_mw, ("fit-out",), once=False))
    if study.conversion is not None and ("kit-order",) in outcomes.template.columns.place:
        price = study.conversion.price_usd
        items.append(_item(outcomes, "conversion", "kit", "kits", price, ("kit-order",), once=False))
    return tuple(items)


def _item(
    outcomes: Outcomes,
    what: What,
    name: str,
    unit: str,
    price_usd: float,
    key: tuple[Group, *tuple[str, ...]],
    *,
    once: bool,
) -> Item:
    tree = outcomes.tree
    amount_n = outcomes.taken_up(*key)
    # Where nothing is taken up the solver's noise is all there is: it must not look like a start.
    scale = max(1.0, float(np.abs(amount_n).max()))
    amount_n = np.where(np.abs(amount_n) > NOTICEABLE * scale, amount_n, 0.0)
    if what in COUNTED:
        # Nobody orders a part of an accelerator: what is to be ordered now is rounded up.
        amount_n[0] = np.ceil(amount_n[0] - WHOLE * scale) + 0.0
    ancestors_nT = tree.ancestors_nT()
    so_far_n = np.where(ancestors_nT >= 0, amount_n[ancestors_nT], 0.0).sum(axis=1)
    later_s = outcomes.along(amount_n, after_root=True) if tree.stages > 1 else np.zeros(1)
    weight_s = tree.probability_n[tree.leaves()]
    probability = round(float(weight_s[(later_s > 0) | (amount_n[0] > 0)].sum()), 9)
    triggers = _triggers(outcomes, what, name, unit, so_far_n, probability, once=once) if amount_n.any() else ()
    stages = [tree.at(stage) for stage in range(tree.stages)]
    return Item(
        what=what,
        name=name,
        verdict=_verdict(now=bool(amount_n[0] > 0), probability=probability),
        unit=unit,
        now=float(amount_n[0]),
        cost_now_usd=float(amount_n[0]) * price_usd,
        later=spread(later_s, weight_s),
        probability=probability,
        share_by_period=tuple(float(tree.probability_n[nodes] @ so_far_n[nodes]) for nodes in stages),
        begun_by_period=tuple(float(tree.probability_n[nodes] @ (so_far_n[nodes] > 0)) for nodes in stages),
        triggers=triggers,
    )


def _verdict(*, now: bool, probability: float) -> Verdict:
    if now:
        return Verdict.COMMIT
    if probability > 1 - FEW:
        return Verdict.LATER
    return Verdict.OPTION if probability > FEW else Verdict.NOTHING


def _triggers(
    outcomes: Outcomes, what: What, name: str, unit: str, so_far_n: Floats, probability: float, *, once: bool
) -> tuple[Trigger, ...]:
    """The rule that tells best when a thing is taken up (``once``), or much of it is.

    "If demand stays below" is no rule for what most futures take up: it would tell of the few that do without demand.
    """
    if once and so_far_n[0]:
        return ()
    study, tree = outcomes.template.study, outcomes.tree
    later_n = so_far_n - so_far_n[0]
    much_n = later_n > (0.0 if once else levels(tree, later_n)[tree.stage_n])
    found = rule(tree, later_n, much_n, rising=probability > MOST)
    if found is None:
        return ()
    workload = list(study.workloads)[found.k]
    by = study.calendar.label(found.stage)
    more = " more" if so_far_n[0] else ""
    thing = f"{VERBS[what]} {name}" if once else f"{VERBS[what]} about {count(what, found.amount)}{more} {unit}"
    side = "exceeds" if found.above else "stays below"
    text = f"{thing} if {workload} demand {side} {amount(found.threshold)} {study.workloads[workload].unit} by {by}"
    trigger = Trigger(
        by=by,
        workload=workload,
        above=found.above,
        threshold=found.threshold,
        amount=found.amount,
        agreement=found.agreement,
        text=text,
        otherwise=_otherwise(outcomes, what, found, later_n, once=once),
    )
    return (trigger,)


def _otherwise(outcomes: Outcomes, what: What, found: Rule, later_n: Floats, *, once: bool) -> str:
    """What is done in the futures in which a rule does not hold."""
    tree = outcomes.tree
    nodes = tree.at(found.stage)
    others = nodes[(tree.demand_nK[nodes, found.k] > found.threshold) != found.above]
    weight_m = tree.probability_n[others]
    if not once:
        mean = float(np.average(later_n[others], weights=weight_m))
        words = count(what, mean)
        none = words == "0" or mean <= NOTICEABLE * found.amount
        return "else none by then" if none else f"else about {words} by then"
    leaves = tree.leaves()
    by_then_s = tree.ancestors_nT()[leaves, tree.stages - 1 - found.stage]
    among_s = np.isin(by_then_s, others) & (later_n[by_then_s] == 0)
    if not among_s.any():
        return ""
    share = float(np.average(later_n[leaves][among_s] > 0, weights=tree.probability_n[leaves][among_s]))
    if share <= FEW:
        return "else not at all"
    return "else later, in every future" if share > 1 - FEW else f"else later, in {percent(share)} of those futures"


def _outlook(outcomes: Outcomes, name: str) -> WorkloadOutlook:
    study, tree = outcomes.template.study, outcomes.tree
    k = list(study.workloads).index(name)
    short_n, is_short_n = outcomes.of_name("short", name), outcomes.is_short(name)
    periods = []
    for stage in range(tree.stages):
        nodes = tree.at(stage)
        weight_m, demand_m = tree.probability_n[nodes], tree.demand_nK[nodes, k]
        periods.append(
            WorkloadPeriod(
                period=study.calendar.label(stage),
                demand=spread(demand_m, weight_m),
                served=spread(demand_m - short_n[nodes], weight_m),
                shortage_probability=float(weight_m @ is_short_n[nodes]),
                unserved_share=float(weight_m @ short_n[nodes] / (weight_m @ demand_m)),
                served_by=_served_by(outcomes, name, stage),
            )
        )
    ever_s = outcomes.along(is_short_n) > 0
    return WorkloadOutlook(
        workload=name,
        unit=study.workloads[name].unit,
        shortage_probability=float(tree.probability_n[tree.leaves()][ever_s].sum()),
        periods=tuple(periods),
    )


def _served_by(outcomes: Outcomes, name: str, stage: int) -> dict[str, float]:
    """Mean of what each kind and rent serves of a workload."""
    study, columns = outcomes.template.study, outcomes.template.columns
    nodes = outcomes.tree.at(stage)
    weight_m = outcomes.tree.probability_n[nodes]
    found = {}
    for group, offers in (("assigned", study.accelerators), ("rented", study.rent)):
        for kind, offer in offers.items():
            if (group, kind, name) in columns.place:
                at_work_m = outcomes.amount_nV[nodes, columns.place[group, kind, name]]
                found[kind] = float(weight_m @ at_work_m) * offer.throughput[name]
    return found


def _runs(solved: Solved, outcomes: Outcomes) -> tuple[RunOutlook, ...]:
    study, tree = solved.node.study, solved.tree
    prices = run_prices_usd(solved.node, tree, solved.program, solved.solution)
    found = []
    for name, run in study.runs.items():
        due = tree.at(study.calendar.index(run.due))
        weight_m, undone_m = tree.probability_n[due], outcomes.of_name("undone", name)[due]
        hours = run.accelerator_hours
        found.append(
            RunOutlook(
                run=name,
                due=run.due,
                missed_probability=float(weight_m @ (undone_m > SHORT)),
                undone_share=float(weight_m @ undone_m),
                periods=tuple(_run_period(outcomes, name, stage) for stage in range(tree.stages)),
                price_usd_per_accelerator_hour={offer: prices[name] / whole for offer, whole in hours.items()},
                price_usd_per_token=None if run.tokens is None else prices[name] / run.tokens,
            )
        )
    return tuple(found)


def _run_period(outcomes: Outcomes, name: str, stage: int) -> RunPeriod:
    study, columns, nodes = outcomes.template.study, outcomes.template.columns, outcomes.tree.at(stage)
    weight_m = outcomes.tree.probability_n[nodes]
    at_work = {
        key[0]: float(weight_m @ outcomes.of_name(group, *key)[nodes])
        for group in WORKING
        for key in columns.keys(group)
        if key[1] == name
    }
    shown = {offer: count for offer, count in at_work.items() if count > 0}
    return RunPeriod(period=study.calendar.label(stage), accelerators=shown)


def _power(outcomes: Outcomes) -> tuple[PowerPeriod, ...]:
    """MW that there are and MW that are drawn, over all places."""
    study, tree = outcomes.template.study, outcomes.tree
    columns, leads = outcomes.template.columns, Leads.of(study)
    if not columns.keys("used"):
        return ()
    drawn_n = outcomes.amount_nV[:, columns.of(["used"])].sum(axis=1)
    periods = []
    for stage in range(tree.stages):
        nodes = tree.at(stage)
        there = [term for name in study.sites for term in leads.finished_mw(columns, name, stage)]
        for name, lease in study.leases.items():
            there += times(lease.power_mw, leads.leased_share(columns, name))
        weight_m = tree.probability_n[nodes]
        periods.append(
            PowerPeriod(
                period=study.calendar.label(stage),
                available=spread(outcomes.sum_of(there, stage), weight_m),
                drawn=spread(drawn_n[nodes], weight_m),
            )
        )
    return tuple(periods)


def _solve(solved: Solved) -> Solve:
    unit, program, solution = solved.node.columns.money_unit_usd, solved.program, solved.solution
    return Solve(
        nodes=len(solved.tree),
        columns=len(program.cost_C),
        rows=len(program.row_lower_R),
        whole=int(program.integer_C.sum()),
        objective_usd=solution.cost * unit,
        bound_usd=solution.bound * unit,
        gap=solution.gap,
        seconds=solution.seconds,
        stopped=solution.stopped,
        steps=tuple(_step(step) for step in solution.steps),
    )


def _step(progress: Progress) -> SolveStep:
    known = np.isfinite(progress.incumbent)
    return SolveStep(
        step=progress.step,
        bound_usd=progress.bound * progress.unit_usd,
        incumbent_usd=progress.incumbent * progress.unit_usd if known else None,
        gap=progress.gap if known else None,
        seconds=progress.seconds,
    )
