"""How well training estimates hold on published runs that the fit has not seen."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tenfold.compute.accelerators import find_accelerator
from tenfold.compute.facilities import find_facility
from tenfold.compute.inference import InferenceEstimate, Traffic, estimate_inference
from tenfold.compute.interval import Interval
from tenfold.compute.published import PublishedRun, published_runs
from tenfold.compute.run import Run, training_flops
from tenfold.compute.served import find_served_model
from tenfold.compute.utilisation import fit

# DeepSeek's inference day of 27 February 2025, as it published it (README of deepseek-ai/open-infra-index): 608 billion
# input tokens, 56.3% of them cached, 168 billion output tokens at 20 to 22 per second each with 4,989 tokens of cache
# on average, on 226.75 servers of eight H800 on average; experts over 32 accelerators in prefill and 144 in decode.
FLEET_DAY = Traffic(
    input_tokens_per_s=608e9 / 86400,
    output_tokens_per_s=168e9 / 86400,
    cached_share=0.563,
    prompt_tokens=4989,
    context_tokens=4989,
    user_tokens_per_s=21,
)
FLEET_DAY_ACCELERATORS = 226.75 * 8


@dataclass(frozen=True, slots=True)
class Checked:
    """A run and the accelerator-hours estimated for it."""

    known: PublishedRun
    estimate_hours: Interval

    @property
    def error(self) -> float:
        """Estimate over published, less one."""
        return self.estimate_hours.mid / self.known.accelerator_hours - 1


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Summary over runs; ``coverage80`` is the share of runs inside their 80% interval."""

    runs: int
    median_error: float
    p90_error: float
    coverage80: float
    median_width: float


def leave_out(group: Callable[[PublishedRun], str], asked: Callable[[Run], Run] = lambda run: run) -> list[Checked]:
    """Estimate every run from the runs of the other groups only: fit, shrinkage and interval width see none of its own.

    Args:
        group: runs with the same answer are left out together; the run's name leaves out one at a time.
        asked: what of a run the estimate is told.
    """
    known = published_runs()
    checked = {}
    for name in dict.fromkeys(group(each) for each in known):
        seen = [each for each in known if group(each) != name]
        model = fit([each.run for each in seen], [each.utilisation for each in seen])
        for each in known:
            if group(each) == name:
                run = asked(each.run)
                checked[each.row.run] = Checked(each, _hours(run, model.predict(run)))
    return [checked[each.row.run] for each in known]


def leave_one_out() -> list[Checked]:
    """Every run estimated from all others."""
    return leave_out(lambda known: known.row.run)


def leave_organisation_out() -> list[Checked]:
    """Every run estimated from the runs of other organisations: what a newcomer gets."""
    return leave_out(lambda known: known.row.organisation)


def bare_strangers() -> list[Checked]:
    """As ``leave_organisation_out``, told only size, tokens, accelerator and how hours are counted."""

    def bare(run: Run) -> Run:
        return Run(run.active_params, run.total_params, run.tokens, run.accelerator, measured=run.measured)

    return leave_out(lambda known: known.row.organisation, bare)


def naive(utilisation: float = 0.4) -> list[Checked]:
    """Every run at one utilisation, the usual rule of thumb."""
    return [Checked(each, _hours(each.run, Interval.exact(utilisation))) for each in published_runs()]


def summary(checked: Sequence[Checked]) -> Accuracy:
    """Median and 90th percentile of absolute relative error, coverage, and the median of high over low."""
    errors = [abs(each.error) for each in checked]
    inside = [each.estimate_hours.holds(each.known.accelerator_hours) for each in checked]
    widths = [each.estimate_hours.high / each.estimate_hours.low for each in checked]
    return Accuracy(
        runs=len(checked),
        median_error=float(np.median(errors)),
        p90_error=float(np.quantile(errors, 0.9)),
        coverage80=float(np.mean(inside)),
        median_width=float(np.median(widths)),
    )


def _hours(run: Run, utilisation: Interval) -> Interval:
    peak_hours = training_flops(run) / (3600 * run.accelerator.peak_16bit_flops)
    return utilisation.inverse().scaled(peak_hours)


def fleet_day() -> InferenceEstimate:
    """DeepSeek's day by the inference estimator; nothing in it was fitted to that day."""
    return estimate_inference(
        find_served_model("deepseek-v3"),
        find_accelerator("h800"),
        FLEET_DAY,
        find_facility("hyperscale"),
        precision="fp8",
        prefill_replica=32,
        decode_replica=144,
    )
