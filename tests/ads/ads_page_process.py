"""Ads, their page, and an advertiser's own page with the tag, as a process: ``ads_page_process.py PORT FOLDER``."""

import asyncio
import sys
from pathlib import Path

import aiohttp
import uvicorn
from starlette.responses import HTMLResponse
from starlette.routing import Route

from tenfold.ads.app import make_app
from tenfold.ads.product import ADS
from tenfold.ads.settings import AdsSettings
from tenfold.console.pages import product_pages
from tenfold.console.shell import mount
from tenfold.product.context import Context
from tenfold.product.outbox import Outbox
from tenfold.product.peers import Peers
from tenfold.product.pool_client import PoolClient
from tenfold.product.process import open_tables

NOBODY = "http://127.0.0.1:9"
STRICT = "default-src 'none'; script-src 'self' 'unsafe-inline'; connect-src 'self'"
PAGE = """<!doctype html><html lang="en"><head><title>Thanks</title></head><body><h1>Thanks for your order</h1>
<script src="/v1/ads/public/tag.js?key=visitors"></script>
<script>tenfoldAds.convert({event: "order-1", value: 49.9}).then(r => r.json()).then(r => {
  document.title = "told " + r.attributed;
});</script></body></html>"""


class AsFront:
    """Tells whose a request is by its key, as the front does."""

    def __init__(self, app):
        self._app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http" and b"key=visitors" in scope.get("query_string", b""):
            told = [(b"x-tenfold-role", b"public"), (b"x-tenfold-tenant", b"house")]
            scope = {**scope, "headers": [*scope["headers"], *told]}
        await self._app(scope, receive, send)


async def main(port: int, folder: Path) -> None:
    store = open_tables(f"sqlite:///{folder / 'ads.db'}", ADS.tables)
    async with aiohttp.ClientSession() as session:
        app = make_app(
            Context(
                product="ads",
                settings=AdsSettings(turn_s=0.2, lift_holdout=0.0),
                store=store,
                pool=PoolClient(session, NOBODY, "token", "ads"),
                peers=Peers(session, {}, "token", "ads"),
                outbox=Outbox(store, "ads"),
                home=folder,
                cache=folder,
            )
        )

        async def thanks(_):
            return HTMLResponse(PAGE, headers={"content-security-policy": STRICT})

        app.router.routes.append(Route("/thanks", thanks))
        mount(app, product_pages([ADS], lambda: f"http://127.0.0.1:{port}"))
        config = uvicorn.Config(AsFront(app), host="127.0.0.1", port=port, log_level="warning")
        await uvicorn.Server(config).serve()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2])))
