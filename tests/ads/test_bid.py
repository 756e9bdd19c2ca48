"""No bid can break a budget or a cap, whatever prices follow."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tenfold.ads.bid import NO_CAP, bid

amount = st.floats(1e-6, 1e6)


@given(
    st.lists(st.tuples(amount, st.floats(0, 3)), min_size=1, max_size=60),
    st.floats(0.01, 100),
    st.floats(0.1, 10),
    st.floats(0, 1e4),
)
def test_whatever_is_charged_the_budget_and_the_cap_with_its_overdraft_hold(chances, multiplier, cap, budget):
    spent = won = 0.0
    for value, price_per_value in chances:
        overdraft = 0.05 * cap * won
        offered = float(bid(value, multiplier, cap, spent, won, budget - spent, overdraft))
        price = price_per_value * value * cap
        if price <= offered:
            spent, won = spent + price, won + value
    assert spent <= budget * (1 + 1e-9)
    assert spent <= 1.05 * cap * won * (1 + 1e-9)


def test_bids_are_value_times_multiplier_where_nothing_is_near_its_limit():
    value = np.array([0.01, 0.02])
    assert bid(value, 50.0, 100.0, 0.0, 0.0, 1e9, 0.0).tolist() == [0.5, 1.0]
    assert bid(value, 500.0, NO_CAP, 0.0, 0.0, 1e9, 0.0).tolist() == [5.0, 10.0]


def test_above_the_cap_it_spends_only_what_cheap_wins_have_spared():
    spent, won, cap = 4.0, 1.0, 10.0
    assert bid(1.0, 100.0, cap, spent, won, 1e9, 0.0) == 10.0 + 6.0
    overdrawn = bid(1.0, 100.0, cap, 12.0, 1.0, 1e9, 0.0)
    assert overdrawn == 10.0
