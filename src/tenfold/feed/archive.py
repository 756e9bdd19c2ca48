"""Writes what was told to the files that ranking learns from, and takes out of them who is forgotten."""

import datetime as dt
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from tenfold.core.errors import Damaged
from tenfold.core.store import Store
from tenfold.feed import segments
from tenfold.feed.catalog import Catalog
from tenfold.feed.people import erased, pending_erasures
from tenfold.feed.tables import events

MOST_ROWS = 100_000
"""Events of one file; more than one transaction may write."""


class Archive:
    """The files of one feed. All that touches them runs in one thread, so nothing has to be locked.

    Args:
        store: the feed's database.
        home: the pool's folder.
    """

    def __init__(self, store: Store, home: Path) -> None:
        self._store = store
        self._folder = segments.folder_of(home)
        self.thread = ThreadPoolExecutor(1, "segments")
        self._items: Catalog | None = None

    def export(self) -> bool:
        """Write events that are in no file yet, the oldest first; tells whether there may be more.

        Raises:
            OSError: e.g. the disk is full; the next try begins where this one did.
        """
        first_us = segments.last_us(self._folder)
        rows = self._events(first_us)
        if not rows:
            return False
        last, is_more = rows[-1]["taken_at"], len(rows) == MOST_ROWS
        if is_more:
            # A transaction is not divided: its events have one time, by which the next file begins.
            rows = [row for row in rows if row["taken_at"] != last]
            last = rows[-1]["taken_at"]
        assert isinstance(last, float)
        segments.write_events(self._folder, first_us, math.ceil(last * 1e6), rows)
        return is_more

    def write_items(self, catalog: Catalog) -> None:
        """Write the items, if they are others than those that were written last."""
        if catalog is not self._items:
            segments.write_items(self._folder, catalog.items())
            self._items = catalog

    def erase(self) -> int:
        """Take out of the files everybody who is forgotten; gives how many events that were."""
        with self._store.reading() as connection:
            pending = pending_erasures(connection)
        gone = 0
        for person, asked_at in pending:
            gone += self._mending(partial(segments.erase, self._folder, person, asked_at))
            with self._store.writing() as connection:
                erased(connection, person)
        return gone

    def tidy(self, keep_after: float, now: dt.datetime) -> None:
        """Join the files of days that are over, and delete those older than ``keep_after`` (Unix seconds)."""
        self._mending(partial(segments.join_days, self._folder, now))
        segments.delete_older(self._folder, keep_after)

    def up_to(self) -> float:
        """Up to when events are in the files, Unix seconds."""
        return segments.last_us(self._folder) / 1e6

    def _mending(self, work: Callable[[], int]) -> int:
        """Do something with the files; one that is damaged is written anew from the events that are still kept."""
        while True:
            try:
                return work()
            except Damaged as damage:
                found = next(each for each in segments.segments(self._folder) if each.path == damage.path)
                rows = self._events(found.first_us, found.last_us)
                segments.write_events(self._folder, found.first_us, found.last_us, rows)

    def _events(self, first_us: int, until_us: int | None = None) -> list[dict[str, object]]:
        query = sa.select(events).where(events.c.taken_at > first_us / 1e6)
        if until_us is not None:
            query = query.where(events.c.taken_at <= until_us / 1e6)
        query = query.order_by(events.c.taken_at).limit(MOST_ROWS if until_us is None else None)
        with self._store.reading() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]
