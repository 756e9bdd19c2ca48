"""A service is steered to the share of requests that it shall answer in time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.pool.budget import BURN, MOST_WORTH, Tally, generosity

HOUR_S = 3600.0
CHANCES_D = np.array([0.5, 0.5])


def tally(missed: float, hours: float = 24.0, asked: float = 1e6) -> Tally:
    return Tally(np.array([asked]), np.array([missed]), np.array([hours * HOUR_S]))


def test_before_anything_was_asked_and_without_a_target_the_price_decides():
    for found in (
        generosity(Tally.none(1), np.array([0.95])),
        generosity(tally(missed=9e5), np.array([np.nan])),
    ):
        assert found.share_W == [1.0]
        assert found.worth_W == [1.0]


def test_who_missed_too_much_is_worth_more_and_who_missed_little_leaves_a_share_to_others():
    over, under = (generosity(tally(missed), np.array([0.95])) for missed in (6e4, 4.5e4))
    assert over.share_W == [1.0]
    assert over.worth_W[0] > 2.0
    assert under.worth_W == [1.0]
    assert 1.0 - BURN * 0.05 < under.share_W[0] < 0.95


def test_a_single_burst_is_covered_by_the_reserve():
    # A minute of all requests is what a target of 99.9% may miss in 17 hours.
    exactly_spent = generosity(tally(missed=1e3), np.array([0.999]))
    assert exactly_spent.worth_W[0] > 10.0


@given(
    missed=st.floats(0, 1),
    hours=st.floats(0, 1e4),
    attains=st.one_of(st.floats(0.01, 1.0), st.just(np.nan)),
    more=st.floats(0, 1),
)
def test_bounds_hold_and_more_missed_never_means_less_provided(missed, hours, attains, more):
    less, most = (
        generosity(tally(1e6 * share, hours), np.array([attains])) for share in (missed, missed + more * (1 - missed))
    )
    for found in (less, most):
        assert max(0.0, 1.0 - BURN * (1.0 - attains)) - 1e-5 <= found.share_W[0] <= 1.0 or np.isnan(attains)
        assert 1.0 <= found.worth_W[0] <= MOST_WORTH * (1 + 1e-9)
    assert most.share_W[0] >= less.share_W[0]
    assert most.worth_W[0] >= less.worth_W[0] * (1 - 1e-9)


def test_what_is_left_out_is_worth_next_to_nothing():
    needs_WD = np.array([[8.0, 10.0]])
    full, half = generosity(tally(5e4), np.array([0.95])), generosity(tally(0.0), np.array([0.95]))
    assert full.provided(needs_WD, CHANCES_D)[0] is needs_WD
    needs, chances = half.provided(needs_WD, CHANCES_D)
    assert needs[0] == pytest.approx([6.4, 8.0, 8.0, 10.0])
    assert chances.sum() == pytest.approx(1.0)
    assert chances[2:].sum() == pytest.approx(0.01)


def test_old_requests_fade():
    found = Tally.none(1).after(np.array([100.0]), np.array([10.0]), HOUR_S)
    week = found.after(np.zeros(1), np.zeros(1), 7 * 24 * HOUR_S)
    assert week.asked_W[0] == pytest.approx(100.0 / np.e)
    assert week.missed_W[0] / week.asked_W[0] == pytest.approx(0.1)


def test_services_of_a_group_share_what_they_missed():
    seconds_W = HOUR_S * np.array([1.0, 3.0, 2.0])
    found = Tally(np.array([100.0, 300.0, 50.0]), np.array([40.0, 0.0, 1.0]), seconds_W).shared(np.array([0, 0, 1]))
    assert found.seconds_W == pytest.approx(HOUR_S * np.array([3.0, 3.0, 2.0]))
    assert found.attained_W == pytest.approx([0.9, 0.9, 0.98])


def test_who_is_asked_late_is_steered_as_gently_as_from_the_start():
    quiet = Tally.none(2).after(np.array([0.0, 100.0]), np.zeros(2), 100 * HOUR_S)
    late = quiet.after(np.array([10.0, 10.0]), np.array([10.0, 0.0]), 120.0)
    found = generosity(late, np.array([0.95, 0.95]))
    first = generosity(Tally.none(1).after(np.array([10.0]), np.array([10.0]), 120.0), np.array([0.95]))
    assert found.worth_W[0] == pytest.approx(first.worth_W[0])
    assert found.worth_W[0] < 1.5
