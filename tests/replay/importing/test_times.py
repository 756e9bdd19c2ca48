"""Times as files write them: in the hour that comes twice, in the one that does not come, in any form and batch."""

import numpy as np
import pytest

from tenfold.replay.importing.found import ImportFault
from tenfold.replay.importing.reading import Reading
from tenfold.replay.importing.slurm import read_account
from tenfold.replay.importing.text import rows_of
from tenfold.replay.importing.times import TimeColumn

BERLIN = Reading(zone="Europe/Berlin")
FALL = "2026-10-25"
"""Clocks of Berlin go back from 3:00 to 2:00 on this day: 1:00 is 23:00 UTC of the day before."""


def column(reading: Reading = BERLIN, unit=None) -> TimeColumn:
    return TimeColumn("a.csv", "time", reading, unit)


def hours(seconds) -> list[float]:
    """Hours since 1:00 of the day on which clocks go back."""
    return ((np.array(seconds) - 1792882800) / 3600).round(6).tolist()


def read(cells: list[str], series=None, reader: TimeColumn | None = None) -> list[float]:
    return hours((reader or column()).read(cells, range(1, len(cells) + 1), series))


def walls(*clocks: str) -> list[str]:
    return [f"{FALL} {clock}" for clock in clocks]


def test_the_hour_that_comes_twice_is_told_apart_by_the_order_of_a_series():
    reader = column()
    half_hours = walls("01:30:00", "02:00:00", "02:30:00", "02:00:00", "02:30:00", "03:00:00")
    assert read(half_hours, [""] * 6, reader) == [0.5, 1.0, 1.5, 2.0, 2.5, 3.0]
    assert reader.told() == [
        "a.csv: times without a zone are taken to be of Europe/Berlin (--timezone).",
        "a.csv: 4 times are of those that come twice as clocks go back in Europe/Berlin; the order of rows tells "
        "which.",
    ]
    # Each hour once: the second 2:00 is an hour later; so it is from the newest to the oldest, and by series.
    assert read(walls("01:00:00", "02:00:00", "02:00:00", "03:00:00"), [""] * 4) == [0.0, 1.0, 2.0, 3.0]
    assert read(half_hours[::-1], [""] * 6) == [3.0, 2.5, 2.0, 1.5, 1.0, 0.5]
    assert read([*half_hours, *half_hours], ["a"] * 6 + ["b"] * 6) == [0.5, 1.0, 1.5, 2.0, 2.5, 3.0] * 2


def test_requests_of_one_second_or_a_little_late_are_of_one_hour():
    reader = column()
    assert read(walls("02:10:05.5", "02:10:05", "02:10:05", "02:10:04"), None, reader) == pytest.approx(
        [1.168194, 1.168056, 1.168056, 1.167778], abs=1e-5
    )
    # The next batch: clocks have gone back meanwhile.
    assert read(walls("02:00:01", "02:00:01", "02:45:00", "03:00:00"), None, reader) == pytest.approx(
        [2.000278, 2.000278, 2.75, 3.0], abs=1e-5
    )


def test_an_hour_that_clocks_leave_out_is_named():
    reader = column()
    reader.read(["2026-03-29 01:59:00", "2026-03-29 02:30:00", "2026-03-29 03:00:00"], range(3), None)
    assert "1 times are of those that clocks leave out as they go forward in Europe/Berlin" in reader.told()[1]
    assert "is --timezone right?" in reader.told()[1]


@pytest.mark.parametrize(
    "zone, clocks, minutes",
    [
        # Lord Howe moves its clocks by half an hour: back from 2:00 to 1:30 on 5 April, forward to 2:30 on 4 October.
        ("Australia/Lord_Howe", ["04-05 01:15", "04-05 01:45", "04-05 01:30", "04-05 01:45", "04-05 02:00"],
         [0, 30, 45, 60, 75]),
        ("Australia/Lord_Howe", ["10-04 01:45", "10-04 02:15", "10-04 02:45"], [0, 30, 30]),
        # Newfoundland is half an hour off; an hour comes twice on 1 November.
        ("America/St_Johns", ["11-01 00:30", "11-01 01:30", "11-01 01:00", "11-01 02:00"], [0, 60, 90, 150]),
    ],
)  # fmt: skip
def test_clocks_may_move_by_half_an_hour_and_be_half_an_hour_off(zone, clocks, minutes):
    reader = column(Reading(zone=zone))
    found = reader.read([f"2026-{clock}:00" for clock in clocks], range(len(clocks)), None)
    assert ((found - found[0]) / 60).tolist() == minutes


def test_clocks_may_move_a_minute_after_midnight():
    found = column(Reading(zone="America/St_Johns")).read(["2010-11-07 00:05:00", "2010-11-07 00:20:00"], [1, 2], None)
    assert found[1] - found[0] == 900.0


@pytest.mark.parametrize(
    "cells",
    [
        ["2026-10-24T23:30:00Z", "2026-10-24T23:45:00.5000000Z"],
        ["2026-10-24 23:30:00+00:00", "2026-10-24 23:45:00.500000+00:00"],
        ["2026-10-25T01:30:00+02:00", "2026-10-25T00:45:00.5+01:00"],
        ["2026-10-24 23:30:00 UTC", "2026-10-24 23:45:00.5 GMT"],
        ["2026-10-24 23:30:00 +0000 UTC", "2026-10-24 23:45:00.5Z"],
        ["1792884600", "1792885500.5"],
        ["1792884600000", "1792885500500"],
        ["1792884600", "2026-10-24T23:45:00.5Z"],
        ["2026-10-25 01:30:00,000", "2026-10-25T01:45:00.500"],
        ["24/Oct/2026:23:30:00 +0000", "2026-10-25 01:45:00.5"],
    ],
)
def test_a_moment_is_the_same_in_every_form(cells):
    assert read(cells) == pytest.approx([0.5, 0.5 + 900.5 / 3600], abs=1e-5)


@pytest.mark.parametrize("cell", ["", "today", "now", "2026-10-25 01:30:00 Mars", "nan", "12:30", "T"])
def test_what_is_no_time_is_named(cell):
    with pytest.raises(ImportFault) as error:
        column().read(["2026-10-25 01:30:00", cell], [2, 3])
    assert f"a.csv, line 3: time is {cell!r}" in str(error.value)


def test_a_job_ends_after_it_starts_even_as_clocks_go_back(tmp_path):
    lines = [
        "JobID|Submit|Start|End|State|NNodes|AllocTRES",
        f"1|{FALL}T01:50:00|{FALL}T02:40:00|{FALL}T02:10:00|COMPLETED|1|gres/gpu:h100=8",
        f"2|{FALL}T02:50:00|{FALL}T02:20:00|{FALL}T04:00:00|COMPLETED|1|gres/gpu:h100=8",
    ]
    (tmp_path / "jobs.psv").write_text("\n".join(lines))
    found = read_account(rows_of(tmp_path / "jobs.psv").whole(), BERLIN)
    assert [hours([job.submitted_s, job.started_s, job.ended_s]) for job in found.jobs] == [
        pytest.approx([5 / 6, 5 / 3, 13 / 6], abs=1e-5),
        pytest.approx([11 / 6, 7 / 3, 4.0], abs=1e-5),
    ]
    assert any("4 times are of those that come twice" in line for line in found.assumed)
