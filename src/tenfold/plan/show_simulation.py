"""How a simulation is printed for people."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from tenfold.core.show import grid, out
from tenfold.page.figures import percent, usd
from tenfold.plan.result import Spread
from tenfold.plan.simulate import Step
from tenfold.plan.simulation import Simulation


def simulation(found: Simulation) -> None:
    """Print what the two ways cost, spent and were short of, and what re-planning saves."""
    study = found.study
    first, last = study.calendar.label(0), study.calendar.label(study.periods - 1)
    out.print(f"\n[bold]{study.name}[/bold], {first} to {last}, on {found.futures:,} futures unknown to its plan")
    out.print(
        "Re-planned: what the plan commits to now; then each period is planned anew for the mean of what may follow, "
        f"raised by {found.buffer:.0%} for a year ahead. Static: the same now, and all that is later fixed now too.",
        style="dim",
    )
    out.print(_costs(found))
    saved = found.saved
    share = "" if saved.share is None else f" ({saved.share:.1%})"
    out.print(f"\nre-planning saves {usd(saved.usd)}{share}, {usd(saved.low_usd)} to {usd(saved.high_usd)} at 95%")
    out.print(_capex(found))
    out.print(_shortages(found))
    each_ms = 1e3 * found.following_s / found.futures
    out.print(
        f"\nplanned in {found.planning_s:.0f} s (gap {found.plan_gap:.2%}), followed in {found.following_s:.0f} s, "
        f"{each_ms:.0f} ms a future",
        markup=False,
    )


@contextmanager
def bar(talk: Console, *, quiet: bool) -> Iterator[Callable[[Step, int, int], None]]:
    """A bar for each step of a simulation; nothing when quiet."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=talk, disable=quiet) as progress:
        tasks: dict[Step, TaskID] = {}

        def told(step: Step, done: int, of: int) -> None:
            if step not in tasks:
                for task in tasks.values():
                    progress.update(task, completed=progress.tasks[task].total)
                tasks[step] = progress.add_task(step.value, total=of)
            progress.update(tasks[step], completed=done)

        yield told
        for task in tasks.values():
            progress.update(task, completed=progress.tasks[task].total)


def _costs(found: Simulation) -> Table:
    worst = f"worst {100 * (1 - found.study.risk.alpha):.3g}%"
    table = grid("", "mean", "p10", "p50", "p90", worst, title="Cost of a future", words=1)
    table.add_row("re-planned", *_spread(found.replanned.cost_usd), usd(found.replanned.cvar_usd))
    table.add_row("static", *_spread(found.static.cost_usd), usd(found.static.cvar_usd))
    table.add_row("had it been known", *_spread(found.foreseen_usd), "", style="dim")
    table.add_row("the plan's own tree", *_spread(found.plan_cost_usd), usd(found.plan_cvar_usd), style="dim")
    return table


def _spread(spread: Spread) -> tuple[str, str, str, str]:
    return usd(spread.mean), usd(spread.p10), usd(spread.p50), usd(spread.p90)


def _capex(found: Simulation) -> Table:
    headings = ("", "re-planned p10", "p50", "p90", "static p50", "the plan's own tree p50")
    table = grid(*headings, title="Capex by year", words=1)
    for own, fixed, planned in zip(found.replanned.capex, found.static.capex, found.plan_capex, strict=True):
        spread = own.capex_usd
        medians = usd(fixed.capex_usd.p50), usd(planned.capex_usd.p50)
        table.add_row(str(own.year), usd(spread.p10), usd(spread.p50), usd(spread.p90), *medians)
    return table


def _shortages(found: Simulation) -> Table:
    title = "Shortage: share of futures that have one, and of demand that is not served"
    table = grid("", "futures: re-planned", "static", "demand: re-planned", "static", title=title, words=1)
    for own, fixed in zip(found.replanned.workloads, found.static.workloads, strict=True):
        chances = (percent(outlook.shortage_probability) for outlook in (own, fixed))
        table.add_row(own.workload, *chances, percent(own.unserved_share), percent(fixed.unserved_share))
        if found.study.workloads[own.workload].floor:
            below = (percent(course.below_floor[own.workload]) for course in (found.replanned, found.static))
            table.add_row("  below its floor", *below, style="dim")
    return table
