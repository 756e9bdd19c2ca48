"""The front process: gateway, JSON API and console on one address."""

import asyncio
import logging
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from tenfold.cli.api import make_api
from tenfold.cli.wiring import gateway_routes
from tenfold.console.bound import LONGEST_MESSAGE_BYTES, open_pages
from tenfold.console.page import mount
from tenfold.core.config import Config
from tenfold.core.errors import TenfoldError
from tenfold.core.logs import end_process, log_as
from tenfold.core.paths import home_dir
from tenfold.llama.status import status as training_status
from tenfold.pool.answer import answered
from tenfold.pool.api_error import send_error
from tenfold.pool.connection import Connection
from tenfold.pool.doorkeeper import Doorkeeper, HostNames
from tenfold.pool.gateway import Gateway
from tenfold.pool.heartbeat import BeatingServer, Pulse
from tenfold.pool.loops import for_ever
from tenfold.pool.metrics import Seen, Training, exposition
from tenfold.pool.process import KEEP_ALIVE_S, die_with_parent
from tenfold.pool.runfile import read_run_file
from tenfold.pool.state import LossPoint, PoolState

log = logging.getLogger(__name__)

TRAINING_EVERY_S = 2.0
TRAINING_MISSED = 4
"""Answers that training's coordinator may owe before that is an alarm: it is started again within seconds."""


class FrontSpec(BaseModel):
    """What the front process reads from standard input; ``listener`` is an inherited file descriptor."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    config: Config
    url: str
    listener: int
    controller_url: str
    companions: dict[str, str]
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
        self._loss: tuple[LossPoint, ...] = ()
        self._training_alarm = ""
        self._training_missed = 0
        self._training: Training | None = None
        self._shown: tuple[PoolState, tuple[LossPoint, ...], PoolState] | None = None

    def app(self) -> ASGIApp:
        """Build the ASGI app."""

        @asynccontextmanager
        async def lifespan(_: FastAPI) -> AsyncIterator[None]:
            async with self._gateway.running():
                follower = asyncio.create_task(self._follow_training())
                yield
                follower.cancel()

        config, paths = self._spec.config, frozenset(gateway_routes(self._spec.config))
        api = make_api(
            lifespan=lifespan,
            ready=lambda: self._gateway.link.ready,
            state=self.state,
            metrics=exposition(self._seen),
            model=config.serve.model,
        )
        mount(api, state=self.state, base_url=lambda: self._spec.url, most_pages=config.pool.pages)
        names = HostNames([config.pool.host, *config.pool.hosts])
        return Doorkeeper(FrontApp(api, self._gateway, paths), names, paths | {"/v1/models"})

    def state(self) -> PoolState | None:
        """Return the pool's state with the training run's loss curve and alarm."""
        found = self._gateway.link.state
        if found is None:
            return None
        # The console draws each state object once, so the same one is given until something is new.
        if self._shown is None or self._shown[0] is not found or self._shown[1] is not self._loss:
            alarms = (*found.alarms, self._training_alarm) if self._training_alarm else found.alarms
            self._shown = (found, self._loss, found.model_copy(update={"loss": self._loss, "alarms": alarms}))
        return self._shown[2]

    def _seen(self) -> Seen:
        return Seen(self.state(), self._gateway.totals(), self._training, open_pages())

    async def _follow_training(self) -> None:
        await for_ever("following training", self._take_training, self._alarm_training)

    async def _take_training(self) -> None:
        try:
            # Where it is now: it moves when its host is lost.
            run = read_run_file(home_dir())
            known = run.companions if run is not None else {}
            address = known.get("train", self._spec.companions["train"])
            found = await training_status(address, self._spec.token)
            self._training_alarm, self._training_missed = found.alarm, 0
            self._training = Training(found.step, found.tokens, found.loss, found.workers, found.checkpoint_step)
            self._loss = tuple(LossPoint(step=p.step, tokens=p.tokens, loss=p.loss) for p in found.loss_history)
        except (OSError, EOFError, TenfoldError) as error:
            self._training_missed += 1
            if self._training_missed >= TRAINING_MISSED and self._loss:
                text = f"training's coordinator does not answer: {error or type(error).__name__}"
                self._alarm_training("following training", text)
        await asyncio.sleep(TRAINING_EVERY_S)

    def _alarm_training(self, _loop: str, text: str) -> None:
        self._training_alarm, self._shown = text, None


class FrontApp:
    """Sends workload paths to the gateway and everything else to the API and console."""

    def __init__(self, api: FastAPI, gateway: Gateway, paths: frozenset[str]) -> None:
        self._api = api
        self._gateway = gateway
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Dispatch one connection."""
        if scope["type"] != "http":
            await self._api(scope, receive, send)
        elif scope["path"] in self._paths:
            await self._gateway(scope, receive, send)
        elif scope["path"].startswith(("/v1/", "/api/")):
            await self._answer_program(scope, receive, send)
        else:
            await self._api(scope, receive, send)

    async def _answer_program(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a path that only programs ask for: where it is wrong, they must not get a web page."""
        path, method = scope["path"], scope["method"]
        found = [route for route in self._api.routes if isinstance(route, Route) and route.path == path]
        takes = {taken for route in found for taken in route.methods or ()}
        if not takes:
            await send_error(send, 404, f"there is no {path[:200]!r} here; see /openapi.json for what there is")
        elif method not in takes:
            allow = ", ".join(sorted(takes))
            await send_error(send, 405, f"{path} takes {allow}, not {method}", headers={"allow": allow})
        else:
            await self._api(scope, receive, send)


def main() -> None:
    """Read a ``FrontSpec`` from standard input and serve until stopped."""
    die_with_parent()
    log_as("front")
    spec = FrontSpec.model_validate_json(sys.stdin.buffer.readline())
    listener = socket.socket(fileno=spec.listener)
    config = uvicorn.Config(
        answered(Front(spec).app()),
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
