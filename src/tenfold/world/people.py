"""Plays people against a running pool over HTTP: visits begin by the hour of the day, and go on as people please."""

import asyncio
import math
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import numpy as np

from tenfold.rank.dataset import load_movielens
from tenfold.world.person import Deed, Habit, Visit
from tenfold.world.report import PeopleReport, percentiles
from tenfold.world.shoppers import AdCard, Shoppers
from tenfold.world.taste import PICKY, Tastes, draw_tastes

SURFACE = "home"
PAGE = 10
DAY_S = 86_400.0
_PATIENCE = aiohttp.ClientTimeout(total=20, sock_connect=5)


@dataclass(slots=True)
class Page:
    """A feed that a person opened.

    ``at_s``: wall seconds since the first visit could begin. ``by``: who chose it (``rank``, ``popular``), or
    ``failed`` where none came. ``waited_s``: wall seconds to the answer. ``visit``: its number. ``arms``: the person's
    in each of the feed's experiments. Once it is read, ``liked``: how much its cards are liked, on average, 0 to 1, and
    ``watched_s``: world seconds.
    """

    person: int
    at_s: float
    by: str
    waited_s: float
    surface: str = SURFACE
    visit: int = 0
    arms: Mapping[str, str] = field(default_factory=dict)
    liked: float = 0.0
    watched_s: float = 0.0


@dataclass(slots=True)
class Truth:
    """What really happened, which only the world knows. ``visits``: begun. ``lost_events``: never acknowledged."""

    pages: list[Page] = field(default_factory=list)
    visits: int = 0
    lost_events: int = 0


@dataclass(frozen=True, slots=True)
class Crowd:
    """Who there is. ``items``: the id of each item of ``tastes``; ``genres``: of each. ``surfaces``: that they use."""

    tastes: Tastes
    items: tuple[int, ...]
    surfaces: tuple[str, ...] = (SURFACE,)
    genres: tuple[tuple[str, ...], ...] = ()


def draw_crowd(
    cache: Path,
    people: int,
    seed: int,
    picky: float = PICKY,
    *,
    surfaces: Sequence[str] = (SURFACE,),
    correlation: float = 1.0,
) -> Crowd:
    """Draw people whose hidden tastes are like those of MovieLens-100K's users.

    Args:
        cache: the user's, with the data set.
        people: to draw.
        seed: draws the same people again.
        picky: see ``taste.PICKY``.
        surfaces: on which they open pages.
        correlation: of what they like on one of the data set's surfaces with what they like on another; at 1 they are
            of a piece, as real people are.

    Raises:
        AssetError: the data set has not been fetched.
    """
    data = load_movielens(cache)
    films, events = data.catalog.items, data.events
    names = {name: index for index, name in enumerate(sorted({film.surface() for film in films}))}
    tastes = draw_tastes(
        events.person_E,
        events.row_E,
        items=len(films),
        people=people,
        seed=seed,
        picky=picky,
        surface_I=np.array([names[film.surface()] for film in films]),
        correlation=correlation,
    )
    genres = tuple(film.genres for film in films)
    return Crowd(tastes, tuple(film.item for film in films), tuple(surfaces), genres)


async def surfaces_shown(session: aiohttp.ClientSession) -> tuple[str, ...]:
    """Surfaces of the feed that differ in what they show, the first one aside, which shows everything.

    Only that one where no others do, or where the feed does not tell.
    """
    async with session.get("/v1/feed/surfaces", timeout=_PATIENCE) as answer:
        found = (await answer.json())["shown"] if answer.status == 200 else []
    return tuple(found[1:]) or (SURFACE,)


class People:
    """The people of a world, at a pool's address.

    Args:
        session: HTTP client with the pool's address as base.
        crowd: who they are.
        seconds_per_s: world seconds in a wall second.
        habit: how people use a feed now; asked at each page, since a world may change.
        seed: of everything that they do.
        shoppers: what they do with ads; none: they pass them over.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        crowd: Crowd,
        *,
        seconds_per_s: float,
        habit: Callable[[], Habit] = Habit,
        seed: int,
        shoppers: Shoppers | None = None,
    ) -> None:
        self._session = session
        self._tastes, self._surfaces = crowd.tastes, crowd.surfaces
        self._row_of = {item: row for row, item in enumerate(crowd.items)}
        self._seconds_per_s = seconds_per_s
        self._habit = habit
        self._seed = seed
        self._shoppers = shoppers
        who = list(range(len(crowd.tastes)))
        Random(f"{seed} who visits").shuffle(who)
        # Who was here longest ago comes next.
        self._idle = deque(who)
        self._began_s, self._ends_s = time.monotonic(), math.inf
        # The same people come again in another run, and do new things.
        self._run = uuid.uuid4().hex[:12]
        self.truth = Truth()

    def report(self) -> PeopleReport:
        """Sum up what happened until now."""
        truth = self.truth
        came = [page for page in truth.pages if page.by != "failed"]
        p50, p95 = percentiles([page.waited_s for page in came], (50, 95))
        return PeopleReport(
            people=len(self._tastes),
            visits=truth.visits,
            pages=len(came),
            ranked=sum(page.by == "rank" for page in came),
            failed=len(truth.pages) - len(came),
            watched_minutes=sum(page.watched_s for page in came) / 60.0,
            lost_events=truth.lost_events,
            feed_p50_s=p50,
            feed_p95_s=p95,
        )

    async def come(self, at_s: Sequence[float], ends_s: float = math.inf) -> None:
        """Begin a visit at each of these times, in wall seconds from now, and wait until all have ended.

        After ``ends_s`` nobody opens a further page or reads on.
        """
        self._began_s = time.monotonic()
        self._ends_s = ends_s
        async with asyncio.TaskGroup() as tasks:
            for due_s in at_s:
                await asyncio.sleep(max(0.0, self._began_s + due_s - time.monotonic()))
                if self._idle:
                    tasks.create_task(self._visit(self._idle.popleft()))

    def name(self, person: int) -> str:
        """What a product knows a person by."""
        return f"world {self._seed} person {person}"

    async def _visit(self, person: int) -> None:
        self.truth.visits += 1
        number, page, surface = self.truth.visits, 0, None
        visit = Visit(person, self._tastes, self._habit(), Random(f"{self._seed} {number}"), self._row_of)
        try:
            while True:
                surface = visit.surface(self._surfaces, surface)
                opened, cards = await self._open(person, surface, number)
                deeds = self._until_the_end(visit.read([card["item"] for card in cards]))
                deeds = self._without_ads(person, cards, deeds)
                await asyncio.sleep((deeds[-1].after_s if deeds else 0.0) / self._seconds_per_s)
                opened.watched_s = sum(deed.seconds for deed in deeds)
                opened.liked = visit.liked
                await self._tell(opened, page, deeds)
                visit.habit = self._habit()
                if not visit.stays() or self._left_s() <= 0:
                    return
                page += 1
        finally:
            self._idle.append(person)

    def _left_s(self) -> float:
        return self._began_s + self._ends_s - time.monotonic()

    def _until_the_end(self, deeds: Sequence[Deed]) -> list[Deed]:
        left_s = self._left_s()
        return [deed for deed in deeds if deed.after_s / self._seconds_per_s <= left_s]

    def _without_ads(self, person: int, cards: Sequence[Mapping[str, Any]], deeds: Sequence[Deed]) -> list[Deed]:
        """Let the person meet the ads that they came to; gives what was done with everything else."""
        ads = {card["item"]: ad for card in cards if (ad := AdCard.of(card)) is not None}
        for deed in deeds:
            if deed.item in ads and self._shoppers is not None:
                self._shoppers.meet(person, self.name(person), ads[deed.item], deed.after_s / self._seconds_per_s)
        return [deed for deed in deeds if deed.item not in ads]

    async def _open(self, person: int, surface: str, visit: int) -> tuple[Page, list[dict[str, Any]]]:
        """Open a page of the feed, and give its cards; none where none comes."""
        began_s = time.monotonic()
        asked = {"person": self.name(person), "surface": surface, "k": PAGE}
        try:
            async with self._session.get("/v1/feed", params=asked, timeout=_PATIENCE) as answer:
                found = await answer.json() if answer.status == 200 else None
        except (aiohttp.ClientError, TimeoutError):
            found = None
        by = "failed" if found is None else found["by"]
        arms = {} if found is None else found.get("arms", {})
        page = Page(person, began_s - self._began_s, by, time.monotonic() - began_s, surface, visit, arms)
        self.truth.pages.append(page)
        return page, [] if found is None else found["cards"]

    async def _tell(self, page: Page, number: int, deeds: Sequence[Deed]) -> None:
        """Let the surface tell the feed what was done: it sends again what was not acknowledged."""
        events: list[dict[str, object]] = [
            dict(
                id=f"{self._run}/{page.visit}/{number}/{n}",
                person=self.name(page.person),
                surface=page.surface,
                item=deed.item,
                action=deed.action,
                seconds=deed.seconds,
                session=f"{self._run}/{page.visit}",
            )
            for n, deed in enumerate(deeds)
        ]
        for wait_s in (0.2, 1.0, 3.0, None):
            if not events or await self._post(events):
                return
            if wait_s is not None:
                await asyncio.sleep(wait_s)
        self.truth.lost_events += len(events)

    async def _post(self, events: list[dict[str, object]]) -> bool:
        try:
            async with self._session.post("/v1/feed/events", json={"events": events}, timeout=_PATIENCE) as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False
