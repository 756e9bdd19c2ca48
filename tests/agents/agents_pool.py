"""The agents' app as a test runs it: in this process for most, as a process of its own where one is killed."""

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
from product_processes import NOBODY, serving

from tenfold.agents.app import make_app
from tenfold.agents.desk import Desk
from tenfold.agents.product import AGENTS
from tenfold.agents.settings import AgentsSettings
from tenfold.catalog.gathered import Gathered
from tenfold.catalog.item import Item, Offer, Variant
from tenfold.catalog.money import Money
from tenfold.catalog.passage import Passage
from tenfold.core.assets import fetch
from tenfold.core.minilm import MINILM, MINILM_TOKENIZER
from tenfold.core.paths import cache_dir
from tenfold.core.store import Store
from tenfold.product.context import Context
from tenfold.product.outbox import Outbox
from tenfold.product.peers import Peers
from tenfold.product.pool_client import PoolClient
from tenfold.product.process import open_tables

THREAD = "thread-of-ann"
NOW = dt.datetime(2026, 11, 28, 12, tzinfo=dt.UTC)
SHOP = Gathered(
    items=(
        Item(
            "jacket",
            "Trail Jacket",
            tuple(
                Variant(f"jacket-{color}-{size}", "jacket", {"color": color, "size": size}, Offer(price, True, stock))
                for color, size, price, stock in [
                    ("blue", "M", Money.of("89.50", "EUR"), 4),
                    ("blue", "L", Money.of("89.50", "EUR"), 1),
                    ("red", "M", Money.of("79", "EUR"), 9),
                ]
            ),
            description="A light jacket that keeps the rain out.",
            url="https://shop.example/jacket",
        ),
        Item(
            "cap",
            "Wool Cap",
            (Variant("cap-1", "cap", {"color": "green"}, Offer(Money.of("15", "EUR"), True, None)),),
            description="A warm cap.",
            url="https://shop.example/cap",
        ),
    ),
    passages=(
        Passage(
            "returns",
            "returns",
            "https://shop.example/returns",
            "Returns",
            "You can return anything within 30 days of delivery. Sending it back is free.",
            NOW,
        ),
        Passage(
            "hours",
            "hours",
            "https://shop.example/hours",
            "Opening hours",
            "The store is open from Monday to Saturday, from 9:00 to 18:00.",
            NOW,
        ),
    ),
)


def cache_for(folder):
    """A cache with the fetched models, and vectors of its own."""
    for asset in (MINILM, MINILM_TOKENIZER):
        fetch(asset, cache_dir(), lambda _: None)
    (folder / "cache").mkdir()
    (folder / "cache" / "assets").symlink_to(cache_dir() / "assets")
    return folder / "cache"


@dataclass
class Agents:
    """The app, listening at ``url``."""

    url: str
    store: Store
    session: aiohttp.ClientSession
    desk: Desk

    async def ask(self, path: str, body: object = None, **headers: str) -> tuple[int, dict]:
        lines = {key.replace("_", "-"): value for key, value in headers.items()}
        method = "GET" if body is None else "POST"
        async with self.session.request(method, f"{self.url}{path}", json=body, headers=lines) as answer:
            return answer.status, await answer.json() if answer.content_type == "application/json" else {}

    async def write(self, text, *, business="shop", thread=THREAD, identity="m1", **headers) -> tuple[int, dict]:
        path = f"/v1/agents/{business}/threads/{thread}/messages"
        return await self.ask(path, {"id": identity, "text": text}, **headers)


@contextlib.asynccontextmanager
async def agents(home, settings: AgentsSettings | None = None, front_url: str = NOBODY) -> AsyncIterator[Agents]:
    store = open_tables(f"sqlite:///{home / 'agents.db'}", AGENTS.tables)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        app = make_app(
            Context(
                product="agents",
                settings=settings or AgentsSettings(),
                store=store,
                pool=PoolClient(session, front_url, "token", "agents"),
                peers=Peers(session, {}, "token", "agents"),
                outbox=Outbox(store, "agents"),
                home=home,
                cache=cache_for(home),
            )
        )
        async with living(app), serving(app) as url:
            yield Agents(url, store, session, app.state.desk)
    store.close()


@contextlib.asynccontextmanager
async def living(app) -> AsyncIterator[None]:
    """Have the app's lifespan in one task, as servers do; a fixture's two halves may run in different ones."""
    ready, over = asyncio.Event(), asyncio.Event()

    async def live():
        async with app.router.lifespan_context(app):
            ready.set()
            await over.wait()

    task = asyncio.create_task(live())
    await asyncio.wait([task, asyncio.create_task(ready.wait())], return_when=asyncio.FIRST_COMPLETED)
    try:
        yield
    finally:
        over.set()
        await task
