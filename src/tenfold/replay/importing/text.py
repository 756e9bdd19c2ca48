"""A file's text as strangers save it: zipped or not, with a byte order mark or not, in UTF-8 or UTF-16.

A table's rows come in batches, so that a log may be larger than the memory.
"""

import csv
import gzip
import itertools
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache, cached_property
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from tenfold.core.explain import unread
from tenfold.core.table import TableError
from tenfold.replay.importing.found import ImportFault

if TYPE_CHECKING:
    from _csv import Reader

ADVICE = "give the path of a file that you exported"
SEPARATORS = "|,;\t"
BATCH = 50_000
"""Rows of a file that are held at a time."""

Record = tuple[int, Mapping[str, object]]
"""A JSON record, and its line."""


@dataclass(frozen=True)
class Header:
    """Names of columns."""

    origin: str
    names: tuple[str, ...]
    separator: str

    def column(self, *names: str) -> int | None:
        """Where the first of these names stands, whatever its case, blanks and underscores; none if none does."""
        found = (self._places.get(plain_name(name)) for name in names)
        return next((place for place in found if place is not None), None)

    @cached_property
    def _places(self) -> dict[str, int]:
        """Where each name stands first."""
        return {plain_name(name): place for place, name in reversed(list(enumerate(self.names)))}


@dataclass(frozen=True)
class Rows(Header):
    """Rows of text under names. ``lines``: where each stands in its file."""

    rows: Sequence[Sequence[str]]
    lines: Sequence[int]


@dataclass(frozen=True)
class RowFile(Header):
    """A table whose rows come in batches, once; to be closed by who does not take all."""

    batches: Generator[Rows]

    def whole(self) -> Rows:
        """All rows at once."""
        rows: list[Sequence[str]] = []
        lines: list[int] = []
        with closing(self.batches) as parts:
            for part in parts:
                rows += part.rows
                lines += part.lines
        return Rows(self.origin, self.names, self.separator, rows, lines)


@cache
def plain_name(name: str) -> str:
    """A column's name without case, blanks, underscores and dashes."""
    return "".join(letter for letter in name.lower() if letter.isalnum() or letter == "@")


def lines_of(path: Path) -> Generator[str]:
    """A file's lines, one at a time; to be closed by who does not take all.

    Raises:
        TableError: it cannot be read.
        ImportFault: it is a pipe, or not text.
    """
    try:
        with path.open("rb") as plain:
            if not plain.seekable():
                raise ImportFault(
                    f"{path} can be read only once, and is looked at before it is read", next_step="save it as a file"
                )
            is_zipped = plain.read(2) == b"\x1f\x8b"
            plain.seek(0)
            with gzip.open(plain) if is_zipped else plain as opened:
                mark = opened.read(2)
                opened.seek(0)
                coding = "utf-16" if mark in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
                with TextIOWrapper(opened, encoding=coding) as text:
                    yield from text
    except UnicodeDecodeError as error:
        raise ImportFault(f"{path} is not text: {error}", next_step="export it as CSV or JSON") from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ImportFault(f"{path} is a broken gzip file: {error}", next_step="copy it again") from error
    except OSError as error:
        raise TableError(f"cannot read {path}: {unread(error)}", next_step=ADVICE) from error


def first_lines(path: Path) -> tuple[str, ...]:
    """The first two lines with anything on them, or as many as there are.

    Raises:
        TableError: see ``lines_of``.
        ImportFault: see there.
    """
    with closing(lines_of(path)) as lines:
        return tuple(itertools.islice((line.strip() for line in lines if line.strip()), 2))


def rows_of(path: Path) -> RowFile:
    """Rows of text with a header: CSV of any usual separator, ``sacct -P`` and ``-p``, Excel's ``sep=`` line.

    Raises:
        ImportFault: there is none, or a row has more cells than the header; the latter when its batch is read.
    """
    with closing(lines_of(path)) as lines:
        first, line = next(((at, line) for at, line in enumerate(lines, 1) if line.strip()), (0, ""))
        if not line:
            raise ImportFault(f"{path} is empty", next_step="export it again, with its header")
        told = line.strip().strip('"')
        separator = max(SEPARATORS, key=line.count)
        if told.lower().startswith("sep=") and len(told) == 5:
            separator, first, line = told[4], first + 1, next(lines, "")
        try:
            header = [cell.strip() for cell in next(_reader(itertools.chain([line], lines), separator), [])]
        except csv.Error as error:
            raise _unclosed(path, first, error) from error
    # `sacct -p` ends every line with a separator.
    names = header[:-1] if len(header) > 1 and not header[-1] and separator == "|" else header
    known = Header(str(path), tuple(names), separator)
    return RowFile(known.origin, known.names, separator, _batches(path, known, first))


def _reader(lines: Iterable[str], separator: str) -> "Reader":
    # Names of jobs may hold quotes, and sacct does not escape them.
    quoting = csv.QUOTE_NONE if separator == "|" else csv.QUOTE_MINIMAL
    return csv.reader(lines, delimiter=separator, quoting=quoting)


def _batches(path: Path, known: Header, first: int) -> Generator[Rows]:
    """Rows of a table in batches. ``first``: the header's line."""
    width = len(known.names)
    with closing(lines_of(path)) as text:
        reader = _reader(itertools.islice(text, first - 1, None), known.separator)
        rows: list[Sequence[str]] = []
        lines: list[int] = []
        try:
            next(reader)
            for cells in reader:
                line = first - 1 + reader.line_num
                if len(cells) == width and all(cells):
                    rows.append([cell.strip() for cell in cells])
                elif any(cell.strip() for cell in cells):
                    _check_cells(known, cells, line, first)
                    rows.append([cell.strip() for cell in cells[:width]] + [""] * (width - len(cells)))
                else:
                    continue
                lines.append(line)
                if len(rows) == BATCH:
                    yield Rows(known.origin, known.names, known.separator, rows, lines)
                    rows, lines = [], []
        except csv.Error as error:
            raise _unclosed(path, first - 1 + reader.line_num, error) from error
    if rows:
        yield Rows(known.origin, known.names, known.separator, rows, lines)


def _check_cells(known: Header, cells: Sequence[str], line: int, first: int) -> None:
    if any(cell.strip() for cell in cells[len(known.names) :]):
        raise ImportFault(
            f"{known.origin}, line {line}: {len(cells)} cells where line {first} names {len(known.names)} columns",
            next_step=f"mend the line: {known.separator!r} separates cells, so no name may hold one",
        )


def _unclosed(path: Path | str, line: int, error: csv.Error) -> ImportFault:
    return ImportFault(f"{path}, line {line}: {error}", next_step="look for a quote that is not closed")


def json_of(path: Path) -> object:
    """A file's JSON value.

    Raises:
        ImportFault: it is not JSON.
    """
    try:
        return orjson.loads("".join(lines_of(path)))
    except orjson.JSONDecodeError as error:
        raise _no_json(str(path), str(error)) from error


def record_of(line: str) -> Mapping[str, object] | None:
    """A line's JSON record; none if it is something else."""
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def records_of(path: Path) -> RowFile:
    """The records of JSON lines as rows of text; what is nested is left out.

    Raises:
        ImportFault: a line is no record; names it.
    """
    return rows_of_records(str(path), lambda: _records(path))


def rows_of_records(origin: str, again: Callable[[], Iterable[Record]]) -> RowFile:
    """Records with their lines as rows of text, under all names that any of them has.

    Args:
        origin: where they are from.
        again: gives them from the first on; called twice, as the last one may have a name that no other has.
    """
    is_plain: dict[str, bool] = {}
    for _, record in again():
        if not record.keys() <= is_plain.keys():
            for name, value in record.items():
                is_plain.setdefault(name, not isinstance(value, list | dict))
    plain = tuple(name for name, is_one in is_plain.items() if is_one)
    return RowFile(origin, plain, "json", _record_batches(Header(origin, plain, "json"), iter(again())))


def _record_batches(known: Header, records: Iterator[Record]) -> Generator[Rows]:
    while batch := list(itertools.islice(records, BATCH)):
        rows = [[_cell(record.get(name)) for name in known.names] for _, record in batch]
        yield Rows(known.origin, known.names, known.separator, rows, [line for line, _ in batch])


def _cell(value: object) -> str:
    return "" if value is None else str(value)


def _records(path: Path) -> Generator[Record]:
    with closing(lines_of(path)) as lines:
        for at, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                record = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise _no_json(str(path), f"line {at}: {error}") from error
            if not isinstance(record, dict):
                raise ImportFault(
                    f"{path}, line {at} is no record", next_step='write {"timestamp": ..., ...} on each line'
                )
            yield at, record


def _no_json(origin: str, wrong: str) -> ImportFault:
    return ImportFault(f"{origin} is not JSON: {wrong}", next_step="export it again, or mend it")
