"""Composes feeds, takes events, and tells what ranking earned: the feed without its HTTP."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple, TypeVar

from sqlalchemy import Connection

from tenfold.feed import tables
from tenfold.feed.catalog import Catalog, Film, Popularity
from tenfold.feed.choose import card_of, cards_for
from tenfold.feed.contract import By, Feed, FeedEvent, Known, Taken
from tenfold.feed.settings import FeedSettings
from tenfold.pool.loops import for_ever
from tenfold.product.calls import Late
from tenfold.product.context import Context
from tenfold.product.holdout import earned_beyond_fallback, is_held_out

log = logging.getLogger(__name__)

Given = TypeVar("Given")
Made = TypeVar("Made")

CATALOG_EVERY_S = 3600.0
CATALOG_RETRY_S = 1.0
CATALOG_DEADLINE_S = 10.0
EARN_EVERY_S = 2.0
MOST_RANKED, MOST_EXCLUDED = 100, 10_000
"""Items that ranking gives, and leaves out, at most."""

MOST_TOGETHER = 2_000
"""Events that are written in one transaction, unless a single request has more."""

FORGET_EVERY_S, FORGET_PAUSE_S = 3600.0, 0.1
FORGET_TOGETHER = 500
"""Old events deleted in one transaction, so that those who tell new ones hardly wait."""

_HELD_OUT = "for the comparison: this person is among those who always get the popular list"
_LATE = {
    "deadline": "ranking was late",
    "unreachable": "ranking is away",
    "busy": "ranking is busy",
}


class NoCatalog(Exception):
    """The catalog has not been read yet."""


class _Told(NamedTuple):
    """Events of one request, and who waits until they are on disk."""

    events: Sequence[FeedEvent]
    taken: asyncio.Future[Taken]


class Desk:
    """Everything that the feed does. Its database calls run in threads, so the event loop never waits for a disk."""

    def __init__(self, context: Context) -> None:
        assert isinstance(context.settings, FeedSettings)
        self.settings = context.settings
        self._context = context
        self._store = context.store
        self._catalog: Catalog | None = None
        self._popularity: Popularity | None = None
        self._lists = 0
        # One thread for all that writes: those who wait for their turn hold no connection that a reader could use.
        self._writer = ThreadPoolExecutor(1, "writes")
        self._told: deque[_Told] = deque()

    async def open(self) -> None:
        """Take up the catalog that was read in a life before."""
        self._use(await asyncio.to_thread(self._read_catalog))

    async def run(self) -> None:
        """Read the catalog again now and then, and tell earnings, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(for_ever("reading the catalog", self._follow_catalog))
            tasks.create_task(for_ever("telling what ranking earned", self._earn))
            tasks.create_task(for_ever("forgetting old events", self._forget_old))

    async def feed(self, person: str, surface: str, k: int) -> Feed:
        """Compose one feed.

        Raises:
            NoCatalog: there is nothing to show yet.
        """
        if self._catalog is None or self._popularity is None:
            raise NoCatalog
        known = await asyncio.to_thread(self._known, person)
        ranked = _HELD_OUT if known.held_out else await self._rank(known, k)
        by: By = "popular" if isinstance(ranked, str) else "rank"
        if isinstance(ranked, str):
            items, viewers = self._popularity.items(), self._popularity.viewers
            cards = cards_for(items, self._catalog, k=k, without=known.hidden, viewers=viewers)
        else:
            cards = cards_for(ranked, self._catalog, k=k, without=known.hidden, history=known.history)
        because = ranked if isinstance(ranked, str) else ""
        return Feed(person=person, surface=surface, by=by, because=because, cards=cards)

    async def take(self, events: Sequence[FeedEvent]) -> Taken:
        """Write events down; they are on disk when this returns.

        Whoever's turn it is writes what all have told by then in one transaction: the disk is waited for once.
        """
        told = _Told(events, asyncio.get_running_loop().create_future())
        self._told.append(told)
        self._writer.submit(self._take_told, asyncio.get_running_loop())
        return await told.taken

    async def known(self, person: str) -> Known | None:
        """Tell what is remembered of a person; none if nothing is."""

        def read() -> tuple[tables.Person | None, int]:
            with self._store.reading() as connection:
                return self._read(connection, person), tables.count_events(connection, person)

        found, count = await asyncio.to_thread(read)
        if found is None:
            return None
        films = [film for item in found.history if (film := self.film(item)) is not None]
        return Known(
            person=person,
            holdout=found.held_out,
            watched=tuple(card_of(film, "watched") for film in films),
            blocked=tuple(sorted(found.blocked)),
            events=count,
        )

    async def forget(self, person: str) -> int:
        """Delete what is remembered of a person; gives how many events that were."""
        return await self._write(self._forget, person)

    def film(self, item: int) -> Film | None:
        """Give an item of the catalog, or none."""
        return None if self._catalog is None else self._catalog.get(item)

    async def _rank(self, known: tables.Person, k: int) -> list[int] | str:
        """Give items of the catalog, best first, enough for ``k`` without those hidden; or say why ranking did not."""
        assert self._catalog is not None
        # Ranking refuses what is not in its catalog, and leaves the history out itself.
        history = [item for item in known.history if self._catalog.get(item) is not None]
        hidden = [item for item in known.hidden.difference(history) if self._catalog.get(item) is not None]
        more = max(0, len(hidden) - MOST_EXCLUDED)
        body: dict[str, object] = {
            "history": history,
            "k": min(MOST_RANKED, k + more),
            "exclude": hidden[:MOST_EXCLUDED],
        }
        answer = await self._context.pool.rank(body, deadline_s=self.settings.rank_deadline_s)
        if isinstance(answer, Late):
            # One that is refused is this feed's mistake, and would be for ever.
            log.log(logging.WARNING if answer.reason == "refused" else logging.DEBUG, "no ranking: %s", answer.detail)
            return _LATE.get(answer.reason, "ranking failed")
        self._lists += 1
        found = answer["items"]
        assert isinstance(found, list)
        return [item["item"] for item in found]

    async def _write(self, work: Callable[[Given], Made], given: Given) -> Made:
        return await asyncio.get_running_loop().run_in_executor(self._writer, work, given)

    def _known(self, person: str) -> tables.Person:
        """Read what is known of a person; who is new is counted with the first event, since looking writes nothing."""
        with self._store.reading() as connection:
            found = self._read(connection, person)
        return found or tables.Person(is_held_out(person, self.settings.holdout, tables.EXPERIMENT))

    def _read(self, connection: Connection, person: str) -> tables.Person | None:
        return tables.read_person(connection, person, again_before=time.time() - self.settings.again_after_s)

    def _take_told(self, loop: asyncio.AbstractEventLoop) -> None:
        """Write what was told by now, in the writer's thread; nothing if somebody's turn before has written it."""
        group: list[_Told] = []
        while self._told and (not group or sum(len(told.events) for told in group) < MOST_TOGETHER):
            group.append(self._told.popleft())
        if group:
            self._take_group(loop, group)

    def _take_group(self, loop: asyncio.AbstractEventLoop, group: Sequence[_Told]) -> None:
        try:
            with self._store.writing() as connection:
                came = [event for told in group for event in told.events]
                noted = tables.take(connection, came, self.settings.holdout, time.time())
        except Exception as error:
            if len(group) == 1:
                loop.call_soon_threadsafe(_fail, group[0], error)
                return
            # What the database refuses of one must not be refused of the others.
            for told in group:
                self._take_group(loop, [told])
            return
        # In the order in which they were written, also if whoever told has left: no count is missed.
        loop.call_soon_threadsafe(self._count, noted.chosen)
        loop.call_soon_threadsafe(_acknowledge, group, noted.fresh)

    def _count(self, chosen: Sequence[int]) -> None:
        if self._popularity is not None:
            for item in chosen:
                self._popularity.opened(item)

    def _forget(self, person: str) -> int:
        with self._store.writing() as connection:
            return tables.forget(connection, person)

    # ---- the catalog

    def _read_catalog(self) -> tuple[list[Film], list[tuple[int, int]]]:
        with self._store.reading() as connection:
            return tables.read_catalog(connection), tables.read_opened(connection)

    def _use(self, read: tuple[Sequence[Film], list[tuple[int, int]]]) -> None:
        films, opened = read
        if films:
            self._catalog = Catalog(films)
            self._popularity = Popularity(self._catalog, opened)

    async def _follow_catalog(self) -> None:
        answer = await self._context.pool.items(deadline_s=CATALOG_DEADLINE_S)
        if isinstance(answer, Late):
            log.debug("without a newer catalog: %s", answer.detail)
            await asyncio.sleep(CATALOG_RETRY_S)
            return
        rows = answer["items"]
        assert isinstance(rows, list)
        films = [Film(row["item"], row["title"], tuple(row["genres"]), row["viewers"]) for row in rows]
        await self._write(partial(self._write_catalog, asyncio.get_running_loop()), films)
        await asyncio.sleep(CATALOG_EVERY_S)

    def _write_catalog(self, loop: asyncio.AbstractEventLoop, films: Sequence[Film]) -> None:
        with self._store.writing() as connection:
            tables.write_catalog(connection, films)
            opened = tables.read_opened(connection)
        # From the writer's thread, so that what is written next is counted by the new one.
        loop.call_soon_threadsafe(self._use, (films, opened))

    # ---- what is old

    async def _forget_old(self) -> None:
        """Delete some of the events that are older than they are kept, and come back soon if there were any."""
        gone = await self._write(self._forget_some, time.time() - self.settings.keep_days * 86400.0)
        await asyncio.sleep(FORGET_PAUSE_S if gone else FORGET_EVERY_S)

    def _forget_some(self, before: float) -> int:
        with self._store.writing() as connection:
            return tables.forget_older(connection, before, FORGET_TOGETHER)

    # ---- what ranking earned

    async def _earn(self) -> None:
        await asyncio.sleep(EARN_EVERY_S)
        lists, self._lists = self._lists, 0
        try:
            await self._write(self._tell, lists)
        except BaseException:
            self._lists += lists
            raise

    def _tell(self, lists: int) -> None:
        """Tell what ranking earned since the last time."""
        with self._store.reading() as connection:
            if not lists and not tables.has_untold(connection):
                return
        with self._store.writing() as connection:
            compared = tables.take_untold(connection)
            usd = 0.0
            for served, held_out in compared:
                usd += (
                    earned_beyond_fallback(
                        self._usd(served),
                        self._usd(held_out),
                        served_people=served.people,
                        held_out_people=held_out.people,
                    )
                    or 0.0
                )
            if compared:
                self._context.earned(connection, "rank", usd, lists, "watched minutes")

    def _usd(self, arm: tables.Sums) -> float:
        """What the people of an arm earned since it was last told."""
        return (arm.watched_s - arm.told_s) / 60.0 * self.settings.usd_per_watched_minute


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
