"""Tables as people bring them: CSV, Parquet or a JSON list of records, each row with its place for who must mend it."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import orjson

from tenfold.core.errors import UsageError
from tenfold.core.explain import unread

Cell = str | float | int | bool | datetime | None
FORMATS = (".csv", ".parquet", ".json")


class TableError(UsageError):
    """A table cannot be read, or has rows that cannot be; names file and place, and what would be right."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells under their names; a row of a CSV may have more or fewer cells than there are names.

    ``numbers``: where each row begins in the file; ``word``: what they count, ``line``, ``row`` or ``record``.
    ``header``: the line of the names.
    """

    origin: str
    names: tuple[str, ...]
    rows: Sequence[Sequence[Cell]]
    numbers: Sequence[int]
    word: str = "row"
    header: int = 1

    def place(self, at: int) -> str:
        """Where a row is: ``line 17`` of text, ``row 16`` of what has no lines."""
        return f"{self.word} {self.numbers[at]}"


def read_table(path: Path, advice: str) -> Table:
    """Read a Parquet file, a JSON list of records, or else text with a header; its cells are stripped.

    Args:
        path: of the file; ``.parquet`` and ``.json`` are told by their names.
        advice: the next step where there is no such file.

    Raises:
        TableError: it cannot be read, or is not what its name says.
    """
    readers = {".parquet": _read_parquet, ".json": _read_json}
    return readers.get(path.suffix.lower(), _read_csv)(path, advice)


def content(path: Path, advice: str) -> bytes:
    """A file's bytes.

    Raises:
        TableError: there is no such file, or it may not be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise TableError(f"cannot read {path}: {unread(error)}", next_step=advice) from error


def read_json(path: Path, advice: str) -> object:
    """A JSON file's value.

    Raises:
        TableError: the file cannot be read or is not JSON; names line and column.
    """
    try:
        return orjson.loads(content(path, advice))
    except orjson.JSONDecodeError as error:
        raise TableError(f"{path} is not JSON: {error}", next_step=f"mend {path}") from error


def _read_csv(path: Path, advice: str) -> Table:
    """Cells are separated by comma, semicolon or tab, whichever the header has most of; blank rows are skipped."""
    try:
        text = content(path, advice).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TableError(f"{path} is not UTF-8 text: {error}", next_step="save it as UTF-8") from error
    first = next((line for line in text.splitlines() if line.strip()), "")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count))
    rows, numbers, last = [], [], 0
    try:
        for cells in reader:
            number, last = last + 1, reader.line_num
            if any(cell.strip() for cell in cells):
                rows.append([cell.strip() for cell in cells])
                numbers.append(number)
    except csv.Error as error:
        raise TableError(f"{path} line {last + 1}: {error}", next_step="look for a quote that is not closed") from error
    if not rows:
        raise TableError(f"{path} is empty", next_step="write a header that names the columns, and a row below it")
    return Table(str(path), tuple(rows[0]), rows[1:], numbers[1:], "line", numbers[0])


def _read_parquet(path: Path, advice: str) -> Table:
    import polars
    from polars.exceptions import PolarsError

    try:
        frame = polars.read_parquet(content(path, advice))
    except PolarsError as error:
        formats = " or ".join(FORMATS)
        raise TableError(f"{path} is not Parquet: {error}", next_step=f"mend it, or give {formats}") from error
    return Table(str(path), tuple(frame.columns), frame.rows(), range(1, frame.height + 1))


def _read_json(path: Path, advice: str) -> Table:
    records = read_json(path, advice)
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise TableError(f"{path} is no list of records", next_step='write [{"name": "a", ...}, ...]')
    names = tuple(dict.fromkeys(name for record in records for name in record))
    rows = [[record.get(name) for name in names] for record in records]
    return Table(str(path), names, rows, range(1, len(rows) + 1), "record")
