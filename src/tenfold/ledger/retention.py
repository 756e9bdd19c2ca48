"""What is older than ``[ledger] keep_days`` leaves the ledger: written to files by day first, then deleted.

A process of its own does it, at the lowest priority: the ledger's writer is the controller, which must not wait. It
writes in small transactions with pauses between them, so that the controller's turn always comes at once.
"""

import asyncio
import datetime as dt
import json
import logging
import os
import select
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from pydantic import Field

from tenfold.core.errors import TenfoldError
from tenfold.core.frozen import Frozen
from tenfold.core.store import Store, cause_of, open_store
from tenfold.ledger.recorder import Recorder
from tenfold.ledger.tables import MIGRATIONS, events

if TYPE_CHECKING:
    from tenfold.ledger.days import Row

log = logging.getLogger(__name__)

FIRST_S, EVERY_S, AGAIN_S = 120.0, 6 * 3600.0, 600.0
"""Seconds from the start to the first look, from one to the next, and to the next after one that failed."""
STAY = 100
"""The newest events of a kind stay at any age: a controller goes on from the last allocation and moves. So does the
newest of each subject: a report of earnings that is told again after years must still be known."""
TOGETHER, PAGES_TOGETHER = 200, 64
"""Events deleted, and pages of a file given back, in one transaction."""
PAUSE_S = 0.02
FREE_PAGES = 256
"""So many stay free in an SQLite file for what comes next: 1 MB."""
_DAY_S = 86400.0

Pause = Callable[[], None]


class Stopped(Exception):
    """Whoever asked for it is gone."""


class Retention(Frozen):
    """What the process reads from standard input."""

    url: str = Field(description="the ledger's")
    folder: Path = Field(description="where files by day are written")
    keep_days: int


class Forgotten(Frozen):
    """What it writes to standard output."""

    events: int = 0
    days: tuple[str, ...] = ()


def forget(store: Store, folder: Path, keep_days: int, now: float, pause: Pause) -> Forgotten:
    """Move days that are over since ``keep_days`` from a ledger to files; a crash in between loses and doubles nothing.

    Args:
        store: the ledger's.
        folder: where the files are written.
        keep_days: whole days before today that stay.
        now: Unix seconds.
        pause: called between transactions; what it raises ends the work.

    Raises:
        OSError: a file cannot be written; its day stays in the ledger.
        sqlalchemy.exc.DBAPIError: the ledger cannot be read or written.
    """
    # Only where there is something to forget: polars takes 0.2 CPU-s to come.
    from tenfold.ledger.days import add_to_day

    days, count = [], 0
    stays = _first_that_stays(store)
    for day in _days_before(store, (now // _DAY_S - keep_days) * _DAY_S):
        begin = dt.datetime.combine(day, dt.time(), dt.UTC).timestamp()
        old = [row for row in _rows(store, begin, begin + _DAY_S) if row[0] < stays.get(row[2], 0)]
        newest = _newest_of(store, {(kind, subject) for _, _, kind, subject, _, _ in old})
        rows = [row for row in old if row[0] not in newest]
        if not rows:
            continue
        add_to_day(folder, day, rows)
        for first in range(0, len(rows), TOGETHER):
            pause()
            numbers = [row[0] for row in rows[first : first + TOGETHER]]
            with store.writing() as connection:
                connection.execute(sa.delete(events).where(events.c.id.in_(numbers)))
        days.append(day.isoformat())
        count += len(rows)
    if count:
        _give_space_back(store, pause)
    return Forgotten(events=count, days=tuple(days))


def _rows(store: Store, begin: float, end: float) -> Sequence["Row"]:
    """Events of a span of time as they are stored: whether they are sound is for whoever reads the file to see."""
    body = sa.type_coerce(events.c.body, sa.Text).label("text")
    columns = (events.c.id, events.c.at, events.c.kind, events.c.subject, events.c.seal, body)
    query = sa.select(*columns).where(events.c.at >= begin, events.c.at < end)
    with store.reading() as connection:
        return [(row.id, row.at, row.kind, row.subject, row.text, row.seal) for row in connection.execute(query)]


def _first_that_stays(store: Store) -> Mapping[str, int]:
    """The id from which on events of a kind stay, where there are enough of it."""
    first = {}
    with store.reading() as connection:
        for kind in connection.execute(sa.select(events.c.kind).distinct()).scalars().all():
            of_kind = sa.select(events.c.id).where(events.c.kind == kind).order_by(events.c.id.desc())
            found = connection.execute(of_kind.offset(STAY - 1).limit(1)).scalar_one_or_none()
            if found is not None:
                first[kind] = found
    return first


def _newest_of(store: Store, subjects: Collection[tuple[str, str]]) -> Collection[int]:
    """The id of the newest event of each kind and subject."""
    newest = sa.select(sa.func.max(events.c.id))
    with store.reading() as connection:
        return {
            connection.execute(newest.where(events.c.kind == kind, events.c.subject == subject)).scalar_one()
            for kind, subject in subjects
        }


def _days_before(store: Store, before: float) -> Iterator[dt.date]:
    """Days of events, oldest first."""
    begin = float("-inf")
    while True:
        query = sa.select(sa.func.min(events.c.at)).where(events.c.at >= begin, events.c.at < before)
        with store.reading() as connection:
            oldest = connection.execute(query).scalar_one()
        if oldest is None:
            return
        yield dt.datetime.fromtimestamp(oldest, dt.UTC).date()
        begin = (oldest // _DAY_S + 1) * _DAY_S


def _give_space_back(store: Store, pause: Pause) -> None:
    """Shorten an SQLite file; PostgreSQL uses again what is free, by itself, as a file does that an older Tenfold made.

    Such a file would have to be written anew as a whole, during which nobody else may write.
    """
    if store.path is None:
        return
    while True:
        pause()
        with store.writing() as connection:
            free = connection.exec_driver_sql("PRAGMA freelist_count").scalar_one()
            can_shrink = connection.exec_driver_sql("PRAGMA auto_vacuum").scalar_one()
            if free <= FREE_PAGES or not can_shrink:
                return
            for _ in range(PAGES_TOGETHER):
                # Python's driver does one step of a statement that gives no rows, which is one page.
                connection.exec_driver_sql("PRAGMA incremental_vacuum(1)")


async def forget_forever(recorder: Recorder, retention: Retention) -> None:
    """Start the process now and then; what it did is an event, and why it could not is the recorder's trouble."""
    await asyncio.sleep(FIRST_S)
    while True:
        try:
            found = await _in_a_process(retention)
            recorder.unforgotten = ""
            if found.events:
                recorder.append("forgotten", "ledger", found.model_dump(mode="json"))
        except (OSError, TenfoldError, ValueError) as error:
            log.warning("old events stay in the ledger: %s", error)
            recorder.unforgotten = f"events older than {retention.keep_days} days stay in the ledger: {error}"
        await asyncio.sleep(AGAIN_S if recorder.unforgotten else EVERY_S)


async def _in_a_process(retention: Retention) -> Forgotten:
    """Let the process do it once.

    Raises:
        TenfoldError: it could not, with its last words.
    """
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tenfold.ledger.retention", stdin=pipe, stdout=pipe, stderr=pipe
    )
    try:
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        # Standard input stays open: its end tells the process that nobody waits any more.
        process.stdin.write(retention.model_dump_json().encode() + b"\n")
        told, last_words = await asyncio.gather(process.stdout.read(), process.stderr.read())
        if await process.wait():
            raise TenfoldError((last_words.decode(errors="replace").strip().splitlines() or ["it was killed"])[-1])
        return Forgotten.model_validate_json(told)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def main() -> None:
    """Read ``Retention`` from standard input, do it once, and write ``Forgotten`` to standard output."""
    os.nice(19)
    retention = Retention.model_validate_json(sys.stdin.buffer.readline())

    def pause() -> None:
        if select.select([sys.stdin], [], [], PAUSE_S)[0]:
            raise Stopped

    try:
        store = open_store(retention.url, MIGRATIONS, durable=False)
        found = forget(store, retention.folder, retention.keep_days, time.time(), pause)
        store.close()
    except sa.exc.DBAPIError as error:
        sys.exit(cause_of(error))
    except (OSError, TenfoldError) as error:
        sys.exit(str(error))
    except Stopped:
        sys.exit("nobody waits for it any more")
    sys.stdout.write(json.dumps(found.model_dump(mode="json")))


if __name__ == "__main__":
    main()
