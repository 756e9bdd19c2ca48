"""People meet ads over a real socket: what is seen, clicked and bought is told as a browser and a shop would."""

import asyncio
from collections import Counter
from dataclasses import replace

import aiohttp
import numpy as np
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tenfold.world.audience import Temper, audience_of
from tenfold.world.people import Crowd, People
from tenfold.world.person import Habit
from tenfold.world.shoppers import AdCard, Shop, Shoppers
from tenfold.world.taste import Tastes

PEOPLE = 5
TASTES = Tastes(np.random.default_rng(1).random((PEOPLE, 4)).astype(np.float32))
CARD = {"item": "ad-c1-v1", "title": "Clay Mug", "author": "mugs", "sponsored": {"text": "A mug.", "seen": "/seen/t1",
        "click": "/click/t1"}}  # fmt: skip


class SmallAds:
    """Shows an ad on every page, and takes what is told of it."""

    def __init__(self):
        self.told = Counter()
        self.sales = {}
        self.events = []

    async def feed(self, request):
        return web.json_response({"by": "rank", "cards": [{"item": 10}, CARD, {"item": 20}]})

    async def take(self, request):
        self.events += (await request.json())["events"]
        return web.json_response({})

    async def seen(self, request):
        self.told["seen"] += 1
        return web.Response()

    async def click(self, request):
        self.told["click"] += 1
        raise web.HTTPFound("https://mugs.example/?tf_click=signed")

    async def bought(self, request):
        body = await request.json()
        assert body["account"] == "mugs"
        for each in body["conversions"]:
            self.sales[each["event"]] = each
        return web.json_response({})


@pytest.fixture
async def ads():
    small, app = SmallAds(), web.Application()
    app.add_routes(
        [
            web.get("/v1/feed", small.feed),
            web.post("/v1/feed/events", small.take),
            web.get("/seen/t1", small.seen),
            web.get("/click/t1", small.click),
            web.post("/v1/ads/conversions", small.bought),
        ]
    )
    async with TestServer(app) as server:
        small.url = str(server.make_url("/"))
        yield small


async def play(ads, temper):
    audience = audience_of(
        TASTES, [("Comedy",)] * 4, lambda texts: np.ones((len(texts), 1), np.float32), replace(temper, spread=0.0)
    )
    async with aiohttp.ClientSession(ads.url) as session:
        shops = [Shop("mugs", (12_500_000,))]
        shoppers = Shoppers(session, session, audience, shops, seconds_per_s=1e6, seed=1)
        crowd = Crowd(TASTES, (10, 20, 30, 40))
        people = People(session, crowd, seconds_per_s=1e6, habit=lambda: Habit(leaves=0.3), seed=1, shoppers=shoppers)
        shoppers.need([people.name(person) for person in range(PEOPLE)], 0.01)
        await asyncio.wait_for(people.come([0.0] * PEOPLE), 60)
        await asyncio.wait_for(shoppers.finish(), 60)
        return people.report(), shoppers.report()


async def test_whoever_is_sure_to_click_and_buy_does_so_once_an_ad_and_the_shop_tells_by_whose_click(ads):
    people, found = await play(ads, Temper(clicks=1 - 1e-9, craft=0.0, buys=1.0, needs=0.0, cheats=0.0))
    assert found.seen == found.clicked == found.bought == people.pages > 0
    assert (found.cheated, found.needed, found.lost) == (0, 0, 0)
    assert found.expected_clicks == pytest.approx(found.clicked)
    assert ads.told["seen"] >= found.seen, "some are told twice"
    assert len(ads.sales) == found.bought
    assert {(each["click"], each["value_micro"]) for each in ads.sales.values()} == {("signed", 12_500_000)}
    assert all(event["item"] in (10, 20) for event in ads.events), "the feed is not told of ads as of its items"


async def test_cheats_click_at_once_and_never_buy_and_some_buy_without_any_ad(ads):
    people, found = await play(ads, Temper(clicks=1e-9, buys=1.0, needs=1.0, cheats=1.0))
    assert (found.clicked, found.bought, found.cheated) == (0, 0, people.pages)
    assert ads.told["click"] >= 2 * found.cheated
    assert found.needed == len(ads.sales) == PEOPLE
    assert {each["person"] for each in ads.sales.values()} == {f"world 1 person {n}" for n in range(PEOPLE)}
    assert {each["click"] for each in ads.sales.values()} == {""}


def test_a_card_that_is_no_ad_is_none():
    assert AdCard.of({"item": 10, "title": "Film"}) is None
    assert AdCard.of(CARD) == AdCard("ad-c1-v1", "Clay Mug A mug.", "mugs", "/seen/t1", "/click/t1")
