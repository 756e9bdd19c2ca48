"""A step's gradients: the same sum whoever hands them in, and no microbatch lost or counted twice."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tree_sum import added_in_a_tree

from tenfold.llama.step import StepInFlight
from tenfold.llama.tree import Branch, PartialSums

MICROBATCHES = 6


def gradients(count: int = MICROBATCHES) -> list[np.ndarray]:
    return list(np.random.default_rng(5).normal(size=(count, 50)).astype(np.float32) * np.float32(1e3))


def sum_in(order: list[int]) -> tuple[float, np.ndarray]:
    step, buffers = StepInFlight(len(order), claim_timeout_s=10), gradients(len(order))
    for microbatch in order:
        assert not step.complete
        assert step.put(microbatch, 0.1 * microbatch, microbatch)
        while (addition := step.next_addition()) is not None:
            buffers[addition.left] += buffers[addition.right]
            step.added(addition)
    assert step.complete
    loss, buffer = step.result()
    return loss, buffers[buffer]


@given(order=st.integers(1, 17).flatmap(lambda count: st.permutations(range(count))))
def test_any_order_of_arrival_gives_the_same_bits(order):
    loss, total = sum_in(order)
    expected_loss, _ = sum_in(sorted(order))
    assert loss == expected_loss and np.array_equal(total, added_in_a_tree(gradients(len(order))))


@given(data=st.data(), count=st.integers(1, 40))
def test_sums_that_lay_on_several_machines_add_up_to_the_same_bits_and_a_run_of_neighbours_is_few_of_them(data, count):
    cuts = data.draw(st.lists(st.integers(0, count), max_size=3).map(sorted))
    parts, meeting = gradients(count), PartialSums(count)
    for first, last in zip([0, *cuts], [*cuts, count], strict=True):
        machine = PartialSums(count)
        for microbatch in data.draw(st.permutations(range(first, last))):
            machine.put(Branch(0, microbatch), parts[microbatch])
            add_up(machine)
        assert len(machine.held) <= max(1, 2 * (last - first).bit_length())
        for branch, total in machine.held.items():
            meeting.put(branch, total)
    add_up(meeting)
    assert list(meeting.held) == [meeting.root]
    assert np.array_equal(meeting.held[meeting.root], added_in_a_tree(parts))


def add_up(sums: PartialSums) -> None:
    while (addition := sums.next_addition()) is not None:
        sums.put(addition.parent, addition.left + addition.right)


def test_a_second_copy_is_not_added():
    step = StepInFlight(MICROBATCHES, claim_timeout_s=10)
    assert step.put(2, 1.0, 0)
    assert not step.put(2, 1.0, 1)
    assert not step.put(MICROBATCHES, 1.0, 1)


def test_what_a_lost_worker_had_goes_to_the_next():
    step = StepInFlight(2, claim_timeout_s=10)
    assert (step.claim(1, now=0), step.claim(2, now=0), step.claim(3, now=1)) == (0, 1, None)
    step.release(1)
    assert (step.claim(3, now=1), step.claim(1, now=1)) == (0, None)


def test_a_silent_worker_is_overtaken_only_after_the_timeout():
    step = StepInFlight(1, claim_timeout_s=10)
    assert step.claim(1, now=0) == 0
    assert step.next_timeout() == 10
    assert (step.claim(2, now=9), step.claim(2, now=11)) == (None, 0)


@given(st.lists(st.tuples(st.sampled_from(["claim", "push", "leave"]), st.integers(1, 4)), max_size=60))
def test_every_microbatch_is_handed_in_once_through_any_comings_and_goings(events):
    step, hands, taken = StepInFlight(MICROBATCHES, claim_timeout_s=1e9), {}, []

    def hand_in(microbatch: int) -> None:
        assert step.put(microbatch, 0.0, microbatch)
        while (addition := step.next_addition()) is not None:
            step.added(addition)

    for event, worker in events:
        if event == "claim" and worker not in hands:
            microbatch = step.claim(worker, now=0)
            if microbatch is not None:
                assert microbatch not in hands.values()
                hands[worker] = microbatch
        elif event == "push" and worker in hands:
            taken.append(hands.pop(worker))
            hand_in(taken[-1])
        elif event == "leave":
            hands.pop(worker, None)
            step.release(worker)
    for microbatch in hands.values():
        hand_in(microbatch)
    while (microbatch := step.claim(9, now=0)) is not None:
        hand_in(microbatch)
    assert step.complete
