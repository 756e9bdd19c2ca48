"""How large the fleet is, and what one accelerator of it answers: as told, as seen, or as assumed.

Letters: T steps.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tenfold.replay.importing.capacity import BUSY, Capacity, Told, capacity_of
from tenfold.replay.importing.courses import Course
from tenfold.replay.importing.found import LoggedJob
from tenfold.replay.importing.kinds import is_slice, kind_of
from tenfold.replay.importing.placed import last_known_s
from tenfold.replay.importing.span import Span
from tenfold.replay.importing.wishes import Wishes, of, replica_of
from tenfold.replay.week import Floats

KIND = "h100"
SLOTS = 64
"""The fleet where nothing at all tells of it."""

ROOM = 0.8
"""Share of the slots set aside for services that their highest demand needs."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """Accelerators by kind, each service's capacity, and what was taken for granted of both."""

    kinds: Mapping[str, int]
    capacities: Mapping[str, Capacity]
    assumed: tuple[str, ...]


def fleet_of(
    courses: Mapping[str, Course],
    jobs: Sequence[LoggedJob],
    replicas: Mapping[str, Floats],
    span: Span,
    wishes: Wishes,
) -> Fleet:
    """Find the fleet.

    Args:
        courses: services' rates.
        jobs: all that the logs have.
        replicas: of services, in the week's steps, where known.
        span: what is played.
        wishes: what was said beside the files.
    """
    known = {name: _told(name, course, replicas.get(name), span, wishes) for name, course in courses.items()}
    if wishes.fleet:
        # Logs call one kind by many names: jobs are matched by the kind's own.
        told_kinds: Counter[str] = Counter()
        for kind, slots in wishes.fleet.items():
            told_kinds[kind_of(kind)] += int(slots)
        kinds = dict(told_kinds)
        capacities = {name: capacity_of(name, told, kinds) for name, told in known.items()}
        return Fleet(kinds, capacities, tuple(_of_capacities(kinds, capacities)))
    kinds, assumed = _of_jobs(jobs, wishes.node)
    held = sum(float(np.nanmax(series_T)) * replica_of(wishes, name) for name, series_T in replicas.items())
    # Where nothing tells what an accelerator answers, services are taken to need half of as many as jobs have.
    guess = kinds or {KIND: SLOTS}
    capacities = {name: capacity_of(name, told, guess) for name, told in known.items()}
    if courses:
        able = [kind for kind in guess if all(kind in each.by_kind for each in capacities.values())]
        first = max(able or guess, key=lambda kind: guess[kind])
        by_jobs = kinds.get(first, 0)
        each_does = {name: found.by_kind.get(first, max(found.by_kind.values())) for name, found in capacities.items()}
        needed = sum(float(np.nanmax(told.rates_T)) / each_does[name] for name, told in known.items())
        extra = held or needed / (BUSY if all(each.assumed for each in capacities.values()) else ROOM)
        kinds |= {first: whole_nodes(by_jobs + extra, wishes.node)}
        why = "the most that their replicas held" if held else "so that their highest demand leaves room, ASSUMED"
        assumed.append(f"For services {kinds[first] - by_jobs:,} {first} are added, {why} (--fleet).")
    return Fleet(kinds, capacities, (*assumed, *_of_capacities(kinds, capacities)))


def whole_nodes(slots: float, node: int) -> int:
    """So many accelerators, rounded up to whole nodes."""
    return max(node, math.ceil(slots / node - 1e-9) * node)


def most_held(jobs: Sequence[LoggedJob]) -> Mapping[str, int]:
    """The most accelerators of each kind that jobs held at one time; what still runs holds them until the log ends."""
    changes: list[tuple[float, int, str]] = []
    most: dict[str, int] = {}
    last_s = last_known_s(jobs)
    for job in jobs:
        if job.started_s is not None:
            most[job.kind] = max(most.get(job.kind, 0), job.slots)
            ended_s = last_s if job.ended_s is None else job.ended_s
            changes += [(job.started_s, job.slots, job.kind), (ended_s, -job.slots, job.kind)]
    held: dict[str, int] = {}
    # Who ends gives up before who starts takes.
    for _, slots, kind in sorted(changes, key=lambda change: (change[0], change[1])):
        held[kind] = held.get(kind, 0) + slots
        most[kind] = max(most[kind], held[kind])
    return most


def _of_jobs(jobs: Sequence[LoggedJob], node: int) -> tuple[dict[str, int], list[str]]:
    if not jobs:
        return {}, []
    kinds = {kind: whole_nodes(slots, node) for kind, slots in most_held(jobs).items()}
    return kinds, [f"The fleet is what jobs held at most at one time, in whole nodes of {node} (--fleet)."]


def _of_capacities(kinds: Mapping[str, int], capacities: Mapping[str, Capacity]) -> list[str]:
    told = []
    for name, capacity in capacities.items():
        rates = ", ".join(f"{rate:.3g}/s on one {kind}" for kind, rate in capacity.by_kind.items())
        told.append(f"Capacity of {name}: {rates} by {capacity.known}.")
    unfit = [kind for kind in kinds if any(kind not in capacity.by_kind for capacity in capacities.values())]
    slices, small = [kind for kind in unfit if is_slice(kind)], [kind for kind in unfit if not is_slice(kind)]
    if small:
        told.append(f"Services do not run on {', '.join(small)}, where their model does not fit.")
    if slices:
        told.append(f"Services do not run on {', '.join(slices)}: nothing tells what a slice of one answers.")
    return told


def _told(name: str, course: Course, replicas_T: Floats | None, span: Span, wishes: Wishes) -> Told:
    parallel = of(wishes.parallel, name)
    return Told(
        rates_T=span.rates_T(course),
        requests=course.requests,
        per_replica=of(wishes.capacity, name),
        replica=replica_of(wishes, name),
        model=of(wishes.model, name),
        parallel=None if parallel is None else max(1, round(parallel)),
        replicas_T=replicas_T,
    )
