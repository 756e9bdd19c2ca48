"""How a plan is printed for people."""

import math
from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from tenfold.core.show import grid
from tenfold.core.show import out as OUT
from tenfold.page.figures import amount, percent, usd
from tenfold.plan.columns import Key
from tenfold.plan.result import Item, Plan, RunOutlook, Spread, Verdict, WorkloadPeriod, Worth, count
from tenfold.plan.stability import Trial

WHOLE = 1e-6
STYLE = {Verdict.COMMIT: "", Verdict.LATER: "", Verdict.OPTION: "", Verdict.NOTHING: "dim"}


def plan(plan: Plan, out: Console = OUT) -> None:
    """Print the table of what to do, triggers, capex, shortages and values."""
    study = plan.study
    out.print(f"\n[bold]{study.name}[/bold], {study.calendar.label(0)} to {study.calendar.label(study.periods - 1)}")
    out.print(_items(plan))
    triggers = [trigger for item in plan.items for trigger in item.triggers]
    if triggers:
        out.print("\n[bold]Triggers[/bold] (share of scenarios in which the tree decides so)")
        for trigger in triggers:
            otherwise = f"; {trigger.otherwise}" if trigger.otherwise else ""
            out.print(f"  {trigger.text}  ({percent(trigger.agreement)}){otherwise}", markup=False, soft_wrap=True)
    out.print(_capex(plan))
    out.print(_shortages(plan))
    for line in _shortage_notes(plan):
        out.print(line, style="dim", markup=False)
    if plan.runs:
        out.print("\n[bold]Runs[/bold]")
        for run in plan.runs:
            out.print(_run(run), markup=False, soft_wrap=True)
    if plan.worth:
        out.print(_worths(plan))
    out.print()
    for line in _costs(plan):
        out.print(line, markup=False)
    start = study.calendar.label(0)
    out.print(f"discounted to the start of {start} at {study.discount_rate:.1%} a year of 8,766 hours", markup=False)
    solve = plan.solve
    stopped = ", stopped by hand" if solve.stopped else ""
    out.print(
        f"gap {solve.gap:.2%}, {solve.nodes} nodes, {solve.whole:,} whole variables, {solve.seconds:.1f} s{stopped}",
        markup=False,
    )


def _costs(plan: Plan) -> Iterator[str]:
    """What the plan costs on futures that it has not seen, and what its own tree claims, which is too little."""
    found, risk = plan.unseen, plan.study.risk
    worst = f"the worst {100 * (1 - risk.alpha):.3g}% of futures" if risk.weight else ""
    claim = usd(plan.cost_usd.mean)
    if worst:
        lowered = f"mean + {risk.weight:g} x worst is {usd(plan.solve.objective_usd)}"
        claim += f", {usd(plan.cvar_usd)} in {worst}; {lowered}"
    if found is None:
        yield f"cost {claim}: the claim of the plan's own tree, which is too low"
        yield "not followed on other futures: run 'tenfold plan simulate'"
        return
    interval = f"{usd(found.low_usd)} to {usd(found.high_usd)} at 95%"
    tail = f"; {usd(found.cvar_usd)} in {worst}" if worst else ""
    yield (
        f"cost {usd(found.mean_usd)} ({interval}) on {found.futures} futures that the plan has not seen, "
        f"planned anew every period{tail}"
    )
    yield f"the plan's own tree claims {claim}"


def _items(plan: Plan) -> Table:
    """What to do, in one block per verdict: names are long, so a column for the verdict would leave them no room."""
    table = grid("what", "now", "costs", "later p10-p90", "ever", words=1, folding={"what"})
    for verdict in Verdict:
        items = [item for item in plan.items if item.verdict == verdict]
        if items:
            table.add_row(verdict.value, style="bold")
        for item in items:
            table.add_row(
                f"  {item.what} {item.name}",
                _now(item),
                usd(item.cost_now_usd) if item.now and item.cost_now_usd else "",
                _later(item),
                percent(item.probability),
                style=STYLE[item.verdict],
            )
    return table


def _now(item: Item) -> str:
    if not item.now:
        return ""
    if not item.unit:
        return "yes"
    return amount(item.now) + _unit(item)


def _later(item: Item) -> str:
    if not item.unit or not item.later.p90:
        return ""
    return f"{count(item.what, item.later.p10)} - {count(item.what, item.later.p90)}{_unit(item)}"


def _unit(item: Item) -> str:
    """Nothing for accelerators, whose unit is their own name."""
    return "" if item.unit == item.name else f" {item.unit}"


def _capex(plan: Plan) -> Table:
    unseen = {year.year: year.capex_usd for year in plan.unseen.capex} if plan.unseen else {}
    more = ("unseen p50", "unseen p90") if unseen else ()
    table = grid("", "p10", "p50", "p90", "mean", *more, title="Capex by year", words=0)
    for year in plan.capex:
        found = unseen.get(year.year)
        table.add_row(str(year.year), *_spread(year.capex_usd), *((usd(found.p50), usd(found.p90)) if found else ()))
    return table


def _spread(spread: Spread) -> tuple[str, str, str, str]:
    return usd(spread.p10), usd(spread.p50), usd(spread.p90), usd(spread.mean)


def _shortages(plan: Plan) -> Table:
    """One row per period, since a study may have dozens of them and a terminal has 80 columns."""
    names = [workload.workload for workload in plan.workloads]
    table = grid("", *names, title="Probability of a shortage", words=1, folding=names)
    for row in zip(*(workload.periods for workload in plan.workloads), strict=True):
        table.add_row(row[0].period, *(_short(period) for period in row))
    table.add_row("ever", *(percent(workload.shortage_probability) for workload in plan.workloads))
    if plan.unseen is not None and plan.unseen.shortage_probability:
        table.add_row("unseen", *(percent(plan.unseen.shortage_probability[name]) for name in names))
    return table


def _shortage_notes(plan: Plan) -> Iterator[str]:
    """What the figures of the table are."""
    if any(workload.shortage_probability for workload in plan.workloads):
        yield "in brackets: what is unserved then, on average"
    if plan.unseen is not None and plan.unseen.shortage_probability:
        yield (
            f"unseen: on {plan.unseen.futures} futures that are not in the plan's tree, planned anew every period; "
            "of shortages, ever"
        )


def _short(period: WorkloadPeriod) -> str:
    chance = percent(period.shortage_probability)
    return f"{chance} ({amount(period.short_by)})" if period.shortage_probability else chance


def _run(run: RunOutlook) -> str:
    """A training run in one sentence: whether it is done, where it runs, and what an hour of it costs."""
    chance = run.missed_probability
    missed = f"not done in {percent(chance)} of futures" if chance else "done in every future"
    periods = ((period.period, period.accelerators.items()) for period in run.periods)
    at_work = [f"{amount(count)} {kind} in {label}" for label, found in periods for kind, count in found if count > 0.5]
    prices = ", ".join(f"${price:.3g} on {kind}" for kind, price in run.price_usd_per_accelerator_hour.items())
    runs = f"; at work on average {', '.join(at_work)}" if at_work else ""
    token = f", one more token ${run.price_usd_per_token:.3g}" if run.price_usd_per_token else ""
    return f"  {run.run}, due {run.due}: {missed}{runs}; one more accelerator-hour costs {prices}{token}"


def _worths(plan: Plan) -> Table:
    table = grid("", "value", "of cost", "within the gaps", title="What is worth how much", words=1)
    for worth in plan.worth:
        table.add_row(worth.name, *_worth(worth))
    return table


def _worth(worth: Worth) -> tuple[str, str, str]:
    if worth.usd is None or worth.low_usd is None or worth.high_usd is None:
        return "no figure", "", worth.missing
    most = f"at most {usd(worth.high_usd)}"
    if worth.nothing:
        return "nothing", "", f"within the gap: {most}" if round(worth.high_usd) > 0 else "within the gap"
    within = f"{usd(worth.low_usd)} - {usd(worth.high_usd)}" if worth.proven else f"{most}, perhaps 0"
    return usd(worth.usd), "" if worth.share is None else f"{worth.share:.1%}", within


def trial_record(trial: Trial) -> dict[str, object]:
    """A trial as JSON."""
    known = math.isfinite(trial.regret_usd)
    return {
        "seed": trial.seed,
        "cost_usd": trial.cost_usd,
        "gap": trial.gap,
        "regret_usd": trial.regret_usd if known else None,
        "now": {" ".join(key): amount for key, amount in trial.now.items()},
        "unseen": None if trial.unseen is None else trial.unseen.model_dump(mode="json"),
    }


def stability(trials: list[Trial], out: Console = OUT) -> None:
    """Print how cost and commitments differ over trees."""
    followed = any(trial.unseen is not None for trial in trials)
    more = ("cost on unseen futures",) if followed else ()
    table = grid("seed", "its tree's claim", "gap", "regret of the first's commitments", *more, words=0)
    for trial in trials:
        share = trial.regret_usd / trial.cost_usd
        regret = f"{usd(trial.regret_usd)} ({share:.2%})" if math.isfinite(share) else "leaves no plan"
        if trial.regret_usd <= 0:
            regret = "none within the gap"
        found = trial.unseen
        unseen = f"{usd(found.mean_usd)} ({usd(found.low_usd)} to {usd(found.high_usd)})" if found else ""
        own = "" if trial is trials[0] else regret
        table.add_row(str(trial.seed), usd(trial.cost_usd), f"{trial.gap:.2%}", own, *([unseen] if followed else []))
    out.print(table)
    if followed:
        out.print("unseen: the same futures for all, in no tree; planned anew every period; at 95%", style="dim")
    names = dict.fromkeys(key for trial in trials for key in trial.now)
    now = grid("", *(f"seed {trial.seed}" for trial in trials), title="Committed to now", words=1)
    for name in names:
        now.add_row(_commitment(name), *(_committed(name, trial.now.get(name, 0.0)) for trial in trials))
    out.print(now if names else "\nNo tree commits to anything now.")


def _commitment(name: Key) -> str:
    """The words of a decision: as items of a plan are called."""
    group, *key = name
    what = {"order": "accelerators", "kit-order": "conversion kits"}.get(group, group)
    return f"{what} {'/'.join(key)}".rstrip()


def _committed(name: Key, value: float) -> str:
    if name[0] in ("phase", "lease"):
        return "yes" if value else ""
    return amount(math.ceil(value - WHOLE) if name[0] in ("order", "kit-order", "cancel") else value)
