"""Slots go where they are worth most, and move only where that pays."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.policy.claims import Claims, NotConcave
from tenfold.policy.fill import fill

WORKLOADS = 3
SLOTS = 4


def claims(marginals, *, floor=0, ceiling=99, least=1, held=0, join_cost=0.0, resize_cost=0.0) -> Claims:
    """Claims with one run per slot; other settings are one for all, or one each."""
    count = len(marginals)

    def each(setting, kind) -> np.ndarray:
        return np.broadcast_to(np.asarray(setting, dtype=kind), (count,)).copy()

    return Claims(
        names=tuple(f"w{i}" for i in range(count)),
        owner_R=np.repeat(np.arange(count), [len(m) for m in marginals]),
        usd_R=np.concatenate([np.asarray(m, dtype=float) for m in marginals]),
        slots_R=np.ones(sum(len(m) for m in marginals), dtype=int),
        floor_W=each(floor, int),
        ceiling_W=each(ceiling, int),
        least_W=each(least, int),
        held_W=each(held, int),
        join_cost_W=each(join_cost, float),
        resize_cost_W=each(resize_cost, float),
    )


concave = st.lists(st.floats(1e-9, 1e-3), min_size=SLOTS, max_size=SLOTS).map(lambda xs: sorted(xs, reverse=True))
curves = st.tuples(*[concave] * WORKLOADS)
few = st.tuples(*[st.integers(0, 1)] * WORKLOADS)
some = st.tuples(*[st.integers(0, SLOTS)] * WORKLOADS)


def allocations():
    return (c for c in itertools.product(range(SLOTS + 1), repeat=WORKLOADS) if sum(c) <= SLOTS)


@given(marginals=curves, floors=few, ceilings=some, held=few, join_costs=st.tuples(*[st.floats(0, 1)] * WORKLOADS))
def test_filling_reaches_the_best_value_net_of_moves_of_all_allocations(marginals, floors, ceilings, held, join_costs):
    ceilings = tuple(map(max, ceilings, floors))
    found = fill(claims(marginals, floor=floors, ceiling=ceilings, held=held, join_cost=join_costs), SLOTS)

    def net(counts) -> float:
        """A slot that joins earns less by its join cost."""
        return sum(
            usd * (1.0 if slot < has else 1.0 - join_cost)
            for marginal, n, has, join_cost in zip(marginals, counts, held, join_costs, strict=True)
            for slot, usd in enumerate(marginal[:n])
        )

    allowed = [
        c for c in allocations() if all(low <= n <= high for low, n, high in zip(floors, c, ceilings, strict=True))
    ]
    assert sum(found) <= SLOTS
    assert net(found) == pytest.approx(max(net(c) for c in allowed), rel=1e-6)
    assert all(low <= n <= high for low, n, high in zip(floors, found, ceilings, strict=True))


@given(marginals=curves, least=some, held=some, floors=few, resize_cost=st.floats(0, 2))
def test_a_gang_has_what_it_needs_or_nothing_and_nothing_is_given_twice(marginals, least, held, floors, resize_cost):
    found = fill(claims(marginals, least=least, held=held, floor=0, resize_cost=resize_cost), SLOTS)
    assert sum(found) <= SLOTS
    assert all(n == 0 or n >= need for n, need in zip(found, least, strict=True))


def test_floors_are_met_before_any_value_in_the_order_of_claims():
    assert fill(claims([[0.0], [5.0] * 4, [0.0]], floor=(1, 0, 1)), 4).tolist() == [1, 2, 1]
    assert fill(claims([[0.0], [5.0] * 4, [0.0]], floor=(1, 0, 1)), 1).tolist() == [1, 0, 0]


def test_a_slot_moves_only_if_it_repays_its_toll():
    assert fill(claims([[1.05], [1.0]], held=(0, 1), join_cost=0.1), 1).tolist() == [0, 1]
    assert fill(claims([[1.05], [1.0]], held=(0, 1), join_cost=0.01), 1).tolist() == [1, 0]


def test_at_a_toll_of_all_it_earns_only_floors_move():
    assert fill(claims([[9.0], [1.0, 1.0]], held=(0, 2), join_cost=1.0), 2).tolist() == [0, 2]
    assert fill(claims([[9.0], [1.0, 1.0]], held=(0, 2), floor=(1, 0), join_cost=1.0), 2).tolist() == [1, 1]


def test_a_slot_worth_nothing_to_anybody_stays_where_it_is():
    assert fill(claims([[0.0, 0.0], []], held=(1, 1)), 3).tolist() == [1, 1]


def test_a_large_gang_that_does_not_fit_leaves_its_slots_to_others():
    asked = claims([[1.0] * 8, [1.0] * 8, [0.5] * 8], least=(8, 6, 1), held=(8, 0, 0))
    assert fill(asked, 12).tolist() == [8, 0, 4]


def test_a_gang_that_must_shrink_below_its_least_is_suspended_and_others_grow():
    asked = claims([[9.0] * 5, [1.0] * 8, [0.5] * 8], least=(1, 6, 1), held=(2, 8, 0))
    assert fill(asked, 10).tolist() == [5, 0, 5]


def test_a_job_does_not_stand_still_for_few_slots():
    """Eleven slots would each wait for half of the time that the one more works."""
    assert fill(claims([[1.0] * 11], held=10, resize_cost=0.5), 11).tolist() == [10]
    assert fill(claims([[1.0] * 11], held=10, resize_cost=0.05), 11).tolist() == [11]


def test_rising_marginal_value_is_refused_by_name():
    with pytest.raises(NotConcave, match="w1: slot 2 is worth 2 USD/s, more than slot 1"):
        fill(claims([[3.0], [1.0, 2.0]]), 2)


def test_a_floor_is_met_however_long_that_makes_a_job_stand_still():
    assert fill(claims([[1.0] * 8, [0.5] * 8], floor=[0, 4], held=[6, 2], resize_cost=[0.0, 1.0]), 8).tolist() == [4, 4]
