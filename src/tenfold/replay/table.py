"""The columns of a trace's file, and what is wrong in them, each with its place for those who must mend it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np

from tenfold.core import table as tables
from tenfold.core.table import FORMATS, Cell, TableError
from tenfold.replay.week import Floats

GAPS = frozenset({"", "nan", "null", "none", "na"})
SHOWN = 20
ADVICE = "paths are relative to the folder of week.toml"
"""The next step where a file is not there."""


@dataclass(frozen=True, slots=True)
class Table:
    """Columns of cells, and each row's place in its file: ``line 17`` of text, ``row 16`` of what has no lines."""

    origin: str
    columns: Mapping[str, Sequence[Cell]]
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
        """Raise TableError if there is anything."""
        if not self.lines:
            return
        more = f"\nand {len(self.lines) - SHOWN} more" if len(self.lines) > SHOWN else ""
        raise TableError(
            "\n".join(self.lines[:SHOWN]) + more, next_step=f"mend {self.origin}; formats are in docs/replay.md"
        )


def read_table(path: Path) -> Table:
    """Read a CSV file, a Parquet file, or a JSON list of records.

    Raises:
        TableError: it cannot be read, is of another format, or a line of it has more or fewer cells than the first.
    """
    if path.suffix.lower() not in FORMATS:
        formats = " or ".join(FORMATS)
        raise TableError(f"{path}: {path.suffix!r} is no format of a trace", next_step=f"give {formats}")
    found = tables.read_table(path, ADVICE)
    faults, names = Faults(str(path)), found.names
    for name in sorted({name for name in names if names.count(name) > 1}):
        faults.note(f"line {found.header}", f"column {name!r} is there twice; columns need names of their own")
    for at, cells in enumerate(found.rows):
        if len(cells) != len(names):
            faults.note(found.place(at), f"{len(cells)} cells where line {found.header} names {len(names)} columns")
    faults.check()
    if not found.rows:
        raise TableError(f"{path} has no rows", next_step="see docs/replay.md for what belongs there")
    columns = {name: [cells[at] for cells in found.rows] for at, name in enumerate(names)}
    return Table(str(path), columns, [found.place(at) for at in range(len(found.rows))])


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
