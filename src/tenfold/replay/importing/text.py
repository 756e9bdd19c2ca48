"""A file's text as strangers save it: zipped or not, with a byte order mark or not, in UTF-8 or UTF-16."""

import csv
import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import orjson

from tenfold.core.table import content
from tenfold.replay.importing.found import ImportFault

ADVICE = "give the path of a file that you exported"
SEPARATORS = "|,;\t"


@dataclass(frozen=True)
class Rows:
    """Rows of text under names. ``lines``: where each stands in its file."""

    origin: str
    names: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    lines: Sequence[int]
    separator: str = ","

    def column(self, *names: str) -> int | None:
        """Where the first of these names stands, whatever its case, blanks and underscores; none if none does."""
        found = (self._places.get(plain_name(name)) for name in names)
        return next((place for place in found if place is not None), None)

    @cached_property
    def _places(self) -> dict[str, int]:
        """Where each name stands first."""
        return {plain_name(name): place for place, name in reversed(list(enumerate(self.names)))}


@cache
def plain_name(name: str) -> str:
    """A column's name without case, blanks, underscores and dashes."""
    return "".join(letter for letter in name.lower() if letter.isalnum() or letter == "@")


def text_of(path: Path) -> str:
    """A file's text.

    Raises:
        TableError: it cannot be read.
        ImportFault: it is not text.
    """
    found = content(path, ADVICE)
    if found[:2] == b"\x1f\x8b":
        try:
            found = gzip.decompress(found)
        except (OSError, EOFError, zlib.error) as error:
            raise ImportFault(f"{path} is a broken gzip file: {error}", next_step="copy it again") from error
    coding = "utf-16" if found[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return found.decode(coding)
    except UnicodeDecodeError as error:
        raise ImportFault(f"{path} is not text: {error}", next_step="export it as CSV or JSON") from error


def rows_of(path: Path, text: str) -> Rows:
    """Rows of text with a header: CSV of any usual separator, ``sacct -P`` and ``-p``, Excel's ``sep=`` line.

    Raises:
        ImportFault: there is none, or a row has more cells than the header.
    """
    lines = text.splitlines()
    first = next((at for at, line in enumerate(lines) if line.strip()), None)
    if first is None:
        raise ImportFault(f"{path} is empty", next_step="export it again, with its header")
    told = lines[first].strip().strip('"').lower()
    separator = max(SEPARATORS, key=lines[first].count)
    if told.startswith("sep=") and len(told) == 5:
        separator, first = lines[first].strip().strip('"')[4], first + 1
    # Names of jobs may hold quotes, and sacct does not escape them.
    quoting = csv.QUOTE_NONE if separator == "|" else csv.QUOTE_MINIMAL
    reader = csv.reader(lines[first:], delimiter=separator, quoting=quoting)
    try:
        header = [cell.strip() for cell in next(reader, [])]
    except csv.Error as error:
        raise ImportFault(
            f"{path}, line {first + 1}: {error}", next_step="look for a quote that is not closed"
        ) from error
    # `sacct -p` ends every line with a separator.
    names = header[:-1] if len(header) > 1 and not header[-1] and separator == "|" else header
    rows, places = [], []
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            line = first + reader.line_num
            extra = [cell for cell in cells[len(names) :] if cell.strip()]
            if extra:
                raise ImportFault(
                    f"{path}, line {line}: {len(cells)} cells where line {first + 1} names {len(names)} columns",
                    next_step=f"mend the line: {separator!r} separates cells, so no name may hold one",
                )
            rows.append([cell.strip() for cell in cells[: len(names)]] + [""] * (len(names) - len(cells)))
            places.append(line)
    except csv.Error as error:
        raise ImportFault(
            f"{path}, line {first + reader.line_num}: {error}", next_step="look for a quote that is not closed"
        ) from error
    return Rows(str(path), tuple(names), rows, places, separator)


def json_of(path: Path, text: str) -> object:
    """A JSON value; of JSON lines, the list of them.

    Raises:
        ImportFault: it is not JSON; names the line.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as whole:
        records = []
        for at, line in enumerate(text.split("\n")):  # splitlines() would cut strings at U+2028 too
            if not line.strip():
                continue
            try:
                records.append(orjson.loads(line))
            except orjson.JSONDecodeError as error:
                # A file that is no JSON lines at all is told of as one value.
                wrong = f"line {at + 1}: {error}" if records else str(whole)
                raise ImportFault(f"{path} is not JSON: {wrong}", next_step="export it again, or mend it") from error
        return records
