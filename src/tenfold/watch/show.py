"""How a watch is printed: one line that changes while it goes on, and a summary at its end."""

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console

from tenfold.core.show import grid, machine
from tenfold.core.show import out as OUT
from tenfold.watch.watch import WatchedView, WatchView


@contextmanager
def line(talk: Console, *, quiet: bool) -> Iterator[Callable[[WatchView], None]]:
    """Show how it stands, on a terminal only."""
    if quiet or not talk.is_terminal:
        yield lambda view: None
        return
    with talk.status("reading the cluster") as status:
        yield lambda view: status.update(_now(view))


def _now(view: WatchView) -> str:
    if view.alarms:
        return view.alarms[0]
    slots = ", ".join(f"{row.workload} {row.slots} (would have {row.shadow_slots})" for row in view.workloads)
    return f"{_time(view)}  {slots}  worth {_usd(view.shadow.real_usd)}, would be {_usd(view.shadow.shadow_usd)}"


def summary(view: WatchView, json: bool, out: Console = OUT) -> None:
    """Print what was, what would have been, and what both were worth."""
    if json:
        machine(view)
        return
    gain = "" if view.shadow.gain is None else f" ({view.shadow.gain:+.1%})"
    out.print(
        f"Watched for {_time(view)}, and touched nothing. Tenfold would have made {view.shadow.moves} moves.\n"
        f"Expected value of the slots as they were {_usd(view.shadow.real_usd)}, with those moves "
        f"{_usd(view.shadow.shadow_usd)}{gain}.\n"
        f"{view.slots} slots, {view.idle} of them idle; {view.others} more belong to what the file does not name.",
        markup=False,
        soft_wrap=True,
    )
    measured = ("asked/s", "to expect/s", "a slot does/s")
    table = grid("workload", "slots", "would have", "slot-hours", "would be", *measured, words=1)
    for row in view.workloads:
        table.add_row(*_cells(row))
    out.print(table)
    for alarm in view.alarms:
        out.print(f"alarm: {alarm}", style="red", markup=False, soft_wrap=True)
    if view.missed:
        out.print(f"{view.missed} readings failed.", markup=False)


def _cells(row: WatchedView) -> list[str]:
    measured = (row.arrival_per_s, row.forecast_per_s, row.capacity_per_slot)
    return [
        row.workload,
        str(row.slots),
        str(row.shadow_slots),
        f"{row.slot_hours:,.3g}",
        f"{row.shadow_slot_hours:,.3g}",
        *("-" if rate is None else f"{rate:,.3g}" for rate in measured),
    ]


def _time(view: WatchView) -> str:
    return str(dt.timedelta(seconds=round(view.shadow.seconds)))


def _usd(usd: float) -> str:
    return f"${usd:.4g}"
