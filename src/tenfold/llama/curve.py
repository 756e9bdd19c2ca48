"""A run's steps, thinned to what a chart or a table shows. Imports no torch."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from tenfold.llama.journal import StepLine

MOST = 200
"""Points of a curve: a chart has not more pixels to tell them apart."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some steps that follow one another.

    ``loss``: their mean, with ``low`` and ``high`` the 10th and 90th percentile; none where none is a number. ``norm``:
    the median of their gradients'. ``skipped``: those of them whose update was left out.
    """

    step: int
    tokens: int
    loss: float | None
    low: float | None
    high: float | None
    norm: float | None
    learning_rate: float
    tokens_per_s: float | None
    mfu: float | None
    workers: int
    skipped: int


def stretches(lines: Sequence[StepLine], most: int = MOST) -> list[Stretch]:
    """The run in at most so many stretches of equally many steps."""
    size = max(1, math.ceil(len(lines) / most))
    return [_stretch(lines[start : start + size]) for start in range(0, len(lines), size)]


def mean_loss(lines: Iterable[StepLine], after: float, until: float) -> float | None:
    """Mean loss of the steps that end past so many tokens, up to so many; none if there is no number."""
    return _mean(line.loss for line in lines if after < line.tokens <= until)


def _stretch(lines: Sequence[StepLine]) -> Stretch:
    losses = sorted(line.loss for line in lines if math.isfinite(line.loss))
    norms = [line.norm for line in lines if math.isfinite(line.norm)]
    used = [line.mfu for line in lines if line.mfu is not None]
    seconds = sum(line.seconds for line in lines)
    tokens = sum(line.tokens_per_s * line.seconds for line in lines)
    last = lines[-1]
    return Stretch(
        step=last.step,
        tokens=last.tokens,
        loss=_mean(losses),
        low=losses[len(losses) // 10] if losses else None,
        high=losses[len(losses) * 9 // 10] if losses else None,
        norm=median(norms) if norms else None,
        learning_rate=last.learning_rate,
        tokens_per_s=tokens / seconds if seconds > 0 else None,
        mfu=_mean(used),
        workers=max(line.workers for line in lines),
        skipped=sum(bool(line.skipped) for line in lines),
    )


def _mean(values: Iterable[float]) -> float | None:
    finite = [value for value in values if math.isfinite(value)]
    return sum(finite) / len(finite) if finite else None
