"""The rows of a trace's file, whatever its format, with the place of each for those who must mend it."""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np
import orjson

from tenfold.core.errors import UsageError
from tenfold.replay.week import Floats

Cell = str | float | int | bool | datetime | None
GAPS = frozenset({"", "nan", "null", "none", "na"})
SHOWN = 20
FORMATS = ".csv, .parquet or .json"


class TraceError(UsageError):
    """A trace's file has rows that cannot be; names file, line and column, and what would be right."""


@dataclass(frozen=True, slots=True)
class Table:
    """Columns of cells, and each row's place in its file: ``line 17`` of text, ``row 16`` of what has no lines."""

    origin: str
    columns: dict[str, list[Cell]]
    places: list[str]

    def __len__(self) -> int:
        """How many rows."""
        return len(self.places)


@dataclass(frozen=True, slots=True)
class Faults:
    """What is wrong with a file, told all at once."""

    origin: str
    lines: list[str] = field(default_factory=list)

    def add(self, place: str, column: str, cell: Cell, right: str) -> None:
        """Note one cell."""
        shown = "is empty" if cell is None or cell == "" else f"is {cell!r}"
        self.lines.append(f"{self.origin}, {place}: {column} {shown}; {right}")

    def note(self, where: str, wrong: str) -> None:
        """Note what is not one cell's."""
        self.lines.append(f"{self.origin}, {where}: {wrong}" if where else f"{self.origin}: {wrong}")

    def check(self) -> None:
        """Raise TraceError if there is anything."""
        if not self.lines:
            return
        more = f"\nand {len(self.lines) - SHOWN} more" if len(self.lines) > SHOWN else ""
        raise TraceError(
            "\n".join(self.lines[:SHOWN]) + more, next_step=f"mend {self.origin}; formats are in docs/replay.md"
        )


def read_table(path: Path) -> Table:
    """Read a CSV file, a Parquet file, or a JSON list of records.

    Raises:
        TraceError: it cannot be read, is of another format, or a line of it has more or fewer cells than the first.
    """
    readers = {".csv": _read_csv, ".parquet": _read_parquet, ".json": _read_json}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise TraceError(f"{path}: {path.suffix!r} is no format of a trace", next_step=f"give {FORMATS}")
    table = reader(path)
    if not len(table):
        raise TraceError(f"{path} has no rows", next_step="see docs/replay.md for what belongs there")
    return table


def content(path: Path) -> bytes:
    """A file's bytes.

    Raises:
        TraceError: there is no such file, or it may not be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise TraceError(
            f"cannot read {str(path)!r}: {error.strerror}", next_step="paths are relative to the folder of week.toml"
        ) from error


def _read_csv(path: Path) -> Table:
    try:
        text = content(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TraceError(f"{path} is not UTF-8 text: {error}", next_step="save it as UTF-8") from error
    lines = text.splitlines(keepends=True)
    first = lines[0] if lines else ""
    rows = csv.reader(lines, delimiter=max(",;\t", key=first.count))
    names = [name.strip() for name in next(rows, [])]
    faults, cells, places = Faults(str(path)), [], []
    for name in sorted({name for name in names if names.count(name) > 1}):
        faults.note("line 1", f"column {name!r} is there twice; columns need names of their own")
    for row in rows:
        if not any(cell.strip() for cell in row):
            continue
        place = f"line {rows.line_num}"
        if len(row) != len(names):
            faults.note(place, f"{len(row)} cells where line 1 names {len(names)} columns")
            continue
        cells.append(row)
        places.append(place)
    faults.check()
    columns: dict[str, list[Cell]] = {name: [row[at].strip() for row in cells] for at, name in enumerate(names)}
    return Table(str(path), columns, places)


def _read_parquet(path: Path) -> Table:
    import polars
    from polars.exceptions import PolarsError

    try:
        frame = polars.read_parquet(content(path))
    except PolarsError as error:
        raise TraceError(f"{path} is not Parquet: {error}", next_step=f"mend it, or give {FORMATS}") from error
    columns = {name: frame[name].to_list() for name in frame.columns}
    return Table(str(path), columns, [f"row {number + 1}" for number in range(frame.height)])


def _read_json(path: Path) -> Table:
    records = read_json(path)
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise TraceError(f"{path} is no list of records", next_step='write [{"job": "a", ...}, ...]')
    names = dict.fromkeys(name for record in records for name in record)
    columns = {name: [record.get(name) for record in records] for name in names}
    return Table(str(path), columns, [f"record {number + 1}" for number in range(len(records))])


def read_json(path: Path) -> object:
    """A JSON file's value.

    Raises:
        TraceError: the file cannot be read or is not JSON; names line and column.
    """
    try:
        return orjson.loads(content(path))
    except orjson.JSONDecodeError as error:
        raise TraceError(f"{path} is not JSON: {error}", next_step=f"mend {path}") from error


def is_gap(cell: Cell) -> bool:
    """Whether nothing was written there."""
    if isinstance(cell, str):
        return cell.strip().lower() in GAPS
    return cell is None or (isinstance(cell, float) and math.isnan(cell))


def number(cell: Cell) -> float | None:
    """A cell as a number, infinity included; none if it is not one."""
    if isinstance(cell, bool | datetime) or cell is None:
        return None
    try:
        value = float(cell)
    except ValueError:
        return None
    return None if math.isnan(value) else value


def numbers(table: Table, column: str, faults: Faults, *, above_zero: bool = False, endless: bool = False) -> Floats:
    """A column of numbers that are not negative, NaN where nothing was written; what cannot be is noted.

    ``above_zero``: zero cannot be either. ``endless``: ``inf`` can.
    """
    right = "a number above 0" if above_zero else "a number of 0 or above"
    right += ", or inf" if endless else ""
    values = np.full(len(table), np.nan)
    cells: Sequence[Cell] = table.columns[column]
    for at, cell in enumerate(cells):
        if is_gap(cell):
            continue
        value = number(cell)
        if value is None or value < 0 or (above_zero and value == 0) or (math.isinf(value) and not endless):
            faults.add(table.places[at], column, cell, f"it must be {right}")
            continue
        values[at] = value
    return values
