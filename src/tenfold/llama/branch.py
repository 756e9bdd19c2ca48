"""A run that begins where another one was: its trunk's checkpoint of a step is its own step of the same number.

A trunk that is trained at a constant rate and kept at several steps gives a run for each: they decay from there
(``Recipe.steps``, ``decay_share``). Parameters are then, to the bit, those of a run that was trained so from step 0.
"""

from collections.abc import Sequence
from pathlib import Path

from tenfold.core.errors import AssetError
from tenfold.llama.checkpoint import Span, StateVectors, checkpoint_files, checkpoint_path, read_checkpoint
from tenfold.llama.progress import TrainProgress
from tenfold.llama.recipe import Recipe
from tenfold.llama.runs import read_run


def state_of_trunk(
    folder: Path, recipe: Recipe, text_sha256: str, spans: Sequence[Span]
) -> tuple[TrainProgress, StateVectors] | None:
    """State with which a new run in ``folder`` begins; none if its recipe names no trunk.

    Raises:
        Damaged: the trunk's checkpoint is damaged.
        AssetError: there is no such run or checkpoint, or it is of another model or data.
    """
    if recipe.from_run is None or recipe.from_step is None:
        return None
    trunk = folder.parent / recipe.from_run
    run = read_run(trunk)
    if run is None:
        there = ", ".join(sorted(path.parent.name for path in folder.parent.glob("*/run.json")))
        raise AssetError(
            f"there is no run {recipe.from_run!r} to begin from in {folder.parent}", next_step=f"there are: {there}"
        )
    if run.recipe.model != recipe.model:
        raise AssetError(
            f"run {recipe.from_run!r} has another model than {folder.name!r}, which is to begin from it",
            next_step="give both the same [model]",
        )
    if run.identity != run.recipe.identity(text_sha256):
        raise AssetError(
            f"run {recipe.from_run!r} has other data than {folder.name!r}, which is to begin from it",
            next_step="give both the same data folder",
        )
    path = checkpoint_path(trunk, recipe.from_step)
    if not path.exists():
        steps = ", ".join(str(int(found.stem.split("-")[1])) for found in reversed(checkpoint_files(trunk)))
        raise AssetError(
            f"run {recipe.from_run!r} has no checkpoint at step {recipe.from_step}; it has: {steps or 'none'}",
            next_step=f"give the trunk keep_at = [{recipe.from_step}] in its [train], or choose another from_step",
        )
    return read_checkpoint(path, run, spans)
