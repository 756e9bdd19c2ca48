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
    weak=st.lists(st.booleans(), min_size=SLOTS, max_size=SLOTS),
    patient=st.lists(st.booleans(), min_size=WORKLOADS, max_size=WORKLOADS),
)
def test_counts_are_reached_with_the_fewest_changes_if_all_slots_may_change(
    holder, wanted, movable, shares, weak, patient
):
    holder_N = np.array(holder)
    counts_W = np.bincount(wanted, minlength=WORKLOADS + 1)[:WORKLOADS]
    share_N = np.arange(SLOTS) % shares
    held_W = np.bincount(holder_N[holder_N != IDLE], minlength=WORKLOADS)
    weak_share, patient_W = np.array(weak)[:shares], np.array(patient)

    slots, takers = place(holder_N, counts_W, share_N, np.ones(SLOTS, dtype=bool), weak_share, patient_W)
    assert len(slots) == len(set(slots.tolist())) == np.maximum(counts_W - held_W, 0).sum()
    found_N = holder_N.copy()
    found_N[slots] = takers
    assert np.all(np.bincount(found_N[found_N != IDLE], minlength=WORKLOADS) >= np.minimum(held_W, counts_W))
    assert np.all(
        np.bincount(found_N[found_N != IDLE], minlength=WORKLOADS)[counts_W > held_W] == counts_W[counts_W > held_W]
    )

    slots, takers = place(holder_N, counts_W, share_N, np.array(movable), weak_share, patient_W)
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
        np.zeros(10, dtype=bool),
        np.ones(3, dtype=bool),
    )
    assert sorted(share_N[slots]) == list(range(10))
    assert all(len(set(share_N[slots[takers == receiver]])) == 5 for receiver in (1, 2))


SERVICE, TRAINING = 0, 1


def placed(holder, counts, weak_core):
    """Two slots a core; training is patient. Who holds each slot afterwards."""
    holder_N = np.array(holder)
    slots, takers = place(
        holder_N,
        np.array(counts),
        np.arange(len(holder_N)) // 2,
        np.ones(len(holder_N), dtype=bool),
        np.arange(len(holder_N) // 2) == weak_core,
        np.array([False, True]),
    )
    holder_N[slots] = takers
    return holder_N.tolist()


def test_a_service_goes_beside_itself_rather_than_to_a_core_that_another_program_uses():
    calm = placed([TRAINING, TRAINING, SERVICE, TRAINING], [2, 2], weak_core=None)
    assert calm == [SERVICE, TRAINING, SERVICE, TRAINING]
    disturbed = placed([TRAINING, TRAINING, SERVICE, TRAINING], [2, 2], weak_core=0)
    assert disturbed == [TRAINING, TRAINING, SERVICE, SERVICE]


def test_a_service_first_gives_up_what_lies_on_a_core_that_another_program_uses():
    assert placed([SERVICE, TRAINING, SERVICE, TRAINING], [1, 3], weak_core=0) == [
        TRAINING,
        TRAINING,
        SERVICE,
        TRAINING,
    ]
    assert placed([SERVICE, TRAINING, SERVICE, TRAINING], [1, 3], weak_core=1) == [
        SERVICE,
        TRAINING,
        TRAINING,
        TRAINING,
    ]
