"""What a slot is worth to a service follows from how often it is used."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.policy.value import MOST_RUNS, service_runs, sustainable_utilisation, yielding_runs


def marginals(needs, usd=1.0) -> np.ndarray:
    _, usd_R, slots_R = service_runs(np.sort(np.array([needs])), np.full(len(needs), 1 / len(needs)), np.array([usd]))
    return np.repeat(usd_R, slots_R)


@given(needs=st.lists(st.floats(0, 50), min_size=1, max_size=9), usd=st.floats(1e-9, 1))
def test_value_of_a_service_is_what_its_slots_are_used_for_and_concave(needs, usd):
    found = marginals(needs, usd)
    expected = [usd * np.clip(np.array(needs) - slot, 0, 1).mean() for slot in range(math.ceil(max(needs)))]
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert np.all(found[:-1] >= found[1:] * (1 - 1e-9))


def test_a_slot_that_is_seldom_needed_is_worth_its_part_of_the_time():
    assert marginals([1.0] * 9 + [2.0], usd=10.0) == pytest.approx((10.0, 1.0))


def test_runs_of_several_services_keep_their_order():
    needs_SD = np.array([[1.0, 2.0], [0.0, 0.0], [3.0, 3.0]])
    owner_R, usd_R, slots_R = service_runs(needs_SD, np.array([0.5, 0.5]), np.array([1.0, 1.0, 2.0]))
    used = slots_R > 0
    assert owner_R[used].tolist() == [0, 0, 2]
    assert usd_R[used] == pytest.approx((1.0, 0.5, 2.0))
    assert slots_R[used].tolist() == [1, 1, 3]


@given(
    needs=st.lists(st.floats(0, 50), min_size=3, max_size=9), kept=st.integers(0, 60), most=st.floats(0, 2, width=16)
)
def test_of_slots_that_are_not_kept_none_is_worth_more_than_the_most(needs, kept, most):
    needs_SD = np.sort(np.array([needs, needs[::-1]]))
    runs = service_runs(needs_SD, np.full(len(needs), 1 / len(needs)), np.array([1.0, 1.0]))
    owner_R, usd_R, slots_R = yielding_runs(runs, np.array([kept, np.inf]), np.array([most, most]))
    full = marginals(needs)
    assert np.repeat(usd_R, slots_R)[np.repeat(owner_R, slots_R) == 1] == pytest.approx(full)
    yielding = np.where(np.arange(len(full)) < kept, full, np.minimum(full, most))
    assert np.repeat(usd_R, slots_R)[np.repeat(owner_R, slots_R) == 0] == pytest.approx(yielding)


def test_a_very_uncertain_service_has_few_runs_that_sell_as_much():
    needs = np.linspace(0.0, 100_000.0, 33)
    owner_R, usd_R, slots_R = service_runs(needs[None, :], np.full(33, 1 / 33), np.array([1.0]))
    assert len(owner_R) <= MOST_RUNS + 1
    assert usd_R @ slots_R == pytest.approx(needs.mean(), rel=1e-3)
    assert np.all(np.diff(usd_R) <= 1e-12)


def test_short_requests_may_fill_a_slot_and_long_ones_leave_room_to_queue():
    assert sustainable_utilisation(request_s=0.001, target_s=1.0) == 0.9
    assert sustainable_utilisation(request_s=0.05, target_s=1.0) == pytest.approx(1 - 0.05 * math.log(100))
    assert sustainable_utilisation(request_s=1.0, target_s=1.0) == 0.7
    assert sustainable_utilisation(request_s=1.0, target_s=None) == 0.7


@pytest.mark.parametrize("utilisation", [0.72, 0.8, 0.88])
def test_at_the_sustainable_utilisation_about_one_request_in_a_hundred_is_late(utilisation):
    """Lindley's recursion of the queue that the formula is for, with the target that gives this utilisation."""
    request_s = 0.01
    target_s = request_s * math.log(100) / (1 - utilisation)
    assert sustainable_utilisation(request_s=request_s, target_s=target_s) == pytest.approx(utilisation)
    random = np.random.default_rng(0)
    gaps_s = random.exponential(request_s / utilisation, 1_000_000)
    works_s = random.exponential(request_s, 1_000_000)
    steps_s = np.concatenate(([0.0], np.cumsum(works_s[:-1] - gaps_s[1:])))
    responses_s = steps_s - np.minimum.accumulate(steps_s) + works_s
    assert np.mean(responses_s > target_s) == pytest.approx(0.01, rel=0.25)
