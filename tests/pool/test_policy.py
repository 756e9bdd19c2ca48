"""The policy gives each slot to the work that is worth most, and moves only when that pays."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.pool.claims import NotConcave
from tenfold.pool.policy import Claim, SlotPlace, allocate

WORKLOADS = ("rank", "serve", "train")


def places(count: int, loaded=WORKLOADS) -> list[SlotPlace]:
    return [SlotPlace(f"s{i}", "cpu", f"core{i // 2}", frozenset(loaded)) for i in range(count)]


def claim(workload: str, marginal, floor=0, ceiling=99, wake_s=0.0) -> Claim:
    return Claim(workload, tuple(marginal), floor, ceiling, frozenset({"cpu"}), wake_s)


def after(current, changes) -> dict[str, str | None]:
    return {**current, **{change.slot: change.target for change in changes}}


concave = st.lists(st.floats(1e-9, 1e-3), min_size=5, max_size=5).map(lambda xs: sorted(xs, reverse=True))


@given(
    marginals=st.tuples(concave, concave, concave),
    floors=st.tuples(*[st.integers(0, 1)] * 3),
    start=st.lists(st.sampled_from([None, *WORKLOADS]), min_size=4, max_size=4),
)
def test_free_moves_reach_the_best_total_value_of_all_allocations(marginals, floors, start):
    slots = places(4)
    current = {place.slot: holder for place, holder in zip(slots, start, strict=True)}
    claims = [claim(w, m, floor=f) for w, m, f in zip(WORKLOADS, marginals, floors, strict=True)]
    found = after(current, allocate(slots, claims, current, set(), 10.0))

    def value(counts) -> float:
        return sum(sum(m[:n]) for m, n in zip(marginals, counts, strict=True))

    counts = tuple(list(found.values()).count(w) for w in WORKLOADS)
    allowed = [
        c
        for c in itertools.product(range(5), repeat=3)
        if sum(c) == 4 and all(n >= f for n, f in zip(c, floors, strict=True))
    ]
    best = max(value(c) for c in allowed)
    # One slot changes hands at most once a tick; a second pass settles what the first could not reach.
    for _ in range(4):
        found = after(found, allocate(slots, claims, found, set(), 10.0))
    counts = tuple(list(found.values()).count(w) for w in WORKLOADS)
    assert value(counts) == pytest.approx(best, rel=1e-6, abs=1e-10)
    assert all(n >= f for n, f in zip(counts, floors, strict=True))


@given(
    marginals=st.tuples(concave, concave, concave),
    start=st.lists(st.sampled_from([None, *WORKLOADS]), min_size=4, max_size=4),
    moving=st.sets(st.sampled_from(["s0", "s1", "s2", "s3"])),
)
def test_a_slot_that_is_moving_does_not_change_and_none_changes_twice(marginals, start, moving):
    slots = places(4)
    current = {place.slot: holder for place, holder in zip(slots, start, strict=True)}
    claims = [claim(w, m) for w, m in zip(WORKLOADS, marginals, strict=True)]
    changes = allocate(slots, claims, current, moving, 5.0)
    changed = [change.slot for change in changes]
    assert not moving & set(changed)
    assert len(changed) == len(set(changed))
    assert all(change.source == current[change.slot] for change in changes)


def test_floor_is_met_before_any_value():
    slots = places(2)
    current = {"s0": "train", "s1": "train"}
    changes = allocate(slots, [claim("rank", [0, 0], floor=1), claim("train", [1.0, 1.0])], current, set(), dwell_s=5.0)
    assert [(c.source, c.target) for c in changes] == [("train", "rank")]
    assert "floor of 1" in changes[0].because


def test_move_that_does_not_repay_itself_within_the_dwell_is_not_made():
    slots, current = places(1), {"s0": "train"}
    gain = [claim("rank", [1.05e-6], wake_s=0.5), claim("train", [1.0e-6])]
    assert allocate(slots, gain, current, set(), dwell_s=3.0) == []
    assert len(allocate(slots, gain, current, set(), dwell_s=60.0)) == 1


def test_workload_is_spread_over_cores():
    slots = places(4)
    current = dict.fromkeys(("s0", "s1", "s2", "s3"), "train")
    claims = [claim("serve", [5.0, 5.0, 0, 0]), claim("train", [1.0] * 4)]
    found = after(current, allocate(slots, claims, current, set(), 5.0))
    serving = {slot for slot, holder in found.items() if holder == "serve"}
    assert len({int(slot[1]) // 2 for slot in serving}) == 2


def test_what_a_donor_keeps_is_spread_over_cores_too():
    slots = places(4)
    current = dict.fromkeys(("s0", "s1", "s2", "s3"), "train")
    claims = [claim("rank", [5.0, 0, 0, 0]), claim("serve", [4.0, 0, 0, 0]), claim("train", [1.0] * 4)]
    found = after(current, allocate(slots, claims, current, set(), 5.0))
    training = {slot for slot, holder in found.items() if holder == "train"}
    assert {int(slot[1]) // 2 for slot in training} == {0, 1}


def test_resident_that_is_not_loaded_gets_no_slot():
    slots = places(1, loaded=("train",))
    assert allocate(slots, [claim("serve", [9.0]), claim("train", [1.0])], {}, set(), 5.0)[0].target == "train"


def test_rising_marginal_value_is_refused_by_name():
    with pytest.raises(NotConcave, match="serve: slot 2 is worth 2 USD/s, more than slot 1"):
        allocate(places(2), [claim("serve", [1.0, 2.0])], {}, set(), 5.0)
