"""Files of a platform team, put together to one week."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tenfold.core.errors import UsageError
from tenfold.page.figures import counted
from tenfold.replay.importing.capacity import Capacity
from tenfold.replay.importing.courses import Course, courses_of, one_clock
from tenfold.replay.importing.fleet import fleet_of
from tenfold.replay.importing.found import Counted, Found, ImportFault, JobFile, LoggedJob, RequestFile, SeriesFile
from tenfold.replay.importing.kinds import ANY
from tenfold.replay.importing.placed import PlacedJob, last_known_s, place
from tenfold.replay.importing.reading import Unit
from tenfold.replay.importing.span import Span, between, span_of
from tenfold.replay.importing.wishes import Wishes, check_services, of, replica_of
from tenfold.replay.importing.writing import (
    ServiceLines,
    WeekLines,
    cluster_jobs_csv,
    jobs_csv,
    series_csv,
    week_toml,
)
from tenfold.replay.traces import moment
from tenfold.replay.waits import duration
from tenfold.replay.week import Floats

USUAL = (
    "Prices, times of starting and waking, and how long a request may wait are the usual ones of a service's family."
)


EARLY = 0.1
"""Share of the time that is played after which an account of jobs that ended earlier is told of."""


@dataclass(frozen=True, slots=True)
class Imported:
    """A week's files by name, and what was taken for granted."""

    files: Mapping[str, str]
    assumed: tuple[str, ...]
    services: tuple[str, ...]
    jobs: int
    kinds: Mapping[str, int]


def import_week(
    files: Sequence[Found], wishes: Wishes, replicas: SeriesFile | None = None, answered: SeriesFile | None = None
) -> Imported:
    """Put files together.

    Args:
        files: what was found in them.
        wishes: what was said beside them.
        replicas: how many replicas each service had over time.
        answered: requests per second that each answered in time.

    Raises:
        ImportFault: files have no time in common, or there is nothing to play.
        UsageError: an option names a service that there is not.
    """
    beside = [each for each in (replicas, answered) if each is not None]
    on_clock, clock, assumed = one_clock([*files, *beside])
    assumed += [line for file in files for line in file.assumed]
    sources, rest = on_clock[: len(files)], iter(on_clock[len(files) :])
    courses, told = courses_of([f for f in sources if isinstance(f, SeriesFile | RequestFile)], wishes.reading.unit)
    assumed += told
    wishes.check(list(courses))
    assumed += _of_latencies(courses, wishes)
    jobs, told = _jobs([file for file in sources if isinstance(file, JobFile)])
    assumed += told
    span, told = span_of(courses, jobs, clock, wishes)
    assumed += told
    held = _beside(next(rest), courses, span, "--replicas", "per-second") if replicas is not None else {}
    given = _beside(next(rest), courses, span, "--answered", wishes.reading.unit) if answered is not None else {}
    rates, written = _rates(courses, span)
    fleet = fleet_of(courses, jobs, held, span, wishes)
    assumed += fleet.assumed
    placed = _placed(jobs, span, fleet.kinds, wishes, assumed) if jobs else []
    services = [
        _service(name, rates[name], course, fleet.capacities[name], held.get(name), wishes)
        for name, course in courses.items()
    ]
    assumed += [USUAL] if services else []
    slots = {name: series_T * replica_of(wishes, name) for name, series_T in held.items()}
    did = _cluster(placed, slots, _answered(courses, span) | given, span)
    lines = WeekLines(
        name=wishes.name,
        step_s=span.step_s,
        history_s=span.history_s,
        kinds=fleet.kinds,
        node=wishes.node,
        services=services,
        steps=None if services else span.played,
        jobs=placed,
        cluster={key: file for key, (file, _) in did.items()},
        assumed=list(dict.fromkeys(assumed)),
        sources=[file.origin for file in files],
    )
    written |= {file: text for file, text in did.values()}
    if placed:
        written["jobs.csv"] = jobs_csv(placed, list(fleet.kinds))
    texts = {"week.toml": week_toml(lines), **written}
    return Imported(texts, tuple(lines.assumed), tuple(courses), len(placed), fleet.kinds)


def _beside(file: Found, courses: Mapping[str, Course], span: Span, option: str, unit: Unit) -> dict[str, Floats]:
    """A file's series of the services, in the week's steps; a single one of a single service needs no name."""
    assert isinstance(file, SeriesFile)
    found, _ = courses_of([file], unit)
    if len(found) == len(courses) == 1:
        found = dict(zip(courses, found.values(), strict=True))
    check_services(option, found, list(courses))
    cure = "export the same days as the requests'"
    return {name: _known(f"{file.origin} ({option})", name, span.rates_T(c), span, cure) for name, c in found.items()}


def _known(origin: str, name: str, series_T: Floats, span: Span, cure: str) -> Floats:
    """A series, if any of it was measured."""
    if np.isnan(series_T).all():
        raise ImportFault(
            f"{origin} has no value of {name} in {between(span.start_s, span.end_s, span.clock)}",
            next_step=cure,
        )
    return series_T


def _of_latencies(courses: Mapping[str, Course], wishes: Wishes) -> list[str]:
    """Say which services' ``--latency-target`` says nothing, as no log tells how long their requests took."""
    silent = [name for name, course in courses.items() if course.requests is None or course.requests.latency_s is None]
    if wishes.reading.latency_unit is not None and len(silent) == len(courses):
        raise UsageError("--latency-unit: no log tells how long a request took", next_step="leave it out")
    told = [name for name in silent if of(wishes.reading.latency_target, name) is not None]
    return [f"No log tells how long requests of {', '.join(told)} took: --latency-target is not used."] if told else []


def _jobs(files: Sequence[JobFile]) -> tuple[list[LoggedJob], list[str]]:
    """The jobs of all files; one that several have, as their days overlap, once: with its end, if one knows it."""
    found: dict[object, LoggedJob] = {}
    for job in (job for file in files for job in file.jobs):
        key = job.name, job.submitted_s, job.started_s
        if key not in found or found[key].ended_s is None:
            found[key] = job
    twice = sum(len(file.jobs) for file in files) - len(found)
    return list(found.values()), [f"jobs that several files have, taken once: {twice:,}."] if twice else []


def _placed(
    jobs: Sequence[LoggedJob], span: Span, kinds: Mapping[str, int], wishes: Wishes, assumed: list[str]
) -> list[PlacedJob]:
    left_out = Counted()
    there = place(jobs, span.begin_s, span.end_s, node=wishes.node, elastic=wishes.elastic, left_out=left_out)
    placed = _fitting(there, kinds, left_out)
    assumed += left_out.lines()
    silent_s = span.end_s - last_known_s(jobs)
    if silent_s > EARLY * (span.end_s - span.begin_s):
        assumed.append(
            f"The accounts of jobs end at {moment(last_known_s(jobs), is_date=span.clock == 'dated')}, "
            f"{duration(silent_s)} before the rates: in that time no job is submitted (--days)."
        )
    if not placed:
        jobs_are_of = between(min(job.submitted_s for job in jobs), last_known_s(jobs), span.clock)
        raise ImportFault(
            f"no job was there while the week is played, from {between(span.begin_s, span.end_s, span.clock)}; "
            f"jobs are of {jobs_are_of}",
            next_step="give files of the same days; where they are, check --timezone",
        )
    sizes = "a quarter to twice the accelerators" if wishes.elastic else "the accelerators (--elastic: also on others)"
    assumed.append(
        f"{counted(len(placed), 'job')}: each runs on {sizes} that it had, of that kind, as long as it ran in the "
        "cluster, failed and cancelled ones too. What ran when play begins waits then with the rest of its work."
    )
    return placed


def _fitting(placed: Sequence[PlacedJob], kinds: Mapping[str, int], left_out: Counted) -> list[PlacedJob]:
    """Leave out what the fleet cannot run; a name that comes twice gets a number."""
    found: dict[str, PlacedJob] = {}
    times: Counter[str] = Counter()
    for job in placed:
        kind = _kind_for(job, kinds, left_out)
        if kind is None:
            continue
        room = kinds.get(kind, sum(kinds.values()))
        if job.least > room:
            left_out.add("jobs left out that need more accelerators of their kind than the fleet has (--fleet)")
            continue
        name = job.name
        while name in found:
            times[job.name] += 1
            name = f"{job.name}-{times[job.name] + 1}"
        found[name] = replace(job, name=name, kind=kind, most=min(job.most, room))
    return list(found.values())


def _kind_for(job: PlacedJob, kinds: Mapping[str, int], left_out: Counted) -> str | None:
    """The kind of the fleet that a job runs on, ``ANY`` for each of them; none, and counted, where there is none."""
    if job.kind in kinds:
        return job.kind
    if len(kinds) == 1:
        (only,) = kinds
        left_out.add(f"jobs that ran on a {job.kind}, of which the fleet has none, and run on {only}")
        return only
    if job.kind == ANY:
        left_out.add("jobs of which nobody says on which kind they ran, and that may run on any")
        return ANY
    left_out.add(f"jobs left out that ran on a {job.kind}, of which the fleet has none (--fleet)")
    return None


def _service(
    name: str, rates: str, course: Course, capacity: Capacity, replicas_T: Floats | None, wishes: Wishes
) -> ServiceLines:
    tokens = course.requests is not None and course.requests.output_tokens is not None
    replica = replica_of(wishes, name)
    family = of(wishes.family, name, "llm" if tokens else "services")
    split = f"; a replica is of {replica} accelerators, and is taken to be divisible" if replica > 1 else ""
    floor = replica if replicas_T is not None and float(np.nanmin(replicas_T)) >= 1 else 0
    return ServiceLines(name, family, rates, capacity.by_kind, f"by {capacity.known}{split}", floor)


def _rates(courses: Mapping[str, Course], span: Span) -> tuple[dict[str, str], dict[str, str]]:
    """The file of each service, and the files' texts: one for each length of step."""
    by_step: dict[float, dict[str, Floats]] = {}
    for name, course in courses.items():
        by_step.setdefault(course.step_s, {})[name] = _known(
            course.origin, name, span.own_T(course), span, "leave it out of the query or panel, or give another --start"
        )
    owner, texts = {}, {}
    for step_s, series in by_step.items():
        file = "rates.csv" if len(by_step) == 1 else f"rates_{step_s:g}s.csv"
        texts[file] = series_csv(span.start_s, step_s, span.clock, series)
        owner |= dict.fromkeys(series, file)
    return owner, texts


def _answered(courses: Mapping[str, Course], span: Span) -> dict[str, Floats]:
    """Requests per second that a log says were answered, and in time where there is a --latency-target."""
    return {
        name: span.rates_T(replace(course, samples=course.answered))
        for name, course in courses.items()
        if course.answered is not None
    }


def _cluster(
    placed: Sequence[PlacedJob], slots: Mapping[str, Floats], answered: Mapping[str, Floats], span: Span
) -> dict[str, tuple[str, str]]:
    """What the cluster itself did: by key of ``[cluster]`` a file's name and text."""
    found = {}
    if placed:
        found["jobs"] = "cluster_jobs.csv", cluster_jobs_csv(placed)
    for key, series in (("slots", slots), ("answered", answered)):
        if series:
            found[key] = f"cluster_{key}.csv", series_csv(span.start_s, span.step_s, span.clock, series)
    return found
