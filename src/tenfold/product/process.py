"""Run one product as a process: its app on a socket that outlives it, with what every product has.

The supervisor holds the listening socket, so requests wait while the process is started again. Each route asks for the
pool's token: people come through the front, which has it.
"""

import asyncio
import importlib
import logging
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import FunctionType
from typing import TypeVar

import aiohttp
import orjson
import uvicorn
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tenfold.core.config import Settings
from tenfold.core.errors import ConfigError
from tenfold.core.frozen import Frozen
from tenfold.core.links import connector
from tenfold.core.logs import log_as
from tenfold.core.migrate import migrate
from tenfold.core.store import Store, open_store, place_of
from tenfold.pool.answer import answered
from tenfold.pool.connection import Connection
from tenfold.pool.heartbeat import BeatingServer, Pulse
from tenfold.pool.process import KEEP_ALIVE_S, die_with_parent
from tenfold.pool.product_route import COUNTS_PATH
from tenfold.pool.token import ask_for_token
from tenfold.product.context import Context
from tenfold.product.outbox import MIGRATIONS, Outbox
from tenfold.product.peers import Peers
from tenfold.product.pool_client import PoolClient
from tenfold.product.teller import Teller

log = logging.getLogger(__name__)

Named = TypeVar("Named")

TELL_EVERY_S = 2.0
OWN_VERSIONS = "product_version"
"""Table that says which of a product's own migrations were run, beside that of the tables that every product has."""


class ProductSpec(Frozen):
    """What a product's process reads from standard input; ``listener`` is an inherited file descriptor."""

    name: str
    app: str
    tables: str | None = Field(description="module:name of the folder of its migrations")
    settings_type: str = Field(description="module:class of its settings")
    settings: dict[str, object]
    database_url: str
    front_url: str
    controller_url: str
    peers: dict[str, str] = Field(description="address of each other product's process")
    home: Path
    cache: Path
    token: str
    listener: int
    beat_on: int | None = Field(None, description="inherited descriptor for signs of life")
    tell_every_s: float = Field(TELL_EVERY_S, description="seconds between reports of what was earned")


def type_name(settings: type[Settings]) -> str:
    """How a spec names a settings type."""
    return f"{settings.__module__}:{settings.__qualname__}"


class ProductFace:
    """Joins a product's app with the pool: the app's context, its earnings, and the counts of what it did without."""

    def __init__(self, spec: ProductSpec) -> None:
        self._spec = spec
        self._context: Context | None = None
        self._teller: Teller | None = None
        self._app: ASGIApp | None = None

    def app(self) -> ASGIApp:
        """Build the ASGI app."""
        return answered(ask_for_token(self._dispatch, self._spec.token))

    async def _dispatch(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        elif scope["type"] == "http" and scope["path"] == COUNTS_PATH:
            await (await self._counts(Request(scope)))(scope, receive, send)
        else:
            assert self._app is not None
            await self._app(scope, receive, send)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Have the product's own lifespan within ours; the server is told of its end once ours has ended too."""
        ended: Message | None = None

        async def held_back(message: Message) -> None:
            nonlocal ended
            if message["type"].startswith("lifespan.shutdown."):
                ended = message
            else:
                await send(message)

        async with self._running() as app:
            await app(scope, receive, held_back)
        if ended is not None:
            await send(ended)

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[ASGIApp]:
        spec = self._spec
        store = open_tables(spec.database_url, spec.tables)
        async with aiohttp.ClientSession(connector=connector(), timeout=aiohttp.ClientTimeout(total=None)) as session:
            outbox = Outbox(store, spec.name)
            self._context = context = Context(
                product=spec.name,
                settings=_settings_of(spec),
                store=store,
                pool=PoolClient(session, spec.front_url, spec.token, spec.name),
                peers=Peers(session, spec.peers, spec.token, spec.name),
                outbox=outbox,
                home=spec.home,
                cache=spec.cache,
            )
            self._teller = Teller(outbox, session, spec.controller_url, spec.token, spec.tell_every_s)
            self._app = _named(spec.app, FunctionType)(context)
            telling = asyncio.create_task(self._teller.run())
            try:
                yield self._app
            finally:
                telling.cancel()
                await asyncio.gather(telling, return_exceptions=True)
        store.close()

    async def _counts(self, _request: Request) -> Response:
        assert self._context is not None and self._teller is not None
        context = self._context
        found = {
            "product": self._spec.name,
            "without_workload": {f"{what} {reason}": n for (what, reason), n in context.pool.late.items()},
            "without_product": {f"{name} {reason}": n for (name, reason), n in context.peers.late.items()},
            "reports_untold": len(await asyncio.to_thread(context.outbox.sealed)),
            "trouble": "; ".join(filter(None, (self._teller.trouble, *context.troubles.values()))),
        }
        return Response(orjson.dumps(found), media_type="application/json")


def open_tables(url: str, tables: str | None) -> Store:
    """Open a product's database: the tables that every product has, and its own."""
    store = open_store(url, MIGRATIONS)
    if tables is not None:
        migrate(store, _named(tables, Path), place_of(url), versions=OWN_VERSIONS)
    return store


def _settings_of(spec: ProductSpec) -> Settings:
    settings = _named(spec.settings_type, type)
    assert issubclass(settings, Settings)
    return settings.model_validate(spec.settings)


def _named(name: str, of: type[Named]) -> Named:
    """What a string in a spec names.

    Raises:
        ConfigError: it is not of the type that belongs there.
    """
    module, _, attribute = name.partition(":")
    found = getattr(importlib.import_module(module), attribute, None)
    if not isinstance(found, of):
        raise ConfigError(
            f"{name!r} is a {type(found).__name__}, where a {of.__name__} belongs",
            next_step="mend the product's constant; see docs/adding-a-product.md",
        )
    return found


def main() -> None:
    """Read a ``ProductSpec`` from standard input and serve until stopped."""
    die_with_parent()
    spec = ProductSpec.model_validate_json(sys.stdin.buffer.readline())
    log_as(spec.name)
    listener = socket.socket(fileno=spec.listener)
    config = uvicorn.Config(
        ProductFace(spec).app(),
        http=Connection,
        log_config=None,
        log_level="warning",
        access_log=False,
        # The front, which passes its answers on, tells both.
        server_header=False,
        date_header=False,
        lifespan="on",
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=1,
    )
    BeatingServer(config, Pulse(spec.beat_on)).run(sockets=[listener])


if __name__ == "__main__":
    main()
