"""week.toml with its traces becomes a week, and a mistake in it is told with its key and what would be right."""

import re
from pathlib import Path

import numpy as np
import pytest

from tenfold.core.errors import UsageError
from tenfold.core.table import TableError
from tenfold.replay.shipped import FILES, write_example
from tenfold.replay.week_file import WeekError, load_week

WEEK = """
name = "small"
step_s = 300
history_s = 600
[kinds.h100]
slots = 16
[kinds.a100]
slots = 8
node_slots = 4
[services.chat]
family = "llm"
rates = "rates.csv"
scale = 2.0
roughness = 0.0
capacity = { h100 = 4.0, a100 = 1.0 }
usd_per_request = 1e-3
queue_s = 10
start_s = 60
wake_s = 2
sleep_s = 1
[jobs]
file = "jobs.csv"
speed = { h100 = 1.0, a100 = 0.4 }
"""
RATES = "time_s,chat,feed\n0,10,1\n600,20,1\n1200,,1\n1800,40,1\n"
JOBS = """job,arrival_s,accelerator_hours,least,most,within,deadline_s,speed_a100
a,0,inf,1,24,,,
b,60,2.5,4,8,node,7200,0.5
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "week.toml").write_text(WEEK)
    (tmp_path / "rates.csv").write_text(RATES)
    (tmp_path / "jobs.csv").write_text(JOBS)
    return tmp_path


def changed(folder: Path, name: str, old: str, new: str) -> Path:
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new, 1))
    return folder / "week.toml"


def test_rates_are_scaled_refined_and_split_into_past_and_played(folder):
    week = load_week(folder / "week.toml")
    chat = week.services[0]
    assert (week.steps, len(chat.past_T)) == (6, 2)
    assert chat.past_T.mean() == pytest.approx(20)
    assert chat.rates_T.reshape(3, 2).mean(axis=1) == pytest.approx([40, 60, 80])
    assert chat.capacity_K.tolist() == [4.0, 1.0]


def test_a_gap_is_a_line_for_what_was_asked_and_unknown_to_policies(folder):
    chat = load_week(folder / "week.toml").services[0]
    assert chat.gaps_T is not None
    assert chat.gaps_T.tolist() == [False, False, True, True, False, False]
    assert not np.isnan(chat.rates_T).any()
    gap_first = changed(folder, "rates.csv", "0,10,1", "0,,1")
    assert np.isnan(load_week(gap_first).services[0].past_T).all()


def test_jobs_have_what_their_rows_say_and_defaults_elsewhere(folder):
    endless, short = load_week(folder / "week.toml").jobs
    assert np.isinf(endless.work)
    assert endless.speed_K.tolist() == [1.0, 0.4]
    assert (short.work, short.least, short.most, short.within, short.deadline_s) == (9000.0, 4, 8, "node", 7200.0)
    assert short.speed_K.tolist() == [1.0, 0.5]
    assert short.usd_per_s == pytest.approx(2.0 / 3600)
    assert short.times.start_s == 90.0


def test_finer_rates_are_averaged(folder):
    week = load_week(
        changed(folder, "week.toml", "step_s = 300\nhistory_s = 600", "step_s = 1200\nhistory_s = 0\nsteps = 2")
    )
    assert week.services[0].rates_T == pytest.approx([30.0, 70.0])


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("scale = 2.0", "scal = 2.0", "unknown key 'services.chat.scal'; did you mean 'scale'?"),
        ("start_s = 60", "start_min = 1", "did you mean 'start_s'? Its unit is s"),
        ("queue_s = 10\n", "", "'services.chat.queue_s' is missing: seconds that a request may wait"),
        ("slots = 16", "slots = -1", "'kinds.h100.slots' is -1: Input should be greater than or equal to 1"),
        ("h100 = 4.0", "h200 = 4.0", "'services.chat.capacity': there is no kind 'h200'; did you mean 'h100'?"),
        ("{ h100 = 4.0, a100 = 1.0 }", "{}", "'services.chat.capacity': no kind can run it; give one of h100, a100"),
        ('rates = "rates.csv"\n', "", "'services.chat': give either 'rates' (a file) or a table"),
        ("queue_s = 10", "queue_s = 10\nfloor = 25", "the floors sum to 25 slots, and the fleet has 24"),
        ("scale = 2.0", 'series = "fed"', "rates.csv has no series 'fed'; did you mean 'feed'?"),
        ("step_s = 300", "step_s = 250", "neither is a whole multiple of the other"),
        (
            "history_s = 600",
            "steps = 20",
            "20 steps after 'history_s' (which takes 1) are more than there are: chat has 8",
        ),
        ("h100 = 1.0, a100 = 0.4", "h100 = 0.0", "'jobs.speed': no kind can train"),
        ("[services.chat]", "[services.chat", "is not TOML"),
    ],
)
def test_mistake_in_the_week_is_told(folder, old, new, told):
    with pytest.raises(WeekError) as error:
        load_week(changed(folder, "week.toml", old, new))
    assert told in str(error.value)
    assert error.value.next_step


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("b,60,2.5,4,8", "b,60,2.5,9,8", "line 3: least is 9; it must be at most 'most', which is 8"),
        ("b,60,2.5,4,8,node", "b,60,2.5,9,16,node", "line 3: least is 9; one node has 8 slots"),
        ("a,0,inf,1,24", "a,0,inf,25,25", "line 2: least is 25; all kinds that can run it have 24 slots"),
        ("b,60,2.5", "b,-60,2.5", "line 3: arrival_s is '-60'; it must be a number of 0 or above"),
        ("b,60,2.5", "b,60,0", "line 3: accelerator_hours is '0'; it must be a number above 0, or inf"),
        ("b,60,2.5", "b,60,", "line 3: accelerator_hours is empty; every job needs one"),
        ("2.5,4,8", "2.5,4.5,8", "line 3: least is '4.5'; it must be a whole number of slots"),
        (",node,", ",board,", "line 3: within is 'board'; it must be one of anywhere, rack, node"),
        (",7200,", ",30,", "line 3: deadline_s is 30.0; it must be after its arrival at 60 s"),
        ("b,60", "a,60", "line 3: job is 'a'; line 2 has that name already"),
        ("speed_a100", "speed_a10", "unknown column 'speed_a10'; did you mean 'speed_a100'?"),
        ("job,arrival_s", "job,arrival", "column 'arrival_s' is missing"),
    ],
)
def test_bad_job_is_named_by_line_and_column(folder, old, new, told):
    with pytest.raises(TableError) as error:
        load_week(changed(folder, "jobs.csv", old, new))
    assert told in str(error.value)


def test_missing_week_points_to_the_example(tmp_path):
    with pytest.raises(WeekError) as error:
        load_week(tmp_path / "week.toml")
    assert "tenfold replay example" in error.value.next_step


def test_shipped_example_is_a_week_and_is_not_written_twice(tmp_path):
    paths = write_example(tmp_path / "new")
    assert tuple(path.name for path in paths) == FILES
    week = load_week(paths[0], seed=1)
    assert week.steps == 5040
    assert {service.family for service in week.services} == {"llm", "ranking"}
    again = load_week(paths[0], seed=1)
    for left, right in zip(week.services, again.services, strict=True):
        np.testing.assert_array_equal(left.rates_T, right.rates_T)
    with pytest.raises(UsageError, match="is there already"):
        write_example(tmp_path / "new")
    example = re.search(r"history_s = (\d+)", paths[0].read_text())
    assert example is not None
    assert len(week.services[0].past_T) == int(example[1]) / week.step_s
