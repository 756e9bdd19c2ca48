"""How well training estimates hold on published runs that the fit has not seen."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tenfold.compute.interval import Interval
from tenfold.compute.published import PublishedRun, published_runs
from tenfold.compute.run import training_flops
from tenfold.compute.utilisation import fit


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


def leave_out(group: Callable[[PublishedRun], str]) -> list[Checked]:
    """Estimate every run from the runs of the other groups only: fit, shrinkage and interval width see none of its own.

    Args:
        group: runs with the same answer are left out together; the run's name leaves out one at a time.
    """
    known = published_runs()
    checked = {}
    for name in dict.fromkeys(group(each) for each in known):
        seen = [each for each in known if group(each) != name]
        model = fit([each.run for each in seen], [each.utilisation for each in seen])
        for each in known:
            if group(each) == name:
                checked[each.row.run] = Checked(each, _hours(each, model.predict(each.run)))
    return [checked[each.row.run] for each in known]


def leave_one_out() -> list[Checked]:
    """Every run estimated from all others."""
    return leave_out(lambda known: known.row.run)


def leave_organisation_out() -> list[Checked]:
    """Every run estimated from the runs of other organisations: what a newcomer gets."""
    return leave_out(lambda known: known.row.organisation)


def naive(utilisation: float = 0.4) -> list[Checked]:
    """Every run at one utilisation, the usual rule of thumb."""
    return [Checked(each, _hours(each, Interval.exact(utilisation))) for each in published_runs()]


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


def _hours(known: PublishedRun, utilisation: Interval) -> Interval:
    peak_hours = training_flops(known.run) / (3600 * known.run.accelerator.peak_16bit_flops)
    return utilisation.inverse().scaled(peak_hours)
