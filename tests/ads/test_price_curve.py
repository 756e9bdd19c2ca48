"""The curves say what any multiplier costs and brings, as counting one by one does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.ads.price_curve import PER_OCTAVE, Curves, at_multiplier, first_scale, highest_within

BIN = 2 ** (1 / PER_OCTAVE)


def some(seed, rows=400, campaigns=3, unit=1.0):
    rng = np.random.default_rng(seed)
    campaign_N = rng.integers(0, campaigns, rows)
    value_N = np.exp(rng.standard_normal(rows)) * 1e-3
    return campaign_N, value_N, unit * value_N * np.exp(rng.standard_normal(rows))


@given(st.integers(0, 1000), st.sampled_from([1e-6, 1.0, 1e9]))
def test_a_multiplier_costs_and_brings_what_counting_finds_to_a_bin(seed, unit):
    campaign_N, value_N, price_N = some(seed, unit=unit)
    scale_A = first_scale(campaign_N, value_N, price_N, 3)
    reached = Curves.of(campaign_N, value_N, price_N, scale_A).reached()
    multiplier_A = scale_A * np.array([0.5, 1.0, 2.0])
    cost_A = at_multiplier(reached.cost_AG, multiplier_A / scale_A)
    value_A = at_multiplier(reached.value_AG, multiplier_A / scale_A)
    for campaign in range(3):
        mine = campaign_N == campaign
        for found, of_N in ((cost_A, price_N), (value_A, value_N)):
            low, high = (
                of_N[mine & (price_N <= multiplier_A[campaign] * value_N * slack)].sum() for slack in (1 / BIN, BIN)
            )
            assert low * (1 - 1e-9) <= found[campaign] <= high * (1 + 1e-9)


@given(st.integers(0, 1000), st.floats(0.05, 2.0))
def test_the_highest_within_a_limit_costs_the_limit(seed, share):
    campaign_N, value_N, price_N = some(seed, rows=20_000)
    scale_A = first_scale(campaign_N, value_N, price_N, 3)
    reached = Curves.of(campaign_N, value_N, price_N, scale_A).reached()
    limit_A = share * reached.cost_AG[:, -1]
    found_A = highest_within(reached, reached.cost_AG, limit_A)
    cost_A = at_multiplier(reached.cost_AG, found_A)
    assert cost_A == pytest.approx(np.minimum(limit_A, reached.cost_AG[:, -1]), rel=0.05)


@pytest.mark.parametrize("price", [0.9, 1.0, 1.03])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_where_all_ask_the_same_bids_spread_by_a_bin_win_the_part_that_is_within(price, part):
    none_N = np.zeros(1000, dtype=int)
    reached = Curves.of(none_N, np.ones(1000), np.full(1000, price), np.ones(1)).reached()
    (found,) = highest_within(reached, reached.cost_AG, np.array([part * 1000 * price]))
    bid_N = found * 2.0 ** (np.random.default_rng(0).uniform(-0.5, 0.5, 20_000) / PER_OCTAVE)
    assert (bid_N >= price).mean() == pytest.approx(part, abs=0.02)


def test_it_is_within_the_last_crossing_where_a_sum_falls_before_it_rises():
    reached = Curves.none(np.ones(1))
    fallen_AG = np.concatenate((np.full(90, -1.0), np.linspace(-1.0, 9.2, 102)))[None, :]
    found_A = highest_within(reached, fallen_AG, np.array([2.0]))
    assert at_multiplier(fallen_AG, found_A) == pytest.approx(2.0, abs=0.06)


def test_nothing_seen_has_no_scale_and_free_opportunities_count_in_the_lowest_bin():
    none_A = first_scale(np.array([0]), np.array([0.1]), np.array([0.2]), 2)
    assert none_A[0] == pytest.approx(2.0)
    assert np.isnan(none_A[1])
    curves = Curves.of(np.array([0, 0]), np.array([0.5, 0.5]), np.array([0.0, 1e9]), np.array([1.0]))
    assert curves.value_AG[0, 0] == 0.5
    assert curves.cost_AG.sum() == 0.0
    assert curves.count_A.tolist() == [2.0]
