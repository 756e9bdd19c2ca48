"""Series and requests as rates in equal steps, all on one clock.

Letters: N samples, T steps.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tenfold.replay.importing.found import (
    Clock,
    Found,
    ImportFault,
    JobFile,
    RequestFile,
    Requests,
    Samples,
    SeriesFile,
)
from tenfold.replay.importing.labels import UNNAMED, plain_service
from tenfold.replay.importing.prometheus import interval_s, rate_of
from tenfold.replay.importing.reading import Unit
from tenfold.replay.waits import duration
from tenfold.replay.week import Floats

RISING = 20
"""From so many samples on it is told that a series never falls."""

PERIOD_S: Mapping[str, float] = {"per-second": 1.0, "per-minute": 60.0, "per-hour": 3600.0}


@dataclass(frozen=True, slots=True)
class Course:
    """One service's rates as measured. ``step_s``: the distance of samples. ``requests``: if they are from a log.

    ``answered``: rates of what was answered in time; none: not told.
    """

    origin: str
    samples: Samples
    step_s: float
    requests: Requests | None = None
    answered: Samples | None = None

    @property
    def start_s(self) -> float:
        """When the first step begins."""
        return float(self.samples.at_s_N[0])

    @property
    def end_s(self) -> float:
        """When the last step ends."""
        return float(self.samples.at_s_N[-1]) + self.step_s

    def rates_T(self, start_s: float, steps: int, merged: int = 1) -> Floats:
        """Rates from a moment on, each sample in the step that it is nearest to; NaN where there is none.

        ``merged``: so many steps of the course are one.
        """
        samples, step_s = self.samples, self.step_s
        # Samples keep their own rhythm: a scrape that is late by a second is not one that is missing.
        own = np.round((samples.at_s_N - samples.at_s_N[0]) / step_s)
        at_N = (own + round((samples.at_s_N[0] - start_s) / step_s)).astype(np.int64) // merged
        known_N = ~np.isnan(samples.value_N) & (at_N >= 0) & (at_N < steps)
        sums_T = np.bincount(at_N[known_N], samples.value_N[known_N], steps)
        counts_T = np.bincount(at_N[known_N], minlength=steps)
        return np.divide(sums_T, counts_T, out=np.full(steps, np.nan), where=counts_T > 0)


def one_clock(files: Sequence[Found]) -> tuple[list[Found], Clock, list[str]]:
    """Move files that count from a beginning of their own to where the others begin; say so."""
    clocks = {file.clock for file in files}
    if len(clocks) < 2:
        return list(files), next(iter(clocks)), []
    dated = [file for file in files if file.clock == "dated"]
    begin_s = min(_begin_s(file) for file in dated)
    moved, told = [], []
    for file in files:
        if file.clock == "counted":
            told.append(f"{file.origin} tells no dates: taken to begin when {dated[0].origin} does.")
            moved.append(_moved(file, begin_s - _begin_s(file)))
        else:
            moved.append(file)
    return moved, "dated", told


def _begin_s(file: Found) -> float:
    if isinstance(file, JobFile):
        return min(job.submitted_s for job in file.jobs)
    if isinstance(file, RequestFile):
        return file.begin_s
    return min(float(each.at_s_N[0]) for each in file.series.values() if len(each.at_s_N))


def _moved(file: Found, by_s: float) -> Found:
    if isinstance(file, JobFile):
        jobs = [
            replace(
                job,
                submitted_s=job.submitted_s + by_s,
                started_s=None if job.started_s is None else job.started_s + by_s,
                ended_s=None if job.ended_s is None else job.ended_s + by_s,
            )
            for job in file.jobs
        ]
        return replace(file, jobs=jobs, clock="dated")
    if isinstance(file, RequestFile):
        return replace(file, begin_s=file.begin_s + by_s, end_s=file.end_s + by_s, clock="dated")
    series = {name: replace(each, at_s_N=each.at_s_N + by_s) for name, each in file.series.items()}
    return replace(file, series=series, clock="dated")


def courses_of(files: Sequence[SeriesFile | RequestFile], unit: Unit) -> tuple[dict[str, Course], list[str]]:
    """Each service's course. A name that several files have is refused; who has none is then named after its file.

    Raises:
        ImportFault: two files have a service of one name, or a series has no value.
    """
    found: dict[str, Course] = {}
    told: list[str] = []
    for file in files:
        courses, lines = _of_requests(file) if isinstance(file, RequestFile) else _of_series(file, unit)
        told += lines
        for name, course in courses.items():
            own = name
            if name in found and name in UNNAMED:
                own = plain_service(Path(file.origin).name.partition(".")[0])
                told.append(f"{file.origin}: its service is named {own!r}, after the file.")
            if own in found:
                raise ImportFault(
                    f"{file.origin} and {found[own].origin} both have a service {own!r}",
                    next_step="leave one out, or name services by another label (--by); "
                    "what was answered goes with --answered, replicas with --replicas",
                )
            found[own] = course
    return found, told


def _of_series(file: SeriesFile, unit: Unit) -> tuple[dict[str, Course], list[str]]:
    found, told = {}, []
    for name, samples in file.series.items():
        if not len(samples.at_s_N) or np.isnan(samples.value_N).all():
            raise ImportFault(f"{file.origin}: {name} has no value", next_step="leave it out of the query or panel")
        step_s, measured = interval_s([samples.at_s_N]), samples
        if samples.says != "level":
            measured = rate_of(samples) if samples.says == "count" else samples
            told.append(f"{file.origin}: {name} counts requests since a start; its rise per second is taken (--unit).")
        elif unit != "per-second":
            measured = replace(samples, value_N=samples.value_N / PERIOD_S.get(unit, step_s))
        elif _never_falls(samples.value_N):
            told.append(f"{file.origin}: {name} never falls, and is taken for a rate (--unit counter if it counts).")
        found[name] = Course(file.origin, measured, step_s)
    if unit in PERIOD_S and not told:
        told.append(f"{file.origin}: values are requests {unit.replace('-', ' ')} (--unit).")
    if unit == "per-step":
        told.append(f"{file.origin}: values are counts of requests in each step.")
    return found, told


def _never_falls(value_N: Floats) -> bool:
    rose_N = np.diff(value_N[~np.isnan(value_N)])
    return len(rose_N) >= RISING and bool((rose_N >= 0).all() and rose_N.any())


def _of_requests(file: RequestFile) -> tuple[dict[str, Course], list[str]]:
    found = {}
    for name, requests in file.services.items():
        at_s_T = file.begin_s + np.arange(len(requests.asked_T), dtype=np.float64) * file.step_s
        rates = Samples(at_s_T, requests.asked_T / file.step_s)
        answered = None if requests.answered_T is None else Samples(at_s_T, requests.answered_T / file.step_s)
        found[name] = Course(file.origin, rates, file.step_s, requests, answered)
    count = sum(float(each.asked_T.sum()) for each in file.services.values())
    return found, [
        f"{file.origin}: {count:,.0f} requests in {duration(file.end_s - file.begin_s)}, counted in steps of "
        f"{file.step_s:g} s."
    ]
