"""What a watch prints for people: what was, what would have been, and what both were worth."""

import io

from inline_snapshot import snapshot
from rich.console import Console

from tenfold.pool.state import ShadowView
from tenfold.watch.show import line, summary
from tenfold.watch.watch import WatchedView, WatchView

CHAT = WatchedView(
    workload="chat",
    kind="service",
    slots=1,
    shadow_slots=3,
    slot_hours=1.0,
    shadow_slot_hours=2.75,
    arrival_per_s=19.8,
    forecast_per_s=22.44,
    capacity_per_slot=8.0,
    waiting=0,
)
TRAIN = WatchedView(
    workload="train",
    kind="job",
    slots=3,
    shadow_slots=1,
    slot_hours=3.0,
    shadow_slot_hours=1.25,
    arrival_per_s=None,
    forecast_per_s=None,
    capacity_per_slot=None,
    waiting=0,
)
VIEW = WatchView(
    slots=4,
    idle=0,
    others=2,
    workloads=(CHAT, TRAIN),
    shadow=ShadowView(seconds=3600.0, slots={"chat": 3, "train": 1}, moves=2, real_usd=200.0, shadow_usd=500.0),
    missed=1,
    alarms=("no metrics can be read at 10.0.0.2:8080",),
)


def told(console: io.StringIO) -> str:
    return "\n".join(text.rstrip() for text in console.getvalue().splitlines())


def test_the_summary_tells_all_of_it():
    text = io.StringIO()
    summary(VIEW, json=False, out=Console(file=text, width=120))
    assert told(text) == snapshot("""\
Watched for 1:00:00, and touched nothing. Tenfold would have made 2 moves.
Expected value of the slots as they were $200, with those moves $500 (+150.0%).
4 slots, 0 of them idle; 2 more belong to what the file does not name.
workload  slots  would have  slot-hours  would be  asked/s  to expect/s  a slot does/s
chat          1           3           1      2.75     19.8         22.4              8
train         3           1           3      1.25        -            -              -
alarm: no metrics can be read at 10.0.0.2:8080
1 readings failed.\
""")


def test_the_line_of_a_terminal_tells_how_it_stands_and_what_is_wrong():
    text = io.StringIO()
    terminal = Console(file=text, width=120, force_terminal=True, color_system=None)
    with line(terminal, quiet=False) as tell:
        tell(VIEW.model_copy(update={"alarms": ()}))
        tell(VIEW)
    assert "no metrics can be read at 10.0.0.2:8080" in text.getvalue()


def test_nothing_is_drawn_where_nobody_looks():
    text = io.StringIO()
    with line(Console(file=text), quiet=False) as tell:
        tell(VIEW)
    assert text.getvalue() == ""
