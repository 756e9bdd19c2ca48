"""A step's gradients: the same sum whoever hands them in, and no microbatch lost or counted twice."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tenfold.llama.step import StepInFlight

MICROBATCHES = 6


def gradients() -> list[np.ndarray]:
    return list(np.random.default_rng(5).normal(size=(MICROBATCHES, 50)).astype(np.float32) * np.float32(1e3))


def sum_in(order: list[int]) -> tuple[float, np.ndarray]:
    step = StepInFlight(MICROBATCHES, claim_timeout_s=10)
    for microbatch in order:
        assert not step.complete
        assert step.add(microbatch, 0.1 * microbatch, gradients()[microbatch]) is not None
    assert step.complete
    return step.mean()


@given(order=st.permutations(range(MICROBATCHES)))
def test_any_order_of_arrival_gives_the_same_bits(order):
    loss, mean = sum_in(order)
    expected_loss, expected = sum_in(list(range(MICROBATCHES)))
    assert loss == expected_loss and np.array_equal(mean, expected)


def test_a_second_copy_is_not_added():
    step = StepInFlight(MICROBATCHES, claim_timeout_s=10)
    assert step.add(2, 1.0, gradients()[2]) is not None
    assert step.add(2, 1.0, gradients()[2]) is None
    assert step.add(MICROBATCHES, 1.0, gradients()[0]) is None


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
    for event, worker in events:
        if event == "claim" and worker not in hands:
            microbatch = step.claim(worker, now=0)
            if microbatch is not None:
                assert microbatch not in hands.values()
                hands[worker] = microbatch
        elif event == "push" and worker in hands:
            taken.append(hands.pop(worker))
            assert step.add(taken[-1], 0.0, np.zeros(1, np.float32)) is not None
        elif event == "leave":
            hands.pop(worker, None)
            step.release(worker)
    for microbatch in hands.values():
        step.add(microbatch, 0.0, np.zeros(1, np.float32))
    while (microbatch := step.claim(9, now=0)) is not None:
        step.add(microbatch, 0.0, np.zeros(1, np.float32))
    assert step.complete
