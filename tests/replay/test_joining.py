"""Rates from several files are joined by time, and what they lack is told; the step divides theirs."""

import numpy as np
import pytest

from tenfold.replay.joining import choose_step
from tenfold.replay.traces import moment
from tenfold.replay.week_file import WeekError, load_week

WEEK = """
name = "two files"
history_s = 0
{step}
[kinds.h100]
slots = 64
[services.chat]
rates = "chat.csv"
[services.code]
rates = "code.csv"
"""
SERVICE = """roughness = 0
family = "llm"
capacity = { h100 = 4.0 }
usd_per_request = 1e-3
queue_s = 10
start_s = 60
wake_s = 2
sleep_s = 1
"""


def week_of(folder, chat: str, code: str, step: str = "step_s = 3600"):
    text = WEEK.format(step=step)
    for name in ("chat.csv", "code.csv"):
        text = text.replace(f'rates = "{name}"\n', f'rates = "{name}"\n{SERVICE}')
    (folder / "week.toml").write_text(text)
    (folder / "chat.csv").write_text(chat)
    (folder / "code.csv").write_text(code)
    return load_week(folder / "week.toml")


def hours(first: int, count: int, series: str, zone: str = "") -> str:
    rows = [f"2026-01-{5 + hour // 24:02}T{hour % 24:02}:00:00{zone},{hour}" for hour in range(first, first + count)]
    return f"time,{series}\n" + "\n".join(rows) + "\n"


def test_a_file_that_begins_twelve_hours_later_is_played_where_both_have_rates(tmp_path):
    week = week_of(tmp_path, hours(0, 48, "chat"), hours(12, 48, "code"))
    chat, code = week.services
    assert week.steps == 36
    np.testing.assert_array_equal(chat.rates_T, code.rates_T)
    assert chat.rates_T[0] == 12
    assert week.notes[0].startswith(
        "Rates are joined by time: chat.csv has 2026-01-05 00:00 to 2026-01-07 00:00; code.csv has 2026-01-05 12:00 to "
    )
    assert "What all have is taken: 2026-01-05 12:00 to 2026-01-07 00:00." in week.notes[0]


def test_files_of_a_day_are_played_without_saying_how_much_is_history(tmp_path):
    week = week_of(tmp_path, hours(0, 24, "chat"), hours(0, 24, "code"))
    text = (tmp_path / "week.toml").read_text()
    assert week.steps == 24
    (tmp_path / "week.toml").write_text(text.replace("history_s = 0\n", ""))
    shorter = load_week(tmp_path / "week.toml")
    # A seventh of what there is.
    assert shorter.steps == 21
    assert "The first 3.0 h are known to every policy and not played (history_s)." in shorter.notes


def test_offsets_of_zones_count(tmp_path):
    week = week_of(tmp_path, hours(0, 24, "chat", "Z"), hours(2, 24, "code", "+02:00"))
    assert week.steps == 24
    np.testing.assert_array_equal(week.services[0].rates_T + 2, week.services[1].rates_T)


def test_coarse_steps_that_have_begun_are_cut(tmp_path):
    halves = "time_s,chat\n" + "\n".join(f"{1800 * row},{row}" for row in range(1, 12)) + "\n"
    week = week_of(tmp_path, halves, "time_s,code\n0,10\n3600,20\n7200,30\n", "step_s = 1800")
    assert week.steps == 5
    assert week.services[0].rates_T.tolist() == [1, 2, 3, 4, 5]
    assert week.services[1].rates_T[1:3].mean() == pytest.approx(20)


def test_a_hole_is_told(tmp_path):
    holed = hours(0, 10, "chat").replace("2026-01-05T03:00:00,3\n2026-01-05T04:00:00,4\n", "")
    assert week_of(tmp_path, holed, hours(0, 10, "code")).notes == (
        "chat: 2 of 10 steps were not measured; the longest hole is of 2 h, 3 h after the first step played.",
    )


@pytest.mark.parametrize(
    ("chat", "code", "told"),
    [
        (
            hours(0, 12, "chat"),
            hours(12, 12, "code"),
            "in common: chat.csv has 2026-01-05 00:00 to 2026-01-05 12",
        ),
        (hours(0, 12, "chat", "Z"), hours(0, 12, "code"), "times of chat.csv have a time zone, those of code.csv"),
    ],
)
def test_files_that_cannot_be_joined_are_named(tmp_path, chat, code, told):
    with pytest.raises(WeekError) as error:
        week_of(tmp_path, chat, code)
    assert told in str(error.value)
    assert error.value.next_step


def test_what_counts_from_its_own_beginning_begins_where_dates_do_and_says_so(tmp_path):
    week = week_of(tmp_path, hours(6, 12, "chat"), "time_s,code\n0,1\n3600,2\n7200,3\n")
    assert week.steps == 3
    assert week.notes[0] == "code.csv tells no dates: taken to begin when chat.csv does, 2026-01-05 06:00."


@pytest.mark.parametrize(
    ("files", "step"),
    [([300], 100), ([600], 120), ([60], 120), ([3600, 300], 100), ([45], 90), ([7], 119), ([], 120), ([86400], 120)],
)
def test_the_step_is_the_longest_that_divides(files, step):
    assert choose_step(files) == step


def test_counts_of_five_minutes_need_no_step(tmp_path):
    rows = "\n".join(f"{300 * row},{row % 7}" for row in range(40))
    week = week_of(tmp_path, f"time_s,chat\n{rows}\n", f"time_s,code\n{rows}\n", step="")
    assert (week.step_s, week.steps) == (100.0, 120)
    assert week.notes == ("Steps are of 100 s, which divide those of the files.",)
    with pytest.raises(WeekError) as error:
        week_of(tmp_path, f"time_s,chat\n{rows}\n", f"time_s,code\n{rows}\n", step="step_s = 120")
    assert error.value.next_step == "leave 'step_s' out, or write step_s = 100"


@pytest.mark.parametrize(
    ("seconds", "told"), [(11, "0.003056 h"), (5400, "1.5 h"), (444420, "123.5 h"), (36_000_000, "10,000 h")]
)
def test_hours_from_a_beginning_are_told_in_one_way(seconds, told):
    assert moment(seconds, is_date=False) == told
