"""The feed over HTTP, with a small catalog that the test ranks: what people get, and what ranking earned."""

import json

import pytest
import sqlalchemy as sa
from minipool import TOKEN, until
from product_processes import inside, running, serving
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tenfold.core.config import config_type
from tenfold.feed.arms import EXPERIMENT
from tenfold.feed.product import FEED
from tenfold.feed.settings import FeedSettings
from tenfold.pool.metering.used import NANO
from tenfold.pool.token import TOKEN_HEADER
from tenfold.product.holdout import is_held_out

FILMS = [
    {"item": item, "title": f"Film {item}", "genres": ["Drama"] if item % 2 else ["Comedy", "War"], "viewers": item}
    for item in range(1, 41)
]
SHARE = 0.3
SERVED, HELD_OUT = (
    next(name for name in map(str, range(100)) if is_held_out(name, SHARE, EXPERIMENT) is held_out)
    for held_out in (False, True)
)
# No ranking is late because the machine is busy.
SETTINGS = FeedSettings(holdout=SHARE, usd_per_watched_minute=0.5, rank_deadline_s=10.0)


class SmallGateway:
    """Ranks the lowest ids first, so that ranking and popularity are opposites. ``asked``: the bodies that came."""

    def __init__(self):
        self.asked: list[dict] = []
        self.status = 200

    async def rank(self, request: Request) -> Response:
        body = json.loads(await request.body())
        self.asked.append(body)
        allowed = body.get("candidates") or [film["item"] for film in FILMS]
        hidden = [*(each["item"] for each in body["events"]), *body["exclude"]]
        items = [{"item": item} for item in allowed if item not in hidden]
        assert all(1 <= item <= len(FILMS) for item in hidden)
        return JSONResponse({"items": items[: body["k"]]}, self.status)

    async def items(self, _: Request) -> Response:
        return JSONResponse({"items": FILMS})

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/v1/rank", self.rank, methods=["POST"]), Route("/v1/rank/items", self.items)])


@pytest.fixture
async def gateway():
    return SmallGateway()


CONFIG = config_type({"feed": FeedSettings})(feed=SETTINGS)


@pytest.fixture
async def pool(tmp_path, gateway):
    async with serving(gateway.app()) as url, inside(tmp_path, FEED, front_url=url, config=CONFIG) as found:
        await ready(found, gateway)
        yield found


@pytest.fixture
async def process(tmp_path, gateway):
    async with serving(gateway.app()) as url, running(tmp_path, FEED, front_url=url, config=CONFIG) as found:
        await ready(found, gateway)
        yield found


async def ready(pool, gateway) -> None:
    async def has_catalog() -> bool:
        return (await pool.ask("feed", "/v1/feed?person=somebody"))[0] == 200

    await until(has_catalog, 60)
    gateway.asked.clear()


def event(number, item, action, person=SERVED, **more):
    return {"id": str(number), "person": person, "surface": "home", "item": item, "action": action, **more}


async def items(pool, person=SERVED, k=5) -> list[int]:
    status, found = await pool.ask("feed", f"/v1/feed?person={person}&k={k}")
    assert status == 200, found
    return [card["item"] for card in found["cards"]]


def earned(home) -> tuple[int, float]:
    engine = sa.create_engine(f"sqlite:///{home / 'feed.db'}")
    with engine.connect() as connection:
        total = connection.execute(sa.text("SELECT sum(nano_usd), sum(units) FROM earnings")).one()
    engine.dispose()
    return tuple(total)


async def test_what_a_person_does_is_in_the_next_feed_and_what_ranking_earned_is_told(pool, gateway, tmp_path):
    assert await items(pool) == [1, 2, 3, 4, 5]
    told = [event(n, item, "shown") for n, item in enumerate(range(1, 6))]
    told += [event(10, 2, "opened"), event(11, 2, "watched", seconds=120.0), event(12, 7, "not_interested")]
    status, answer = await pool.ask("feed", "/v1/feed/events", {"events": told})
    assert (status, answer) == (200, {"new": 8, "repeated": 0})
    # Shown lately, watched, blocked: none of them comes again.
    assert await items(pool) == [6, 8, 9, 10, 11]
    (told_of,) = gateway.asked[-1]["events"]
    assert (told_of["item"], told_of["actions"]) == (2, ["opened", "watched"])
    _, found = await pool.ask("feed", f"/v1/feed?person={SERVED}&k=1")
    assert found["by"] == "rank"
    assert found["cards"][0]["reason"] == "Comedy, War, like Film 2 that you watched"
    assert await pool.ask("feed", "/v1/feed/events", {"events": told}) == (200, {"new": 0, "repeated": 8})

    # Who is held out gets what is popular; what they watch is what ranking has to beat.
    _, found = await pool.ask("feed", f"/v1/feed?person={HELD_OUT}&k=2")
    assert [card["item"] for card in found["cards"]] == [40, 39]
    assert (found["by"], found["cards"][0]["reason"]) == ("popular", "Opened by 40 people")
    assert "always get the popular list" in found["because"]
    watched = event(1, 40, "watched", HELD_OUT, seconds=30.0)
    assert (await pool.ask("feed", "/v1/feed/events", {"events": [watched]}))[0] == 200
    # What was watched while nobody was held out is not told; after that, two minutes against half a minute.
    later = event(20, 9, "watched", seconds=120.0)
    assert (await pool.ask("feed", "/v1/feed/events", {"events": [later]}))[0] == 200
    await until(lambda: earned(tmp_path)[0] in (round(0.75 * NANO), round(1.75 * NANO)), 30)

    _, known = await pool.ask("feed", f"/v1/feed/people/{SERVED}")
    assert ([card["item"] for card in known["watched"]], known["blocked"], known["events"]) == ([2, 9], [7], 9)


async def test_it_does_without_ranking_that_is_late_and_keeps_what_was_acknowledged_through_a_kill(process, gateway):
    gateway.status = 429
    _, found = await process.ask("feed", f"/v1/feed?person={SERVED}&k=2")
    assert ([card["item"] for card in found["cards"]], found["because"]) == ([40, 39], "ranking is busy")
    assert (await process.ask("feed", "/v1/feed/events", {"events": [event(1, 40, "liked")]}))[0] == 200
    before = process.keepers["feed"].pid
    process.keepers["feed"]._child.kill()
    await until(lambda: process.keepers["feed"].pid != before, 30)
    # The catalog was kept: it serves at once, whatever the gateway does.
    _, found = await process.ask("feed", f"/v1/feed?person={SERVED}&k=1")
    assert found["cards"][0]["item"] == 39
    gateway.status = 200
    assert 40 not in await items(process, k=40)


async def test_who_has_seen_nearly_everything_gets_what_is_left_and_what_is_wrong_is_named(pool):
    # One of them is nothing that the catalog knows.
    seen = [event(item, item, "opened") for item in (999, *range(1, 39))]
    await pool.ask("feed", "/v1/feed/events", {"events": seen})
    assert await items(pool, k=10) == [39, 40]
    await pool.ask("feed", "/v1/feed/events", {"events": [event(50, 39, "not_interested"), event(51, 40, "opened")]})
    assert await items(pool, k=10) == []

    url, headers = f"{pool.products.urls['feed']}/v1/feed/people/{SERVED}", {TOKEN_HEADER: TOKEN}
    async with pool.session.delete(url, headers=headers) as answer:
        assert await answer.json() == {"forgotten": 41}
    assert (await pool.ask("feed", f"/v1/feed/people/{SERVED}"))[0] == 404
    assert await items(pool, k=3) == [1, 2, 3]

    moon = event(1, 3, "shown") | {"surface": "moon"}
    for path, body, status, said in (
        ("/v1/feed?person=ann&surface=moon", None, 422, "surface: there is no surface 'moon'; there are: home, video"),
        ("/v1/feed?person=ann&k=900", None, 422, "k: Input should be less than or equal to 50, got '900'"),
        ("/v1/feed", None, 422, "person: Field required, got None"),
        ("/v1/feed/events", {"events": [event(1, 3, "eaten")]}, 422, "events[0].action: Input should be 'shown'"),
        ("/v1/feed/events", {"events": [event(1, 3, "watched", seconds=-1)]}, 422, "events[0].seconds: Input should"),
        ("/v1/feed/events", {"events": [moon]}, 422, "events[0].surface: there is no surface 'moon'"),
        ("/v1/feed/events", {"events": []}, 422, "events: Tuple should have at least 1 item"),
        ("/v1/feed/people/nobody", None, 404, "nothing is remembered of 'nobody'"),
        ("/v1/feed/posters/999.svg", None, 404, "there is no item 999"),
    ):
        found, answer = await pool.ask("feed", path, body)
        assert (found, said in answer["error"]["message"]) == (status, True), answer
