"""A service is steered to the share of requests that it shall answer in time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.policy.budget import BURN, LEAST_USE, MOST_WORTH, YIELD_S, Tally, generosity, most_worth

HOUR_S = 3600.0
CHANCES_D = np.array([0.5, 0.5])


def tally(missed: float, hours: float = 24.0, asked: float = 1e6) -> Tally:
    return Tally(np.array([asked]), np.array([missed]), np.array([missed]), np.array([hours * HOUR_S]))


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


def test_a_service_yields_as_far_as_its_unspent_budget_would_cover_what_it_misses_then():
    spent, some, enough = (generosity(tally(missed), np.array([0.95])).yields_W[0] for missed in (5e4, 4.75e4, 2.5e4))
    assert spent == 0.0
    # 5% of a day less 60 s kept for a burst, of which 95% are spent: 156 s of all requests are left.
    assert some == pytest.approx((0.0025 * 24 * HOUR_S - 60.0) / YIELD_S)
    assert enough == 1.0
    assert generosity(tally(0.0), np.array([np.nan])).yields_W == [0.0]


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
    missed_W = np.array([40.0, 0.0, 1.0])
    found = Tally(np.array([100.0, 300.0, 50.0]), missed_W, missed_W / 2, seconds_W).shared(np.array([0, 0, 1]))
    assert found.owed_share_W == pytest.approx([0.05, 0.05, 0.01])
    assert found.seconds_W == pytest.approx(HOUR_S * np.array([3.0, 3.0, 2.0]))
    assert found.attained_W == pytest.approx([0.9, 0.9, 0.98])


def test_who_is_asked_late_is_steered_as_gently_as_from_the_start():
    quiet = Tally.none(2).after(np.array([0.0, 100.0]), np.zeros(2), 100 * HOUR_S)
    late = quiet.after(np.array([10.0, 10.0]), np.array([10.0, 0.0]), 120.0)
    found = generosity(late, np.array([0.95, 0.95]))
    first = generosity(Tally.none(1).after(np.array([10.0]), np.array([10.0]), 120.0), np.array([0.95]))
    assert found.worth_W[0] == pytest.approx(first.worth_W[0])
    assert found.worth_W[0] < 1.5


@given(
    asked=st.floats(1, 1e6),
    missed=st.floats(0, 1),
    unpreventable=st.floats(-1e6, 2e6),
    attains=st.floats(0.5, 0.9999),
    seconds=st.floats(0.5, 1e6),
)
def test_what_no_slots_could_have_answered_is_not_owed(asked, missed, unpreventable, attains, seconds):
    missed *= asked
    found = Tally.none(1).after(np.array([asked]), np.array([missed]), seconds, np.array([unpreventable]))
    assert found.missed_W == pytest.approx([missed])
    assert found.owed_W == pytest.approx([max(0.0, missed - max(0.0, unpreventable))])
    spared = generosity(Tally.none(1).after(np.array([asked]), np.zeros(1), seconds), np.array([attains]))
    if unpreventable >= missed:
        assert generosity(found, np.array([attains])).worth_W == pytest.approx(spared.worth_W)
        assert generosity(found, np.array([attains])).share_W == pytest.approx(spared.share_W)


def test_a_burst_that_nothing_could_have_answered_changes_no_price():
    calm = Tally.none(1).after(np.array([86_400.0]), np.array([20.0]), 86_400.0)
    burst = calm.after(np.array([5_000.0]), np.array([4_000.0]), 300.0, np.array([4_000.0]))
    before, after = (generosity(found, np.array([0.999])) for found in (calm, burst))
    assert after.worth_W == pytest.approx(before.worth_W, rel=0.02)
    assert after.share_W == pytest.approx(before.share_W, rel=0.02)
    assert burst.attained_W < 0.96


@given(rival=st.floats(1e-9, 1e3), slot=st.floats(1e-9, 1e3), missed=st.floats(0, 1), use=st.floats(0, LEAST_USE))
def test_worth_does_not_rise_where_the_next_slot_would_answer_next_to_nothing(rival, slot, missed, use):
    most = most_worth(rival, np.array([slot]))
    found = generosity(tally(1e6 * missed), np.array([0.999]), most)
    assert 1.0 <= found.worth_W[0] <= MOST_WORTH * (1 + 1e-9)
    # A slot in use so rarely does not outbid other work, unless its price alone does.
    assert found.worth_W[0] * slot * use <= max(rival, slot * use) * (1 + 1e-9)


def test_a_target_out_of_reach_is_told_and_costs_what_it_costs_to_come_close():
    most = most_worth(1.0, np.array([8.0]))
    far, close = (generosity(tally(3e5), np.array([target]), most) for target in (0.9999, 0.95))
    assert far.stretched_W == close.stretched_W == [True]
    assert far.worth_W == pytest.approx(most)
    assert close.worth_W == pytest.approx(most)
    assert generosity(tally(100.0), np.array([0.999]), most).stretched_W == [False]


def test_where_nothing_else_wants_slots_answers_are_worth_the_most():
    assert most_worth(0.0, np.array([8.0])) == [MOST_WORTH]
