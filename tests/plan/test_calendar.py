"""Periods are what their labels say; months are rounded up to whole periods."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.plan.calendar import Calendar, NotAPeriod


@given(st.integers(2000, 2060), st.sampled_from(["", "H1", "H2", "Q1", "Q3", "Q4"]), st.integers(0, 80))
def test_label_and_index_are_inverse(year, part, period):
    calendar = Calendar(f"{year}{part}", 81)
    assert calendar.index(calendar.label(period)) == period
    assert calendar.year(period) == int(calendar.label(period)[:4])


def test_half_years_quarters_and_years():
    assert Calendar("2026H2", 4).labels() == ("2026H2", "2027H1", "2027H2", "2028H1")
    assert Calendar("2026Q4", 3).labels() == ("2026Q4", "2027Q1", "2027Q2")
    assert Calendar("2026", 2).labels() == ("2026", "2027")
    assert [Calendar(label, 1).months for label in ("2026H1", "2026Q1", "2026")] == [6, 3, 12]


def test_what_is_ready_within_a_period_counts_from_the_next():
    calendar = Calendar("2026H1", 4)
    assert [calendar.periods(months) for months in (0, 0.1, 6, 6.1, 18)] == [0, 1, 1, 2, 3]


@pytest.mark.parametrize("label", ["2026H3", "2026Q5", "26H1", "2026-H1", "H1"])
def test_label_of_no_period_is_refused(label):
    with pytest.raises(NotAPeriod, match="is not a period"):
        Calendar("2026H1", 4).index(label)


def test_label_of_another_length_is_refused():
    with pytest.raises(NotAPeriod, match="whose periods look like '2026H1'"):
        Calendar("2026H1", 4).index("2026Q1")
