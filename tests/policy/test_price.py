"""The price of a unit follows what products earned, with an interval that says how well it is known."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.policy.price import BIN_S, LEAST_SHARE, Evidence, price

HOUR_S = 3600.0


def told(reports: list[tuple[float, float, float]], memory_s: float = HOUR_S) -> Evidence:
    """Evidence of reports: seconds, units, USD."""
    evidence = Evidence()
    for at, units, usd in reports:
        evidence = evidence.plus(at, units, usd, memory_s)
    return evidence


def world(true_usd: float, noise: float, seconds: float, seed: int, *, per_s: float = 5.0, began: float = 1e9):
    """Reports every 5 s of a product whose units earn ``true_usd`` each, give or take ``noise``."""
    draw = random.Random(seed)
    for turn in range(int(seconds / 5)):
        units = draw.randint(0, int(10 * per_s))
        yield began + 5 * turn, units, draw.gauss(true_usd * units, noise * math.sqrt(units))


def test_without_evidence_the_price_is_the_configured_one():
    found = price(2e-6, Evidence())
    assert found.usd == found.mean_usd == pytest.approx(2e-6)
    assert found.low_usd < 2e-6 < found.high_usd


@pytest.mark.parametrize("wrong_by", [1 / 3, 1.0, 3.0])
def test_a_configured_price_that_is_wrong_gives_way_to_what_was_earned(wrong_by):
    found = price(1e-6 * wrong_by, told(list(world(1e-6, 3e-6, 1800, seed=1))))
    assert found.usd == pytest.approx(1e-6, rel=0.1)
    assert found.low_usd < 1e-6 < found.high_usd


def test_the_interval_holds_the_truth_as_often_as_it_says():
    """Over draws of the truth from the prior, 90% of intervals hold it; noise ten times the price."""
    draw, held, rounds = random.Random(3), 0, 300
    for seed in range(rounds):
        truth = draw.gauss(1e-6, 1e-6)
        found = price(1e-6, told(list(world(truth, 1e-5, 900, seed))))
        held += found.low_usd <= truth <= found.high_usd
    # Discounting makes it wider than needed, never narrower.
    assert held / rounds >= 0.87


def test_noisy_evidence_moves_the_price_less_and_the_interval_says_so():
    quiet, loud = (price(1e-6, told(list(world(3e-6, noise, 300, seed=2)))) for noise in (1e-6, 3e-4))
    assert quiet.usd == pytest.approx(3e-6, rel=0.1)
    assert loud.high_usd - loud.low_usd > 2 * (quiet.high_usd - quiet.low_usd)
    assert abs(loud.usd - 1e-6) < 2e-6


def test_it_follows_a_change_within_a_few_memories_and_goes_back_to_the_configured_price_without_news():
    memory_s = 60.0
    before = list(world(1e-6, 1e-6, 300, 4, per_s=50, began=0.0))
    after = list(world(4e-6, 1e-6, 300, 4, per_s=50, began=300.0))
    evidence = told(before, memory_s)
    assert price(1e-6, evidence).usd == pytest.approx(1e-6, rel=0.15)
    halfway = told([*before, *after[:12]], memory_s)
    assert 2e-6 < price(1e-6, halfway).usd < 4e-6, "most of the way after one memory"
    evidence = told([*before, *after], memory_s)
    assert price(1e-6, evidence).usd == pytest.approx(4e-6, rel=0.1)
    stale = price(1e-6, evidence.after(600.0 + 20 * memory_s, memory_s))
    assert stale.usd == pytest.approx(1e-6, rel=0.05)


def test_work_that_earns_less_than_the_fallback_keeps_a_little_worth_so_that_it_is_measured_on():
    found = price(1e-6, told(list(world(-2e-6, 1e-6, 1800, seed=5))))
    assert found.mean_usd < 0 and found.high_usd < 0
    assert found.usd == LEAST_SHARE * 1e-6


def test_earnings_that_come_after_their_units_count_with_the_next_bin():
    late = told([(0.0, 100, 0.0), (BIN_S, 0, 0.0), (BIN_S + 1, 0, 5e-4), (BIN_S + 2, 10, 0.0), (3 * BIN_S, 10, 0.0)])
    found = price(1e-6, late)
    assert math.isfinite(found.usd) and found.earned_usd == pytest.approx(5e-4, rel=0.02)


reports = st.lists(
    st.tuples(st.floats(0, 100), st.floats(0, 1e6), st.floats(-1e3, 1e3)),
    max_size=30,
)


@given(reports, st.floats(1e-9, 1.0), st.floats(1.0, 1e5))
def test_whatever_is_told_the_price_is_finite_and_inside_its_interval(gaps, configured, memory_s):
    at, evidence = 1e9, Evidence()
    for gap, units, usd in gaps:
        at += gap
        evidence = evidence.plus(at, units, usd, memory_s)
    found = price(configured, evidence)
    assert all(map(math.isfinite, (found.usd, found.low_usd, found.high_usd)))
    assert found.low_usd <= found.mean_usd <= found.high_usd
    assert found.usd >= LEAST_SHARE * configured


@given(reports)
def test_without_fading_sums_are_whole(gaps):
    at, evidence = 1e9, Evidence()
    for gap, units, usd in gaps:
        at += gap
        evidence = evidence.plus(at, units, usd, 1e30)
    found = price(1.0, evidence)
    assert found.units == pytest.approx(sum(units for _, units, _ in gaps), rel=1e-9)
    assert found.earned_usd == pytest.approx(sum(usd for _, _, usd in gaps), abs=1e-6)
