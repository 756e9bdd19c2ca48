"""Jobs of a trace: one row each, from CSV, Parquet or JSON."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

import numpy as np

from tenfold.core.explain import suggest
from tenfold.core.table import Cell
from tenfold.replay.table import Faults, Table, is_gap, numbers, read_table
from tenfold.replay.week import Floats, Job, Kind, Times, Within
from tenfold.replay.week_schema import JobDefaults

HOUR_S = 3600.0
SPEED = "speed_"
NEEDED = ("job", "arrival_s", "accelerator_hours", "least", "most")
OPTIONAL = ("within", "deadline_s")
ABOVE_ZERO = ("accelerator_hours", "least", "most", "checkpoint_every_s", "usd_per_accelerator_hour")
ENDLESS = ("accelerator_hours",)
WITHIN: tuple[Within, ...] = get_args(Within)


def read_jobs(path: Path, kinds: tuple[Kind, ...], speed_K: Floats, defaults: JobDefaults) -> tuple[Job, ...]:
    """Read jobs in the order of the file.

    Args:
        path: of a ``.csv``, ``.parquet`` or ``.json``.
        kinds: of the fleet.
        speed_K: work per second of one slot of each kind, where the file does not tell.
        defaults: for columns that are not there, and cells that are empty.

    Raises:
        TableError: a column is missing or unknown, or a row asks for what cannot be; names file, line and column.
    """
    table = read_table(path)
    _check_columns(table, kinds)
    faults = Faults(table.origin)
    rows = _Rows(table, faults, defaults)
    speeds = np.tile(speed_K, (len(table), 1))
    for place, kind in enumerate(kinds):
        if SPEED + kind.name in table.columns:
            given = rows.figures(SPEED + kind.name)
            speeds[:, place] = np.where(np.isnan(given), speeds[:, place], given)
    jobs = [_job(rows, row, speeds[row]) for row in range(len(table))]
    seen: dict[str, str] = {}
    for job, place in zip(jobs, table.places, strict=True):
        if job.name in seen:
            faults.add(place, "job", job.name, f"{seen[job.name]} has that name already; names must differ")
        seen.setdefault(job.name, place)
        for column, cell, right in job_problems(job, kinds):
            faults.add(place, column, cell, right)
    faults.check()
    return tuple(jobs)


def job_problems(job: Job, kinds: tuple[Kind, ...]) -> list[tuple[str, Cell, str]]:
    """What cannot be of a job on a fleet: column, value, and what would be right."""
    able = [kind for kind, speed in zip(kinds, job.speed_K, strict=True) if speed > 0]
    if not able:
        return [("job", job.name, f"no kind can run it; give a speed above 0 for one of {_names(kinds)}")]
    rooms: Mapping[Within, int] = {
        "anywhere": sum(kind.slots for kind in able),
        "rack": max(min(kind.slots, kind.node_slots * kind.rack_nodes) for kind in able),
        "node": max(min(kind.slots, kind.node_slots) for kind in able),
    }
    found: list[tuple[str, Cell, str]] = []
    if job.least > job.most:
        found.append(("least", job.least, f"it must be at most 'most', which is {job.most}"))
    if job.least > rooms[job.within]:
        room = "all kinds that can run it have" if job.within == "anywhere" else f"one {job.within} has"
        found.append(("least", job.least, f"{room} {rooms[job.within]} slots; it must be at most that"))
    if job.deadline_s is not None and job.deadline_s <= job.arrival_s:
        found.append(("deadline_s", job.deadline_s, f"it must be after its arrival at {job.arrival_s:g} s"))
    return found


def _names(kinds: tuple[Kind, ...]) -> str:
    return ", ".join(kind.name for kind in kinds)


def _check_columns(table: Table, kinds: tuple[Kind, ...]) -> None:
    known = [*NEEDED, *OPTIONAL, *JobDefaults.model_fields, *(SPEED + kind.name for kind in kinds)]
    faults = Faults(table.origin)
    for name in NEEDED:
        if name not in table.columns:
            faults.note("", f"column {name!r} is missing")
    for name in table.columns:
        if name not in known:
            faults.note("", f"unknown column {name!r}; {suggest(name, known)}")
    faults.check()


class _Rows:
    """A table's figures, read once for each column."""

    def __init__(self, table: Table, faults: Faults, defaults: JobDefaults) -> None:
        self.table, self.faults = table, faults
        self._standard: Mapping[str, float] = defaults.model_dump()
        self._figures = {
            name: self.figures(name)
            for name in (*NEEDED[1:], "deadline_s", *JobDefaults.model_fields)
            if name in table.columns
        }
        for name in NEEDED:
            for row, cell in enumerate(table.columns[name]):
                if is_gap(cell):
                    faults.add(table.places[row], name, cell, "every job needs one")
        for name in ("least", "most"):
            for row, value in enumerate(self._figures[name]):
                if not math.isnan(value) and value != int(value):
                    faults.add(table.places[row], name, table.columns[name][row], "it must be a whole number of slots")

    def figures(self, name: str) -> Floats:
        """A column's numbers, NaN where there is none."""
        return numbers(self.table, name, self.faults, above_zero=name in ABOVE_ZERO, endless=name in ENDLESS)

    def figure(self, name: str, row: int) -> float:
        """One number, or the default, or what is harmless where it could not be read (and was noted)."""
        value = self._figures[name][row] if name in self._figures else math.nan
        return float(self._standard.get(name, 1.0) if math.isnan(value) else value)

    def deadline(self, row: int) -> float | None:
        """Seconds, if there is one."""
        value = self._figures["deadline_s"][row] if "deadline_s" in self._figures else math.nan
        return None if math.isnan(value) else float(value)

    def within(self, row: int) -> Within:
        """Where all of a job's slots must be."""
        cell = self.table.columns["within"][row] if "within" in self.table.columns else None
        for within in WITHIN:
            if cell == within:
                return within
        if not is_gap(cell):
            self.faults.add(self.table.places[row], "within", cell, f"it must be one of {', '.join(WITHIN)}")
        return "anywhere"


def _job(rows: _Rows, row: int, speed_K: Floats) -> Job:
    def figure(name: str) -> float:
        return rows.figure(name, row)

    return Job(
        name=str(rows.table.columns["job"][row]),
        arrival_s=figure("arrival_s"),
        work=figure("accelerator_hours") * HOUR_S,
        least=int(figure("least")),
        most=int(figure("most")),
        speed_K=speed_K,
        usd_per_s=figure("usd_per_accelerator_hour") / HOUR_S,
        times=Times(figure("start_s"), figure("wake_s"), figure("sleep_s"), figure("resize_s")),
        within=rows.within(row),
        checkpoint_s=figure("checkpoint_s"),
        checkpoint_every_s=figure("checkpoint_every_s"),
        deadline_s=rows.deadline(row),
    )
