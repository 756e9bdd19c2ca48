"""Run one resident as a process: pin it to its slot, load it, and give it an HTTP face.

The pool's orders and the workload's own routes share one uvicorn server inside the process, so a token or a ranked
list passes no proxy but the gateway.
"""

import asyncio
import ctypes
import importlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import orjson
import uvicorn
from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from tenfold.core.frozen import Frozen
from tenfold.pool.answer import answered
from tenfold.pool.connection import Connection
from tenfold.pool.core_time import CoreTime
from tenfold.pool.heartbeat import PARENT, BeatingServer, Pulse
from tenfold.pool.resident import Context, Counters, Resident
from tenfold.pool.token import ask_for_token

ASLEEP_HEADER = "x-tenfold-asleep"
EXIT_MISSED_DEADLINE = 75
KEEP_ALIVE_S = 300
"""Longer than any client keeps a connection, so that no request meets a connection that is just being closed."""

_PR_SET_PDEATHSIG = 1

Phase = Literal["asleep", "waking", "awake", "draining"]


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """What to run: a resident on a slot, or a workload's companion (``port`` given, no slot).

    ``factory``: ``module:function``; ``create(context) -> Resident``, or for a companion
    ``serve_forever(context, port, *, host, on_ready, beat) -> None``. ``bind``: address its server listens on.
    ``cpu_share``, ``service_share``: see ``Context``.
    """

    name: str
    workload: str
    factory: str
    slot: str | None
    cores: tuple[int, ...]
    threads: int
    gpu: int | None
    bind: str
    port: int
    home: str
    cache: str
    settings: Mapping[str, object]
    companions: Mapping[str, str]
    token: str
    cpu_share: float | None = None
    service_share: float | None = None

    def to_json(self) -> bytes:
        """One line of JSON, without a line break."""
        return orjson.dumps(asdict(self))

    @staticmethod
    def from_json(line: bytes) -> "ProcessSpec":
        """Invert ``to_json``."""
        return _SPEC.validate_json(line)

    def context(self) -> Context:
        """Tell the workload where it is."""
        return Context(
            slot=self.slot or self.name,
            threads=self.threads,
            home=Path(self.home),
            cache=Path(self.cache),
            settings=self.settings,
            companions=self.companions,
            token=self.token,
            cpu_share=self.cpu_share,
            service_share=self.service_share,
        )


_SPEC = TypeAdapter(ProcessSpec)


class CountersReport(Frozen):
    """A resident's counters on the wire, with its phase, its last epoch, and its CPU seconds since it was loaded.

    ``wanted_s``: seconds in which it ran or waited for its core, since it was loaded.
    """

    units: float
    requests: int
    busy_s: float
    in_flight: int
    facts: dict[str, float]
    phase: Phase
    epoch: int
    cpu_s: float
    wanted_s: float

    def counters(self, share: float | None) -> Counters:
        """Return what the workload counted, with ``busy_s`` in seconds of a whole slot.

        Args:
            share: of a core, what the slot owns; none if it has no core. On a shared core, wall time depends on what
                the neighbours do, so a slot-second is ``share`` CPU-seconds: what the slot is sure of.
        """
        busy_s = self.busy_s if share is None else self.cpu_s / share
        wanted_s = 0.0 if share is None else self.wanted_s
        return Counters(self.units, self.requests, busy_s, self.in_flight, self.facts, wanted_s)


def die_with_parent() -> None:
    """Ask Linux to kill this process when its parent dies, so that nothing outlives the pool.

    A parent may die before it is asked; so the one that set ``PARENT`` must still be there.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # Children of this process have another parent.
    parent = os.environ.pop(PARENT, "")
    if parent and os.getppid() != int(parent):
        os._exit(1)


def run(spec: ProcessSpec, ready: Callable[[int], None], pulse: Pulse) -> None:
    """Run ``spec`` in this process until it is told to stop.

    Args:
        spec: what to run and where.
        ready: called with the port once the resident (or companion) is loaded and listens.
        pulse: how it says that it is alive, once a second from then on.
    """
    _confine(spec)
    module_name, function_name = spec.factory.split(":")
    function = getattr(importlib.import_module(module_name), function_name)
    if spec.slot is None:
        function(spec.context(), spec.port, host=spec.bind, on_ready=ready, beat=pulse.beat)
        return
    resident: Resident = function(spec.context())
    resident.load()
    face = ResidentFace(resident, spec.token)
    listener = socket.create_server((spec.bind, spec.port))
    config = uvicorn.Config(
        face.app(),
        http=Connection,
        log_config=None,
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_keep_alive=KEEP_ALIVE_S,
    )
    server = BeatingServer(config, pulse)
    ready(listener.getsockname()[1])
    try:
        server.run(sockets=[listener])
    finally:
        resident.close()


def _confine(spec: ProcessSpec) -> None:
    """Hold the process to its slot: cores, thread counts, GPU. Threads that libraries start later inherit it."""
    if spec.cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, set(spec.cores))
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"):
        os.environ[variable] = str(spec.threads)
    os.environ["OMP_WAIT_POLICY"] = "passive"
    os.environ["CUDA_VISIBLE_DEVICES"] = "" if spec.gpu is None else str(spec.gpu)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(spec.threads)


class ResidentFace:
    """The HTTP face of a resident: orders from the pool, and a gate before its own routes; all ask for the token."""

    def __init__(self, resident: Resident, token: str) -> None:
        self._resident = resident
        self._token = token
        self._phase: Phase = "asleep"
        self._epoch = 0
        self._order = asyncio.Lock()
        self._loaded_cpu_s = time.process_time()
        self._core_time = CoreTime()

    def app(self) -> ASGIApp:
        """Build the ASGI app."""
        own = Router(routes=list(self._resident.routes()))
        orders = Router(
            routes=[
                Route("/resident/wake", self._wake, methods=["POST"]),
                Route("/resident/sleep", self._sleep, methods=["POST"]),
                Route("/resident/counters", self._counters, methods=["GET"]),
            ]
        )

        async def gate(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                return
            if scope["path"].startswith("/resident/"):
                await orders(scope, receive, send)
            elif self._phase == "awake":
                await own(scope, receive, send)
            else:
                refusal = JSONResponse({"error": f"resident is {self._phase}"}, 503, {ASLEEP_HEADER: "1"})
                await refusal(scope, receive, send)

        return answered(ask_for_token(gate, self._token))

    async def _wake(self, request: Request) -> Response:
        body = await self._accept(request)
        if isinstance(body, Response):
            return body
        async with self._order:
            if self._phase != "awake":
                self._phase = "waking"
                await self._resident.wake()
                self._phase = "awake"
        return self._report()

    async def _sleep(self, request: Request) -> Response:
        body = await self._accept(request)
        if isinstance(body, Response):
            return body
        deadline_s = float(body["deadline_s"])
        async with self._order:
            if self._phase == "awake":
                self._phase = "draining"
                # A thread, because a stuck event loop could not enforce its own deadline.
                watchdog = threading.Timer(deadline_s, os._exit, args=(EXIT_MISSED_DEADLINE,))
                watchdog.daemon = True
                watchdog.start()
                try:
                    await self._resident.sleep(deadline_s)
                finally:
                    watchdog.cancel()
                self._phase = "asleep"
        return self._report()

    async def _counters(self, _request: Request) -> Response:
        return self._report()

    async def _accept(self, request: Request) -> dict[str, float] | Response:
        """Check that the order is not older than one already taken."""
        body: dict[str, float] = orjson.loads(await request.body())
        if body["epoch"] < self._epoch:
            return JSONResponse({"error": f"epoch {body['epoch']} is older than {self._epoch}"}, 409)
        self._epoch = int(body["epoch"])
        return body

    def _report(self) -> Response:
        counters = self._resident.counters()
        report = CountersReport(
            units=counters.units,
            requests=counters.requests,
            busy_s=counters.busy_s,
            in_flight=counters.in_flight,
            facts=dict(counters.facts),
            phase=self._phase,
            epoch=self._epoch,
            cpu_s=time.process_time() - self._loaded_cpu_s,
            wanted_s=self._core_time.wanted_s(),
        )
        return Response(report.model_dump_json(), media_type="application/json")
