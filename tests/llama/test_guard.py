"""Updates that are left out: told, counted, bounded, and a function of the run's state alone."""

import math

import pytest

from tenfold.llama.guard import NORMS_NEEDED, diverged, reason_to_skip, why_ended
from tenfold.llama.progress import NORMS_KEPT, TrainProgress
from tenfold.llama.recipe import Recipe

RECIPE = Recipe(spike_factor=10.0, skip_limit=3)


def after(progress: TrainProgress, norm: float, loss: float = 3.0) -> TrainProgress:
    skipped = bool(reason_to_skip(RECIPE, progress, loss, norm))
    return progress.after(loss, 100, norm, skipped=skipped)


@pytest.fixture
def steady() -> TrainProgress:
    progress = TrainProgress()
    for _ in range(NORMS_KEPT + 5):
        progress = after(progress, 0.5)
    return progress


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_no_number_is_left_out_from_the_first_step(bad):
    assert "norm of its gradient is" in reason_to_skip(RECIPE, TrainProgress(), 3.0, bad)
    assert "loss is" in reason_to_skip(RECIPE, TrainProgress(), bad, 1.0)


def test_a_spike_is_told_by_the_usual_norm_and_does_not_change_it(steady):
    assert reason_to_skip(RECIPE, steady, 3.0, 4.9) == ""
    assert "100 times the usual 0.5" in reason_to_skip(RECIPE, steady, 3.0, 50.0)
    spiked = after(steady, 50.0)
    assert (spiked.skipped, spiked.skipped_in_a_row, spiked.norms) == (1, 1, steady.norms)
    assert (spiked.step, spiked.tokens) == (steady.step + 1, steady.tokens + 100)
    calm = after(spiked, 0.5)
    assert (calm.skipped, calm.skipped_in_a_row) == (1, 0)
    assert len(calm.norms) == NORMS_KEPT


def test_a_long_gradient_that_stays_is_left_out_once_so_that_the_run_gets_out_of_it(steady):
    once = after(steady, 50.0)
    assert reason_to_skip(RECIPE, once, 7.6, 51.0) == ""
    out = after(once, 51.0, 7.6)
    assert (out.skipped, out.skipped_in_a_row) == (1, 0)
    # What is no number is left out also then.
    assert reason_to_skip(RECIPE, once, 7.6, math.nan)


def test_the_first_steps_and_a_recipe_without_the_guard_know_no_spike(steady):
    few = steady.model_copy(update={"norms": steady.norms[: NORMS_NEEDED - 1]})
    assert reason_to_skip(RECIPE, few, 3.0, 50.0) == ""
    off = RECIPE.model_copy(update={"spike_factor": 0.0})
    assert reason_to_skip(off, steady, 3.0, 50.0) == ""


def test_a_run_that_does_not_mend_ends_as_diverged(steady):
    progress = steady
    for _ in range(3):
        assert diverged(RECIPE, progress) is None and why_ended(RECIPE, progress) == ""
        progress = after(progress, math.nan)
    told = diverged(RECIPE, progress)
    assert f"last 3 steps were left out, from step {steady.step + 1} on" in str(told)
    assert "lower learning_rate" in told.next_step
    assert why_ended(RECIPE, progress) == str(told)


def test_the_rate_warms_up_stays_and_decays():
    recipe = Recipe(steps=100, warmup_steps=9, learning_rate=1.0, decay_share=0.2)
    rates = [recipe.learning_rate_at(step) for step in range(100)]
    assert rates[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert rates[10:80] == [1.0] * 70
    assert rates[80:] == pytest.approx([1 - (done / 20) ** 0.5 for done in range(20)])
    assert [step for step in range(101) if recipe.evaluates_after(step)] == [100]
    endless = Recipe(warmup_steps=0, evaluate_every=5)
    assert [endless.learning_rate_at(step) for step in (0, 10**6)] == [endless.learning_rate] * 2
    assert [step for step in range(12) if endless.evaluates_after(step)] == [5, 10]
