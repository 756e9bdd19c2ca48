"""How well training estimates hold on published runs that the fit has not seen.

The scheme, written down before the fit: everything (slopes, effects, shrinkage, interval widths) is fitted anew with

- each whole **source** left out: all rows of an organisation, whatever it published;
- each whole **generation** of accelerators left out;
- all rows from a year on left out, and that year judged (**later**: 2021, 2022, ... , the last with all that follows).

Each way is judged by the median and the 90th percentile of |estimate / actual - 1| in accelerator-hours, and by the
share of runs inside their 80% interval. The worst of the three ways is the figure that counts.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from tenfold.compute.accelerators import find_accelerator
from tenfold.compute.facilities import find_facility
from tenfold.compute.inference import InferenceEstimate, Traffic, estimate_inference
from tenfold.compute.interval import Interval
from tenfold.compute.parallel import Parallel
from tenfold.compute.published import PublishedRun, published_runs
from tenfold.compute.run import Run, training_flops
from tenfold.compute.served import find_served_model
from tenfold.compute.training import calibrated
from tenfold.compute.utilisation import UtilisationModel, fit

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
CUTS = (2021, 2022, 2023, 2024, 2025)
AIM_COVERAGE = 0.8


@dataclass(frozen=True, slots=True)
class Checked:
    """A run and the accelerator-hours estimated for it."""

    known: PublishedRun
    estimate_hours: Interval

    @property
    def error(self) -> float:
        """Estimate over published, less one."""
        return self.estimate_hours.mid / self.known.accelerator_hours - 1

    @property
    def inside(self) -> bool:
        """Whether the published hours are in the interval."""
        return self.estimate_hours.holds(self.known.accelerator_hours)


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Summary over runs; ``coverage80`` is the share of runs inside their 80% interval."""

    runs: int
    median_error: float
    p90_error: float
    coverage80: float
    median_width: float


@cache
def leave_one_out() -> list[Checked]:
    """Every run estimated from all others; its say is taken out of the fit in closed form."""
    known = published_runs()
    names = np.array([each.row.run for each in known])
    return [_check(each, each.run, calibrated().without(names == each.row.run)) for each in known]


def leave_out(group: Callable[[PublishedRun], str]) -> list[tuple[PublishedRun, UtilisationModel]]:
    """Every run with the fit to the runs of the other groups."""
    found = {}
    for name in dict.fromkeys(group(each) for each in published_runs()):
        model = _fit(each for each in published_runs() if group(each) != name)
        found.update({each.row.run: (each, model) for each in published_runs() if group(each) == name})
    return [found[each.row.run] for each in published_runs()]


@cache
def _without_sources() -> list[tuple[PublishedRun, UtilisationModel]]:
    return leave_out(lambda known: known.row.organisation)


def leave_source_out() -> list[Checked]:
    """Every run estimated from the runs of other organisations: what a newcomer gets."""
    return [_check(known, known.run, model) for known, model in _without_sources()]


@cache
def leave_generation_out() -> list[Checked]:
    """Every run estimated from runs on other generations of accelerators: what a new accelerator gets."""
    return [
        _check(known, known.run, model)
        for known, model in leave_out(lambda known: known.run.accelerator.entry.generation)
    ]


@cache
def later_years() -> list[Checked]:
    """The runs of each year from ``CUTS`` on, estimated from the years before it: what next year gets."""
    checked = []
    for cut in CUTS:
        model = _fit(each for each in published_runs() if _year(each) < cut)
        judged = [
            each for each in published_runs() if cut <= _year(each) and (_year(each) < cut + 1 or cut == CUTS[-1])
        ]
        checked += [_check(each, each.run, model) for each in judged]
    return checked


def held_out() -> dict[str, list[Checked]]:
    """The three ways."""
    return {"source": leave_source_out(), "generation": leave_generation_out(), "later": later_years()}


def worst(ways: Sequence[Accuracy]) -> tuple[float, float, float]:
    """The largest median error, the largest 90th percentile, and the coverage farthest from 80%."""
    return (
        max(way.median_error for way in ways),
        max(way.p90_error for way in ways),
        max((way.coverage80 for way in ways), key=lambda share: abs(share - AIM_COVERAGE)),
    )


def bare_strangers() -> list[Checked]:
    """As ``leave_source_out``, told only size, tokens, accelerator, kind and how hours are counted."""

    def bare(run: Run) -> Run:
        return Run(
            run.active_params, run.total_params, run.tokens, run.accelerator, measured=run.measured, kind=run.kind
        )

    return [_check(known, bare(known.run), model) for known, model in _without_sources()]


def naive(utilisation: float = 0.4) -> list[Checked]:
    """Every run at one utilisation, the usual rule of thumb."""
    return [Checked(each, _hours(each.run, Interval.exact(utilisation))) for each in published_runs()]


def summary(checked: Sequence[Checked]) -> Accuracy:
    """Median and 90th percentile of absolute relative error, coverage, and the median of high over low."""
    errors = [abs(each.error) for each in checked]
    widths = [each.estimate_hours.high / each.estimate_hours.low for each in checked]
    return Accuracy(
        runs=len(checked),
        median_error=float(np.median(errors)),
        p90_error=float(np.quantile(errors, 0.9)),
        coverage80=float(np.mean([each.inside for each in checked])),
        median_width=float(np.median(widths)),
    )


def _year(known: PublishedRun) -> float:
    assert known.run.year is not None, known.row.run
    return known.run.year


def _fit(known: Iterator[PublishedRun]) -> UtilisationModel:
    seen = list(known)
    return fit([each.run for each in seen], [each.utilisation for each in seen])


def _check(known: PublishedRun, asked: Run, model: UtilisationModel) -> Checked:
    return Checked(known, _hours(asked, model.predict(asked)))


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
        prefill=Parallel(expert=32),
        decode=Parallel(expert=144),
    )
