"""Plays people against a running pool over HTTP: visits begin by the hour of the day, and go on as people please."""

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import aiohttp

from tenfold.rank.dataset import load_movielens
from tenfold.world.person import Deed, Habit, Visit
from tenfold.world.report import PeopleReport, percentiles
from tenfold.world.taste import Tastes, draw_tastes

SURFACE = "home"
PAGE = 10
DAY_S = 86_400.0
_PATIENCE = aiohttp.ClientTimeout(total=20, sock_connect=5)


@dataclass(slots=True)
class Truth:
    """What really happened, which only the world knows.

    ``watched_s``: world seconds watched. ``pages``: feeds opened, by who chose them (``rank``, ``popular``), or
    ``failed`` where none came. ``visits``: begun. ``lost_events``: never acknowledged. ``feed_s``: wall seconds to each
    answered feed.
    """

    watched_s: float = 0.0
    pages: Counter[str] = field(default_factory=Counter)
    visits: int = 0
    lost_events: int = 0
    feed_s: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Crowd:
    """Who there is. ``items``: the id of each item of ``tastes``."""

    tastes: Tastes
    items: tuple[int, ...]


def draw_crowd(cache: Path, people: int, seed: int) -> Crowd:
    """Draw people whose hidden tastes are like those of MovieLens-100K's users.

    Raises:
        AssetError: the data set has not been fetched.
    """
    data = load_movielens(cache)
    items = tuple(item.item for item in data.catalog.items)
    tastes = draw_tastes(data.events.user_E, data.events.row_E, items=len(items), people=people, seed=seed)
    return Crowd(tastes, items)


class People:
    """The people of a world, at a pool's address.

    Args:
        session: HTTP client with the pool's address as base.
        crowd: who they are.
        seconds_per_s: world seconds in a wall second.
        habit: how people use a feed now; asked at each page, since a world may change.
        seed: of everything that they do.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        crowd: Crowd,
        *,
        seconds_per_s: float,
        habit: Callable[[], Habit] = Habit,
        seed: int,
    ) -> None:
        self._session = session
        self._tastes = crowd.tastes
        self._row_of = {item: row for row, item in enumerate(crowd.items)}
        self._seconds_per_s = seconds_per_s
        self._habit = habit
        self._seed = seed
        self._random = Random(f"{seed} who visits")
        self._idle = list(range(len(crowd.tastes)))
        self._visits = 0
        # The same people come again in another run, and do new things.
        self._run = uuid.uuid4().hex[:12]
        self.truth = Truth()

    def report(self) -> PeopleReport:
        """Sum up what happened until now."""
        truth, pages = self.truth, self.truth.pages
        p50, p95 = percentiles(truth.feed_s, (50, 95))
        return PeopleReport(
            people=len(self._tastes),
            visits=truth.visits,
            pages=pages["rank"] + pages["popular"],
            ranked=pages["rank"],
            failed=pages["failed"],
            watched_minutes=truth.watched_s / 60.0,
            lost_events=truth.lost_events,
            feed_p50_s=p50,
            feed_p95_s=p95,
        )

    async def come(self, at_s: Sequence[float]) -> None:
        """Begin a visit at each of these times, in wall seconds from now, and wait until all have ended."""
        began_s = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            for due_s in at_s:
                await asyncio.sleep(max(0.0, began_s + due_s - time.monotonic()))
                if self._idle:
                    tasks.create_task(self._visit(self._somebody()))

    def _somebody(self) -> int:
        """Take one of those who are not here."""
        place = self._random.randrange(len(self._idle))
        self._idle[place], self._idle[-1] = self._idle[-1], self._idle[place]
        return self._idle.pop()

    async def _visit(self, person: int) -> None:
        self._visits += 1
        self.truth.visits += 1
        name = f"world {self._seed} person {person}"
        number, page = self._visits, 0
        visit = Visit(person, self._tastes, self._habit(), Random(f"{self._seed} {number}"), self._row_of)
        try:
            while True:
                items = await self._open(name)
                deeds = visit.read(items)
                await asyncio.sleep((deeds[-1].after_s if deeds else 0.0) / self._seconds_per_s)
                await self._tell(name, f"{number}/{page}", deeds)
                visit.habit = self._habit()
                if not visit.stays():
                    return
                page += 1
        finally:
            self._idle.append(person)

    async def _open(self, name: str) -> list[int]:
        """Open a page of the feed; an empty one where none comes."""
        began_s = time.monotonic()
        try:
            async with self._session.get(
                "/v1/feed", params={"person": name, "surface": SURFACE, "k": PAGE}, timeout=_PATIENCE
            ) as answer:
                found = await answer.json() if answer.status == 200 else None
        except (aiohttp.ClientError, TimeoutError):
            found = None
        if found is None:
            self.truth.pages["failed"] += 1
            return []
        self.truth.feed_s.append(time.monotonic() - began_s)
        self.truth.pages[found["by"]] += 1
        return [card["item"] for card in found["cards"]]

    async def _tell(self, name: str, page: str, deeds: Sequence[Deed]) -> None:
        """Do what was decided, and let the surface tell the feed: it sends again what was not acknowledged."""
        self.truth.watched_s += sum(deed.seconds for deed in deeds)
        events: list[dict[str, object]] = [
            dict(
                id=f"{self._run}/{page}/{n}",
                person=name,
                surface=SURFACE,
                item=deed.item,
                action=deed.action,
                seconds=deed.seconds,
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
