"""How a plan is printed for people."""

import math

from rich.console import Console
from rich.table import Table

from tenfold.page.figures import usd
from tenfold.plan.result import Item, Plan, Spread, Verdict, Worth
from tenfold.plan.stability import Trial

OUT = Console(highlight=False)
STYLE = {Verdict.COMMIT: "bold", Verdict.OPTION: "", Verdict.NOTHING: "dim"}
ORDER = list(Verdict)


def plan(plan: Plan, out: Console = OUT) -> None:
    """Print the table of what to do, triggers, capex, shortages and values."""
    study = plan.study
    out.print(f"\n[bold]{study.name}[/bold], {study.calendar.label(0)} to {study.calendar.label(study.periods - 1)}")
    out.print(_items(plan))
    triggers = [trigger for item in plan.items for trigger in item.triggers]
    if triggers:
        out.print("\n[bold]Triggers[/bold] (share of scenarios in which the tree decides so)")
        for trigger in triggers:
            out.print(f"  {trigger.text}  ({trigger.agreement:.0%})", markup=False, soft_wrap=True)
    out.print(_capex(plan))
    out.print(_shortages(plan))
    if plan.worth:
        out.print(_worths(plan))
    solve = plan.solve
    stopped = ", stopped by hand" if solve.stopped else ""
    out.print(
        f"\ncost {usd(solve.objective_usd)}, gap {solve.gap:.2%}, {solve.nodes} nodes, {solve.whole} whole variables, "
        f"{solve.seconds:.1f} s{stopped}",
        markup=False,
    )


def _items(plan: Plan) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("", "what", "now", "costs", "later p10-p90", "ever"):
        table.add_column(heading, justify="right" if heading in ("now", "costs", "ever") else "left")
    for item in sorted(plan.items, key=lambda item: ORDER.index(item.verdict)):
        table.add_row(
            item.verdict.value,
            f"{item.what} {item.name}",
            _amount(item),
            usd(item.cost_now_usd) if item.now and item.cost_now_usd else "",
            _later(item),
            f"{item.probability:.0%}",
            style=STYLE[item.verdict],
        )
    return table


def _amount(item: Item) -> str:
    if not item.now:
        return ""
    return f"{item.now:,.4g} {item.unit}".strip() if item.unit else "yes"


def _later(item: Item) -> str:
    if not item.unit or not item.later.p90:
        return ""
    return f"{item.later.p10:,.4g} - {item.later.p90:,.4g}"


def _capex(plan: Plan) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", title="\nCapex by year", title_justify="left")
    for heading in ("", "p10", "p50", "p90", "mean"):
        table.add_column(heading, justify="right")
    for year in plan.capex:
        table.add_row(str(year.year), *_spread(year.capex_usd))
    return table


def _spread(spread: Spread) -> tuple[str, str, str, str]:
    return usd(spread.p10), usd(spread.p50), usd(spread.p90), usd(spread.mean)


def _shortages(plan: Plan) -> Table:
    title = "\nProbability of a shortage"
    table = Table(box=None, pad_edge=False, header_style="dim", title=title, title_justify="left")
    table.add_column("")
    for outlook in plan.workloads[0].periods:
        table.add_column(outlook.period, justify="right")
    table.add_column("ever", justify="right")
    for workload in plan.workloads:
        chances = [f"{period.shortage_probability:.0%}" for period in workload.periods]
        table.add_row(workload.workload, *chances, f"{workload.shortage_probability:.0%}")
    return table


def _worths(plan: Plan) -> Table:
    table = Table(
        box=None,
        pad_edge=False,
        header_style="dim",
        title="\nWhat is worth how much",
        title_justify="left",
    )
    for heading in ("", "value", "of cost", "within the gaps"):
        table.add_column(heading, justify="right" if heading else "left")
    for worth in plan.worth:
        table.add_row(worth.name, *_worth(worth))
    return table


def _worth(worth: Worth) -> tuple[str, str, str]:
    if worth.usd is None or worth.share is None or worth.low_usd is None or worth.high_usd is None:
        return "no plan without", "", ""
    return usd(worth.usd), f"{worth.share:.1%}", f"{usd(worth.low_usd)} - {usd(worth.high_usd)}"


def trial_record(trial: Trial) -> dict[str, object]:
    """A trial as JSON."""
    known = math.isfinite(trial.regret_usd)
    return {
        "seed": trial.seed,
        "cost_usd": trial.cost_usd,
        "gap": trial.gap,
        "regret_usd": trial.regret_usd if known else None,
        "now": {" ".join(key): amount for key, amount in trial.now.items()},
    }


def stability(trials: list[Trial], out: Console = OUT) -> None:
    """Print how cost and commitments differ over trees."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("seed", "cost", "gap", "regret of the first's commitments"):
        table.add_column(heading, justify="right")
    for trial in trials:
        share = trial.regret_usd / trial.cost_usd
        regret = f"{usd(trial.regret_usd)} ({share:.2%})" if math.isfinite(share) else "leaves no plan"
        table.add_row(str(trial.seed), usd(trial.cost_usd), f"{trial.gap:.2%}", "" if trial is trials[0] else regret)
    out.print(table)
    names = dict.fromkeys(key for trial in trials for key in trial.now)
    now = Table(box=None, pad_edge=False, header_style="dim", title="\nCommitted to now", title_justify="left")
    for heading in ("", *(f"seed {trial.seed}" for trial in trials)):
        now.add_column(heading, justify="right" if heading else "left")
    for name in names:
        now.add_row(" ".join(name), *(f"{trial.now.get(name, 0.0):,.4g}" for trial in trials))
    out.print(now)
