"""Ads over HTTP: an objective and a budget, copy, candidates, charges, clicks, conversions, and a report."""

import asyncio
import socket

import aiohttp
import orjson
import pytest
import sqlalchemy as sa
from minipool import TOKEN, until
from product_processes import inside, running
from yarl import URL

from tenfold.ads import earning
from tenfold.ads.product import ADS
from tenfold.ads.settings import AdsSettings
from tenfold.core.config import config_type
from tenfold.pool.token import TOKEN_HEADER

CATALOG = """id,title,price,availability,link,brand,description
1,Ridge Rain Jacket,129.00 USD,in stock,https://acme.example/ridge,Acme,A light jacket. Packs into its own pocket.
2,Trail Runner,89.50 USD,in stock,https://acme.example/trail,Acme,A shoe for wet paths.
"""
WISH = {"name": "Autumn", "objective": "sales", "budget_micro": 500_000_000, "catalog": "shop.csv"}
NEW = {"account": "acme", "wish": WISH, "sources": [{"name": "shop.csv", "text": CATALOG}]}
SETTINGS = AdsSettings(lift_holdout=0.0, turn_s=0.05, bill_after_s=0.0, seen_within_s=60, dead_after_s=2)


CONFIG = config_type({"ads": AdsSettings})(ads=SETTINGS)


@pytest.fixture
async def pool(tmp_path):
    async with inside(tmp_path, ADS, config=CONFIG) as found:
        yield found


@pytest.fixture
async def process(tmp_path):
    async with running(tmp_path, ADS, config=CONFIG) as found:

        async def is_up() -> bool:
            return (await found.ask("ads", "/v1/ads/campaigns"))[0] == 200

        await until(is_up, 60)
        yield found


class Ads:
    def __init__(self, pool):
        self._pool = pool

    async def __call__(self, path: str, body: dict | None = None, status: int = 200, **headers: str) -> dict:
        found, answer = await self._pool.ask("ads", f"/v1/ads{path}", body, **headers)
        assert found == status, answer
        return answer

    async def live(self, new: dict = NEW) -> str:
        made = (await self("/campaigns", new))["campaign"]["id"]
        await self(f"/campaigns/{made}/variants", {"variant": "all", "approved": True})
        await self(f"/campaigns/{made}/status", {"status": "live"})
        return made

    async def offers(self, person: str = "ann", **more) -> list[dict]:
        found = (await self("/candidates", {"person": person, "surface": "home", **more}))["ads"]
        return [{**each, **each["tell"]} for each in found]

    async def offer(self, person: str = "ann") -> dict:
        found: list[dict] = []

        async def comes() -> bool:
            found.extend(await self.offers(person))
            return bool(found)

        await until(comes, 30)
        return found[0]


async def test_a_changed_catalog_takes_down_what_no_longer_holds_and_the_preview_has_all_that_is_shown(pool):
    ads = Ads(pool)
    made = await ads.live()
    offer = await ads.offer()
    dearer = CATALOG.replace("129.00 USD", "139.00 USD").replace(
        "2,Trail Runner,89.50 USD,in stock", "2,Trail Runner,89.50 USD,out of stock"
    )
    found = await ads(f"/campaigns/{made}/sources", {"sources": [{"name": "shop.csv", "text": dearer}]})
    by_id = {each["id"]: each for each in found["variants"]}
    shown = [each for each in by_id.values() if each["state"] == "approved" and not each["faults"]]
    assert shown and not any("129" in each["body"] or "Trail" in each["headline"] for each in shown)
    fresh = [each for each in by_id.values() if "139" in each["body"]]
    assert fresh and {each["state"] for each in fresh} == {"waiting"}
    assert all(use["source"] for each in fresh for use in each["uses"])
    offers = [each["variant"] for _ in range(20) for each in await ads.offers("bob")]
    assert set(offers) <= {each["id"] for each in shown} and offer["variant"] in by_id


async def test_from_an_objective_and_a_budget_to_a_report(pool):
    ads = Ads(pool)
    made = await ads("/campaigns", NEW)
    campaign = made["campaign"]["id"]
    assert made["campaign"]["status"] == "draft" and made["campaign"]["money"]["free_micro"] == 500_000_000
    assert {each["state"] for each in made["variants"]} == {"waiting"} and len(made["variants"]) >= 4
    assert {"https://acme.example/ridge", "https://acme.example/trail"} == {each["url"] for each in made["variants"]}
    assert any("129" in each["body"] or "129" in each["headline"] for each in made["variants"])
    # Nothing of a draft is shown, and it cannot begin before somebody has said yes to its copy.
    assert await ads.offers() == []
    refused = await ads(f"/campaigns/{campaign}/status", {"status": "live"}, status=409)
    assert "no variant that may be shown" in refused["error"]["message"]

    await ads(f"/campaigns/{campaign}/variants", {"variant": made["variants"][0]["id"], "approved": False})
    await ads(f"/campaigns/{campaign}/variants", {"variant": "all", "approved": True})
    assert (await ads(f"/campaigns/{campaign}/status", {"status": "live"}))["status"] == "live"
    offer = await ads.offer()
    assert offer["variant"] in {each["id"] for each in made["variants"][1:]}
    assert 0 < offer["price_micro"] <= offer["bid_micro"]

    # Seen twice, charged once; a token that was changed is refused.
    assert await ads("/impressions", {"tokens": [offer["token"]]}) == {
        "billed": 1, "repeated": 0, "house": 0, "refused": 0,
    }  # fmt: skip
    again = await ads("/impressions", {"tokens": [offer["token"], offer["token"][:-3] + "abc"]})
    assert (again["repeated"], again["refused"]) == (1, 1)
    await asyncio.sleep(0.25)
    clicked = await ads("/clicks", {"token": offer["token"]})
    assert clicked["url"].startswith("https://acme.example/") and f"tf_click={clicked['click']}" in clicked["url"]
    bought = {"event": "order-1", "click": clicked["click"], "value_micro": 129_000_000}
    told = {"account": "acme", "conversions": [bought, bought, {"event": "order-2", "person": "bob", "value_micro": 5}]}
    assert await ads("/conversions", told) == {"attributed": 1, "others": 1, "repeated": 1, "refused": 0}

    report = await ads(f"/campaigns/{campaign}/report")
    totals = report["totals"]
    assert (totals["impressions"], totals["clicks"], totals["conversions"]) == (1, 1, 1)
    assert totals["billed_micro"] == offer["price_micro"] == report["cost_per_action_micro"]
    # One person is no group: what they saw is not told by variant.
    assert (report["variants"], report["hidden_variants"]) == ([], 1)
    spent = (await ads(f"/campaigns/{campaign}/spent"))["spent"]
    assert len(spent) == 1 and "the price was" in spent[0]["why"]
    assert (await ads("/books"))["wrong"] == []
    # Invoiced once.
    for _ in range(2):
        invoices = (await ads("/accounts/acme/invoices", {}))["invoices"]
        assert [each["due_micro"] for each in invoices] == [offer["price_micro"]]
    assert (await ads("/accounts/acme"))["money"]["billed_micro"] == offer["price_micro"]
    # Programs find every path and the shape of its errors in the schema.
    paths = (await ads("/openapi.json"))["paths"]
    told = paths["/v1/ads/campaigns/{campaign}/edit"]["post"]["responses"]["409"]["content"]["application/json"]
    assert told["schema"]["$ref"].endswith("/ErrorBody")


async def test_to_who_has_hung_up_nothing_is_sold(pool):
    ads = Ads(pool)
    campaign = await ads.live()
    await ads.offer()
    address = URL(pool.products.urls["ads"])
    body = orjson.dumps({"person": "bob", "surface": "home"})
    lines = "host: x", f"{TOKEN_HEADER}: {TOKEN}", "content-type: application/json", f"content-length: {len(body)}"
    asked = "\r\n".join(("POST /v1/ads/candidates HTTP/1.1", *lines, "", "")).encode() + body

    async def won() -> int:
        await asyncio.sleep(0.3)
        return sum(each["won"] for each in (await ads(f"/campaigns/{campaign}/report"))["minutes"])

    before = await won()
    for stays in (False, True):
        for _ in range(5):
            # A page waits for ads for milliseconds: a process that was busy for longer reads of it and of its end.
            with socket.create_connection((address.host, address.port)) as asking:
                asking.sendall(asked)
                if stays:
                    await asyncio.sleep(0.1)
        assert (await won() > before) is stays


async def test_it_is_paused_edited_and_topped_up_at_any_time_and_each_only_by_its_owner(pool):
    ads = Ads(pool)
    campaign = await ads.live()
    await ads.offer()
    path = f"/campaigns/{campaign}"
    assert (await ads(f"{path}/status", {"status": "paused"}))["status"] == "paused"
    assert await ads.offers("bob") == []
    paused = await ads(path)
    # What one ad on its way may cost stays reserved, and nothing else.
    assert paused["money"]["reserved_micro"] <= 60_000
    await ads(f"{path}/status", {"status": "live"})
    await ads.offer("bob")

    for _ in range(2):
        topped = await ads(f"{path}/top-ups", {"id": "once", "micro": 7_000_000})
        assert topped["money"]["budget_micro"] == topped["wish"]["budget_micro"] == 507_000_000
    edited = await ads(f"{path}/edit", {"name": "Winter", "return_on_spend": 4.0})
    assert (edited["wish"]["name"], edited["wish"]["return_on_spend"]) == ("Winter", 4.0)
    refused = await ads(f"{path}/edit", {"budget_micro": 1}, status=409)
    assert "reserved for ads on their way" in refused["error"]["message"]
    assert (
        "return_on_spend"
        in (await ads(f"{path}/edit", {"cost_per_action_micro": 5, "return_on_spend": 2.0}, 422))["error"]["message"]
    )

    other = {"x_tenfold_role": "advertiser", "x_tenfold_tenant": "rival"}
    assert (await ads("/campaigns", **other))["campaigns"] == []
    for place, body in ((path, None), (f"{path}/report", None), (f"{path}/status", {"status": "ended"})):
        await ads(place, body, 404, **other)
    await ads("/books", None, 403, **other)
    # Nor can they have a rival's ads sold and seen.
    await ads("/candidates", {"person": "eve", "surface": "home"}, 403, **other)
    await ads("/impressions", {"tokens": ["x"]}, 403, **other)
    mine = {"x_tenfold_role": "advertiser", "x_tenfold_tenant": "acme"}
    assert [each["id"] for each in (await ads("/campaigns", **mine))["campaigns"]] == [campaign]
    assert (await ads(f"{path}/status", {"status": "ended"}, **mine))["status"] == "ended"
    await ads(f"{path}/status", {"status": "live"}, 409, **mine)
    assert (await ads(path))["money"]["reserved_micro"] <= 120_000


async def test_a_forecast_says_what_holds_a_campaign_back_and_one_that_would_not_be_shown_is_refused(pool):
    ads = Ads(pool)
    assert (await ads("/campaigns", NEW))["forecast"] is None, "nobody has asked for a page yet"
    await ads.live()
    for number in range(80):
        await ads.offers(f"person {number}")
    made = await ads("/campaigns", NEW)
    assert made["forecast"]["feasible"] and made["forecast"]["spend_micro"]["high"] <= 500_000_000
    # An action that may cost a hundredth of a cent cannot be had where a place costs that much already.
    cheap = NEW | {"wish": WISH | {"cost_per_action_micro": 100}}
    made = await ads("/campaigns", cheap)
    campaign = made["campaign"]["id"]
    assert (made["forecast"]["feasible"], made["forecast"]["holds"]) == (False, "cap")
    await ads(f"/campaigns/{campaign}/variants", {"variant": "all", "approved": True})
    refused = await ads(f"/campaigns/{campaign}/status", {"status": "live"}, status=409)
    assert "the cap holds it back wholly" in refused["error"]["message"]
    assert (await ads(f"/campaigns/{campaign}/status", {"status": "live", "anyway": True}))["status"] == "live"


async def test_a_person_sees_why_stops_an_ad_says_no_and_is_forgotten(pool):
    ads = Ads(pool)
    campaign = await ads.live()
    offer = await ads.offer()
    await ads("/impressions", {"tokens": [offer["token"]]})
    known = await ads("/people/ann")
    assert [each["campaign"] for each in known["shown"]] == [campaign] and "acme pays for it" in known["shown"][0][
        "why"
    ]
    # By the ad itself, without a key: why it is there, and no more of it.
    told = {name: offer[name].removeprefix("/v1/ads") for name in ("why", "stop")}
    assert (await ads(told["why"]))["why"] == known["shown"][0]["why"]
    await ads(told["stop"], {})
    assert await ads.offers() == []
    assert (await ads("/people/ann/stop", {"campaign": campaign}))["stopped"] == [f"campaign/{campaign}"]
    assert (await ads("/people/ann/consent", {"personal": False}))["personal"] is False
    async with pool.session.delete(
        f"{pool.products.urls['ads']}/v1/ads/people/ann", headers={TOKEN_HEADER: TOKEN}
    ) as done:
        assert (await done.json())["forgotten"] >= 1
    assert (await ads("/people/ann"))["shown"] == []
    # What was asked for stays so, and nobody can tell whom the charge was for.
    assert (await ads("/people/ann"))["stopped"] == [f"campaign/{campaign}"] and await ads.offers() == []
    advertiser = {"x_tenfold_role": "advertiser", "x_tenfold_tenant": "acme"}
    await ads("/people/ann", None, 403, **advertiser)


async def test_a_process_that_is_killed_overspends_nothing_and_strands_nothing(process):
    ads = Ads(process)
    campaign = await ads.live()
    offers = [await ads.offer(f"person {number}") for number in range(5)]
    for offer in offers[:2]:
        await ads("/impressions", {"tokens": [offer["token"]]})
    process.keepers["ads"]._child.kill()

    async def answers() -> bool:
        try:
            return (await process.ask("ads", "/v1/ads/campaigns"))[0] == 200
        except aiohttp.ClientError:
            # A connection of the process that was killed.
            return False

    await until(answers, 60)
    # What the dead process sold is charged all the same, once.
    told = await ads("/impressions", {"tokens": [offer["token"] for offer in offers]})
    assert (told["billed"], told["repeated"], told["house"]) == (3, 2, 0)
    report = await ads(f"/campaigns/{campaign}/report")
    assert report["totals"]["billed_micro"] == sum(offer["price_micro"] for offer in offers)
    assert (await ads("/books"))["wrong"] == []


async def test_what_people_are_billed_beyond_those_without_rank_is_what_rank_earned(pool, tmp_path):
    ads = Ads(pool)
    await ads.live()
    names = [f"person {number}" for number in range(200)]
    with_rank, without = (
        next(name for name in names if earning.is_without_rank(name, SETTINGS.holdout) is held_out)
        for held_out in (False, True)
    )
    offers = [await ads.offer(with_rank), await ads.offer(with_rank), await ads.offer(without)]

    def people() -> int:
        return int(told(tmp_path, "SELECT coalesce(sum(people), 0) FROM arms"))

    await until(lambda: people() == 2, 30)
    await ads("/impressions", {"tokens": [offer["token"] for offer in offers]})
    first, second, third = (offer["price_micro"] for offer in offers)
    # In nano-dollars, once, however many turns there are.
    await until(lambda: told(tmp_path, "SELECT sum(nano_usd) FROM earnings") == 1000 * (first + second - third), 30)
    await asyncio.sleep(0.3)
    assert told(tmp_path, "SELECT sum(nano_usd) FROM earnings") == 1000 * (first + second - third)


def told(home, query: str) -> int | None:
    engine = sa.create_engine(f"sqlite:///{home / 'ads.db'}")
    with engine.connect() as connection:
        found = connection.execute(sa.text(query)).scalar()
    engine.dispose()
    return found
