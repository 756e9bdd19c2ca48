"""The controller as a process: a loopback HTTP API for the supervisor and the gateways."""

import asyncio
import math
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import uvicorn
from pydantic import Field, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from tenfold.core.config import PoolSettings
from tenfold.core.errors import TenfoldError
from tenfold.core.frozen import Frozen
from tenfold.core.links import connector
from tenfold.core.logs import end_process, log_as
from tenfold.core.store import place_of
from tenfold.ledger.ledger import Ledger
from tenfold.ledger.recorder import Recorder
from tenfold.ledger.retention import Retention, forget_forever
from tenfold.pool.controller import Controller
from tenfold.pool.demand import WorkloadPlan
from tenfold.pool.earnings import EarningsReport
from tenfold.pool.heartbeat import BEAT_EVERY_S, BeatingServer, Pulse, Vigil
from tenfold.pool.process import die_with_parent
from tenfold.pool.reports import GatewayReport, HostsReport
from tenfold.pool.token import ask_for_token

STUCK_LOOKS = 30
"""Seconds without the end of a tick after which the controller is stuck, beside two ticks' pauses."""


class ControllerSpec(Frozen):
    """What the controller process reads from standard input."""

    settings: PoolSettings
    plans: tuple[WorkloadPlan, ...]
    ledger_url: str = Field(description="as core.store.store_url gives it")
    retention: Retention | None = Field(None, description="how long the ledger keeps events; none: for ever")
    port: int
    token: str
    beat_on: int | None = Field(None, description="inherited descriptor for signs of life")
    folders: tuple[Path, ...] = Field((), description="below which files may be set aside as damaged: home and cache")


def build_app(spec: ControllerSpec) -> ASGIApp:
    """Build the controller's API; its loop runs for the app's lifetime."""
    box: dict[str, Controller] = {}

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        ledger = Recorder(lambda: Ledger(spec.ledger_url, mends=True), place_of(spec.ledger_url))
        async with aiohttp.ClientSession(connector=connector()) as session:
            box["controller"] = controller = Controller(
                spec.settings, spec.plans, ledger, session, spec.token, folders=spec.folders
            )
            loop = asyncio.create_task(controller.run())
            # A controller whose loop failed must not look alive: end it, the supervisor starts the next one.
            loop.add_done_callback(lambda task: None if task.cancelled() else end_process(1, task.exception()))
            beside = [asyncio.create_task(_end_if_stuck(controller, spec.settings.tick_s))]
            if spec.retention is not None:
                beside.append(asyncio.create_task(forget_forever(ledger, spec.retention)))
            yield
            loop.cancel()
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
        ledger.close()

    async def hosts(request: Request) -> Response:
        report = HostsReport.model_validate_json(await request.body())
        return JSONResponse({"kill": await box["controller"].take_hosts(report)})

    async def gateway(request: Request) -> Response:
        box["controller"].take_gateway(GatewayReport.model_validate_json(await request.body()))
        return JSONResponse({})

    async def earned(request: Request) -> Response:
        try:
            report = EarningsReport.model_validate_json(await request.body())
        except ValidationError as error:
            return JSONResponse({"error": f"no report of earnings: {error}"}, 422)
        if not await box["controller"].take_earnings(report):
            return JSONResponse({"error": "the ledger cannot be written now; tell it again"}, 503)
        return JSONResponse({"recorded": report.number})

    async def routes(request: Request) -> Response:
        query = request.query_params
        found = await box["controller"].routes(int(query["seen"]), float(query["wait_s"]))
        return Response(found.model_dump_json(), media_type="application/json")

    async def state(_: Request) -> Response:
        return Response(box["controller"].state().model_dump_json(), media_type="application/json")

    api = Starlette(
        routes=[
            Route("/hosts", hosts, methods=["POST"]),
            Route("/gateway", gateway, methods=["POST"]),
            Route("/earned", earned, methods=["POST"]),
            Route("/routes", routes, methods=["GET"]),
            Route("/state", state, methods=["GET"]),
        ],
        lifespan=lifespan,
    )
    return ask_for_token(api, spec.token)


async def _end_if_stuck(controller: Controller, tick_s: float) -> None:
    """End the process if ticks stop, though it answers and beats: something in one of them is waited for in vain."""
    vigil, seen = Vigil(STUCK_LOOKS + 2 * math.ceil(tick_s)), 0
    while True:
        await asyncio.sleep(BEAT_EVERY_S)
        turns = controller.turns
        # Before the first tick it may wait for the hosts for as long as they take.
        if turns and vigil.look(turns != seen):
            end_process(1, TenfoldError(f"no tick of the controller has ended: {vigil.verdict}"))
        seen = turns


def main() -> None:
    """Read a ``ControllerSpec`` from standard input and serve until stopped."""
    die_with_parent()
    log_as("controller")
    spec = ControllerSpec.model_validate_json(sys.stdin.buffer.readline())
    listener = socket.create_server(("127.0.0.1", spec.port))
    # Gateways hold a long poll open; what is in the ledger is safe without waiting for them.
    config = uvicorn.Config(
        build_app(spec), log_config=None, log_level="warning", access_log=False, timeout_graceful_shutdown=1
    )
    BeatingServer(config, Pulse(spec.beat_on)).run(sockets=[listener])


if __name__ == "__main__":
    main()
