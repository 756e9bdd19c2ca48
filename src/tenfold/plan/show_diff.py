"""How the difference of two plans is printed for people."""

from collections.abc import Callable

from rich.table import Table

from tenfold.core.show import grid, out
from tenfold.page.figures import amount, percent, usd
from tenfold.plan.diff import FigureChange, ItemChange, KeyChange, PlanDiff, SpreadChange
from tenfold.plan.result import Spread


def changes(diff: PlanDiff) -> None:
    """Print what changed; one line if nothing did."""
    if not diff:
        out.print("no change")
        return
    if diff.study:
        out.print(_study(diff.study))
    if diff.items:
        out.print(_items(diff.items))
        _triggers(diff.items)
    if diff.capex:
        out.print(_capex(diff.capex))
    for title, figures, write in (
        ("Cost", diff.cost, usd),
        ("Probability of a shortage", diff.shortages, percent),
        ("What it is worth", diff.worth, _value),
    ):
        if figures:
            out.print(_figures(title, figures, write))
    pending = sum(change.pending for change in diff.items)
    out.print(f"\n{pending} of {len(diff.items)} changed items change what to do now" if diff.items else "")


def _study(found: tuple[KeyChange, ...]) -> Table:
    table = grid("key", "old", "new", title="The study", words=1)
    for change in found:
        table.add_row(change.key, _scalar(change.old), _scalar(change.new))
    return table


def _scalar(value: object) -> str:
    return "-" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _items(found: tuple[ItemChange, ...]) -> Table:
    table = grid("what", "old", "new", "now", "ever", title="What to do", words=3)
    for change in found:
        table.add_row(
            f"{change.what} {change.name}",
            change.old_verdict.value if change.old_verdict else "-",
            change.new_verdict.value if change.new_verdict else "-",
            _now(change),
            _moved(percent(change.old_probability), percent(change.new_probability)),
            style="bold" if change.pending else "",
        )
    return table


def _now(change: ItemChange) -> str:
    if not change.unit:
        return _moved("yes" if change.old_now else "no", "yes" if change.new_now else "no")
    moved = _moved(amount(change.old_now), amount(change.new_now))
    return f"{moved} {change.unit}" if moved else ""


def _moved(old: str, new: str) -> str:
    """Nothing where the figures shown are the same."""
    return f"{old} > {new}" if old != new else ""


def _triggers(found: tuple[ItemChange, ...]) -> None:
    moved = [change for change in found if change.old_triggers != change.new_triggers]
    if moved:
        out.print("\nTriggers")
    for change in moved:
        for sign, style, triggers in (("-", "dim", change.old_triggers), ("+", "", change.new_triggers)):
            for trigger in triggers:
                out.print(f"  {sign} {trigger}", style=style, markup=False, soft_wrap=True)


def _capex(found: tuple[SpreadChange, ...]) -> Table:
    table = grid("", "old", "new", "median by", title="Capex by year, p10 / p50 / p90", words=1)
    for change in found:
        moved = change.new.p50 - change.old.p50 if change.old and change.new else None
        table.add_row(change.name, _spread(change.old), _spread(change.new), _signed(moved))
    return table


def _spread(spread: Spread | None) -> str:
    return "-" if spread is None else f"{usd(spread.p10)} / {usd(spread.p50)} / {usd(spread.p90)}"


def _signed(moved: float | None) -> str:
    return "" if moved is None else f"{'+' if moved > 0 else ''}{usd(moved)}"


def _value(found: float) -> str:
    """What something is worth: no true value is below zero, so one that was found there is nothing within its gap."""
    return usd(found) if found > 0 else "nothing"


def _figures(title: str, found: tuple[FigureChange, ...], write: Callable[[float], str]) -> Table:
    table = grid("", "old", "new", title=title, words=1)
    for change in found:
        old, new = (("-" if value is None else write(value)) for value in (change.old, change.new))
        table.add_row(change.name, old, new)
    return table
