"""The front process: gateway, JSON API and console on one address."""

import asyncio
import logging
import socket
import sys
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Annotated

import uvicorn
from fastapi import FastAPI
from pydantic import Field, PlainValidator, SerializeAsAny
from starlette.types import ASGIApp, Receive, Scope, Send

from tenfold.cli.api import make_api, methods_of
from tenfold.cli.core_paths import core_paths
from tenfold.console.bound import LONGEST_MESSAGE_BYTES, open_pages
from tenfold.console.pages import own_pages, product_pages
from tenfold.console.shell import mount
from tenfold.core.config import Config
from tenfold.core.errors import TenfoldError
from tenfold.core.frozen import Frozen
from tenfold.core.logs import end_process, log_as
from tenfold.core.paths import home_dir
from tenfold.core.store import store_url
from tenfold.llama.status import status as training_status
from tenfold.llama.workload import TRAIN
from tenfold.pool.access import Access, is_required
from tenfold.pool.answer import answered
from tenfold.pool.api_error import send_error
from tenfold.pool.connection import Connection
from tenfold.pool.doorkeeper import Doorkeeper, HostNames
from tenfold.pool.gateway import Gateway
from tenfold.pool.heartbeat import BeatingServer, Pulse
from tenfold.pool.keys import Keyring
from tenfold.pool.loops import for_ever
from tenfold.pool.metering.meter import METER
from tenfold.pool.methods import take_methods
from tenfold.pool.metrics import Seen, Training, exposition
from tenfold.pool.models import MODEL_ROLES, Models
from tenfold.pool.process import KEEP_ALIVE_S, die_with_parent
from tenfold.pool.product_route import ProductRoute, check_paths
from tenfold.pool.proxy import Proxy
from tenfold.pool.runfile import read_run_file
from tenfold.pool.state import LossPoint, PoolState
from tenfold.wiring import CONFIG, PRODUCTS, WORKLOADS, gateway_routes, model_plan, model_workload

log = logging.getLogger(__name__)

TRAINING_EVERY_S = 2.0
RUN_FILE_EVERY_S = 1.0
KEYS_EVERY_S = 1.0
PRODUCTS_EVERY_S = 5.0
TRAINING_MISSED = 4
"""Answers that training's coordinator may owe before that is an alarm: it is started again within seconds."""


class FrontSpec(Frozen):
    """What the front process reads from standard input; ``listener`` is an inherited file descriptor."""

    config: Annotated[SerializeAsAny[Config], PlainValidator(CONFIG.model_validate)]
    url: str
    listener: int
    controller_url: str
    companions: dict[str, str]
    products: dict[str, ProductRoute] = Field({}, description="by name; the run file has newer ones once they moved")
    token: str
    beat_on: int | None = Field(None, description="inherited descriptor for signs of life")


class Front:
    """Joins the gateway with what the console shows."""

    def __init__(self, spec: FrontSpec) -> None:
        self._spec = spec
        pool = spec.config.pool
        self._gateway = Gateway(
            gateway_routes(spec.config),
            spec.controller_url,
            spec.token,
            wait_deadline_s=pool.wait_deadline_s,
            queue_per_slot=pool.queue_per_slot,
            body_limit_bytes=pool.body_limit_bytes,
        )
        self._proxy = Proxy(spec.token, body_limit_bytes=pool.body_limit_bytes)
        self._core_paths = core_paths(WORKLOADS, PRODUCTS)
        self._learn(spec.products)
        keyring = Keyring(home_dir())
        self._models = self._open_models(spec.config, keyring)
        self._access = Access(
            keyring,
            spec.token,
            required=is_required(spec.config),
            is_public=self._proxy.is_public,
            roles_of=self._roles_of,
        )
        self._door: Doorkeeper | None = None
        self._train_at = spec.companions[TRAIN.name]
        self._loss: tuple[LossPoint, ...] = ()
        self._alarms: dict[str, str] = {}
        self._training_missed = 0
        self._training: Training | None = None
        self._shown: tuple[PoolState, tuple[LossPoint, ...], PoolState] | None = None

    def app(self) -> ASGIApp:
        """Build the ASGI app."""

        @asynccontextmanager
        async def lifespan(_: FastAPI) -> AsyncIterator[None]:
            async with self._gateway.running(), self._proxy.running(), self._models.running():
                turns = {
                    "following the run file": self._take_run_file,
                    "following training": self._take_training,
                    "following the keys": self._take_keys,
                    "following the products": self._take_products,
                }
                tasks = [asyncio.create_task(for_ever(name, turn, self._alarm)) for name, turn in turns.items()]
                yield
                for task in tasks:
                    task.cancel()

        config, routes = self._spec.config, gateway_routes(self._spec.config)
        api = make_api(
            lifespan=lifespan,
            ready=lambda: self._gateway.link.ready,
            state=self.state,
            metrics=exposition(self._seen),
            models=self._models,
        )
        methods = methods_of(api) | {path: {route.method} for path, route in routes.items()}
        own = own_pages(state=self.state, base_url=self._url, home=home_dir())
        mount(api, (*own, *product_pages(PRODUCTS, self._url)), most_pages=config.pool.pages)
        names = HostNames([config.pool.host, *config.pool.hosts])
        rooms = take_methods(
            FrontApp(api, self._gateway, self._models, self._proxy, routes.keys(), methods.keys()), methods
        )
        programs = {*routes, "/v1/models"}
        self._door = Doorkeeper(rooms, names, programs, self._proxy.is_public, self._access)
        return self._door

    def _open_models(self, config: Config, keyring: Keyring) -> Models:
        workload = model_workload()
        return Models(
            self._gateway,
            model_plan(config),
            workload.name,
            keyring,
            store_url(config.store, home_dir(), METER),
            state=lambda: self._gateway.link.state,
            body_limit_bytes=config.pool.body_limit_bytes,
            usd_per_unit=workload.table(config).value_per_unit_usd,
        )

    def _roles_of(self, path: str) -> Collection[str]:
        return MODEL_ROLES if self._models.has(path) else self._proxy.roles_of(path)

    def state(self) -> PoolState | None:
        """Return the pool's state with the training run's loss curve and alarm."""
        found = self._gateway.link.state
        if found is None:
            return None
        # The console draws each state object once, so the same one is given until something is new.
        if self._shown is None or self._shown[0] is not found or self._shown[1] is not self._loss:
            alarms = (*found.alarms, *filter(None, self._alarms.values()))
            self._shown = (found, self._loss, found.model_copy(update={"loss": self._loss, "alarms": alarms}))
        return self._shown[2]

    def _url(self) -> str:
        return self._spec.url

    def _seen(self) -> Seen:
        used, backends = self._models.meter.totals, self._models.backends.views()
        return Seen(self.state(), self._gateway.totals(), self._training, open_pages(), used, backends)

    async def _take_run_file(self) -> None:
        """Learn where training's coordinator and the products are now: each moves when its host or process is lost."""
        run = read_run_file(home_dir())
        if run is not None:
            self._train_at = run.companions.get(TRAIN.name, self._train_at)
            self._learn({**self._spec.products, **run.products})
        self._alarm("meter", self._models.meter.trouble)
        self._alarm("backends", self._models.trouble())
        self._alarm("products", self._proxy.health.trouble)
        await asyncio.sleep(RUN_FILE_EVERY_S)

    def _learn(self, products: Mapping[str, ProductRoute]) -> None:
        check_paths(products, self._core_paths)
        self._proxy.learn(products)

    async def _take_keys(self) -> None:
        """End what revoked keys have opened, and say where keys cannot be read."""
        if self._door is not None:
            self._door.close_revoked()
        self._alarm("keys", self._access.keyring.trouble)
        await asyncio.sleep(KEYS_EVERY_S)

    async def _take_products(self) -> None:
        """Say what products say is wrong with them, e.g. that a channel of theirs takes nothing."""
        for name, text in (await self._proxy.troubles()).items():
            self._alarm(f"product {name}", f"the product {name} says that something is wrong: {text}" if text else "")
        await asyncio.sleep(PRODUCTS_EVERY_S)

    async def _take_training(self) -> None:
        try:
            found = await training_status(self._train_at, self._spec.token)
            self._alarm("training", found.alarm)
            self._training_missed = 0
            self._training = Training(found.step, found.tokens, found.loss, found.workers, found.checkpoint_step)
            self._loss = tuple(LossPoint(step=p.step, tokens=p.tokens, loss=p.loss) for p in found.loss_history)
        except (OSError, EOFError, TenfoldError) as error:
            self._training_missed += 1
            if self._training_missed >= TRAINING_MISSED and self._loss:
                self._alarm("training", f"training's coordinator does not answer: {error or type(error).__name__}")
        await asyncio.sleep(TRAINING_EVERY_S)

    def _alarm(self, source: str, text: str) -> None:
        if self._alarms.get(source, "") != text:
            self._alarms[source], self._shown = text, None


class FrontApp:
    """Sends each path to who answers it: a workload, the API, a product, or else the console.

    Args:
        api: the front's own routes, and the console on all that is left.
        gateway: answers ``workload_paths``, but for those of ``models``.
        models: answers for models, by their names.
        proxy: answers the products' prefixes, of which the longest counts.
        workload_paths: the workloads' paths.
        known_paths: those and the API's own.
    """

    def __init__(
        self,
        api: FastAPI,
        gateway: Gateway,
        models: Models,
        proxy: Proxy,
        workload_paths: Collection[str],
        known_paths: Collection[str],
    ) -> None:
        self._api = api
        self._gateway = gateway
        self._models = models
        self._proxy = proxy
        self._workload_paths = frozenset(workload_paths)
        self._known_paths = frozenset(known_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Dispatch one connection."""
        kind, path = scope["type"], scope.get("path", "")
        if kind == "http" and path in self._models.asked_at:
            await self._models.door(scope, receive, send)
        elif kind == "http" and path in self._workload_paths:
            await self._gateway(scope, receive, send)
        elif kind != "lifespan" and path not in self._known_paths and self._proxy.product_of(path) is not None:
            await self._proxy(scope, receive, send)
        elif kind == "http" and not self._is_known(path) and path.startswith(("/v1/", "/api/")):
            # Only programs ask for such a path: where it is wrong, they must not get a web page.
            await send_error(send, 404, f"there is no {path[:200]!r} here; see /openapi.json for what there is")
        else:
            await self._api(scope, receive, send)

    def _is_known(self, path: str) -> bool:
        return path in self._known_paths or self._models.has(path)


def main() -> None:
    """Read a ``FrontSpec`` from standard input and serve until stopped."""
    die_with_parent()
    log_as("front")
    spec = FrontSpec.model_validate_json(sys.stdin.buffer.readline())
    listener = socket.socket(fileno=spec.listener)
    config = uvicorn.Config(
        answered(Front(spec).app()),
        forwarded_allow_ips=list(spec.config.pool.proxies),
        http=Connection,
        log_config=None,
        log_level="warning",
        access_log=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=1,
        ws_max_size=LONGEST_MESSAGE_BYTES,
    )
    status = 1
    try:
        BeatingServer(config, Pulse(spec.beat_on)).run(sockets=[listener])
        status = 0
    finally:
        # At once: the console's threads would keep it.
        end_process(status, sys.exception())


if __name__ == "__main__":
    main()
