"""Counts become changes of slots: no more than needed, none twice, spread over shares."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tenfold.policy.placement import IDLE, place

SLOTS, WORKLOADS = 12, 4


@given(
    holder=st.lists(st.integers(-1, WORKLOADS - 1), min_size=SLOTS, max_size=SLOTS),
    wanted=st.lists(st.integers(0, WORKLOADS), min_size=SLOTS, max_size=SLOTS),
    movable=st.lists(st.booleans(), min_size=SLOTS, max_size=SLOTS),
    shares=st.integers(1, SLOTS),
)
def test_counts_are_reached_with_the_fewest_changes_if_all_slots_may_change(holder, wanted, movable, shares):
    holder_N = np.array(holder)
    counts_W = np.bincount(wanted, minlength=WORKLOADS + 1)[:WORKLOADS]
    share_N = np.arange(SLOTS) % shares
    held_W = np.bincount(holder_N[holder_N != IDLE], minlength=WORKLOADS)

    slots, takers = place(holder_N, counts_W, share_N, np.ones(SLOTS, dtype=bool))
    assert len(slots) == len(set(slots.tolist())) == np.maximum(counts_W - held_W, 0).sum()
    found_N = holder_N.copy()
    found_N[slots] = takers
    assert np.all(np.bincount(found_N[found_N != IDLE], minlength=WORKLOADS) >= np.minimum(held_W, counts_W))
    assert np.all(
        np.bincount(found_N[found_N != IDLE], minlength=WORKLOADS)[counts_W > held_W] == counts_W[counts_W > held_W]
    )

    slots, takers = place(holder_N, counts_W, share_N, np.array(movable))
    assert np.all(np.array(movable)[slots])
    assert np.all(holder_N[slots] != takers)


def test_a_donor_keeps_its_slots_spread_and_receivers_are_spread():
    """Forty slots, four to a host, all of one donor: it gives ten, and no host loses more than one."""
    share_N = np.arange(40) // 4
    slots, takers = place(
        np.zeros(40, dtype=np.int64),
        np.array([30, 5, 5]),
        share_N,
        np.ones(40, dtype=bool),
    )
    assert sorted(share_N[slots]) == list(range(10))
    assert all(len(set(share_N[slots[takers == receiver]])) == 5 for receiver in (1, 2))
