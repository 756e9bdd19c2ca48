"""Days of events as Parquet files: what the ledger has forgotten, one file a day (UTC), sorted by time."""

import datetime as dt
import io
import json
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import polars as pl

from tenfold.core.errors import Damaged
from tenfold.core.paths import replace_file
from tenfold.core.sound import set_aside
from tenfold.ledger.ledger import Event, require_sealed

Row = tuple[int, float, str, str, str, str]
"""An event as it is stored: id, time in Unix seconds, kind, subject, body as JSON, check sum."""

_SCHEMA = {"id": pl.Int64, "at": pl.Float64, "kind": pl.String, "subject": pl.String, "body": pl.String}
_SCHEMA |= {"seal": pl.String}
_NAME = "%Y-%m-%d.parquet"


def add_to_day(folder: Path, day: dt.date, rows: Sequence[Row]) -> None:
    """Write events of a day, beside those that its file has already; each is in it once.

    What was written is read back: it is only then that the ledger may forget it. A file that cannot be read is set
    aside.

    Raises:
        OSError: e.g. the disk is full; the file is as it was before.
        Damaged: what was read back is not what was written.
    """
    path = folder / day.strftime(_NAME)
    frame = pl.DataFrame(rows, schema=_SCHEMA, orient="row")
    if path.exists():
        try:
            frame = pl.concat([_read(path), frame])
        except Damaged as error:
            set_aside(path, error.cause, "what the ledger still had of that day was written anew")
    frame = frame.unique().sort("at", "id")
    content = io.BytesIO()
    frame.write_parquet(content, compression="zstd")
    replace_file(path, content.getvalue())
    if not _read(path).equals(frame):
        raise Damaged(path, "what was written to it is not what is read back", what="the ledger's day")


def newest_of_days(folder: Path, kind: str, limit: int, known: Collection[tuple[int, float]]) -> Iterator[Event]:
    """Read the newest events of a kind from a folder of days, newest first, at most ``limit``.

    Args:
        folder: holds the days; it may be missing.
        kind: of events.
        limit: how many.
        known: id and time of those to leave out, which the ledger still has.

    Raises:
        Damaged: a file or an event in it is not what was written.
    """
    for path in sorted(folder.glob("[0-9]*-[0-9]*-[0-9]*.parquet"), reverse=True):
        found = _read(path).filter(pl.col("kind") == kind).reverse()
        for number, at, _, subject, body, seal in found.iter_rows():
            if limit <= 0:
                return
            if (number, at) in known:
                continue
            try:
                event = Event(number, at, kind, subject, json.loads(body))
                require_sealed(event, seal)
            except ValueError as error:
                raise Damaged(path, str(error), what="the ledger's day") from error
            limit -= 1
            yield event


def _read(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path, schema=_SCHEMA)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise Damaged(path, str(error), what="the ledger's day") from error
