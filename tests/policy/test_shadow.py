"""A shadow moves nothing and knows what moving would have been worth."""

import numpy as np
import pytest

from tenfold.policy.claims import Claims
from tenfold.policy.policy import SlotPlace
from tenfold.policy.shadow import Shadow

PLACES = [SlotPlace(f"s{i}", f"core{i}", frozenset({"serve", "train"})) for i in range(4)]
EVEN = {"s0": "serve", "s1": "serve", "s2": "train", "s3": "train"}


def claims(serve_usd) -> Claims:
    return Claims(
        names=("serve", "train"),
        owner_R=np.array([0] * len(serve_usd) + [1]),
        usd_R=np.array([*serve_usd, 2.0]),
        slots_R=np.array([1] * len(serve_usd) + [4]),
        floor_W=np.zeros(2, dtype=np.int64),
        ceiling_W=np.array([4, 4]),
        least_W=np.array([1, 1]),
        held_W=np.array([0, 0]),
        join_cost_W=np.zeros(2),
        resize_cost_W=np.zeros(2),
    )


def test_a_shadow_starts_from_what_is_and_counts_what_its_moves_would_have_earned():
    shadow = Shadow()
    changes = shadow.decide(PLACES, claims([5.0, 5.0, 5.0]), EVEN, {"serve": 0.5, "train": 0.1}, 1.0)
    assert [(change.donor, change.receiver) for change in changes] == [("train", "serve")]
    # The first tick finds both alike, and the move costs half a second of the slot's work.
    first = shadow.sums()
    assert (first.real_usd, first.shadow_usd) == pytest.approx((14.0, 14.0 - 2.5))
    assert shadow.decide(PLACES, claims([5.0, 5.0, 5.0]), EVEN, {"serve": 0.5, "train": 0.1}, 10.0) == []
    later = shadow.sums()
    assert later.moves == 1
    assert later.slots == {"serve": 3, "train": 1}
    assert later.shadow_usd - first.shadow_usd == pytest.approx(10 * 17.0)
    assert later.real_usd - first.real_usd == pytest.approx(10 * 14.0)


def test_a_shadow_that_finds_nothing_better_is_worth_nothing_more():
    shadow = Shadow()
    for _ in range(5):
        assert shadow.decide(PLACES, claims([5.0, 5.0]), EVEN, {"serve": 0.5, "train": 0.1}, 1.0) == []
    assert shadow.sums().shadow_usd == shadow.sums().real_usd > 0


def test_a_slot_that_leaves_the_pool_leaves_the_shadow():
    shadow = Shadow()
    shadow.decide(PLACES, claims([5.0, 5.0]), EVEN, {"serve": 0.0, "train": 0.0}, 1.0)
    shadow.decide(PLACES[:2], claims([5.0, 5.0]), EVEN, {"serve": 0.0, "train": 0.0}, 1.0)
    assert sum(shadow.sums().slots.values()) == 2


def test_a_job_that_is_resized_earns_nothing_on_any_slot_while_it_stands_still():
    shadow = Shadow()
    wake_s, resize_s = {"serve": 0.0, "train": 0.0}, {"train": 3.0}
    changes = shadow.decide(PLACES, claims([5.0, 5.0, 5.0]), EVEN, wake_s, 1.0, resize_s)
    assert [(change.donor, change.receiver) for change in changes] == [("train", "serve")]
    # One of its two slots leaves, and the one that stays stands still for three seconds.
    assert shadow.sums().shadow_usd == pytest.approx(14.0 - 3 * 2.0)
    grown = shadow.decide(PLACES, claims([0.0]), EVEN, wake_s, 1.0, resize_s)
    assert len(grown) == 3
    # Three join in one tick: all four stand still, once.
    assert shadow.sums().shadow_usd == pytest.approx(14.0 - 3 * 2.0 + 2.0 - 3 * 8.0)


def test_a_workload_that_ends_leaves_its_slots_idle_in_the_shadow():
    shadow = Shadow()
    real = {"s0": "serve", "s1": "ended", "s2": "ended", "s3": "train"}
    shadow.decide(PLACES, claims([5.0]), real, {"serve": 0.0, "train": 0.0}, 1.0)
    assert "ended" not in shadow.sums().slots
