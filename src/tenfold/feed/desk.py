"""Composes feeds, and keeps what they are made of: the feed without its HTTP."""

import asyncio
import datetime as dt
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import TypeVar

from sqlalchemy import Connection

from tenfold.feed import people, stock
from tenfold.feed.archive import Archive
from tenfold.feed.arms import EXPERIMENT
from tenfold.feed.beside import ads_for, beside
from tenfold.feed.catalog import Catalog, Popularity
from tenfold.feed.choose import Filters, Ranked, card_of, cards_for, with_cold
from tenfold.feed.contract import By, Export, Feed, FeedEvent, Known, Taken, ToldEvent
from tenfold.feed.hours import forget_hours
from tenfold.feed.intake import Intake
from tenfold.feed.item import Id, Item, ItemsTaken, ToldItem, in_order
from tenfold.feed.learned import Learned
from tenfold.feed.people import Person
from tenfold.feed.ranking import alias_of, body_for, ranked_from
from tenfold.feed.settings import FeedSettings
from tenfold.feed.subjects import arms_counted, designs_of, ways_for
from tenfold.feed.worth import Worth
from tenfold.pool.loops import for_ever
from tenfold.product.calls import Json, Late
from tenfold.product.context import Context
from tenfold.product.holdout import is_held_out

log = logging.getLogger(__name__)

Made = TypeVar("Made")

CATALOG_EVERY_S = 3600.0
CATALOG_RETRY_S = 1.0
CATALOG_DEADLINE_S = 10.0

MOST_NEW = 10
"""Items that ranking does not know yet, put into one list at most."""

FORGET_EVERY_S, FORGET_PAUSE_S = 3600.0, 0.1
FORGET_TOGETHER = 500
"""Old events deleted in one transaction, so that those who tell new ones hardly wait."""

_HELD_OUT = "for the comparison: this person is among those who always get the popular list"
_IN_ARM = "for the comparison: this person's arm of an experiment gets the popular list"
_LATE = {
    "deadline": "ranking was late",
    "unreachable": "ranking is away",
    "busy": "ranking is busy",
}


_Read = tuple[Sequence[Item], list[tuple[Id, int]], frozenset[Id]]


class NoCatalog(Exception):
    """The catalog has not been read yet."""


class Desk:
    """Everything that the feed does. Its database calls run in threads, so the event loop never waits for a disk."""

    def __init__(self, context: Context) -> None:
        assert isinstance(context.settings, FeedSettings)
        self.settings = context.settings
        self.context = context
        self._store = context.store
        self._catalog: Catalog | None = None
        self._popularity: Popularity | None = None
        self._cold: Sequence[Item] = ()
        self._cold_ids: frozenset[Id] = frozenset()
        self._gone: frozenset[Id] = frozenset()
        self._designs = designs_of(self.settings)
        # One thread for all that writes: those who wait for their turn hold no connection that a reader could use.
        self._writer = ThreadPoolExecutor(1, "writes")
        self._intake = Intake(context.store, self._writer, self.settings, self._count, lambda: self._cold_ids)
        self._worth = Worth(context, self._writer)
        self.archive = Archive(context.store, context.home)
        self.snapshot = ""
        """Version of the ranking model that answered last."""

    async def open(self) -> None:
        """Take up the catalog that was read in a life before."""
        self._use(await asyncio.to_thread(self._read_catalog))

    async def run(self) -> None:
        """Read the catalog again now and then, tell earnings, and look after what is kept, until cancelled."""
        loops = {
            "reading the catalog": self._follow_catalog,
            "telling what ranking earned": self._worth.earn,
            "forgetting old events": self._forget_old,
            "writing the files that ranking learns from": self._export,
        }
        async with asyncio.TaskGroup() as tasks:
            for name, turn in loops.items():
                tasks.create_task(for_ever(name, turn, self.context.say))

    @property
    def catalog(self) -> Catalog:
        """All items.

        Raises:
            NoCatalog: there is nothing to show yet.
        """
        if self._catalog is None:
            raise NoCatalog
        return self._catalog

    @property
    def surfaces(self) -> tuple[str, ...]:
        """Surfaces that show a feed: those of the settings, and those that items name."""
        named = () if self._catalog is None else self._catalog.named
        return (*self.settings.surfaces, *(each for each in named if each not in self.settings.surfaces))

    async def feed(self, person: str, surface: str, k: int, filters: Filters | None = None) -> Feed:
        """Compose one feed.

        Raises:
            NoCatalog: there is nothing to show yet.
        """
        catalog, popularity = self.catalog, self._popularity
        assert popularity is not None
        known = await asyncio.to_thread(self._known, person)
        arms, way = ({}, None) if known.held_out else ways_for(person, self._designs)
        own = known.on(surface) if way is not None and way.history == "surface" else known
        allowed = catalog.on(surface)
        hidden = known.hidden | self._gone
        if known.held_out or (way is not None and way.by == "popular"):
            ranked = _HELD_OUT if known.held_out else _IN_ARM
        else:
            body = body_for(own, hidden, catalog, k=k, allowed=allowed, filters=filters)
            alias = alias_of(person, known.since, "" if own is known else surface)
            stale = way is not None and way.snapshot == "stale"
            ranked = await self._rank(body | {"person": alias, "surface": surface, "stale": stale})
        if not isinstance(ranked, str):
            ranked = with_cold(ranked, self._new_for(hidden, allowed))
        by: By = "popular" if isinstance(ranked, str) else "rank"
        items: Sequence[Id | Ranked] = popularity.items() if isinstance(ranked, str) else ranked
        viewers = popularity.viewers if isinstance(ranked, str) else None
        cards = cards_for(
            items, catalog, k=k, without=hidden, person=own, viewers=viewers, allowed=allowed, filters=filters
        )
        values = [card.terms.get("value", 0.0) for card in cards]
        ads = await ads_for(self.context.peers, person, surface, cards, values, self.settings.ads_deadline_s)
        return Feed(
            person=person,
            surface=surface,
            by=by,
            because=ranked if isinstance(ranked, str) else "",
            cards=beside(cards, values, ads) if ads else cards,
            snapshot=self.snapshot if by == "rank" else "",
            arms=arms,
        )

    async def take(self, events: Sequence[FeedEvent]) -> Taken:
        """Write events down; they are on disk when this returns."""
        taken = await self._intake.take(events)
        self._worth.events += taken.new
        return taken

    async def known(self, person: str) -> Known | None:
        """Tell what is remembered of a person; none if nothing is."""

        def read() -> tuple[Person | None, int]:
            with self._store.reading() as connection:
                return self._read(connection, person), people.count_events(connection, person)

        found, count = await asyncio.to_thread(read)
        return None if found is None else self._as_known(person, found, count)

    async def export(self, person: str) -> Export | None:
        """Give all that is kept of a person; none if nothing is."""

        def read() -> tuple[Person | None, list[dict[str, object]], dict[str, str]]:
            with self._store.reading() as connection:
                told = people.read_events(connection, person)
                return self._read(connection, person), told, arms_counted(connection, person)

        found, told, counted = await asyncio.to_thread(read)
        if found is None:
            return None
        events = tuple(ToldEvent.model_validate(each) for each in told)
        return Export(known=self._as_known(person, found, len(events)), events=events, experiments=counted)

    async def forget(self, person: str) -> int:
        """Delete what is remembered of a person, in the files that ranking learns from too; gives how many events."""
        gone = await self.write(partial(people.forget, person=person, now=time.time()))
        # What cannot be written now is done later: it is noted in the same transaction.
        await self._in_archive(self.archive.erase)
        return gone

    async def tell_items(self, told: Sequence[ToldItem]) -> ItemsTaken:
        """Take items of a team; they may be in the next feed."""
        return await self._change_items(partial(stock.tell_items, told=told, now=time.time()))

    async def delete_item(self, item: Id) -> bool:
        """Take an item away; it is in no feed that is made after this returns. Tells whether it was there."""
        return await self._change_items(partial(stock.delete_item, item=item, now=time.time()))

    def item(self, item: Id) -> Item | None:
        """Give an item of the catalog, or none."""
        return None if self._catalog is None else self._catalog.get(item)

    async def learned(self) -> Learned | None:
        """What the ranking model tells of itself; none where it is late."""
        found = await self.context.pool.ranking_model(deadline_s=self.settings.rank_deadline_s)
        return None if isinstance(found, Late) else Learned.model_validate(found)

    async def read(self, work: Callable[[Connection], Made]) -> Made:
        """Run something in a transaction that reads."""

        def reading() -> Made:
            with self._store.reading() as connection:
                return work(connection)

        return await asyncio.to_thread(reading)

    async def write(self, work: Callable[[Connection], Made]) -> Made:
        """Run something in a transaction that may write; it is on disk when this returns."""

        def writing() -> Made:
            with self._store.writing() as connection:
                return work(connection)

        return await asyncio.get_running_loop().run_in_executor(self._writer, writing)

    async def _rank(self, body: Json) -> list[Ranked] | str:
        """Give items, best first; or say why ranking did not."""
        answer = await self.context.pool.rank(body, deadline_s=self.settings.rank_deadline_s)
        if isinstance(answer, Late):
            # One that is refused is this feed's mistake, and would be for ever.
            log.log(logging.WARNING if answer.reason == "refused" else logging.DEBUG, "no ranking: %s", answer.detail)
            return _LATE.get(answer.reason, "ranking failed")
        self._worth.lists += 1
        self.snapshot = str(answer.get("snapshot") or answer.get("model") or "")
        return ranked_from(answer)

    def _new_for(self, hidden: frozenset[Id], allowed: frozenset[Id] | None) -> list[Item]:
        """Items that ranking does not know yet and that may be shown, the newest first."""
        found = (item for item in self._cold if item.item not in hidden and (allowed is None or item.item in allowed))
        return list(islice(found, MOST_NEW))

    def _as_known(self, person: str, found: Person, count: int) -> Known:
        items = [item for each in found.history if (item := self.item(each)) is not None]
        return Known(
            person=person,
            holdout=found.held_out,
            watched=tuple(card_of(item, "watched") for item in items),
            blocked=tuple(sorted(found.blocked, key=in_order)),
            less=tuple(sorted(found.less, key=in_order)),
            events=count,
        )

    def _known(self, person: str) -> Person:
        """Read what is known of a person; who is new is counted with the first event, since looking writes nothing."""
        with self._store.reading() as connection:
            found = self._read(connection, person)
        return found or Person(is_held_out(person, self.settings.holdout, EXPERIMENT))

    def _read(self, connection: Connection, person: str) -> Person | None:
        return people.read_person(connection, person, again_before=time.time() - self.settings.again_after_s)

    def _count(self, chosen: Sequence[Id]) -> None:
        if self._popularity is not None:
            for item in chosen:
                self._popularity.opened(item)

    # ---- the catalog

    def _read_catalog(self) -> _Read:
        with self._store.reading() as connection:
            return stock.read_catalog(connection), stock.read_opened(connection), stock.gone_items(connection)

    def _use(self, read: _Read) -> None:
        items, opened, self._gone = read
        if items:
            self._catalog = Catalog(items)
            self._popularity = Popularity(self._catalog, opened)
            self._cold = self._catalog.cold()
            self._cold_ids = frozenset(item.item for item in self._cold)

    async def _follow_catalog(self) -> None:
        answer = await self.context.pool.items(deadline_s=CATALOG_DEADLINE_S)
        if isinstance(answer, Late):
            log.debug("without a newer catalog: %s", answer.detail)
            await asyncio.sleep(CATALOG_RETRY_S)
            return
        rows = answer["items"]
        assert isinstance(rows, list)
        items = [stock.from_ranking(row) for row in rows]
        await self._change_items(partial(stock.write_catalog, catalog=items))
        await asyncio.sleep(CATALOG_EVERY_S)

    async def _change_items(self, work: Callable[[Connection], Made]) -> Made:
        """Change items in a transaction, and use them as they are then."""
        loop = asyncio.get_running_loop()

        def changing() -> Made:
            with self._store.writing() as connection:
                made = work(connection)
            # From the writer's thread, so that what is written next is counted by the new one.
            loop.call_soon_threadsafe(self._use, self._read_catalog())
            return made

        return await loop.run_in_executor(self._writer, changing)

    # ---- what is old, and the files that ranking learns from

    async def _forget_old(self) -> None:
        """Delete some of the events that are older than they are kept, and come back soon if there were any."""
        before = time.time() - self.settings.keep_days * 86400.0
        gone = await self.write(partial(people.forget_older, before=before, most=FORGET_TOGETHER))
        if not gone:
            await self.write(partial(forget_hours, before=before))
        await asyncio.sleep(FORGET_PAUSE_S if gone else FORGET_EVERY_S)

    async def _export(self) -> None:
        """Write what is new to the files, and take out of them what is forgotten or too old."""
        await self._in_archive(self._export_now)
        await asyncio.sleep(self.settings.segment_every_s)

    def _export_now(self) -> None:
        self.archive.erase()
        while self.archive.export():
            pass
        if self._catalog is not None:
            self.archive.write_items(self._catalog)
        self.archive.tidy(time.time() - self.settings.keep_days * 86400.0, dt.datetime.now(dt.UTC))

    async def _in_archive(self, work: Callable[[], Made]) -> Made:
        return await asyncio.get_running_loop().run_in_executor(self.archive.thread, work)
