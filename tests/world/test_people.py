"""People use a feed over a real socket; what they did is told once it is acknowledged, and counted by the world."""

import asyncio
from collections import Counter

import aiohttp
import numpy as np
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tenfold.world.people import Crowd, People, surfaces_shown
from tenfold.world.person import Habit
from tenfold.world.taste import Tastes

ITEMS = (10, 20, 30, 40)
EVERYTHING = Crowd(Tastes(np.ones((6, len(ITEMS)), dtype=np.float32)), ITEMS)


class SmallFeed:
    """Shows all items to everybody, and takes events; the first answer about each is lost on the way back."""

    def __init__(self):
        self.opened = Counter()
        self.events = {}
        self.shed = False
        self.surfaces = ("home", "short", "long")

    async def shown(self, request):
        if self.surfaces is None:
            return web.json_response({}, status=404)
        return web.json_response({"surfaces": self.surfaces, "shown": self.surfaces})

    async def feed(self, request):
        if self.shed:
            return web.json_response({}, status=503)
        self.opened[request.query["person"]] += 1
        cards = [{"item": item} for item in ITEMS]
        return web.json_response({"by": "rank", "cards": cards, "arms": {"one": "new"}})

    async def take(self, request):
        for event in (await request.json())["events"]:
            told = self.events.setdefault((event["person"], event["id"]), [])
            told.append(event)
        return web.json_response({}, status=503 if len(told) == 1 else 200)


@pytest.fixture
async def feed():
    small, app = SmallFeed(), web.Application()
    app.add_routes(
        [
            web.get("/v1/feed", small.feed),
            web.get("/v1/feed/surfaces", small.shown),
            web.post("/v1/feed/events", small.take),
        ]
    )
    async with TestServer(app) as server:
        small.url = str(server.make_url("/"))
        yield small


async def play(url, habit, visits=8, seed=1):
    async with aiohttp.ClientSession(url) as session:
        people = People(session, EVERYTHING, seconds_per_s=1e6, habit=lambda: habit, seed=seed)
        await asyncio.wait_for(people.come([0.0] * visits), 60)
        return people.report()


async def test_what_people_did_reaches_the_feed_and_the_world_s_sum_is_that_of_the_events(feed):
    report = await play(feed.url, Habit(leaves=0.5, hold=0.0))
    # Six people for eight visits: nobody is in two places.
    assert report.visits <= 8
    assert report.pages == report.ranked == sum(feed.opened.values()) >= report.visits
    watched = [told[0] for told in feed.events.values() if told[0]["action"] == "watched"]
    assert sum(event["seconds"] for event in watched) / 60 == pytest.approx(report.watched_minutes)
    assert len(watched) == report.pages * len(ITEMS)
    assert report.lost_events == 0
    # All came again, as they were.
    assert all(told == [told[0]] * 2 for told in feed.events.values())


async def test_a_feed_that_pleases_is_used_longer(feed):
    pages = [(await play(feed.url, Habit(leaves=0.9, hold=hold), visits=6)).pages for hold in (0.0, 8.0)]
    assert pages[1] > 2 * pages[0]


async def test_when_the_day_is_over_people_leave_in_the_middle_of_a_page(feed):
    async with aiohttp.ClientSession(feed.url) as session:
        # By themselves they would stay for a thousand pages of half a second each.
        habit = Habit(leaves=0.001, hold=0.0)
        people = People(session, EVERYTHING, seconds_per_s=5_000, habit=lambda: habit, seed=3)
        await asyncio.wait_for(people.come([0.0] * 6, 0.75), 20)
    report = people.report()
    assert report.pages >= 6 and report.lost_events == 0
    watched = [told[0]["seconds"] for told in feed.events.values() if told[0]["action"] == "watched"]
    assert sum(watched) / 60 == pytest.approx(report.watched_minutes)
    assert len(watched) < report.pages * len(ITEMS), "of the last page they saw a part"


async def test_people_leave_where_no_feed_comes(feed):
    feed.shed = True
    report = await play(feed.url, Habit(leaves=0.5, hold=20.0))
    assert (report.pages, report.watched_minutes) == (0, 0.0)
    assert report.failed == report.visits
    assert report.feed_p50_s is None


async def test_people_roam_over_the_surfaces_and_tell_where_they_did_what(feed):
    async with aiohttp.ClientSession(feed.url) as session:
        crowd = Crowd(EVERYTHING.tastes, ITEMS, ("short", "long"))
        people = People(session, crowd, seconds_per_s=1e6, habit=lambda: Habit(leaves=0.2, hold=0.0), seed=2)
        await asyncio.wait_for(people.come([0.0] * 6), 60)
    surfaces = Counter(page.surface for page in people.truth.pages)
    assert set(surfaces) == {"short", "long"}
    told = Counter(told[0]["surface"] for told in feed.events.values() if told[0]["action"] == "shown")
    assert told == {surface: pages * len(ITEMS) for surface, pages in surfaces.items()}
    assert all(page.liked == 1.0 and page.arms == {"one": "new"} for page in people.truth.pages)
    changes = sum(
        one.surface != other.surface
        for one, other in zip(people.truth.pages, people.truth.pages[1:], strict=False)
        if one.visit == other.visit
    )
    assert 0 < changes < len(people.truth.pages) - 6


async def test_a_feed_tells_the_surfaces_that_differ_and_an_older_one_has_one(feed):
    async with aiohttp.ClientSession(feed.url) as session:
        assert await surfaces_shown(session) == ("short", "long")
        feed.surfaces = None
        assert await surfaces_shown(session) == ("home",)
