"""Which time is played: what all files have, or what was asked for of it.

Letters: T steps.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tenfold.core.errors import UsageError
from tenfold.replay.importing.courses import Course
from tenfold.replay.importing.found import Clock, ImportFault, LoggedJob
from tenfold.replay.importing.moments import moment_of
from tenfold.replay.importing.placed import last_known_s
from tenfold.replay.importing.tally import FEW_STEPS
from tenfold.replay.importing.wishes import Wishes
from tenfold.replay.importing.zones import zone_of
from tenfold.replay.joining import choose_step
from tenfold.replay.traces import STEP_S, moment
from tenfold.replay.waits import duration
from tenfold.replay.week import Floats

DAY_S = 86400.0
WEEK_DAYS = 7
LONGEST_DAYS = 15.0
"""Of what is longer than this only the first day and week are played, of jobs alone the last week."""

FEWEST_STEPS = 4


@dataclass(frozen=True, slots=True)
class Span:
    """Seconds on the ``clock``. The first ``history_s`` are known to every policy and not played."""

    start_s: float
    end_s: float
    history_s: float
    step_s: float
    clock: Clock

    @property
    def begin_s(self) -> float:
        """When play begins."""
        return self.start_s + self.history_s

    @property
    def steps(self) -> int:
        """How many steps there are, the history's included."""
        return int((self.end_s - self.start_s) / self.step_s + 1e-6)

    @property
    def played(self) -> int:
        """How many steps are played."""
        return self.steps - round(self.history_s / self.step_s)

    def own_T(self, course: Course) -> Floats:
        """A course's rates over the whole span, in the course's own steps."""
        return course.rates_T(self.start_s, max(1, round((self.end_s - self.start_s) / course.step_s)))

    def rates_T(self, course: Course) -> Floats:
        """The same in the week's steps: means of finer ones; a coarser step's rate holds in all its parts."""
        merged = round(self.step_s / course.step_s)
        if merged > 1:
            return course.rates_T(self.start_s, self.steps, merged)
        own_T = self.own_T(course)
        places_T = (np.arange(self.steps) * self.step_s / course.step_s).astype(np.int64)
        return own_T[np.minimum(places_T, len(own_T) - 1)]


def span_of(
    courses: Mapping[str, Course], jobs: Sequence[LoggedJob], clock: Clock, wishes: Wishes
) -> tuple[Span, list[str]]:
    """Find what can be played: where all services have rates, or else where jobs are.

    Returns:
        The span, and what was taken for granted.

    Raises:
        ImportFault: there is no such time, or too little of it.
        UsageError: ``--start`` is no moment, or outside.
    """
    told: list[str] = []
    if courses:
        start_s, end_s = _common(courses, clock, told)
        steps_s = [course.step_s for course in courses.values()]
        # Of a short time steps are not merged to so few that nothing happens.
        step_s = choose_step(steps_s, min(STEP_S, max(min(steps_s), (end_s - start_s) / FEW_STEPS)))
    elif jobs:
        start_s, steps_s, step_s = min(job.submitted_s for job in jobs), [STEP_S], STEP_S
        end_s = start_s + math.ceil((last_known_s(jobs) - start_s) / STEP_S) * STEP_S
    else:
        raise ImportFault("there is nothing to play", next_step="give rates, requests or jobs")
    if wishes.start is not None:
        start_s = _start_s(wishes, start_s, end_s, clock)
    # An account has jobs that began long before the days that were asked for: of jobs alone the last days are known.
    latest = not courses and wishes.start is None
    days = wishes.days
    if days is None and (end_s - start_s) / DAY_S > LONGEST_DAYS:
        days = WEEK_DAYS + (1.0 if courses else 0.0)
        told.append(
            f"The files have {(end_s - start_s) / DAY_S:.4g} days; the {'last' if latest else 'first'} {days:g} are "
            "taken (--start, --days)."
        )
    if days is not None and latest:
        start_s = max(start_s, end_s - days * DAY_S)
    elif days is not None:
        end_s = min(end_s, start_s + days * DAY_S)
    grid_s = max(*steps_s, step_s)
    history_s = min(DAY_S, (end_s - start_s) / WEEK_DAYS) // grid_s * grid_s if courses else 0.0
    span = Span(start_s, end_s, history_s, step_s, clock)
    if span.played < FEWEST_STEPS:
        raise ImportFault(
            f"all files together have only {span.steps} steps of {step_s:g} s", next_step="give a longer time"
        )
    if history_s:
        told.append(f"The first {duration(history_s)} are known to every policy and not played (history_s).")
    return span, told


def between(start_s: float, end_s: float, clock: Clock) -> str:
    """A time for people, from one moment to another."""
    is_date = clock == "dated"
    return f"{moment(start_s, is_date=is_date)} to {moment(end_s, is_date=is_date)}"


def _common(courses: Mapping[str, Course], clock: Clock, told: list[str]) -> tuple[float, float]:
    """What all files have; a service of which a file knows only a part was not measured in the rest."""
    known: dict[str, tuple[float, float]] = {}
    for course in courses.values():
        first_s, last_s = known.get(course.origin, (course.start_s, course.end_s))
        known[course.origin] = min(first_s, course.start_s), max(last_s, course.end_s)
    start_s, end_s = max(first_s for first_s, _ in known.values()), min(last_s for _, last_s in known.values())
    spans = {origin: between(first_s, last_s, clock) for origin, (first_s, last_s) in known.items()}
    lines = "; ".join(f"{origin} has {span}" for origin, span in spans.items())
    if end_s <= start_s:
        raise ImportFault(f"the services have no time in common: {lines}", next_step="export the same days of all")
    if len(set(spans.values())) > 1:
        told.append(f"Files are joined by time: {lines}. What all have is taken.")
    return start_s, end_s


def _start_s(wishes: Wishes, start_s: float, end_s: float, clock: Clock) -> float:
    wished = moment_of(wishes.start, zone_of(wishes.reading.zone))
    if wished is None or wished.clock != clock:
        right = "a date like 2026-01-05" if clock == "dated" else "seconds, as the files have"
        raise UsageError(f"--start {wishes.start!r} is not {right}", next_step=f"give {right}")
    if not start_s <= wished.seconds < end_s:
        have = between(start_s, end_s, clock)
        raise UsageError(f"--start {wishes.start!r} is outside of what the files have, {have}", next_step="mend it")
    return wished.seconds
