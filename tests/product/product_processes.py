"""Products as real processes under their keepers, with a real controller, and whatever front a test puts there.

Where no process is killed or watched, a product runs ``inside`` the test's own: the same app on a socket of its own.
"""

import asyncio
import contextlib
import json
import socket
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import uvicorn
from minipool import TOKEN, free_port, plan

from tenfold.cli.keeper import Keeper
from tenfold.cli.products import Products
from tenfold.core.config import Config, KindSettings, PoolSettings, config_type
from tenfold.pool.connection import Connection
from tenfold.pool.controller_server import ControllerSpec
from tenfold.pool.earnings import EARNED
from tenfold.pool.token import TOKEN_HEADER
from tenfold.product.process import ProductFace, ProductSpec
from tenfold.product.product import Product

NOBODY = "http://127.0.0.1:9"
HERE = Path(__file__).parent


def controller_keeper(home: Path) -> tuple[str, Keeper]:
    """Where a controller will be, and what keeps it alive."""
    spec = ControllerSpec(
        settings=PoolSettings(kinds={"cpu": KindSettings(slots=1)}),
        plans=(plan("rank"),),
        ledger_url=f"sqlite:///{home / 'ledger.db'}",
        port=free_port(),
        token=TOKEN,
    )
    keeper = Keeper(
        "controller",
        "tenfold.pool.controller_server",
        lambda beat_on: spec.model_copy(update={"beat_on": beat_on}).model_dump_json(),
        home / "controller.log",
    )
    return f"http://127.0.0.1:{spec.port}", keeper


def recorded(home: Path) -> tuple[int, list[tuple[str, int]]]:
    """Nano-dollars in the ledger, and the number of each report; read beside its writer, without a lock."""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{home / 'ledger.db'}?mode=ro", uri=True, timeout=10)) as file:
            rows = file.execute("SELECT subject, body FROM events WHERE kind = ?", [EARNED]).fetchall()
    except sqlite3.OperationalError:
        # It is not there yet, or is just being made.
        return 0, []
    bodies = [(subject, json.loads(body)) for subject, body in rows]
    total = sum(row["nano_usd"] for _, body in bodies for row in body["earned"])
    return total, [(subject, body["number"]) for subject, body in bodies]


@dataclass
class Running:
    """Products that run."""

    home: Path
    products: Products
    keepers: dict[str, Keeper]
    session: aiohttp.ClientSession

    async def ask(self, name: str, path: str, body: dict | None = None, **headers: str) -> tuple[int, dict]:
        """Ask a product's own process, as the front does."""
        lines = {TOKEN_HEADER: TOKEN, **{key.replace("_", "-"): value for key, value in headers.items()}}
        url = f"{self.products.urls[name]}{path}"
        method = "GET" if body is None else "POST"
        async with self.session.request(method, url, json=body, headers=lines) as answer:
            is_json = answer.content_type == "application/json"
            return answer.status, await answer.json() if is_json else {}

    def log(self, name: str) -> str:
        return (self.home / "logs" / f"{name}.log").read_text()


@asynccontextmanager
async def kept(keepers: Sequence[Keeper]) -> AsyncIterator[None]:
    """Keep processes alive for as long as this lasts."""
    tasks = [asyncio.create_task(keeper.run()) for keeper in keepers]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(keeper.stop(10.0) for keeper in keepers))


@asynccontextmanager
async def running(
    home: Path,
    *products: Product,
    controller_url: str = NOBODY,
    front_url: str = NOBODY,
    config: Config | None = None,
) -> AsyncIterator[Running]:
    """Run products; their modules must be importable by the path in ``PYTHONPATH``."""
    config = config or config_type({product.name: product.settings for product in products})()
    (home / "logs").mkdir(parents=True, exist_ok=True)
    found = Products(products, config, home, home)
    keepers = found.keepers(front_url, controller_url, TOKEN)
    with contextlib.closing(found):
        async with kept(keepers), aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
            names = [product.name for product in products]
            yield Running(home, found, dict(zip(names, keepers, strict=True)), session)


@asynccontextmanager
async def inside(
    home: Path, product: Product, *, front_url: str = NOBODY, config: Config | None = None
) -> AsyncIterator[Running]:
    """Run a product as ``running`` does, without the seconds that a process takes to start; it has no keeper."""
    config = config or config_type({product.name: product.settings})()
    found = Products((product,), config, home, home)
    (keeper,) = found.keepers(front_url, NOBODY, TOKEN)
    app = ProductFace(ProductSpec.model_validate_json(keeper._spec(0))).app()
    settings = uvicorn.Config(app, http=Connection, log_config=None, lifespan="on", timeout_graceful_shutdown=1)
    with contextlib.closing(found):
        async with (
            served(settings, found._listeners[product.name].dup()),
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session,
        ):
            yield Running(home, found, {}, session)


@asynccontextmanager
async def serving(app, port: int = 0) -> AsyncIterator[str]:
    """Serve an app in this process, as a stand-in for the front."""
    listener = socket.create_server(("127.0.0.1", port))
    settings = uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=1)
    async with served(settings, listener):
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@asynccontextmanager
async def served(settings: uvicorn.Config, listener: socket.socket) -> AsyncIterator[None]:
    """Have uvicorn serve on a socket, in this process, for as long as this lasts."""
    server = uvicorn.Server(settings)
    # Not by ``serve``, which takes the signals of this process.
    task = asyncio.create_task(server._serve([listener]))
    try:
        while not server.started:
            assert not task.done(), "it did not start"
            await asyncio.sleep(0.01)
        yield
    finally:
        server.should_exit = True
        await task
        listener.close()
