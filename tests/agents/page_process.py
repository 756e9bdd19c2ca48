"""The agents, their page and a shop's own page with the widget, as a process: ``page_process.py PORT FOLDER``."""

import asyncio
import sys
import time
from pathlib import Path

import aiohttp
import uvicorn
from agents_pool import NOBODY, NOW, SHOP, cache_for
from starlette.responses import HTMLResponse
from starlette.routing import Route

from tenfold.agents import tables
from tenfold.agents.app import make_app
from tenfold.agents.orders import Order
from tenfold.agents.own_orders import note_order
from tenfold.agents.product import AGENTS
from tenfold.agents.settings import AgentsSettings
from tenfold.catalog.shelf import Shelf
from tenfold.console.pages import product_pages
from tenfold.console.shell import mount
from tenfold.product.context import Context
from tenfold.product.outbox import Outbox
from tenfold.product.peers import Peers
from tenfold.product.pool_client import PoolClient
from tenfold.product.process import open_tables

STRICT = "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'"
"""What a careful shop allows its pages: nothing inline, nothing from elsewhere."""
PAGE = """<!doctype html><html lang="en"><head><title>A shop</title><meta name="viewport" content="width=device-width">
</head><body><main><h1>A shop</h1><p>Buy things.</p></main>
<script src="/v1/agents/public/widget.js?key=visitors" async></script></body></html>"""


class AsFront:
    """Tells whose a request is by its key, as the front does."""

    def __init__(self, app):
        self._app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http" and b"key=visitors" in scope.get("query_string", b""):
            told = [(b"x-tenfold-role", b"public"), (b"x-tenfold-tenant", b"shop")]
            scope = {**scope, "headers": [*scope["headers"], *told]}
        await self._app(scope, receive, send)


async def main(port: int, folder: Path) -> None:
    store = open_tables(f"sqlite:///{folder / 'agents.db'}", AGENTS.tables)
    with store.writing() as connection:
        tables.add_business(connection, "shop", "The Shop", time.time())
        note_order(connection, "shop", Order("A-1001", "ann", (), "placed"), email="ann@example.com", now=time.time())
    Shelf(store).put("shop", "feed products.csv", SHOP, NOW)
    async with aiohttp.ClientSession() as session:
        app = make_app(
            Context(
                product="agents",
                settings=AgentsSettings(),
                store=store,
                pool=PoolClient(session, NOBODY, "token", "agents"),
                peers=Peers(session, {}, "token", "agents"),
                outbox=Outbox(store, "agents"),
                home=folder,
                cache=cache_for(folder),
            )
        )

        async def shop_page(_):
            return HTMLResponse(PAGE, headers={"content-security-policy": STRICT})

        app.router.routes.append(Route("/shop", shop_page))
        mount(app, product_pages([AGENTS], lambda: f"http://127.0.0.1:{port}"))
        config = uvicorn.Config(AsFront(app), host="127.0.0.1", port=port, log_level="warning")
        await uvicorn.Server(config).serve()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2])))
