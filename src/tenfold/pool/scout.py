"""What the supervisor and the process that talks to Ray tell each other, as lines of JSON on pipes.

Ray ends a process that uses it when its own processes are gone for long, and blocks it before. Hence that process is
none but this one, the **scout**: it tells which nodes there are and starts hosts on them, and is started again when it
ends. All else goes from the supervisor to the hosts directly.
"""

import asyncio
import logging
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from pydantic import Field

from tenfold.core.errors import ClusterUnreachable
from tenfold.core.frozen import Frozen
from tenfold.core.logs import open_log
from tenfold.core.paths import replace_file
from tenfold.pool.heartbeat import resume_if_stopped
from tenfold.pool.host_info import HostInfo, HostSpec

log = logging.getLogger(__name__)

FIRST_PAUSE_S, LONGEST_PAUSE_S = 2.0, 30.0
LONG_LIFE_S = 10.0
"""A process that lived longer, and told of nodes, is started again without a pause."""

MODULE = "tenfold.pool.ray_scout"
SILENT_S = 5.0
"""It tells the nodes every second; after so long without a word it may have been stopped."""

LINE_LIMIT_BYTES = 1 << 24
PLACE_TIMEOUT_S = 90.0


class ScoutSpec(Frozen):
    """What a scout is told: the cluster to join, or none to start one, and where its secrets and logs go."""

    address: str | None
    home: str
    claim_gpus: bool


class RayNode(Frozen):
    """A node that Ray knows."""

    ray_id: str
    address: str
    alive: bool
    left: bool = Field(description="it was stopped in order, and did not just vanish")
    head: bool
    gpus: float


class Place(Frozen):
    """An order: start a host on a node, or, without a spec, only claim the node's GPUs for one that runs."""

    ray_id: str
    spec: HostSpec | None


class Placed(Frozen):
    """What became of a ``Place``."""

    ray_id: str
    host: HostInfo | None
    error: str = ""


class Told(Frozen):
    """One line of a scout: the nodes, or what became of an order, or why it cannot join."""

    own_address: str = ""
    nodes: tuple[RayNode, ...] | None = None
    placed: Placed | None = None
    failed: str = ""
    next_step: str = ""


class Scout:
    """Keeps the scout's process alive and carries messages.

    Args:
        spec: what it is told.
        log_file: where it, and Ray, say what they do.
        on_nodes: called with all nodes, about every second.
    """

    def __init__(self, spec: ScoutSpec, log_file: Path, on_nodes: Callable[[tuple[RayNode, ...]], None]) -> None:
        self._spec = spec
        self._log_file = log_file
        self._on_nodes = on_nodes
        self._process: asyncio.subprocess.Process | None = None
        self._waiting: dict[str, asyncio.Future[Placed]] = {}
        self._connected: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._told_nodes = False
        self._listening = False
        self._task: asyncio.Task[None] | None = None

    async def connect(self) -> str:
        """Start the process; returns this machine's address in the cluster once it has joined or started Ray.

        Raises:
            ClusterUnreachable: no cluster answers, or it lets nobody in without a token.
        """
        self._task = asyncio.create_task(self._keep())
        await asyncio.wait({self._task, self._connected}, return_when=asyncio.FIRST_COMPLETED)
        if self._task.done():
            self._task.result()
        return self._connected.result()

    async def place(self, order: Place) -> HostInfo | None:
        """Have a host started; none if that does not work now, or if only GPUs were to be claimed."""
        process = self._process
        if process is None or process.stdin is None or not self._listening or order.ray_id in self._waiting:
            return None
        waiting = self._waiting[order.ray_id] = asyncio.get_running_loop().create_future()
        try:
            process.stdin.write(order.model_dump_json().encode() + b"\n")
            placed = await asyncio.wait_for(waiting, PLACE_TIMEOUT_S)
        except (TimeoutError, ConnectionError) as error:
            log.warning("no host on Ray's node %s: %r", order.ray_id, error)
            return None
        finally:
            del self._waiting[order.ray_id]
        if placed.error:
            log.warning("no host on Ray's node %s: %s", order.ray_id, placed.error)
        return placed.host

    async def close(self) -> None:
        """End the process, and Ray if it was started for this pool."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._process is not None and self._process.stdin is not None and self._process.returncode is None:
            self._process.stdin.close()
            try:
                await asyncio.wait_for(self._process.wait(), 15.0)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()

    async def _keep(self) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            self._told_nodes = False
            began = time.monotonic()
            try:
                ended = await self._live()
            except OSError as error:
                ended = f"could not be started: {error.strerror}"
            # Each start costs seconds of a processor, and a cluster that is gone may stay so.
            pause_s = FIRST_PAUSE_S if self._told_nodes else min(LONGEST_PAUSE_S, 2 * pause_s)
            was_good = self._told_nodes and time.monotonic() - began > LONG_LIFE_S
            log.warning("the scout %s; again %s", ended, "at once" if was_good else f"in {pause_s:g} s")
            await asyncio.sleep(0.0 if was_good else pause_s)

    async def _live(self) -> str:
        """One life of the process; returns how it ended."""
        output = open_log(self._log_file)
        try:
            self._process = process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", MODULE),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                env=_environment(self._spec),
                start_new_session=True,
                limit=LINE_LIMIT_BYTES,
            )
        finally:
            os.close(output)
        await self._listen(process)
        return f"ended with {await process.wait()}"

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the scout has no pipes")
        process.stdin.write(self._spec.model_dump_json().encode() + b"\n")
        self._listening = True
        while line := await self._next_line(process, process.stdout):
            told = Told.model_validate_json(line)
            if told.failed:
                if not self._connected.done():
                    await process.wait()
                    raise ClusterUnreachable(told.failed, next_step=told.next_step)
                log.warning("%s", told.failed)
            if told.own_address and not self._connected.done():
                self._connected.set_result(told.own_address)
            if told.nodes is not None:
                self._told_nodes = True
                self._on_nodes(told.nodes)
            if told.placed is not None and told.placed.ray_id in self._waiting:
                self._waiting[told.placed.ray_id].set_result(told.placed)
        # Who asks from here on asks the next one.
        self._listening = False
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(ConnectionError("the scout ended"))
        if not self._connected.done():
            raise ClusterUnreachable("the process that talks to Ray ended", next_step=f"see {self._log_file}")

    async def _next_line(self, process: asyncio.subprocess.Process, output: asyncio.StreamReader) -> bytes:
        """Read a line; nothing at the end. A process that was stopped is told to go on."""
        while True:
            try:
                return await asyncio.wait_for(output.readline(), SILENT_S)
            except TimeoutError:
                if process.returncode is None and resume_if_stopped(process.pid):
                    log.warning("the scout was stopped; it was told to go on")


def _environment(spec: ScoutSpec) -> dict[str, str]:
    """How Ray is told, before it is imported, to ask for a token: of its own, which only this user can read.

    Of a cluster that is joined, the token is the user's to give, in Ray's way.
    """
    if spec.address is not None:
        return dict(os.environ)
    path = Path(spec.home) / "ray.token"
    if not path.exists():
        replace_file(path, secrets.token_hex(32).encode(), mode=0o600)
    # A token in the environment would win over the file.
    given = {key: value for key, value in os.environ.items() if key != "RAY_AUTH_TOKEN"}
    return {**given, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(path)}
