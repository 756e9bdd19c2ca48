"""Where a run stands, by its files: how far it is, what it reached, what that took. Imports no torch."""

from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from typing import Literal

from pydantic import Field

from tenfold.core.errors import Damaged
from tenfold.llama.checkpoint import checkpoint_files, read_meta
from tenfold.llama.flops import flops_per_token, parameters_of
from tenfold.llama.journal import STEPS_FILE, StepLine, read_evaluations, read_steps
from tenfold.llama.numerics import Numerics, numerics_of
from tenfold.llama.progress import Record, TrainProgress
from tenfold.llama.recipe import Recipe
from tenfold.llama.run_data import RunData, data_of
from tenfold.llama.runs import LOCK_FILE, RUN_FILE, read_run, run_folders

RECENT = 20
"""Steps over which the loss and the speed of now are taken."""

LOCKS = Path("/proc/locks")

State = Literal["running", "finished", "diverged", "stopped"]


class Standing(Record):
    """How far one run is."""

    name: str
    state: State = Field(description="running: a process has it in hand, even if it waits for workers")
    step: int
    steps: int | None = Field(description="where it ends; none: nowhere")
    tokens: int
    loss: float | None = Field(description="mean of the last steps, nats per token")
    evaluation_loss: float | None = Field(description="held out, at the last evaluation")
    evaluated_at: int | None = Field(description="step of that evaluation")
    seconds: float = Field(description="of all its steps")
    tokens_per_s: float | None = Field(description="over the last steps")
    mfu: float | None = Field(description="mean of the last steps; none: not measured")
    skipped: int = Field(description="updates that were left out")
    flops: float = Field(description="of all its tokens, forward and backward")
    parameters: int
    active_parameters: int
    data: RunData | None
    numerics: tuple[Numerics, ...] = Field((), description="by what its gradients were computed, the first one first")
    folder: Path
    written_at: float = Field(description="Unix seconds")

    @property
    def end(self) -> str:
        """How far it is, in words."""
        return f"step {self.step:,}" + (f" of {self.steps:,}" if self.steps is not None else "")


def standings(home: Path) -> list[Standing]:
    """Where each run of a home stands, the one written to last first; those whose ``run.json`` is damaged left out."""
    found = []
    for name, folder in run_folders(home).items():
        try:
            run = read_run(folder)
        except Damaged:
            continue
        if run is not None:
            found.append(standing_of(name, folder, run.recipe))
    return sorted(found, key=lambda each: each.written_at, reverse=True)


def standing_of(name: str, folder: Path, recipe: Recipe) -> Standing:
    """Where one run stands.

    A run of the version before the journal, or one whose journal is lost, is told by its newest checkpoint.
    """
    lines, evaluations = read_steps(folder), read_evaluations(folder)
    kept = None if lines else _newest(folder)
    step = lines[-1].step if lines else kept.step if kept else 0
    tokens = lines[-1].tokens if lines else kept.tokens if kept else 0
    counted = parameters_of(recipe.model)
    recent = lines[-RECENT:]
    seconds = sum(line.seconds for line in recent)
    used = [line.mfu for line in recent if line.mfu is not None]
    written = [path.stat().st_mtime for path in (folder / STEPS_FILE, folder / RUN_FILE) if path.exists()]
    return Standing(
        name=name,
        state=_state(folder, recipe, step, lines),
        step=step,
        steps=recipe.steps,
        tokens=tokens,
        loss=sum(line.loss for line in recent) / len(recent) if recent else kept.loss if kept else None,
        evaluation_loss=evaluations[-1].loss if evaluations else None,
        evaluated_at=evaluations[-1].step if evaluations else None,
        seconds=sum(line.seconds for line in lines),
        tokens_per_s=sum(line.tokens_per_s * line.seconds for line in recent) / seconds if seconds > 0 else None,
        mfu=sum(used) / len(used) if used else None,
        skipped=sum(bool(line.skipped) for line in lines),
        flops=tokens * flops_per_token(recipe.model, recipe.sequence_tokens),
        parameters=counted.total,
        active_parameters=counted.active,
        data=data_of(folder),
        numerics=numerics_of(folder),
        folder=folder,
        written_at=max(written, default=0.0),
    )


def _newest(folder: Path) -> TrainProgress | None:
    for path in checkpoint_files(folder):
        try:
            return read_meta(path).progress
        except Damaged:
            continue
    return None


def _state(folder: Path, recipe: Recipe, step: int, lines: Sequence[StepLine]) -> State:
    left_out = sum(1 for _ in takewhile(lambda line: line.skipped, reversed(lines)))
    if left_out >= recipe.skip_limit:
        return "diverged"
    if recipe.steps is not None and step >= recipe.steps:
        return "finished"
    return "running" if _is_held(folder) else "stopped"


def _is_held(folder: Path) -> bool:
    """Whether a coordinator has the run in hand, by the kernel's table: trying the lock could refuse who starts now."""
    try:
        inode = (folder / LOCK_FILE).stat().st_ino
        table = LOCKS.read_text()
    except FileNotFoundError:
        return False
    held = (line.split() for line in table.splitlines())
    return any("FLOCK" in line and any(part.endswith(f":{inode}") for part in line) for line in held)
