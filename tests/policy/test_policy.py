"""The policy gives each slot to the work that is worth most, and moves only when that pays."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.policy.claims import Claims, NotConcave
from tenfold.policy.policy import SlotPlace, allocate

WORKLOADS = ("rank", "serve", "train")


def places(count: int, suits=WORKLOADS) -> list[SlotPlace]:
    return [SlotPlace(f"s{i}", f"core{i // 2}", frozenset(suits)) for i in range(count)]


def claims(**marginals) -> Claims:
    """Claims by workload; a tuple is ``(marginal values, floor, join_cost)``."""
    full = [entry if isinstance(entry, tuple) else (entry, 0, 0.0) for entry in marginals.values()]
    count = len(full)
    return Claims(
        names=tuple(marginals),
        owner_R=np.repeat(np.arange(count), [len(values) for values, _, _ in full]),
        usd_R=np.concatenate([np.asarray(values, dtype=float) for values, _, _ in full]),
        slots_R=np.ones(sum(len(values) for values, _, _ in full), dtype=np.int64),
        floor_W=np.array([floor for _, floor, _ in full]),
        ceiling_W=np.full(count, 99),
        least_W=np.ones(count, dtype=np.int64),
        held_W=np.zeros(count, dtype=np.int64),
        join_cost_W=np.array([join_cost for _, _, join_cost in full]),
        resize_cost_W=np.zeros(count),
    )


def after(current, changes) -> dict[str, str | None]:
    return {**current, **{change.slot: change.receiver for change in changes}}


values = st.one_of(st.just(0.0), st.floats(1e-9, 1e-3))
concave = st.lists(values, min_size=5, max_size=5).map(lambda xs: sorted(xs, reverse=True))
holders = st.lists(st.sampled_from([None, *WORKLOADS]), min_size=4, max_size=4)


@given(
    marginals=st.tuples(concave, concave, concave),
    start=holders,
    moving=st.sets(st.sampled_from(["s0", "s1", "s2", "s3"])),
)
def test_a_slot_that_is_moving_does_not_change_and_none_changes_twice(marginals, start, moving):
    slots = places(4)
    current = {place.slot: holder for place, holder in zip(slots, start, strict=True)}
    changes = allocate(slots, claims(**dict(zip(WORKLOADS, marginals, strict=True))), current, moving)
    changed = [change.slot for change in changes]
    assert not moving & set(changed)
    assert len(changed) == len(set(changed))
    assert all(change.donor == current[change.slot] for change in changes)


@given(marginals=st.tuples(concave, concave, concave), start=holders)
def test_what_moves_raises_the_total_value_by_the_sum_of_its_prices(marginals, start):
    slots = places(4)
    current = {place.slot: holder for place, holder in zip(slots, start, strict=True)}
    values = dict(zip(WORKLOADS, marginals, strict=True))

    def total(allocation) -> float:
        return sum(sum(values[w][: list(allocation.values()).count(w)]) for w in WORKLOADS)

    changes = allocate(slots, claims(**values), current, set())
    found = after(current, changes)
    assert total(found) - total(current) == pytest.approx(sum(c.gain_usd_per_s for c in changes), abs=1e-12)
    assert allocate(slots, claims(**values), found, set()) == []


def test_floor_is_met_before_any_value():
    current = {"s0": "train", "s1": "train"}
    changes = allocate(places(2), claims(rank=([0, 0], 1, 0.0), train=[1.0, 1.0]), current, set())
    assert [(c.donor, c.receiver) for c in changes] == [("train", "rank")]
    assert "floor of 1" in changes[0].because


def test_move_that_does_not_repay_itself_within_the_dwell_is_not_made():
    current = {"s0": "train"}
    assert allocate(places(1), claims(rank=([1.05e-6], 0, 0.2), train=[1.0e-6]), current, set()) == []
    assert len(allocate(places(1), claims(rank=([1.05e-6], 0, 0.01), train=[1.0e-6]), current, set())) == 1


def test_workload_is_spread_over_cores():
    current = dict.fromkeys(("s0", "s1", "s2", "s3"), "train")
    found = after(current, allocate(places(4), claims(serve=[5.0, 5.0], train=[1.0] * 4), current, set()))
    serving = {slot for slot, holder in found.items() if holder == "serve"}
    assert len({int(slot[1]) // 2 for slot in serving}) == 2


def test_a_second_slot_is_taken_on_the_core_where_the_first_is_not():
    current = {"s0": "serve", "s1": "train", "s2": "rank", "s3": "train"}
    asked = claims(serve=[5.0, 5.0], rank=[9.0], train=[1.0] * 4)
    assert [change.slot for change in allocate(places(4), asked, current, set())] == ["s3"]


def test_what_a_donor_keeps_is_spread_over_cores_too():
    current = dict.fromkeys(("s0", "s1", "s2", "s3"), "train")
    found = after(current, allocate(places(4), claims(rank=[5.0], serve=[4.0], train=[1.0] * 4), current, set()))
    training = {slot for slot, holder in found.items() if holder == "train"}
    assert {int(slot[1]) // 2 for slot in training} == {0, 1}


def test_resident_that_is_not_loaded_gets_no_slot():
    changes = allocate(places(1, suits=("train",)), claims(serve=[9.0], train=[1.0]), {}, set())
    assert [change.receiver for change in changes] == ["train"]


def test_a_workload_that_fits_one_slot_only_gets_that_one():
    slots = [*places(1, suits=("serve", "train")), SlotPlace("s1", "core0", frozenset({"train", "rank"}))]
    changes = allocate(slots, claims(rank=[5.0], serve=[9.0], train=[1.0, 1.0]), {}, set())
    assert {change.slot: change.receiver for change in changes} == {"s0": "serve", "s1": "rank"}


def test_floors_are_met_where_nothing_is_worth_anything_and_not_everybody_is_loaded():
    slots = [*places(1, suits=("serve",)), SlotPlace("s1", "core0", frozenset({"train"}))]
    changes = allocate(slots, claims(serve=([0.0], 1, 0.0), train=([0.0], 1, 0.0)), {}, set())
    assert {change.slot: change.receiver for change in changes} == {"s0": "serve", "s1": "train"}


@pytest.mark.slow
@given(data=st.data(), marginals=st.tuples(concave, concave, concave), start=holders)
def test_nobody_is_put_where_it_does_not_run(data, marginals, start):
    suits = [data.draw(st.sets(st.sampled_from(WORKLOADS))) for _ in range(4)]
    slots = [SlotPlace(f"s{i}", f"core{i // 2}", frozenset(names)) for i, names in enumerate(suits)]
    current = {slot.slot: holder for slot, holder in zip(slots, start, strict=True)}
    changes = allocate(slots, claims(**dict(zip(WORKLOADS, marginals, strict=True))), current, set())
    by_name = {slot.slot: slot for slot in slots}
    assert all(change.receiver in by_name[change.slot].suits for change in changes)
    assert len({change.slot for change in changes}) == len(changes)


def test_rising_marginal_value_is_refused_by_name():
    with pytest.raises(NotConcave, match="serve: slot 2 is worth 2 USD/s, more than slot 1"):
        allocate(places(2), claims(serve=[1.0, 2.0]), {}, set())
