"""Many people talk to the agents' own process: how soon it knows a shop and replies, and whether a message is lost."""

import asyncio
import contextlib
import csv
import json
import os
import random
import statistics
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from tenfold.agents import onboarding
from tenfold.agents.product import AGENTS
from tenfold.cli.products import Products
from tenfold.core.config import config_type
from tenfold.pool.client import ask
from tenfold.pool.runfile import pool_token
from tenfold.pool.token import TOKEN_HEADER

START_S = 120.0
NOBODY = "http://127.0.0.1:9"
KINDS = (
    "Jacket",
    "Shirt",
    "Boot",
    "Lamp",
    "Kettle",
    "Tent",
    "Rug",
    "Chair",
    "Desk",
    "Mug",
    "Pan",
    "Watch",
    "Radio",
    "Rope",
)
MADE = ("Alder", "Birch", "Cedar", "Delta", "Ember", "Fjord", "Grove", "Harbor", "Iris", "Juniper", "Kestrel", "Lumen")
COLORS = ("blue", "red", "green", "black", "white")


@dataclass(frozen=True, slots=True)
class Talked:
    """What was measured; times in seconds."""

    products: int
    onboarding_s: float
    first_reply_p50_s: float
    first_reply_p95_s: float
    conversations: int
    messages: int
    lost: int
    doubled: int
    together_s: float


def write_feed(path: Path, products: int, seed: int) -> list[str]:
    """Write a feed of so many products with three variants each; gives their titles."""
    draw = random.Random(seed)
    titles = [f"{MADE[n % len(MADE)]} {KINDS[n // len(MADE) % len(KINDS)]} {n}" for n in range(products)]
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "title", "options", "price", "stock"])
        for number, title in enumerate(titles):
            for place, color in enumerate(draw.sample(COLORS, 3)):
                price = f"{draw.randrange(500, 30_000) / 100:.2f}"
                rows.writerow([f"p{number}-{place}", title, f"color: {color}", price, draw.randrange(20)])
    return titles


@asynccontextmanager
async def process(home: Path, cache: Path) -> AsyncIterator[tuple[str, object]]:
    """Run the agents as the pool does; gives the address, and what keeps the process alive."""
    config = config_type({AGENTS.name: AGENTS.settings})()
    (home / "logs").mkdir(parents=True, exist_ok=True)
    with contextlib.closing(Products((AGENTS,), config, home, cache)) as products:
        (keeper,) = products.keepers(NOBODY, NOBODY, pool_token(home))
        task = asyncio.create_task(keeper.run())
        try:
            yield products.urls[AGENTS.name], keeper
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await keeper.stop(10.0)


async def talk(folder: Path, cache: Path, *, products: int, people: int, turns: int, seed: int, kill: bool) -> Talked:
    """Onboard a shop, ask one by one, then let ``people`` talk at once; ``kill``: the process is killed meanwhile."""
    os.environ["TENFOLD_HOME"] = str(folder)
    titles = write_feed(folder / "feed.csv", products, seed)
    async with process(folder, cache) as (url, keeper):
        await asyncio.to_thread(ask, url, "/v1/agents/businesses", timeout_s=START_S)
        sources = onboarding.sources_of([str(folder / "feed.csv")], [], [])
        arguments = ("shop", "The Shop", sources, "USD", ("https://shop.example",), lambda *_: None)
        added = await asyncio.to_thread(onboarding.add, url, folder, cache, *arguments)
        headers = {TOKEN_HEADER: pool_token(folder)}
        timeout = aiohttp.ClientTimeout(total=120)
        async with aiohttp.ClientSession(url, headers=headers, timeout=timeout) as session:
            draw = random.Random(seed)
            waits = [await _ask(session, uuid.uuid4().hex, _question(draw, titles)) for _ in range(100)]
            began = time.monotonic()
            names = [uuid.uuid4().hex for _ in range(people)]
            crowd = asyncio.gather(*(_converse(session, name, titles, turns, seed + n) for n, name in enumerate(names)))
            if kill:
                await asyncio.sleep(1.0)
                os.kill(keeper.pid, 9)
            await crowd
            together_s = time.monotonic() - began
            found = [await _thread(session, name) for name in names]
    replied = [sum(each["role"] == "agent" for each in thread["messages"]) for thread in found]
    return Talked(
        products=products,
        onboarding_s=added.seconds,
        first_reply_p50_s=statistics.median(waits),
        first_reply_p95_s=sorted(waits)[int(0.95 * len(waits))],
        conversations=people,
        messages=people * turns,
        lost=sum(max(0, turns - count) for count in replied),
        doubled=sum(max(0, count - turns) for count in replied),
        together_s=together_s,
    )


async def _converse(session: aiohttp.ClientSession, thread: str, titles: list[str], turns: int, seed: int) -> None:
    draw = random.Random(seed)
    for _ in range(turns):
        await _ask(session, thread, _question(draw, titles))


async def _ask(session: aiohttp.ClientSession, thread: str, text: str) -> float:
    """Send a message until it is replied to; gives the seconds that took."""
    began, path = time.monotonic(), f"/v1/agents/shop/threads/{thread}/messages"
    body = {"id": uuid.uuid4().hex, "text": text}
    while True:
        with contextlib.suppress(aiohttp.ClientError):
            async with session.post(path, json=body) as answer:
                if answer.status == 200:
                    await answer.read()
                    return time.monotonic() - began
        await asyncio.sleep(0.1)


async def _thread(session: aiohttp.ClientSession, thread: str) -> dict[str, list[dict[str, object]]]:
    async with session.get(f"/v1/agents/shop/threads/{thread}") as answer:
        return json.loads(await answer.read())


def _question(draw: random.Random, titles: list[str]) -> str:
    """One of what people ask a shop; nothing that hands over to a human."""
    title, color = draw.choice(titles), draw.choice(COLORS)
    asked = f"How much is the {title}?", f"Do you have the {title} in {color}?", f"Is the {title} in stock?"
    return draw.choice(asked)
