"""Events and items as Parquet files, from which ranking learns: ``HOME/feed/segments``.

``events-FROM-TO.parquet`` has the events that were told after FROM and up to TO (microseconds of Unix time, as 17
digits), by time: ``person, id, surface, item, action, seconds, ratio, session, at, taken_at``. A file is whole as soon
as it has its name, and its name says what it covers, so nothing has to be remembered of what was written: the next one
begins where the last ends. The files of a day become one once the day is over; where one file's time lies within
another's, as after a crash in between, it is the other's and may be deleted. ``items.parquet`` has all items as they
are now. Ids are texts.
"""

import datetime as dt
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from tenfold.core.errors import Damaged
from tenfold.core.paths import replace_file
from tenfold.feed.item import Item

EVENT_COLUMNS = {
    "person": pl.String,
    "id": pl.String,
    "surface": pl.String,
    "item": pl.String,
    "action": pl.String,
    "seconds": pl.Float64,
    "ratio": pl.Float64,
    "session": pl.String,
    "at": pl.Float64,
    "taken_at": pl.Float64,
}
ITEM_COLUMNS = {
    "item": pl.String,
    "title": pl.String,
    "text": pl.String,
    "attributes": pl.List(pl.String),
    "author": pl.String,
    "surfaces": pl.List(pl.String),
    "length_s": pl.Float64,
    "born_at": pl.Float64,
}
ITEMS = "items.parquet"
_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """A file of events, told after ``first_us`` and up to ``last_us``."""

    first_us: int
    last_us: int
    path: Path

    @property
    def day(self) -> int:
        """Number of the day (UTC) at whose time the last of it was told."""
        return self.last_us // _DAY_US


def folder_of(home: Path) -> Path:
    """Where the files lie."""
    return home / "feed" / "segments"


def segments(folder: Path) -> list[Segment]:
    """List the files of events, the oldest first; those that lie within another are left out."""
    found: list[Segment] = []
    for path in folder.glob("events-*-*.parquet"):
        _, first, last = path.stem.split("-")
        if first.isdecimal() and last.isdecimal():
            found.append(Segment(int(first), int(last), path))
    found.sort(key=lambda each: (each.first_us, -each.last_us))
    whole: list[Segment] = []
    for each in found:
        if not whole or each.last_us > whole[-1].last_us:
            whole.append(each)
    return whole


def write_events(folder: Path, first_us: int, last_us: int, rows: Sequence[dict[str, object]]) -> Segment:
    """Write a file of events; it is there whole, or not at all.

    Raises:
        OSError: e.g. the disk is full.
    """
    frame = pl.DataFrame(
        [{name: str(row[name]) if name == "item" else row[name] for name in EVENT_COLUMNS} for row in rows],
        schema=EVENT_COLUMNS,
        orient="row",
    )
    return _write(folder, first_us, last_us, frame)


def write_items(folder: Path, catalog: Iterable[Item]) -> None:
    """Write all items in place of those before.

    Raises:
        OSError: e.g. the disk is full.
    """
    rows = [
        {
            "item": str(item.item),
            "title": item.title,
            "text": item.text,
            "attributes": list(item.genres),
            "author": item.author,
            "surfaces": list(item.surfaces),
            "length_s": item.length_s,
            "born_at": item.born_at,
        }
        for item in catalog
    ]
    _replace(folder / ITEMS, pl.DataFrame(rows, schema=ITEM_COLUMNS, orient="row"))


def join_days(folder: Path, before: dt.datetime) -> int:
    """Make one file of those of each day that was over ``before``; gives how many files are gone."""
    today = int(before.timestamp() * 1e6) // _DAY_US
    days: dict[int, list[Segment]] = {}
    for each in segments(folder):
        if each.day < today:
            days.setdefault(each.day, []).append(each)
    gone = 0
    for parts in days.values():
        if len(parts) > 1:
            frame = pl.concat([_read(part.path) for part in parts])
            joined = _write(folder, parts[0].first_us, parts[-1].last_us, frame)
            gone += sum(_delete(part.path) for part in parts if part.path != joined.path)
    return gone + _delete_leftovers(folder)


def erase(folder: Path, person: str, until: float) -> int:
    """Take a person's events out of all files; gives how many they were.

    Args:
        folder: of the files.
        person: whose.
        until: Unix seconds; what was told later stays.
    """
    gone = 0
    _delete_leftovers(folder)
    for each in segments(folder):
        frame = _read(each.path)
        kept = frame.filter((pl.col("person") != person) | (pl.col("taken_at") > until))
        if len(kept) < len(frame):
            gone += len(frame) - len(kept)
            _replace(each.path, kept)
    return gone


def delete_older(folder: Path, before: float) -> int:
    """Delete files whose events were all told before a time (Unix seconds); the last stays: the next begins there."""
    return sum(_delete(each.path) for each in segments(folder)[:-1] if each.last_us < before * 1e6)


def last_us(folder: Path) -> int:
    """Up to when events are in the files; 0 where there are none."""
    return max((each.last_us for each in segments(folder)), default=0)


def _delete_leftovers(folder: Path) -> int:
    whole = {each.path for each in segments(folder)}
    return sum(_delete(path) for path in folder.glob("events-*-*.parquet") if path not in whole)


def _write(folder: Path, first_us: int, until_us: int, frame: pl.DataFrame) -> Segment:
    segment = Segment(first_us, until_us, folder / f"events-{first_us:017d}-{until_us:017d}.parquet")
    _replace(segment.path, frame)
    return segment


def _replace(path: Path, frame: pl.DataFrame) -> None:
    content = io.BytesIO()
    frame.write_parquet(content, compression="zstd")
    replace_file(path, content.getvalue(), mode=0o600)


def _read(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise Damaged(path, str(error), what="the feed's segment") from error


def _delete(path: Path) -> int:
    path.unlink(missing_ok=True)
    return 1
