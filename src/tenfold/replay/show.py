"""How a comparison of policies is printed for people."""

from rich.console import Console
from rich.table import Table

from tenfold.core.show import grid
from tenfold.core.show import out as OUT
from tenfold.page.figures import percent
from tenfold.replay.compare import Comparison, Played, attainment, notes

WIDTH = 128


def comparison(comparison: Comparison, out: Console = OUT) -> None:
    """Print a row for each policy, and the bounds."""
    week = comparison.week
    slots = ", ".join(f"{kind.slots:,} {kind.name}" for kind in week.kinds)
    out.print(f"\n[bold]{week.name}[/bold]", soft_wrap=True)
    out.print(
        f"{slots}; {len(week.services)} services, {len(week.jobs):,} jobs, {week.steps:,} steps of {week.step_s:g} s\n",
        markup=False,
        soft_wrap=True,
    )
    # A narrow terminal wraps lines by itself; a table that folds every cell says nothing.
    wide = out if out.width >= WIDTH else Console(file=out.file, width=WIDTH, highlight=False)
    wide.print(_table(comparison))
    targets = ", ".join(f"{family} {100 * share:g}%" for family, share in comparison.targets.items())
    out.print(
        f"\nAnswered in time: dim where below its target ({targets}); in full: steps with 98% answered.", style="dim"
    )
    for line in notes(comparison):
        out.print(line, markup=False, style="dim", soft_wrap=True)


def _table(comparison: Comparison) -> Table:
    headings = [f"{family}\nin {way}" for family in comparison.families for way in ("time", "full")]
    headings += ["training\nh", *(["of\nbound"] if comparison.bound_h else []), "lost\nto kills", "lost\nto moves"]
    headings += ["moves\na day", "\nidle", "frag-\nmented", "jobs\ndone", "CPU\ns"]
    table = grid("policy", *headings, words=1, folding=headings)
    for each in comparison.played:
        table.add_row(*_row(comparison, each), style="" if comparison.meets(each.outcome) else "dim")
    return table


def _row(comparison: Comparison, each: Played) -> list[str]:
    outcome = each.outcome
    cells = [outcome.policy]
    for family in comparison.families:
        cells += [attainment(outcome.attainment(family)), attainment(outcome.steps_in_full(family))]
    held_h = outcome.training_slot_h
    cells.append(f"{outcome.useful_training_h:,.0f}")
    if comparison.bound_h:
        cells.append(percent(comparison.share_of_bound(outcome)))
    cells += [
        f"{lost_h / held_h if held_h else 0.0:.2%}" for lost_h in (outcome.lost_to_kills_h, outcome.lost_to_moves_h)
    ]
    cells += [
        f"{outcome.moves_per_day:,.0f}",
        percent(outcome.idle_share),
        percent(outcome.fragmentation),
        f"{outcome.jobs_done:,}",
        f"{each.cpu_s:.1f}",
    ]
    return cells
