"""What a run writes down as it goes: a line per step, a line per evaluation. Imports no torch.

``steps.jsonl`` and ``evaluations.jsonl`` lie beside the checkpoints. A run that goes on from an earlier step than its
last line, or from a line that a kill cut short, drops those lines: the files hold each step once, in order.
"""

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import Field, ValidationError

from tenfold.core.paths import replace_file
from tenfold.core.sound import read_bytes
from tenfold.llama.progress import Record, TrainProgress

STEPS_FILE, EVALUATIONS_FILE = "steps.jsonl", "evaluations.jsonl"

log = logging.getLogger(__name__)


class StepLine(Record):
    """One finished step."""

    step: int = Field(description="steps finished with it")
    tokens: int = Field(description="tokens trained on with it")
    loss: float = Field(description="nats per token, before its update")
    norm: float = Field(description="of the gradient, before clipping")
    learning_rate: float
    seconds: float = Field(description="since the step before it")
    tokens_per_s: float
    mfu: float | None = Field(
        None, description="model FLOP/s over the measured peak of the workers; none: not measured"
    )
    workers: int
    skipped: str = Field("", description="why its update was left out; empty if it was not")


class EvaluationLine(Record):
    """Held-out loss after so many steps."""

    step: int
    tokens: int
    loss: float = Field(description="nats per token")
    held_out_tokens: int = Field(description="tokens predicted")


Line = TypeVar("Line", StepLine, EvaluationLine)


class Journal:
    """The two files of one run, open for appending.

    Args:
        folder: the run's folder.
        step: steps finished so far; lines of later ones are dropped.
        flops_per_token: of training the run's model.
        peak_flops_per_s: measured peak of one worker; none if it was not measured.
    """

    def __init__(
        self, folder: Path, step: int, flops_per_token: float = 0.0, peak_flops_per_s: float | None = None
    ) -> None:
        self._folder = folder
        self._flops_per_token, self._peak = flops_per_token, peak_flops_per_s
        self._at = time.monotonic()
        _keep(folder / STEPS_FILE, StepLine, step)
        self.evaluated = {line.step for line in _keep(folder / EVALUATIONS_FILE, EvaluationLine, step)}

    def stepped(
        self, progress: TrainProgress, step_tokens: int, norm: float, rate: float, workers: int, skipped: str
    ) -> StepLine:
        """Write down a step that is finished now."""
        now = time.monotonic()
        seconds, self._at = now - self._at, now
        tokens_per_s = step_tokens / max(seconds, 1e-9)
        line = StepLine(
            step=progress.step,
            tokens=progress.tokens,
            loss=progress.loss if progress.loss is not None else float("nan"),
            norm=norm,
            learning_rate=rate,
            seconds=round(seconds, 6),
            tokens_per_s=round(tokens_per_s, 3),
            mfu=round(tokens_per_s * self._flops_per_token / (self._peak * max(1, workers)), 5) if self._peak else None,
            workers=workers,
            skipped=skipped,
        )
        self._append(STEPS_FILE, line)
        return line

    def evaluation(self, line: EvaluationLine) -> None:
        """Write down an evaluation."""
        self._append(EVALUATIONS_FILE, line)
        self.evaluated.add(line.step)

    def _append(self, name: str, line: Record) -> None:
        try:
            with (self._folder / name).open("a", encoding="utf-8") as file:
                file.write(line.model_dump_json() + "\n")
        except OSError as error:
            # Training is worth more than its journal; the coordinator's alarm tells of the full disk.
            log.warning("step %s is missing in %s: %s", getattr(line, "step", "?"), self._folder / name, error)


def read_steps(folder: Path) -> list[StepLine]:
    """Lines of ``steps.jsonl``, oldest first; empty if there is none."""
    return list(_lines(folder / STEPS_FILE, StepLine))


def read_evaluations(folder: Path) -> list[EvaluationLine]:
    """Lines of ``evaluations.jsonl``, oldest first; empty if there is none."""
    return list(_lines(folder / EVALUATIONS_FILE, EvaluationLine))


def _keep(path: Path, schema: type[Line], step: int) -> list[Line]:
    """Drop the lines of steps past ``step`` and what is no line, and return what stays."""
    if not path.exists():
        return []
    lines = [line for line in _lines(path, schema) if line.step <= step]
    content = "".join(f"{line.model_dump_json()}\n" for line in lines).encode()
    if content != read_bytes(path):
        replace_file(path, content)
    return lines


def _lines(path: Path, schema: type[Line]) -> Iterator[Line]:
    """Lines in order of their steps; one that is no line, or repeats a step, is passed over."""
    try:
        content = read_bytes(path)
    except FileNotFoundError:
        return
    last = 0
    for number, text in enumerate(content.splitlines(), start=1):
        try:
            line = schema.model_validate_json(text)
        except ValidationError:
            log.warning("line %d of %s is no %s; it is passed over", number, path, schema.__name__)
            continue
        if line.step > last:
            last = line.step
            yield line


OnStep = Callable[[TrainProgress, StepLine | None], None]
"""Called after each step, and once with none when a run begins or goes on."""
