"""A training run as it is known before it starts, and the physics of it: FLOPs, memory, failures."""

import math
from dataclasses import dataclass
from typing import Literal

from tenfold.compute.accelerators import Accelerator, Precision
from tenfold.core.errors import InfeasibleError

# How the hours of a run were counted: "hours" is all that was spent, restarts included; "throughput" is steady state.
Measured = Literal["hours", "throughput"]
# A run makes a model and contains what that takes: data, evaluations, restarts. A benchmark is some tuned steps.
Kind = Literal["run", "benchmark"]

DEFAULT_CONTEXT = 4096
# Weights and gradients in 16 bits, a 32-bit copy of the weights and two 32-bit moments (mixed precision with Adam).
STATE_BYTES_PER_PARAM = 16
# Llama 3.1 405B (arXiv:2407.21783): 466 interruptions in 54 days on 16,384 H100, more than 90% effective time.
INTERRUPTIONS_PER_ACCELERATOR_DAY = 466 / (54 * 16384)
HOURS_LOST_PER_INTERRUPTION = 0.1 * 54 * 24 / 466


@dataclass(frozen=True, slots=True)
class Run:
    """What is known before a training run; ``None`` where it is not.

    Args:
        active_params: parameters that one token passes through.
        total_params: all parameters; equal to ``active_params`` if dense.
        tokens: tokens trained on.
        accelerator: kind used.
        count: accelerators used at once.
        layers: transformer blocks.
        hidden: width of the residual stream.
        context: tokens per sequence.
        precision: format of the large matrix products.
        year: start, in years, e.g. 2024.5.
        organisation: who runs it, as in ``training_runs.csv``.
        family: line of models, as in ``training_runs.csv``.
        measured: what the estimate is to stand for.
        kind: a production run or a benchmark; of a benchmark only the steady state counts.
    """

    active_params: float
    total_params: float
    tokens: float
    accelerator: Accelerator
    count: int | None = None
    layers: int | None = None
    hidden: int | None = None
    context: int | None = None
    precision: Precision = "bf16"
    year: float | None = None
    organisation: str | None = None
    family: str | None = None
    measured: Measured = "hours"
    kind: Kind = "run"

    def __post_init__(self) -> None:
        assert 0 < self.active_params <= self.total_params, self
        assert self.tokens > 0, self


def shape(run: Run) -> tuple[float, float]:
    """Layers and width; where they are not given, those of a dense model of the active size.

    Guess: ``12 x layers x width^2`` parameters and a width of 128 per layer, as in Llama (8B: 4,096, 405B: 16,384).
    """
    hidden = run.hidden or (run.active_params * 128 / 12) ** (1 / 3)
    layers = run.layers or run.active_params / (12 * hidden**2)
    return layers, hidden


def training_flops(run: Run) -> float:
    """Model FLOPs of the whole run: ``6 N D``, and ``6 x layers x width x context`` per token for causal attention.

    Attention: scores and their product with the values are ``4 x width x context`` per token and layer, three times
    that with the backward pass, half of it by causality. Recomputed activations are not counted.
    """
    layers, hidden = shape(run)
    attention_per_token = 6 * layers * hidden * (run.context or DEFAULT_CONTEXT)
    return (6 * run.active_params + attention_per_token) * run.tokens


def least_accelerators(run: Run) -> int:
    """Accelerators whose memory holds weights, gradients and optimiser state; activations come on top."""
    return max(1, math.ceil(run.total_params * STATE_BYTES_PER_PARAM / run.accelerator.memory_bytes))


def check_computes(run: Run) -> None:
    """Check that the accelerator has the short format, which the calibration takes to be faster.

    Raises:
        UsageError: it has not.
    """
    if run.precision in ("fp8", "fp4"):
        run.accelerator.peak_flops(run.precision)


def check_fits(run: Run) -> None:
    """Refuse a count whose memory is too small.

    Raises:
        InfeasibleError: fewer accelerators than the state needs.
    """
    least = least_accelerators(run)
    if run.count is not None and run.count < least:
        need_gb, have_gb = (n * run.accelerator.memory_bytes / 1e9 for n in (least, run.count))
        raise InfeasibleError(
            f"{run.total_params / 1e9:,.6g} billion parameters do not fit on {run.count} {run.accelerator.name}: "
            f"weights, gradients and optimiser state need {need_gb:,.0f} GB, {have_gb:,.0f} GB are there",
            next_step=f"use at least --count {least}",
        )


def interruptions_per_day(count: float) -> float:
    """Expected interruptions of a job on ``count`` accelerators."""
    return INTERRUPTIONS_PER_ACCELERATOR_DAY * count


def goodput(count: float) -> float:
    """Share of wall time that is progress: the rest is lost to interruptions and to work done again after them."""
    return 1 / (1 + interruptions_per_day(count) * HOURS_LOST_PER_INTERRUPTION / 24)
