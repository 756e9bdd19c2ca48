"""``[cluster]`` of week.toml: what the cluster itself did in the week that is played.

Letters: T steps, S services, J jobs that it ran.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tenfold.replay.table import Faults, is_gap, numbers, read_table
from tenfold.replay.traces import Clock, read_rates
from tenfold.replay.week import Floats, Job, Recorded, Service
from tenfold.replay.week_schema import ClusterTable

HOUR_S = 3600.0
COLUMNS = ("job", "slots", "started_s", "ended_s")


@dataclass(frozen=True, slots=True)
class Play:
    """The time that is played: when it begins on the files' clock, and its steps."""

    begin_s: float
    clock: Clock
    step_s: float
    steps: int


def read_recorded(
    folder: Path, table: ClusterTable, services: Sequence[Service], jobs: Sequence[Job], play: Play
) -> Recorded:
    """Read what the cluster did.

    Args:
        folder: of week.toml.
        table: names of the files.
        services: of the week.
        jobs: of the week; only of these what the cluster did is taken.
        play: the time of the week.

    Raises:
        TableError: a file cannot be read, or a row of it cannot be.
    """
    slots_TS = _series(folder, table.slots, services, play)
    answered_TS = _series(folder, table.answered, services, play)
    rates_TS = np.stack([each.rates_T for each in services], axis=1) if services else np.zeros((play.steps, 0))
    for place, service in enumerate(services):
        if service.gaps_T is not None:
            answered_TS[service.gaps_T, place] = np.nan
    known_TS = ~np.isnan(answered_TS)
    # A log's request of one step may be answered in the next: over the week that evens out.
    asked_S = np.where(known_TS, rates_TS, 0.0).sum(axis=0) * play.step_s
    answered_S = np.where(known_TS, answered_TS, 0.0).sum(axis=0) * play.step_s
    ran = _Ran.none(play) if table.jobs is None else _ran(folder / table.jobs, jobs, play)
    return Recorded(
        asked_S=asked_S,
        answered_S=np.minimum(answered_S, asked_S),
        service_slots_TS=slots_TS,
        training_slots_T=ran.slots_T,
        training_h=None if table.jobs is None else ran.held_h,
        waited_s_J=ran.waited_s_J,
        jobs_done=ran.done,
    )


def _series(folder: Path, file: str | None, services: Sequence[Service], play: Play) -> Floats:
    """A file's series of the services, in the steps that are played; NaN where nothing is told, shape (T, S)."""
    found_TS = np.full((play.steps, len(services)), np.nan)
    if file is None:
        return found_TS
    rates = read_rates(folder / file, play.step_s)
    # What counts from a beginning of its own, as the rates do, begins with them.
    begin_s = play.begin_s - (rates.start_s if rates.clock == play.clock else 0.0)
    places_T = np.floor((begin_s + (np.arange(play.steps) + 0.5) * play.step_s) / rates.step_s).astype(np.int64)
    inside_T = (places_T >= 0) & (places_T < rates.rates_ST.shape[1])
    for place, service in enumerate(services):
        if service.name in rates.names:
            found_TS[inside_T, place] = rates.rates_ST[rates.names.index(service.name), places_T[inside_T]]
    return found_TS


@dataclass(frozen=True, slots=True)
class _Ran:
    """What jobs did within the week."""

    held_h: float
    slots_T: Floats
    waited_s_J: Floats
    done: int

    @staticmethod
    def none(play: Play) -> "_Ran":
        return _Ran(0.0, np.zeros(play.steps), np.zeros(0), 0)


def _ran(path: Path, jobs: Sequence[Job], play: Play) -> _Ran:
    table = read_table(path)
    faults = Faults(table.origin)
    for name in COLUMNS:
        if name not in table.columns:
            faults.note("", f"column {name!r} is missing")
    faults.check()
    slots_J = numbers(table, "slots", faults, above_zero=True)
    times_J = {name: _times(table.columns[name]) for name in ("started_s", "ended_s")}
    arrived = {job.name: job.arrival_s for job in jobs}
    for row, name in enumerate(table.columns["job"]):
        if str(name) not in arrived:
            faults.add(table.places[row], "job", name, "no job of the week has this name")
        for column, times in times_J.items():
            cell = table.columns[column][row]
            if np.isnan(times[row]) and not (column == "ended_s" and is_gap(cell)):
                faults.add(table.places[row], column, cell, "it must be seconds")
    faults.check()
    edges_s = np.arange(play.steps + 1) * play.step_s
    # What has no end still ran when the week ended.
    started_s_J, ended_s_J = times_J["started_s"], np.nan_to_num(times_J["ended_s"], nan=np.inf)
    # Slot-seconds held before each step's begin; their differences are what was held in each step.
    before = np.zeros(play.steps + 1)
    for slots, started_s, ended_s in zip(slots_J, started_s_J, ended_s_J, strict=True):
        before += slots * np.clip(edges_s - max(started_s, 0.0), 0.0, max(ended_s - max(started_s, 0.0), 0.0))
    arrival_s_J = np.array([arrived[str(name)] for name in table.columns["job"]])
    waited_s_J = np.maximum(np.minimum(started_s_J, edges_s[-1]) - arrival_s_J, 0.0)
    done = int((ended_s_J <= edges_s[-1]).sum())
    return _Ran(float(before[-1]) / HOUR_S, np.diff(before) / play.step_s, waited_s_J, done)


def _times(cells: Sequence[object]) -> Floats:
    """Seconds, which may lie before the week; NaN for what is no number."""
    found = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        try:
            found[row] = float(str(cell))
        except ValueError:
            continue
    return found
