"""What a person reads in the terminal, and that ``--json`` says the same."""

import json
import time

import pytest
from inline_snapshot import snapshot
from rich.console import Console

from tenfold.cli import show
from tenfold.core.show import machine
from tenfold.pool.runfile import RunFile
from tenfold.pool.state import MoveView, PoolState, ResidentView, SlotView, WorkloadView
from tenfold.world.report import DayReport, WorkloadReport, table

RUN = RunFile(pid=41, started=0.0, url="http://127.0.0.1:8000")
NOON = 43200.0


@pytest.fixture(autouse=True)
def terminal(monkeypatch):
    """A terminal of 110 columns without colours, in UTC."""
    monkeypatch.setattr(show, "out", Console(width=110, highlight=False, no_color=True))
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def resident(workload: str, slot: str, phase, pid: int | None) -> ResidentView:
    url = None if pid is None else f"http://127.0.0.1:{pid}"
    return ResidentView(
        resident=f"{workload}@{slot}", workload=workload, phase=phase, pid=pid, url=url, restarts=int(pid is None)
    )


def workload(name: str, unit: str, **values) -> WorkloadView:
    given = {
        "slots": 1,
        "held": 1,
        "floor": 0,
        "ceiling": 2,
        "arrival_per_s": None,
        "forecast_per_s": None,
        "capacity_per_slot": 100.0,
        "units_per_s": 0.0,
        "units_total": 0.0,
        "waiting": 0,
        "requests_total": 0,
        "shed_total": 0,
        "failed_total": 0,
        "latency_p50_s": None,
        "latency_p95_s": None,
        "latency_target_s": None,
        "in_time_share": None,
        "value_last_slot_usd_per_s": 0.0,
        "value_next_slot_usd_per_s": 0.0,
        "facts": {},
    }
    return WorkloadView.model_validate({**given, **values, "workload": name, "unit": unit})


def move(number: int, **values) -> MoveView:
    given = {
        "move": number,
        "epoch": number,
        "at": NOON + number,
        "slot": "n0/cpu0",
        "donor": "train",
        "receiver": "rank",
        "reason": "rank needs 80 requests/s, a slot does 100: worth 24 µ$/s to rank, 1.6 µ$/s to train",
        "gain_usd_per_s": 2.24e-5,
        "deadline_s": 2.0,
        "state": "done",
        "seconds": 0.214,
    }
    return MoveView.model_validate({**given, **values})


MOVES = (
    move(3, state="draining", seconds=None),
    move(2, donor=None, receiver="train", state="failed", seconds=10.0, reason="the slot was idle; it did not wake"),
    move(1),
)
STATE = PoolState(
    at=NOON,
    epoch=7,
    policy="tenfold",
    controller="running",
    ready=True,
    alarms=("rank@n0/cpu1 does not stay up; it ended with -9: [killed]",),
    slots=(
        SlotView(
            slot="n0/cpu0",
            kind="cpu",
            node="n0",
            cores=(0,),
            awake="rank",
            residents=(resident("rank", "n0/cpu0", "awake", 101), resident("train", "n0/cpu0", "asleep", 102)),
        ),
        SlotView(
            slot="n0/cpu1",
            kind="cpu",
            node="n0",
            cores=(1,),
            awake=None,
            residents=(resident("rank", "n0/cpu1", "dead", None), resident("train", "n0/cpu1", "draining", 104)),
        ),
    ),
    workloads=(
        workload(
            "rank",
            "request",
            arrival_per_s=80.25,
            units_per_s=79.9,
            latency_p95_s=0.0213,
            shed_total=4,
            value_last_slot_usd_per_s=2.4e-5,
        ),
        workload("train", "token", slots=0, units_per_s=1640.2, value_next_slot_usd_per_s=1.64e-6),
    ),
    moves=MOVES,
    history=(),
    loss=(),
)
REPORT = DayReport(
    duration_s=60,
    wall_s=61.4,
    seed=0,
    workloads=(
        WorkloadReport(
            workload="serve",
            requests=40,
            answered=38,
            shed=2,
            failed=0,
            latency_p50_s=0.4,
            latency_p95_s=1.25,
            latency_p99_s=2.5,
            total_p95_s=4.0,
            latency_target_s=4.0,
            attainment=0.95,
            tokens=1216,
        ),
        WorkloadReport(
            workload="rank",
            requests=0,
            answered=0,
            shed=0,
            failed=0,
            latency_p50_s=None,
            latency_p95_s=None,
            latency_p99_s=None,
            total_p95_s=None,
            latency_target_s=0.25,
            attainment=None,
            tokens=0,
        ),
    ),
    attainment=0.95,
    training_tokens=98304.0,
    training_tokens_per_s=1638.4,
    sender_cpu_s=0.3,
)


def printed(capsys) -> str:
    return "\n".join(line.rstrip() for line in capsys.readouterr().out.splitlines())


def test_status_shows_alarms_workloads_and_slots(capsys):
    show.state(RUN, STATE, json=False)
    assert printed(capsys) == snapshot("""\
http://127.0.0.1:8000  ready  epoch 7  policy tenfold  controller running
alarm: rank@n0/cpu1 does not stay up; it ended with -9: [killed]
workload  slots  demand/s  done/s          p95    shed  last slot  next slot
rank      1      80.2      79.9 requests   21 ms  4     24 µ$/s    0 µ$/s
train     0      -         1,640.2 tokens  -      0     0 µ$/s     1.64 µ$/s
slot     cores  awake  residents
n0/cpu0  0      rank   rank awake (101)  train asleep (102)
n0/cpu1  1      -      rank dead  train draining (104)\
""")


def test_moves_show_when_where_what_and_why(capsys):
    show.moves(MOVES, json=False)
    assert printed(capsys) == snapshot("""\
time      slot     move                   seconds  gain       reason
12:00:03  n0/cpu0  train > rank draining  -        22.4 µ$/s  rank needs 80 requests/s, a slot does 100: worth
                                                              24 µ$/s to rank, 1.6 µ$/s to train
12:00:02  n0/cpu0  idle > train failed    10.00    22.4 µ$/s  the slot was idle; it did not wake
12:00:01  n0/cpu0  train > rank           0.21     22.4 µ$/s  rank needs 80 requests/s, a slot does 100: worth
                                                              24 µ$/s to rank, 1.6 µ$/s to train\
""")


def test_a_days_report_reads_at_a_glance(capsys):
    show.out.print(table(REPORT))
    assert printed(capsys) == snapshot("""\
A day in 60 s (seed 0); 61.4 s to the last answer
workload  requests  shed  failed     p50     p95     p99  in time  tokens
serve           40     2       0  400 ms  1.25 s  2.50 s    95.0%   1,216
rank             0     0       0       -       -       -        -       -
train            -     -       -       -       -       -        -  98,304\
""")


def test_the_first_words_of_a_pool_are_its_address_and_what_to_try(capsys):
    show.ready("http://127.0.0.1:8000", 12.3, json=False)
    # The chat line is one line however narrow the terminal, so that it can be copied.
    lines = printed(capsys).splitlines()
    (chat,) = (line for line in lines if line.startswith("  chat"))
    assert chat.startswith("  chat    curl http://127.0.0.1:8000/v1/chat/completions -d '{")
    assert "\n".join(line for line in lines if line != chat) == snapshot("""\

The pool is ready at http://127.0.0.1:8000 after 12 s. Three things to try:

  watch   open http://127.0.0.1:8000 in a browser
  load    tenfold load --day 5m        (in another terminal)

Ctrl-C stops it.\
""")


def test_json_is_one_line_that_gives_back_what_was_shown(capsys):
    show.state(RUN, STATE, json=True)
    show.moves(MOVES, json=True)
    machine(REPORT)
    show.ready("http://127.0.0.1:8000", 12.345, json=True)
    state, moves, report, ready = map(json.loads, capsys.readouterr().out.splitlines())
    assert RunFile.model_validate(state["run"]) == RUN
    assert PoolState.model_validate(state["state"]) == STATE
    assert tuple(MoveView.model_validate(row) for row in moves) == MOVES
    assert DayReport.model_validate(report) == REPORT
    assert ready == {"ready": True, "url": "http://127.0.0.1:8000", "seconds": 12.35}
