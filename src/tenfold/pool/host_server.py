"""A host as a process of its own: one node's residents behind a small HTTP API that asks for the pool's token.

    GET  /host                          ``HostInfo``
    PUT  /residents   [ProcessSpec]     keep these alive, and no others
    POST /signal      ``Signal``        to one resident
    GET  /statuses?seen=n&wait_s=s      ``Statuses``, once something differs from version n, or after s seconds
    POST /close?grace_s=s               end all in order; answered once that is done, then the host ends

Ray only starts it: it leaves Ray's process tree, so that a raylet, a link or a supervisor that dies takes no resident
along. It ends by itself once no supervisor has asked anything for ``lease_s``, or with the process ``ends_with`` (the
supervisor of a pool that is on one machine).
"""

import asyncio
import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import uvicorn
from pydantic import TypeAdapter
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from tenfold.core.errors import HostFailed
from tenfold.core.frozen import Frozen
from tenfold.core.logs import log_as
from tenfold.pool.host import Host, ResidentStatus
from tenfold.pool.host_info import HostInfo, HostSpec
from tenfold.pool.process import KEEP_ALIVE_S, ProcessSpec
from tenfold.pool.token import ask_for_token

log = logging.getLogger(__name__)

CLOSE_GRACE_S = 5.0
LAUNCH_TIMEOUT_S = 60.0


class Statuses(Frozen):
    """All residents of a host, and the version to ask for the next change with."""

    version: int
    residents: tuple[ResidentStatus, ...]


class Signal(Frozen):
    """A signal to a resident; with a ``pid`` only if it is still that process."""

    name: str
    number: int
    pid: int | None


SPECS = TypeAdapter(list[ProcessSpec])


class HostServer:
    """The API of one host.

    Args:
        spec: what the host is told.
        listener: where it answers.
    """

    def __init__(self, spec: HostSpec, listener: socket.socket) -> None:
        self._spec = spec
        self._listener = listener
        self._host = Host(Path(spec.home) / "logs", spec.preload)
        self._asked_at = time.monotonic()
        self._server = uvicorn.Server(
            uvicorn.Config(
                self._app(),
                log_config=None,
                log_level="warning",
                access_log=False,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=1,
            )
        )
        cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
        self.info = HostInfo(
            name=spec.name,
            url=f"http://{spec.bind}:{listener.getsockname()[1]}",
            bind=spec.bind,
            pid=os.getpid(),
            started=psutil.Process().create_time(),
            cores=tuple(sorted(cores)),
            gpus=spec.gpus,
        )

    def run(self) -> None:
        """Serve until closed, or until nobody is left to serve."""
        self._server.run(sockets=[self._listener])

    def _app(self) -> ASGIApp:
        @asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            await self._host.start()
            self._check_lease()
            if self._spec.ends_with is not None:
                _call_at_end(self._spec.ends_with, self._end_at_once)
            yield
            await self._host.close(CLOSE_GRACE_S)

        routes = [
            Route("/host", self._tell, methods=["GET"]),
            Route("/residents", self._keep, methods=["PUT"]),
            Route("/signal", self._signal, methods=["POST"]),
            Route("/statuses", self._statuses, methods=["GET"]),
            Route("/close", self._close, methods=["POST"]),
        ]
        return ask_for_token(Starlette(routes=routes, lifespan=lifespan), self._spec.token)

    async def _tell(self, _request: Request) -> Response:
        self._asked_at = time.monotonic()
        return Response(self.info.model_dump_json(), media_type="application/json")

    async def _keep(self, request: Request) -> Response:
        await self._host.keep(SPECS.validate_json(await request.body()))
        return JSONResponse({})

    async def _signal(self, request: Request) -> Response:
        order = Signal.model_validate_json(await request.body())
        await self._host.signal(order.name, order.number, order.pid)
        return JSONResponse({})

    async def _statuses(self, request: Request) -> Response:
        self._asked_at = time.monotonic()
        query = request.query_params
        version, residents = await self._host.statuses(int(query["seen"]), float(query["wait_s"]))
        found = Statuses(version=version, residents=residents)
        return Response(found.model_dump_json(), media_type="application/json")

    async def _close(self, request: Request) -> Response:
        await self._host.close(float(request.query_params["grace_s"]))
        self._server.should_exit = True
        return JSONResponse({})

    def _check_lease(self) -> None:
        """End in order once no supervisor has asked for as long as the lease."""
        left_s = self._asked_at + self._spec.lease_s - time.monotonic()
        if left_s > 0:
            asyncio.get_running_loop().call_later(left_s, self._check_lease)
            return
        log.warning("no word from a supervisor for %g s: ending", self._spec.lease_s)
        self._server.should_exit = True

    def _end_at_once(self) -> None:
        log.warning("the supervisor is dead: ending")
        # The nursery sees the end of its input, and kills the residents.
        os._exit(1)


def _call_at_end(pid: int, call: Callable[[], None]) -> None:
    """Call once a process has ended; at once if it is gone already."""
    if sys.platform != "linux":
        # There the lease ends it.
        return
    loop = asyncio.get_running_loop()
    try:
        # The kernel tells the end through it, which polling would learn late and a reused number would hide.
        loop.add_reader(os.pidfd_open(pid), call)
    except ProcessLookupError:
        call()


def launch(spec: HostSpec) -> HostInfo:
    """Start a host that outlives the caller; blocking, a second or so.

    Raises:
        HostFailed: it ended before it listened; names its log.
    """
    log_file = Path(spec.home) / "logs" / f"host-{spec.name}.log"
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with log_file.open("ab") as output:
        starter = subprocess.Popen(
            [sys.executable, "-m", "tenfold.pool.host_server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            # Ray ends the process group of a worker that it ends.
            start_new_session=True,
        )
    told, _ = starter.communicate(spec.model_dump_json().encode() + b"\n", timeout=LAUNCH_TIMEOUT_S)
    if not told:
        raise HostFailed(f"the host of node {spec.name} did not start", next_step=f"see {log_file}")
    return HostInfo.model_validate_json(told)


def main() -> None:
    """Read a ``HostSpec`` from standard input, leave the caller's process tree, tell ``HostInfo``, and serve."""
    spec = HostSpec.model_validate_json(sys.stdin.buffer.readline())
    # Ray ends the children of a worker that it ends; the child of a process that has ended is nobody's.
    if os.fork():
        os._exit(0)
    listener = socket.create_server((spec.bind, 0))
    log_as(f"host {spec.name}")
    server = HostServer(spec, listener)
    os.write(1, server.info.model_dump_json().encode())
    os.dup2(2, 1)
    server.run()


if __name__ == "__main__":
    main()
