"""How a comparison of policies is printed for people."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from tenfold.core.show import grid, out
from tenfold.page.figures import percent
from tenfold.replay.compare import Comparison, Played
from tenfold.replay.summary import CLUSTER, UNKNOWN, attainment, notes, size_of
from tenfold.replay.waits import Waits, duration, hours, recorded_waits, waits_of


def comparison(comparison: Comparison) -> None:
    """Print a row for each policy and for the cluster itself, and the bounds."""
    week = comparison.week
    out.print(f"\n[bold]{week.name}[/bold]", soft_wrap=True)
    slots, *rest = size_of(week)
    out.print(f"{slots}; {', '.join(rest)}\n", markup=False, soft_wrap=True)
    table = _table(comparison)
    # A narrow terminal wraps lines by itself, and a file has no width: a figure that is folded or cut says nothing.
    width = max(out.width, out.measure(table, options=out.options.update(width=10_000)).maximum)
    Console(file=out.file, width=width, highlight=False, force_terminal=out.is_terminal).print(table)
    targets = ", ".join(f"{family} {100 * share:g}%" for family, share in comparison.targets.items())
    if targets:
        out.print(f"\nDim where less was answered in time than the target ({targets}).", style="dim", soft_wrap=True)
    for line in notes(comparison):
        out.print(line, markup=False, style="dim", soft_wrap=True)


def _table(comparison: Comparison) -> Table:
    headings = [*(["jobs\nwaited", "a tenth\nlonger than"] if comparison.week.jobs else [])]
    headings += [f"{family}\nin time" for family in comparison.families]
    headings += ["training\nh", *(["of what was\npossible"] if comparison.bounded else [])]
    headings += ["lost\nto kills", "lost\nto moves", "moves\na day", "\nidle", "frag-\nmented", "jobs\ndone", "CPU\ns"]
    table = grid("policy", *headings, words=1, folding=())
    for each in comparison.played:
        table.add_row(*_row(comparison, each), style="" if comparison.meets(each.outcome) else "dim")
    if comparison.week.recorded is not None:
        table.add_row(*_cluster(comparison, len(headings)))
    return table


def _row(comparison: Comparison, each: Played) -> list[str]:
    outcome, week = each.outcome, comparison.week
    cells = [outcome.policy, *(_waits(waits_of(week, outcome)) if week.jobs else ())]
    cells += [attainment(outcome.attainment(family)) for family in comparison.families]
    held_h = outcome.training_slot_h
    cells.append(hours(outcome.useful_training_h))
    if comparison.bounded:
        share = comparison.share_of_bound(outcome)
        cells.append(UNKNOWN if share is None else percent(share))
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


def _waits(waits: Waits | None) -> Sequence[str]:
    return (UNKNOWN, UNKNOWN) if waits is None else (duration(waits.mean_s), duration(waits.p90_s))


def _cluster(comparison: Comparison, figures: int) -> list[str]:
    week, recorded = comparison.week, comparison.week.recorded
    assert recorded is not None
    shares = [recorded.attainment(week.members(family)) for family in comparison.families]
    cells = [CLUSTER, *(_waits(recorded_waits(week)) if week.jobs else ())]
    cells += [UNKNOWN if share is None else attainment(share) for share in shares]
    if recorded.training_h is None:
        return [*cells, *[UNKNOWN] * (1 + figures - len(cells))]
    cells.append(hours(recorded.training_h))
    between = [UNKNOWN] * (1 + figures - len(cells) - 2)
    return [*cells, *between, f"{recorded.jobs_done:,}", UNKNOWN]
