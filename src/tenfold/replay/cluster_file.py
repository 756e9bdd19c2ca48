"""``[cluster]`` of week.toml: what the cluster itself did in the week that is played.

Letters: T steps, S services, J jobs of the week, R runs of them in the cluster.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tenfold.core.table import TableError
from tenfold.replay.table import Faults, is_gap, numbers, read_table
from tenfold.replay.traces import Clock, Rates, moment, read_rates
from tenfold.replay.week import Floats, Job, Recorded, Service
from tenfold.replay.week_schema import ClusterTable

HOUR_S = 3600.0
COLUMNS = ("job", "slots", "started_s", "ended_s")


@dataclass(frozen=True, slots=True)
class Play:
    """The time that is played, on the rates' clock: when play begins, when the rates do, and the steps."""

    begin_s: float
    rates_begin_s: float
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
    ran = _Ran.none(play, len(jobs)) if table.jobs is None else _ran(folder / table.jobs, jobs, play)
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
    begin_s = _begin_s(folder / file, rates, play)
    _check_there(folder / file, rates, begin_s, services, play)
    for place, service in enumerate(services):
        if service.name in rates.names:
            found_TS[:, place] = _means(rates.rates_ST[rates.names.index(service.name)], rates.step_s, begin_s, play)
    return found_TS


def _begin_s(path: Path, rates: Rates, play: Play) -> float:
    """Where the first step that is played begins in a file, in seconds from the file's own first step."""
    if rates.clock == play.clock:
        return play.begin_s - rates.start_s
    if "counted" not in (rates.clock, play.clock):
        zones = {"zoned": "have a time zone", "local": "have none"}
        raise TableError(
            f"times of {path} {zones[rates.clock]}, those of the rates {zones[play.clock]}",
            next_step="give both, e.g. 2026-01-05T00:00:00Z, or neither",
        )
    # One of them tells no dates: it begins when the rates do.
    return play.begin_s - play.rates_begin_s


def _check_there(path: Path, rates: Rates, begin_s: float, services: Sequence[Service], play: Play) -> None:
    """Refuse a file of other days, or of other services."""
    if services and not {service.name for service in services} & set(rates.names):
        raise TableError(
            f"{path} has {', '.join(rates.names)}, and none of the week's services",
            next_step="name its columns like services, or leave it out of [cluster]",
        )
    played_s, has_s = play.steps * play.step_s, rates.rates_ST.shape[1] * rates.step_s
    if begin_s >= has_s or begin_s + played_s <= 0:
        played, has = (
            f"{moment(start_s, is_date=clock != 'counted')} to {moment(start_s + length_s, is_date=clock != 'counted')}"
            for start_s, length_s, clock in (
                (play.begin_s, played_s, play.clock),
                (rates.start_s, has_s, rates.clock),
            )
        )
        raise TableError(
            f"{path} has {has}, and what is played is of {played}",
            next_step="give the same days, or leave it out of [cluster]",
        )


def _means(known_T: Floats, own_s: float, begin_s: float, play: Play) -> Floats:
    """A series in the steps that are played: the mean of what is known of each; of a coarser step all its parts."""
    parts = max(1, math.ceil(play.step_s / own_s - 1e-9))
    middles = begin_s + (np.arange(play.steps * parts) + 0.5) * play.step_s / parts
    places = np.floor(middles / own_s).astype(np.int64)
    inside = (places >= 0) & (places < len(known_T))
    values = np.full(len(places), np.nan)
    values[inside] = known_T[places[inside]]
    values_TP = values.reshape(play.steps, parts)
    known_TP = ~np.isnan(values_TP)
    counts_T = known_TP.sum(axis=1)
    sums_T = np.where(known_TP, values_TP, 0.0).sum(axis=1)
    return np.divide(sums_T, counts_T, out=np.full(play.steps, np.nan), where=counts_T > 0)


@dataclass(frozen=True, slots=True)
class _Ran:
    """What jobs did within the week. ``waited_s_J``: NaN for those that had not started when it ended."""

    held_h: float
    slots_T: Floats
    waited_s_J: Floats
    done: int

    @staticmethod
    def none(play: Play, jobs: int) -> "_Ran":
        return _Ran(0.0, np.zeros(play.steps), np.full(jobs, np.nan), 0)


def _ran(path: Path, jobs: Sequence[Job], play: Play) -> _Ran:
    table = read_table(path)
    faults = Faults(table.origin)
    for name in COLUMNS:
        if name not in table.columns:
            faults.note("", f"column {name!r} is missing")
    faults.check()
    slots_R = numbers(table, "slots", faults, above_zero=True)
    times_R = {name: _times(table.columns[name]) for name in ("started_s", "ended_s")}
    places = {job.name: place for place, job in enumerate(jobs)}
    for row, name in enumerate(table.columns["job"]):
        if str(name) not in places:
            faults.add(table.places[row], "job", name, "no job of the week has this name")
        for column, times in times_R.items():
            cell = table.columns[column][row]
            if np.isnan(times[row]) and not is_gap(cell):
                faults.add(table.places[row], column, cell, "it must be seconds, or empty")
    faults.check()
    # What has no start never started; what has no end still ran when the week ended.
    started_s_R, ended_s_R = (np.nan_to_num(times_R[name], nan=np.inf) for name in ("started_s", "ended_s"))
    edges_s = np.arange(play.steps + 1) * play.step_s
    # Slot-seconds held before each step's begin; their differences are what was held in each step.
    before = np.zeros(play.steps + 1)
    for slots, started_s, ended_s in zip(slots_R, np.maximum(started_s_R, 0.0), ended_s_R, strict=True):
        if started_s < edges_s[-1]:
            before += slots * np.clip(edges_s - started_s, 0.0, max(ended_s - started_s, 0.0))
    # Of a job that was started several times the first start and the last end count.
    job_R = np.array([places[str(name)] for name in table.columns["job"]], dtype=np.int64)
    first_s_J, last_s_J = np.full(len(jobs), np.inf), np.full(len(jobs), -np.inf)
    np.minimum.at(first_s_J, job_R, started_s_R)
    np.maximum.at(last_s_J, job_R, ended_s_R)
    arrival_s_J = np.array([job.arrival_s for job in jobs], dtype=np.float64)
    waited_s_J = np.where(first_s_J < edges_s[-1], np.maximum(first_s_J - arrival_s_J, 0.0), np.nan)
    done = int(((last_s_J <= edges_s[-1]) & np.isfinite(last_s_J)).sum())
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
