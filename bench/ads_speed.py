"""How fast ads are decided, in process and over HTTP.

In process: one decision is one person's request with 200 campaigns of 64-wide embeddings: chances of click and
conversion, calibrated, values, bids within budget and cap, frequency caps, exclusions, and a second-price auction.
`decisions_per_s_core` decides 32 requests at a time, as requests that wait together are, in CPU seconds of one core;
`p99_ms` is the 99th percentile of decisions made one by one, with all that was sold told to the next.

Over HTTP: `http_p99_ms` is of `POST /v1/ads/candidates` in a process of its own with 100 live campaigns of a real
database, one request after another, each winner reserved and signed. With `--feed URL`, the address of a running pool
with ads and feed, `feed_p99_ms` is of the whole `GET /v1/feed` request, ads included, and `feed_with_ads` says how many
pages had one.

    python bench/ads_speed.py [--campaigns 200] [--width 64] [--together 32] [--seconds 5] [--feed URL]

The last line is one JSON object.
"""

import argparse
import asyncio
import json
import os
import socket
import sys
import tempfile
import time
from pathlib import Path

import aiohttp
import numpy as np

from tenfold.ads.auction import Rules
from tenfold.ads.candidates import Book, Chances, decide, look_up
from tenfold.pool.token import TOKEN_HEADER


def a_book(rng: np.random.Generator, campaigns: int, width: int) -> Book:
    """Campaigns of all objectives, half of them with a cap."""
    table_K = look_up(lambda logit: logit)

    def chances(base: float) -> Chances:
        return Chances.of(
            0.1 * rng.standard_normal((campaigns, width)), np.full(campaigns, base), np.zeros(width), table_K
        )

    return Book(
        click=chances(-3.5),
        conversion=chances(-2.5).only_where(rng.random(campaigns) < 0.4),
        is_seen_C=(rng.random(campaigns) < 0.2).astype(np.float32),
        per_action_C=np.ones(campaigns, dtype=np.float32),
        multiplier_C=rng.uniform(1e5, 1e6, campaigns),
        cap_C=np.where(rng.random(campaigns) < 0.5, 8e5, 1e60),
        spent_C=np.zeros(campaigns),
        won_C=np.zeros(campaigns),
        left_C=np.full(campaigns, 1e12),
        overdraft_C=np.zeros(campaigns),
    )


CATALOG = "id,title,price,availability,link,brand,description\n" + "".join(
    f"{at},Trail shoe {at},{40 + at}.50 USD,in stock,https://shop.example/{at},Acme,A shoe for wet paths.\n"
    for at in range(3)
)
GENRES = ("Comedy", "Drama", "Horror", "Action", "Romance")


async def over_http(campaigns: int, requests: int) -> list[float]:
    """Seconds that each request for candidates took."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port = chosen.getsockname()[1]
        chosen.close()
        command = [sys.executable, str(Path(__file__).parent / "market" / "server.py"), str(port), folder]
        server = await asyncio.create_subprocess_exec(*command)
        try:
            async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers={TOKEN_HEADER: "token"}) as session:
                return await _asked(session, campaigns, requests)
        finally:
            server.terminate()
            await server.wait()


async def _asked(session: aiohttp.ClientSession, campaigns: int, requests: int) -> list[float]:
    async def ask(path: str, body: dict[str, object] | None = None) -> dict[str, object]:
        how = session.post(f"/v1/ads{path}", json=body) if body is not None else session.get(f"/v1/ads{path}")
        async with how as response:
            response.raise_for_status()
            return await response.json()

    for _ in range(300):
        try:
            await ask("/campaigns")
            break
        except aiohttp.ClientError:
            await asyncio.sleep(0.1)
    source = {"name": "shop.csv", "text": CATALOG}
    for at in range(campaigns):
        wish = {"name": f"c{at}", "objective": "traffic", "budget_micro": 10**9, "catalog": "shop.csv"}
        wish |= {"interests": [GENRES[at % len(GENRES)]], "approval": "auto", "frequency_impressions": 50}
        made = await ask("/campaigns", {"account": f"a{at % 20}", "wish": wish, "sources": [source]})
        await ask(f"/campaigns/{made['campaign']['id']}/status", {"status": "live"})
    await asyncio.sleep(2.0)
    took_s, won = [], 0
    for at in range(requests):
        page = {"person": f"p{at % 500}", "surface": "home", "slots": 2, "organic": []}
        page["organic"] = [{"item": item, "genres": [GENRES[item % 5]], "value": 0.0} for item in range(at % 7, 20)]
        start = time.perf_counter()
        answer = await ask("/candidates", page)
        took_s.append(time.perf_counter() - start)
        won += len(answer["ads"])
    print(f"over HTTP: {requests} pages, {won} ads")
    return took_s


async def whole_feed(url: str, requests: int) -> tuple[list[float], int]:
    """Seconds that each whole feed took, ads included, and how many pages had an ad."""
    took_s, with_ads = [], 0
    async with aiohttp.ClientSession(url) as session:
        for at in range(requests):
            start = time.perf_counter()
            async with session.get("/v1/feed", params={"person": f"speed-{at % 200}", "k": "20"}) as response:
                response.raise_for_status()
                page = await response.json()
            took_s.append(time.perf_counter() - start)
            with_ads += any(card.get("sponsored") for card in page["cards"])
    return took_s, with_ads


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--campaigns", type=int, default=200)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--together", type=int, default=32, help="requests decided at a time")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each part")
    parser.add_argument(
        "--http-campaigns", type=int, default=100, help="live ones over HTTP; making them takes longest"
    )
    parser.add_argument("--requests", type=int, default=2000, help="over HTTP")
    parser.add_argument("--feed", default="", help="address of a running pool")
    asked = parser.parse_args()
    rng = np.random.default_rng(0)
    book = a_book(rng, asked.campaigns, asked.width)
    rules = Rules(places=1, reserve=50.0, floor=1e-4)
    person_RD = rng.standard_normal((4096, asked.width)).astype(np.float32)
    not_here_RC = rng.random((4096, asked.campaigns)) < 0.1
    seen_enough_RC = rng.random((4096, asked.campaigns)) < 0.02

    def decided(begin: int, count: int) -> None:
        rows = slice(begin % 4096, begin % 4096 + count)
        found = decide(book, person_RD[rows], not_here_RC[rows], seen_enough_RC[rows], rules)
        for winners, prices, values in zip(
            found.outcome.winner_RS, found.outcome.price_RS, found.value_RC, strict=True
        ):
            for winner, price in zip(winners.tolist(), prices.tolist(), strict=True):
                if winner >= 0:
                    book.sold(winner, price, float(values[winner]))

    decided(0, asked.together)
    made, began = 0, time.process_time()
    while time.process_time() - began < asked.seconds:
        decided(made, asked.together)
        made += asked.together
    per_s = made / (time.process_time() - began)
    took_s = []
    began = time.process_time()
    while time.process_time() - began < asked.seconds:
        start = time.perf_counter()
        decided(len(took_s), 1)
        took_s.append(time.perf_counter() - start)
    alone = len(took_s) / (time.process_time() - began)
    p50_ms, p99_ms = 1e3 * np.percentile(took_s, [50, 99])
    print(f"{asked.campaigns} campaigns, {asked.width} wide, {asked.together} at a time: {per_s:,.0f} decisions/CPU-s")
    print(f"one by one: {alone:,.0f} decisions/CPU-s, median {p50_ms:.3f} ms, 99% within {p99_ms:.3f} ms")
    result: dict[str, float] = {
        "decisions_per_s_core": round(per_s),
        "p99_ms": round(float(p99_ms), 4),
        "decisions_per_s_core_one_by_one": round(alone),
        "p50_ms": round(float(p50_ms), 4),
    }
    http_s = asyncio.run(over_http(asked.http_campaigns, asked.requests))
    result |= {"http_p99_ms": _ms(http_s, 99), "http_p50_ms": _ms(http_s, 50)}
    if asked.feed:
        feed_s, with_ads = asyncio.run(whole_feed(asked.feed, asked.requests))
        result |= {"feed_p99_ms": _ms(feed_s, 99), "feed_p50_ms": _ms(feed_s, 50), "feed_with_ads": with_ads}
    print(json.dumps(result))


def _ms(took_s: list[float], percent: int) -> float:
    return round(1e3 * float(np.percentile(took_s, percent)), 2)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
