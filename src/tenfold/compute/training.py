"""What a training run takes: accelerator-hours, days, energy and money, each with an interval."""

import math
from dataclasses import dataclass
from functools import cache

from tenfold.compute.expected import likely_count
from tenfold.compute.facilities import Bill, Facility, bill
from tenfold.compute.interval import Interval
from tenfold.compute.published import PublishedRun, published_runs
from tenfold.compute.run import (
    Run,
    check_computes,
    check_fits,
    goodput,
    interruptions_per_day,
    least_accelerators,
    training_flops,
)
from tenfold.compute.unlike import unlike
from tenfold.compute.utilisation import UtilisationModel, fit

# A user's own MFU is taken as known to 10%.
MFU_LOG_HALF_WIDTH = math.log(1.1)
# How far a benchmark is from a production run, beside squares of logs of sizes.
KINDS_APART = 4.0


@dataclass(frozen=True, slots=True)
class TrainingEstimate:
    """The answer; ``days`` and ``interruptions`` need a count.

    ``tokens_per_s`` is of one accelerator; ``unlike`` says in what the run is unlike all published ones.
    """

    flops: float
    utilisation: Interval
    accelerator_hours: Interval
    days: Interval | None
    interruptions: Interval | None
    least_accelerators: int
    bill: Bill
    nearest: tuple[PublishedRun, ...]
    tokens_per_s: Interval
    unlike: tuple[str, ...]


@cache
def calibrated() -> UtilisationModel:
    """The model fitted to all published runs."""
    known = published_runs()
    return fit([each.run for each in known], [each.utilisation for each in known])


def estimate_training(run: Run, facility: Facility, *, mfu: float | None = None) -> TrainingEstimate:
    """Estimate a run: FLOPs over peak times utilisation.

    Args:
        run: what is known of it.
        facility: where it runs; sets energy and the cost of owning.
        mfu: model FLOPs utilisation while it runs; replaces the calibrated one. Time lost to failures is added.
    Raises:
        UsageError: the accelerator does not compute in the run's 8-bit or 4-bit format.
        InfeasibleError: the run does not fit in the memory of ``run.count`` accelerators.
    """
    check_computes(run)
    check_fits(run)
    flops = training_flops(run)
    if mfu is None:
        utilisation = calibrated().predict(run)
    else:
        while_running = Interval(mfu * math.exp(-MFU_LOG_HALF_WIDTH), mfu, min(1.0, mfu * math.exp(MFU_LOG_HALF_WIDTH)))
        utilisation = while_running.scaled(goodput(run.count or likely_count(run)))
    hours = utilisation.inverse().scaled(flops / (3600 * run.accelerator.peak_16bit_flops))
    days = None if run.count is None else hours.scaled(1 / (24 * run.count))
    return TrainingEstimate(
        flops=flops,
        utilisation=utilisation,
        accelerator_hours=hours,
        days=days,
        interruptions=None if days is None else days.scaled(interruptions_per_day(run.count or 1)),
        least_accelerators=least_accelerators(run),
        bill=bill(run.accelerator, facility, hours),
        nearest=nearest_runs(run),
        tokens_per_s=hours.inverse().scaled(run.tokens / 3600),
        unlike=unlike(run),
    )


def nearest_runs(run: Run, limit: int = 3) -> tuple[PublishedRun, ...]:
    """Published runs most like this one: by kind, size, tokens, sparsity, peak and organisation."""

    def distance(other: Run) -> float:
        ratios = (
            other.active_params / run.active_params,
            other.tokens / run.tokens if run.kind == other.kind == "run" else 1.0,
            (other.total_params / other.active_params) / (run.total_params / run.active_params),
            other.accelerator.peak_16bit_flops / run.accelerator.peak_16bit_flops,
        )
        stranger = run.organisation is not None and other.organisation != run.organisation
        return sum(math.log(ratio) ** 2 for ratio in ratios) + float(stranger) + KINDS_APART * (other.kind != run.kind)

    return tuple(sorted(published_runs(), key=lambda known: distance(known.run))[:limit])
