"""A forecast's interval holds what comes, and says what holds a campaign back."""

import numpy as np
import pytest

from tenfold.ads.forecast import forecast


def requests(seed, count=800):
    rng = np.random.default_rng(seed)
    chance_N = 0.01 * np.exp(0.5 * rng.standard_normal(count))
    return chance_N, 500 * np.exp(0.6 * rng.standard_normal(count))


def made(budget_micro=2e6, cap=np.inf, per_day=10_000, days=3, **more):
    chance_N, price_N = requests(0)
    return forecast(
        chance_N, price_N, chance_N, requests_per_day=per_day, days=days, budget_micro=budget_micro, cap=cap, **more
    )


def test_it_says_that_the_budget_holds_a_campaign_back_and_spends_it():
    found = made()
    assert found.holds == "budget"
    assert found.spend_micro.middle == pytest.approx(2e6)
    assert found.actions.low < found.actions.middle < found.actions.high
    assert found.says == ()


def test_it_warns_where_the_cap_lets_too_little_be_spent_and_refuses_where_it_lets_nothing():
    tight = made(budget_micro=50e6, cap=20_000)
    assert tight.holds == "cap"
    assert tight.feasible
    assert tight.spend_micro.high < 50e6
    assert "raise the cap" in tight.says[0]
    none = made(cap=100)
    assert not none.feasible
    assert "nothing costs so little" in none.says[0]


def test_it_warns_where_too_few_people_come():
    found = made(budget_micro=1e9)
    assert found.holds == "supply"
    assert "too few people come" in found.says[0]
    capped = made(budget_micro=5e6, most_impressions=1000)
    assert capped.holds == "supply"
    assert capped.impressions.high <= 1000


def test_it_says_nothing_where_nothing_is_known():
    chance_N, price_N = requests(0, count=10)
    known = {"requests_per_day": 10.0, "days": 1.0, "budget_micro": 1e6, "cap": np.inf}
    assert forecast(chance_N, price_N, chance_N, **known) is None


def test_nine_of_ten_intervals_hold_what_the_best_constant_comes_to():
    held = 0
    for trial in range(40):
        rng = np.random.default_rng(100 + trial)
        chance_N, price_N = requests(trial)
        found = forecast(
            chance_N, price_N, chance_N, requests_per_day=5000, days=1, budget_micro=5e5, cap=np.inf, seed=trial
        )
        count = int(5000 * np.exp(0.3 * rng.standard_normal()))
        real_N, asked_N = requests(1000 + trial, count)
        order_N = np.argsort(asked_N / real_N)
        won = real_N[order_N][np.cumsum(asked_N[order_N]) <= 5e5].sum() * 0.93 * np.exp(0.15 * rng.standard_normal())
        held += found.actions.low <= rng.poisson(won) <= found.actions.high
    assert held >= 32
