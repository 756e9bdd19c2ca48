"""Which updates are left out: those of a gradient that is no number, or that is far longer than the last ones were.

A pure function of the run's state, so any workers and any restarts decide the same. What is left out is counted in the
run's progress. Of long gradients one is left out at most, never two in a row: what the step's data made is then past,
and where the parameters made it the next would be as long, while one update of clipped length brings the loss back (a
tiny model at too high a rate went from 5.9 to 7.6 nats in one step and back in the next). Numbers that are none are
left out each time; after ``Recipe.skip_limit`` in a row the run is over, for it will not mend by itself.
"""

import math
from statistics import median

from tenfold.core.errors import TenfoldError
from tenfold.llama.progress import TrainProgress
from tenfold.llama.recipe import Recipe

NORMS_NEEDED = 16
"""Norms before a spike is told by their median: the first steps' norms fall by themselves."""


class Diverged(TenfoldError):
    """A run's gradients are no numbers, or far too long, step after step."""


def reason_to_skip(recipe: Recipe, progress: TrainProgress, loss: float, norm: float) -> str:
    """Why the update of the step after ``progress`` is left out, in words; empty if it is not.

    Args:
        recipe: of the run.
        progress: before the step.
        loss: of the step, nats per token.
        norm: of its gradient, before clipping.
    """
    if not math.isfinite(loss):
        return f"its loss is {loss}"
    if not math.isfinite(norm):
        return f"the norm of its gradient is {norm}"
    if recipe.spike_factor and not progress.skipped_in_a_row and len(progress.norms) >= NORMS_NEEDED:
        usual = median(progress.norms)
        if norm > recipe.spike_factor * usual:
            return f"the norm of its gradient is {norm:.3g}, {norm / usual:.0f} times the usual {usual:.3g}"
    return ""


def diverged(recipe: Recipe, progress: TrainProgress) -> Diverged | None:
    """That the run has diverged: as many updates in a row were left out as the recipe lets; none while it has not."""
    if progress.skipped_in_a_row < recipe.skip_limit:
        return None
    good = progress.step - progress.skipped_in_a_row
    return Diverged(
        f"diverged: the updates of its last {progress.skipped_in_a_row} steps were left out, from step {good + 1} on",
        next_step=f"train anew with a lower learning_rate than {recipe.learning_rate:g} or a longer warm-up, "
        f"or begin from an earlier checkpoint with from_run and from_step",
    )


def why_ended(recipe: Recipe, progress: TrainProgress) -> str:
    """Why there is nothing to train any more, in words; empty while there is."""
    fault = diverged(recipe, progress)
    if fault is not None:
        return str(fault)
    if recipe.steps is None or progress.step < recipe.steps:
        return ""
    return f"finished: step {progress.step:,} of {recipe.steps:,}"
