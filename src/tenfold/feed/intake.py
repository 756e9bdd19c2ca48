"""Takes events from many at once: those told at the same time share a transaction, and wait for the disk together."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import sqlalchemy as sa

from tenfold.core.store import Store
from tenfold.feed import taking
from tenfold.feed.contract import FeedEvent, Taken
from tenfold.feed.item import Id
from tenfold.feed.settings import FeedSettings
from tenfold.feed.subjects import designs_of
from tenfold.feed.tables import events as event_table

MOST_TOGETHER = 2_000
"""Events that are written in one transaction, unless a single request has more."""

_TICK_S = 2e-6
"""Between two transactions at least, whatever the clock does: the files of events are told apart by their times."""


class _Told(NamedTuple):
    """Events of one request, and who waits until they are on disk."""

    events: Sequence[FeedEvent]
    taken: asyncio.Future[Taken]


class Intake:
    """Writes events down.

    Args:
        store: the feed's database.
        writer: the one thread in which all that writes runs.
        settings: the feed's.
        count: told, in the event loop and in the order of writing, what was chosen for the first time.
        cold: gives the items that ranking does not know yet.
    """

    def __init__(
        self,
        store: Store,
        writer: ThreadPoolExecutor,
        settings: FeedSettings,
        count: Callable[[Sequence[Id]], None],
        cold: Callable[[], Collection[Id]],
    ) -> None:
        self._store = store
        self._writer = writer
        self._settings = settings
        self._designs = designs_of(settings)
        self._count = count
        self._cold = cold
        self._told: deque[_Told] = deque()
        with store.reading() as connection:
            self._last = connection.scalar(sa.select(sa.func.max(event_table.c.taken_at))) or 0.0

    async def take(self, events: Sequence[FeedEvent]) -> Taken:
        """Write events down; they are on disk when this returns.

        Whoever's turn it is writes what all have told by then in one transaction: the disk is waited for once.
        """
        told = _Told(events, asyncio.get_running_loop().create_future())
        self._told.append(told)
        self._writer.submit(self._take_told, asyncio.get_running_loop())
        return await told.taken

    def _take_told(self, loop: asyncio.AbstractEventLoop) -> None:
        """Write what was told by now, in the writer's thread; nothing if somebody's turn before has written it."""
        group: list[_Told] = []
        while self._told and (not group or sum(len(told.events) for told in group) < MOST_TOGETHER):
            group.append(self._told.popleft())
        if group:
            self._take_group(loop, group)

    def _take_group(self, loop: asyncio.AbstractEventLoop, group: Sequence[_Told]) -> None:
        now = max(time.time(), self._last + _TICK_S)
        try:
            with self._store.writing() as connection:
                came = [event for told in group for event in told.events]
                share, cold = self._settings.holdout, self._cold()
                noted = taking.take(connection, came, share, now, designs=self._designs, cold=cold)
        except Exception as error:
            if len(group) == 1:
                loop.call_soon_threadsafe(_fail, group[0], error)
                return
            # What the database refuses of one must not be refused of the others.
            for told in group:
                self._take_group(loop, [told])
            return
        self._last = now
        # In the order in which they were written, also if whoever told has left: no count is missed.
        loop.call_soon_threadsafe(self._count, noted.chosen)
        loop.call_soon_threadsafe(_acknowledge, group, noted.fresh)


def _acknowledge(group: Sequence[_Told], fresh: frozenset[tuple[str, str]]) -> None:
    """Tell each what became of its events; one that several sent is new where it came first."""
    left = set(fresh)
    for told in group:
        mine = {(event.person, event.id) for event in told.events} & left
        left -= mine
        if not told.taken.done():
            told.taken.set_result(Taken(new=len(mine), repeated=len(told.events) - len(mine)))


def _fail(told: _Told, error: Exception) -> None:
    if not told.taken.done():
        told.taken.set_exception(error)
