"""A plan spends the budget over the day, within the cap, learns from the days before, and knows no units."""

import numpy as np
import pytest

from tenfold.ads.bid import bid
from tenfold.ads.pacing import OVERDRAFT, Pacer
from tenfold.ads.price_curve import BINS, Curves, first_scale

TICKS = 12


def a_day(rng, rate=60, dear=1.0):
    """One campaign's opportunities, tick by tick: values and prices."""
    ticks = []
    for tick in range(TICKS):
        count = rng.poisson(rate * (1 + 0.5 * np.sin(tick)))
        value_N = 1e-3 * np.exp(0.8 * rng.standard_normal(count))
        ticks.append((value_N, dear * value_N * np.exp(0.7 * rng.standard_normal(count))))
    return ticks


def run(pacer, day, unit=1.0):
    """Bid through a day; gives what was spent and won."""
    spent = won = 0.0
    for value_N, plain_N in day:
        price_N = unit * plain_N
        plan = pacer.plan(np.array([spent]), np.array([won]))
        for value, price in zip(value_N, price_N, strict=True):
            left = pacer.budget_A[0] - spent
            if price <= bid(value, plan.multiplier_A[0], pacer.cap_A[0], spent, won, left, plan.overdraft_A[0]):
                spent, won = spent + price, won + value
        pacer.observe(Curves.of(np.zeros(len(value_N), int), value_N, price_N, pacer.scale_A))
    return spent, won


def best(day, budget, cap):
    value_N, price_N = (np.concatenate(each) for each in zip(*day, strict=True))
    order_N = np.argsort(price_N / value_N)
    cost_N, won_N = np.cumsum(price_N[order_N]), np.cumsum(value_N[order_N])
    return won_N[(cost_N <= budget) & (cost_N <= cap * won_N)].max(initial=0.0)


@pytest.fixture
def days():
    rng = np.random.default_rng(3)
    return [a_day(rng) for _ in range(4)]


def made(days, budget, cap, unit=1.0):
    value_N, price_N = (np.concatenate(each) for each in zip(*days[0], strict=True))
    scale_A = first_scale(np.zeros(len(value_N), int), value_N, unit * price_N, 1)
    return Pacer(np.array([budget * unit]), np.array([cap * unit]), scale_A, TICKS)


@pytest.mark.parametrize(("budget", "cap"), [(0.1, np.inf), (10.0, 0.8), (0.15, 0.7)])
def test_on_days_alike_it_wins_nearly_what_hindsight_would(days, budget, cap):
    pacer = made(days, budget, cap)
    run(pacer, days[0])
    for day in days[1:]:
        spent, won = run(pacer, day)
        assert spent <= budget
        assert spent <= (1 + OVERDRAFT) * min(cap, 1e9) * won
        assert won >= 0.93 * best(day, budget, cap)


def test_prices_that_double_break_neither_budget_nor_cap():
    rng = np.random.default_rng(5)
    calm, wild = a_day(rng), a_day(rng, dear=2.0)
    pacer = made([calm], 10.0, 0.8)
    run(pacer, calm)
    spent, won = run(pacer, wild)
    assert 0 < spent <= (1 + OVERDRAFT) * 0.8 * won


def test_other_units_change_no_decision(days):
    plain, other = made(days, 0.1, 0.8), made(days, 0.1, 0.8, unit=1e6)
    for day in days[:2]:
        assert run(other, day, unit=1e6)[1] == pytest.approx(run(plain, day)[1])


def test_the_first_day_begins_carefully_and_learns_within_it(days):
    pacer = made(days, 0.1, np.inf)
    spent, _ = run(pacer, days[0])
    assert 0.5 * 0.1 < spent <= 0.1


def test_a_campaign_without_opportunities_bids_finite_amounts():
    pacer = Pacer(np.array([1.0, 1.0]), np.array([1.0, np.inf]), np.ones(2), 2)
    for _ in range(5):
        plan = pacer.plan(np.zeros(2), np.zeros(2))
        assert np.isfinite(plan.multiplier_A).all()
        pacer.observe(Curves.none(np.ones(2)))


def test_more_traffic_than_on_the_day_before_is_taken_to_last_in_part():
    def seen(count):
        return Curves(np.zeros((1, BINS)), np.zeros((1, BINS)), np.array([float(count)]), np.ones(1))

    pacer = Pacer(np.ones(1), np.ones(1), np.ones(1), 10)
    for _ in range(10):
        pacer.observe(seen(100))
    counts = []
    for _ in range(9):
        pacer.observe(seen(200))
        counts.append(pacer._rests()[0].count_A[0] / (100 * (10 - pacer.tick)))
    assert all(1.0 < count < 2.0 for count in counts)
    assert counts[-1] > counts[0]


def test_a_day_on_which_nothing_came_is_no_reason_to_bid_more(days):
    plain, other = made(days, 0.1, np.inf), made(days, 0.1, np.inf)
    for _ in range(TICKS):
        other.observe(Curves.none(other.scale_A))
    for pacer in (plain, other):
        run(pacer, days[0])
    plans = [pacer.plan(np.zeros(1), np.zeros(1)).multiplier_A for pacer in (plain, other)]
    assert plans[0] == pytest.approx(plans[1])
