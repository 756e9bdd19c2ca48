"""What the cluster itself did is counted as a policy's deeds are, and joined with the rates by time."""

import numpy as np
import pytest

from tenfold.core.table import TableError
from tenfold.replay.waits import recorded_waits
from tenfold.replay.week import Week
from tenfold.replay.week_file import load_week

WEEK = """
name = "recorded"
step_s = 600
history_s = 1200
[kinds.h100]
slots = 16
[services.chat]
family = "llm"
rates = "rates.csv"
capacity = { h100 = 4.0 }
usd_per_request = 1e-3
queue_s = 10
start_s = 60
wake_s = 2
sleep_s = 1
[jobs]
file = "jobs.csv"
[jobs.backlog]
[cluster]
jobs = "ran.csv"
slots = "slots.csv"
"""
JOBS = """job,arrival_s,accelerator_hours,least,most
early,0,1,1,1
waiting,600,1,1,1
late,1200,1,1,1
unknown,3000,1,1,1
next,9000,1,1,1
"""
RAN = """job,slots,started_s,ended_s
early,1,60,1200
early,1,1500,3000
waiting,1,4000,
late,1,,
next,1,9000,9600
"""


def dated(column: str, values: list[int], step_s: int = 600, zone: str = "Z") -> str:
    rows = [
        f"2026-01-05T{at * step_s // 3600:02}:{at * step_s % 3600 // 60:02}:00{zone},{value}"
        for at, value in enumerate(values)
    ]
    return f"time,{column}\n" + "\n".join(rows) + "\n"


def counted(column: str, values: list[int], step_s: int) -> str:
    return f"time_s,{column}\n" + "".join(f"{at * step_s},{value}\n" for at, value in enumerate(values))


@pytest.fixture
def load(tmp_path):
    def loaded(slots: str, rates: str = dated("chat", [8] * 8), ran: str = RAN) -> Week:
        texts = {"week.toml": WEEK, "rates.csv": rates, "jobs.csv": JOBS, "ran.csv": ran, "slots.csv": slots}
        for name, text in texts.items():
            (tmp_path / name).write_text(text)
        return load_week(tmp_path / "week.toml")

    return loaded


def test_who_never_started_in_the_cluster_waits_until_the_end_as_under_a_policy(load):
    week = load(dated("chat", [3] * 8))
    waits = recorded_waits(week)
    assert waits is not None
    # Six steps are played. Of "late" it is said that it never started, of "unknown" nothing; "waiting" started too late
    # and "next" came too late.
    assert waits.never_started == 3
    assert waits.mean_s == pytest.approx((60 + 3000 + 2400 + 600) / 4)
    assert week.recorded is not None
    # "early" ran twice, and ended once.
    assert week.recorded.jobs_done == 1
    assert week.recorded.training_h == pytest.approx((1140 + 1500) / 3600)


@pytest.mark.parametrize(
    "slots",
    [
        dated("chat", [0, 0, 1, 2, 3, 4, 5, 6]),
        counted("chat", [0, 0, 1, 2, 3, 4, 5, 6], 600),
        # Steps of 5 minutes: each step that is played is the mean of two.
        dated("chat", [0, 0, 0, 0, 0, 2, 1, 3, 2, 4, 3, 5, 4, 6, 5, 7], 300),
    ],
)
def test_what_services_held_is_joined_by_time(load, slots):
    recorded = load(slots).recorded
    assert recorded is not None
    assert recorded.service_slots_TS[:, 0].tolist() == [1, 2, 3, 4, 5, 6]


def test_dates_of_the_cluster_beside_rates_that_count(load):
    recorded = load(dated("chat", [0, 0, 1, 2, 3, 4, 5]), counted("chat", [8] * 8, 600)).recorded
    assert recorded is not None
    np.testing.assert_array_equal(recorded.service_slots_TS[:, 0], [1, 2, 3, 4, 5, np.nan])


@pytest.mark.parametrize(
    ("slots", "wrong"),
    [
        (dated("chat", [3] * 8, zone=""), "slots.csv have none, those of the rates have a time zone"),
        (dated("chat", [3] * 8).replace("-05T", "-06T"), "slots.csv has 2026-01-06 00:00 to 2026-01-06 01:20"),
        (dated("code", [3] * 8), "slots.csv has code, and none of the week's services"),
    ],
)
def test_a_file_of_other_days_or_services_is_named(load, slots, wrong):
    with pytest.raises(TableError) as error:
        load(slots)
    assert wrong in str(error.value)
    assert error.value.next_step
