"""Request rates by series, read from JSON, CSV or Parquet: wide (a column each) or long (a row for each value).

Letters: S series, T steps.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, ValidationError

from tenfold.core.explain import explain
from tenfold.core.frozen import Frozen
from tenfold.core.table import Cell, TableError, read_json
from tenfold.replay.table import ADVICE, Faults, Table, number, numbers, read_table
from tenfold.replay.week import Floats, Ints

TIMES = ("time_s", "time", "step")
SERIES, RATE = "series", "rate"
NEAR = 1e-6
MOST_MISSING = 4
HOUR_S = 3600.0
STEP_S = 120.0
"""Seconds of a step where nobody says."""

Clock = Literal["zoned", "local", "counted"]
"""How a file tells time: by dates with a time zone, by dates without one, or counting from a beginning of its own."""

Rate = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class Rates:
    """Requests per second of several series over the same steps; NaN where nothing was measured.

    ``rates_ST``: shape (S, T), in the order of ``names``. ``start_s``: when the first step begins, in seconds of the
    ``clock``: since 1970, or since the beginning that the file counts from.
    """

    step_s: float
    names: tuple[str, ...]
    rates_ST: Floats
    start_s: float = 0.0
    clock: Clock = "counted"

    def series(self, place: int) -> Floats:
        """One series with its gaps filled."""
        return fill_gaps(self.rates_ST[place])


def fill_gaps(rates_T: Floats) -> Floats:
    """Straight lines through the gaps; level at the ends. At least one step must be known."""
    known_T = ~np.isnan(rates_T)
    places_T = np.arange(len(rates_T))
    return np.interp(places_T, places_T[known_T], rates_T[known_T])


class RatesFile(Frozen):
    """The JSON form. ``null`` is a gap."""

    source: str = Field("", description="where the rates come from")
    step_s: float = Field(gt=0, allow_inf_nan=False, description="seconds of a step")
    start: datetime | None = Field(None, description="when the first step begins, e.g. 2026-01-05T00:00:00Z")
    unit: Literal["requests per second"] = "requests per second"
    rates: dict[str, tuple[Rate | None, ...]] = Field(
        min_length=1, description="mean requests per second in each step, by series; null where nothing was measured"
    )


def read_rates(path: Path, step_s: float | None = None) -> Rates:
    """Read a file of rates.

    Args:
        path: of a ``.json``, ``.csv`` or ``.parquet``.
        step_s: seconds of a step, for tables whose time is a number of steps.

    Raises:
        TableError: a rate is negative or not a number, time does not rise in equal steps, a series has no rate at all;
            names file, line and column, and what would be right.
    """
    rates = _from_json(path) if path.suffix.lower() == ".json" else _from_table(read_table(path), step_s)
    faults = Faults(str(path))
    for name, rates_T in zip(rates.names, rates.rates_ST, strict=True):
        if np.isnan(rates_T).all():
            faults.note(name, "it has no rate at all; leave it out, or write what was asked")
    faults.check()
    return rates


def _from_json(path: Path) -> Rates:
    try:
        found = RatesFile.model_validate(read_json(path, ADVICE))
    except ValidationError as error:
        lines = [explain(RatesFile, str(path), problem) for problem in error.errors()]
        faults = Faults(str(path), lines)
        faults.check()
        raise
    lengths = {name: len(series) for name, series in found.rates.items()}
    if len(set(lengths.values())) > 1:
        counted = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise TableError(f"{path}: all series must have as many steps, but {counted}", next_step=f"mend {path}")
    rates_ST = np.array(list(found.rates.values()), dtype=np.float64)
    clock, start_s = ("counted", 0.0) if found.start is None else dated(found.start)
    return Rates(found.step_s, tuple(found.rates), rates_ST, start_s, clock)


def dated(moment: datetime) -> tuple[Clock, float]:
    """A date's clock, and its seconds there."""
    if moment.tzinfo is None:
        return "local", (moment - datetime(1970, 1, 1)).total_seconds()
    return "zoned", moment.timestamp()


def moment(seconds: float, *, is_date: bool) -> str:
    """A moment for people: a date, or hours from a beginning."""
    if is_date:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
    hours = seconds / HOUR_S
    return f"{hours:.4g} h" if abs(hours) < 1000 else f"{hours:,.0f} h"


@dataclass(frozen=True, slots=True)
class _Series:
    """Where a series stands in a table: its column, and which rows are its."""

    column: str
    rows: list[int]


def _from_table(table: Table, step_s: float | None) -> Rates:
    clock = next((name for name in TIMES if name in table.columns), None)
    if clock is None:
        raise TableError(
            f"{table.origin}: no column of time; there are: {', '.join(table.columns)}",
            next_step="name one 'time_s' (seconds), 'time' (2026-11-25T07:00:00) or 'step' (0, 1, 2, ...)",
        )
    faults = Faults(table.origin)
    seconds_R = _seconds(table, clock, faults)
    if clock == "step":
        seconds_R = seconds_R * (step_s or STEP_S)
    found = _series(table)
    values = {
        column: numbers(table, column, faults) for column in dict.fromkeys(held.column for held in found.values())
    }
    for rows in {id(held.rows): held.rows for held in found.values()}.values():
        _check_rising(table, clock, seconds_R, rows, faults)
    faults.check()
    step = (step_s or STEP_S) if clock == "step" else _step(seconds_R)
    steps_R = _steps(table, clock, seconds_R, step, faults)
    rates_ST = np.full((len(found), int(steps_R.max()) + 1), np.nan)
    for place, held in enumerate(found.values()):
        rates_ST[place, steps_R[held.rows]] = values[held.column][held.rows]
    told: Clock = "counted" if clock != "time" else _clock(table)
    return Rates(step, tuple(found), rates_ST, float(seconds_R.min()), told)


def _clock(table: Table) -> Clock:
    """Whether a table's dates have a time zone; all have, or none has."""
    first = _moment(table.columns["time"][0])
    return "zoned" if first is not None and first.tzinfo is not None else "local"


def _series(table: Table) -> Mapping[str, _Series]:
    """The series of a long table, which has columns ``series`` and ``rate``, or of a wide one."""
    if not {SERIES, RATE} <= table.columns.keys():
        rows = list(range(len(table)))
        return {name: _Series(name, rows) for name in table.columns if name not in TIMES}
    found: dict[str, _Series] = {}
    for row, cell in enumerate(table.columns[SERIES]):
        found.setdefault(str(cell), _Series(RATE, [])).rows.append(row)
    return found


def _steps(table: Table, clock: str, seconds_R: Floats, step: float, faults: Faults) -> Ints:
    """The number of each row's step from the first; rows that are missing between others are gaps."""
    at_R = (seconds_R - seconds_R.min()) / step
    for row, at in enumerate(at_R):
        if abs(at - round(at)) > NEAR:
            right = f"it must lie a whole number of steps of {step:g} s after the first"
            faults.add(table.places[row], clock, table.columns[clock][row], right)
    faults.check()
    steps_R = np.round(at_R).astype(np.int64)
    known, asked = len(np.unique(steps_R)), int(steps_R.max()) + 1
    if known * MOST_MISSING < asked:
        faults.note("", f"only {known:,} of {asked:,} steps of {step:g} s have a row; are all times of one unit?")
    faults.check()
    return steps_R


def _seconds(table: Table, column: str, faults: Faults) -> Floats:
    """Each row's time in seconds (or steps); NaN, and noted, where it is none."""
    right = {
        "time_s": "it must be seconds, e.g. 600",
        "time": "it must be a date and time, e.g. 2026-11-25T07:00:00, all with a time zone or all without",
        "step": "it must be a whole number of steps",
    }[column]
    seconds = np.full(len(table), np.nan)
    zoned: bool | None = None
    for at, cell in enumerate(table.columns[column]):
        if column == "time":
            moment = _moment(cell)
            zoned = moment.tzinfo is not None if moment is not None and zoned is None else zoned
            if moment is not None and (moment.tzinfo is not None) == zoned:
                seconds[at] = dated(moment)[1]
                continue
        else:
            value = number(cell)
            if value is not None and np.isfinite(value) and (column == "time_s" or value == int(value)):
                seconds[at] = value
                continue
        faults.add(table.places[at], column, cell, right)
    return seconds


def _moment(cell: Cell) -> datetime | None:
    if isinstance(cell, datetime):
        return cell
    try:
        return datetime.fromisoformat(str(cell))
    except ValueError:
        return None


def _check_rising(table: Table, column: str, seconds_R: Floats, rows: list[int], faults: Faults) -> None:
    for before, row in pairwise(rows):
        if seconds_R[row] <= seconds_R[before]:
            right = f"it must be after {table.columns[column][before]} ({table.places[before]})"
            faults.add(table.places[row], column, table.columns[column][row], right)


def _step(seconds_R: Floats) -> float:
    """The most frequent distance of two times, the smallest of those that are: what does not fit it is wrong."""
    distances, counts = np.unique(np.round(np.diff(np.unique(seconds_R)), 6), return_counts=True)
    return float(distances[counts.argmax()]) if len(distances) else 1.0
