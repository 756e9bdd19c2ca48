"""The product ads as a process of its own, with many live campaigns: ``server.py PORT FOLDER CAMPAIGNS``."""

import asyncio
import sys
from pathlib import Path

import aiohttp
import uvicorn

from tenfold.ads.app import make_app
from tenfold.ads.product import ADS
from tenfold.ads.settings import AdsSettings
from tenfold.product.context import Context
from tenfold.product.outbox import Outbox
from tenfold.product.peers import Peers
from tenfold.product.pool_client import PoolClient
from tenfold.product.process import open_tables

NOBODY = "http://127.0.0.1:9"


async def main(port: int, folder: Path) -> None:
    store = open_tables(f"sqlite:///{folder / 'ads.db'}", ADS.tables)
    async with aiohttp.ClientSession() as session:
        app = make_app(
            Context(
                product="ads",
                settings=AdsSettings(lift_holdout=0.0, account_limit_usd=1e9),
                store=store,
                pool=PoolClient(session, NOBODY, "token", "ads"),
                peers=Peers(session, {}, "token", "ads"),
                outbox=Outbox(store, "ads"),
                home=folder,
                cache=folder,
            )
        )
        config = uvicorn.Config(app, "127.0.0.1", port, log_level="warning", access_log=False)
        await uvicorn.Server(config).serve()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2])))
