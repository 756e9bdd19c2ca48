"""One node of the pool: its slots, and the residents that live on them, kept alive."""

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from tenfold.core.config import Kind, KindSettings
from tenfold.core.logs import last_line, open_log
from tenfold.pool.heartbeat import BEAT_EVERY_S, Vigil, resume_if_stopped
from tenfold.pool.nursery import log_path
from tenfold.pool.process import ProcessSpec

log = logging.getLogger(__name__)

CRASH_WINDOW_S = 30.0
CRASHES_BEFORE_PAUSE = 4
PAUSE_S = 5.0
NURSERY_SILENT_LOOKS = 10
"""Its residents die with it, so it is given longer than a controller or a front."""

NURSERY_PAUSE_S = 5.0
"""Before the next start of one that never came up, as where a library cannot be imported."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One place where one workload runs at a time: a share of a core, or a GPU.

    ``share``: of its core, what is its own; none for a GPU, which has no core.
    """

    slot: str
    kind: str
    node: str
    cores: tuple[int, ...]
    gpu: int | None
    share: float | None

    @property
    def core(self) -> str:
        """Name of what it shares with others: its core, or its GPU."""
        return f"{self.node}/{self.cores or self.gpu}"


@dataclass(frozen=True, slots=True)
class ResidentStatus:
    """What a host knows of a resident (or companion): alive, loaded, where, and how it last died."""

    name: str
    workload: str
    slot: str | None
    pid: int | None
    url: str | None
    restarts: int
    last_words: str


def make_slots(node: str, kinds: Mapping[Kind, KindSettings], cores: Sequence[int], gpus: int) -> tuple[Slot, ...]:
    """Divide a node into slots.

    CPU slots take the cores in order, ``slots_per_core`` to each; a given ``slots`` is spread over them evenly. Those
    of a core share ``core_share`` of it. A GPU is a slot.
    """
    slots: list[Slot] = []
    if "cpu" in kinds:
        count = kinds["cpu"].slots or len(cores) * kinds["cpu"].slots_per_core
        core_of = [cores[i * len(cores) // count] for i in range(count)]
        slots += [
            Slot(f"{node}/cpu{i}", "cpu", node, (core,), None, kinds["cpu"].core_share / core_of.count(core))
            for i, core in enumerate(core_of)
        ]
    if "gpu" in kinds:
        count = min(gpus, kinds["gpu"].slots or gpus)
        slots += [Slot(f"{node}/gpu{i}", "gpu", node, (), i, None) for i in range(count)]
    return tuple(slots)


class Host:
    """Starts residents from a warm nursery and restarts those that die, and the nursery too, with all of them.

    A resident that dies is forked again at once; one that died four times within 30 s waits 5 s between tries, so
    that a broken model does not eat the node.
    """

    def __init__(self, log_dir: Path, preload: Sequence[str]) -> None:
        self._log_dir = log_dir
        self._preload = preload
        self._specs: dict[str, ProcessSpec] = {}
        self._statuses: dict[str, ResidentStatus] = {}
        self._forked: dict[str, ProcessSpec] = {}
        self._pauses: dict[str, asyncio.TimerHandle] = {}
        self._deaths: dict[str, deque[float]] = {}
        self._changed = asyncio.Event()
        self._version = 0
        self._nursery: asyncio.subprocess.Process | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._nursery_heard = False
        self._closing = False

    async def start(self) -> None:
        """Start the nursery; returns at once, spawns wait until what they need is imported."""
        self._log_dir.mkdir(parents=True, exist_ok=True)
        self._nursery = await self._start_nursery()
        self._keeping = asyncio.create_task(self._keep_nursery(self._nursery))
        self._keeping.add_done_callback(_end_loudly)

    async def _start_nursery(self) -> asyncio.subprocess.Process:
        errors = open_log(self._log_dir / "nursery.log")
        try:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tenfold.pool.nursery", str(self._log_dir), *self._preload),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                # Its own session: a Ctrl-C at the terminal reaches the supervisor only, which then stops in order.
                start_new_session=True,
            )
        finally:
            os.close(errors)

    async def keep(self, specs: Sequence[ProcessSpec]) -> None:
        """Keep these residents and companions alive, and no others.

        Who runs as it should is left alone. Who should run otherwise is ended, and started again as it should.
        """
        wanted = {spec.name: spec for spec in specs}
        for name in self._specs.keys() - wanted.keys():
            del self._specs[name]
            await self._end(name)
        for name, spec in wanted.items():
            if self._specs.get(name) == spec:
                continue
            if name not in self._statuses:
                await self.spawn(spec)
            else:
                self._specs[name] = spec
                await self._end(name)

    async def spawn(self, spec: ProcessSpec) -> None:
        """Start a resident or companion and keep it alive until ``close``."""
        self._specs[spec.name] = spec
        self._note(ResidentStatus(spec.name, spec.workload, spec.slot, None, None, 0, ""))
        self._fork(spec)
        await self._drain()

    async def _end(self, name: str) -> None:
        """End a resident, or a companion in order; once it has exited, it is started again or forgotten."""
        status = self._statuses[name]
        if status.pid is not None:
            await self.signal(name, signal.SIGKILL if status.slot else signal.SIGTERM, status.pid)
        elif name not in self._specs and name in self._pauses:
            self._pauses.pop(name).cancel()
            self._forget(name)

    async def signal(self, name: str, number: int, pid: int | None = None) -> None:
        """Send a signal to a resident by name; a no-op if it is not alive now, or not as process ``pid``."""
        self._order({"signal": name, "number": number, "pid": pid})
        await self._drain()

    async def statuses(self, seen_version: int, wait_s: float) -> tuple[int, tuple[ResidentStatus, ...]]:
        """Report all residents as soon as something differs from ``seen_version``, or after ``wait_s``."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                while seen_version == self._version:
                    await self._changed.wait()
        return self._version, tuple(self._statuses.values())

    async def close(self, grace_s: float) -> None:
        """End companions with SIGTERM (they save), wait up to ``grace_s``, then end all by closing the nursery."""
        if self._closing or self._keeping is None:
            return
        self._closing = True
        companions = [name for name, spec in self._specs.items() if spec.slot is None]
        for name in companions:
            await self.signal(name, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                while any(self._statuses[name].pid for name in companions):
                    await self.statuses(self._version, wait_s=grace_s)
        if self._nursery is not None and self._nursery.stdin is not None:
            self._nursery.stdin.close()
            await self._nursery.wait()
        self._keeping.cancel()

    def _fork(self, spec: ProcessSpec) -> None:
        self._forked[spec.name] = spec
        self._order({"spawn": orjson.Fragment(spec.to_json())})

    def _order(self, order: dict[str, object]) -> None:
        """Tell the nursery. While there is none, nobody lives to be told of, and the next one is told who should."""
        if self._nursery is not None and self._nursery.stdin is not None:
            self._nursery.stdin.write(orjson.dumps(order) + b"\n")

    async def _drain(self) -> None:
        if self._nursery is not None and self._nursery.stdin is not None:
            # One that has died meanwhile takes no more orders; it is replaced in a moment.
            with contextlib.suppress(ConnectionError):
                await self._nursery.stdin.drain()

    # ---- the nursery

    async def _keep_nursery(self, nursery: asyncio.subprocess.Process) -> None:
        """Follow a nursery, and when it has died the next one, which forks all that should live, until ``close``."""
        while True:
            listening = asyncio.create_task(self._listen(nursery))
            came_up = await self._follow(nursery)
            # From here on the kernel has killed its children too.
            status = await nursery.wait()
            listening.cancel()
            self._nursery = None
            if self._closing:
                return
            words = f"ended with {status}: {last_line(log_path(self._log_dir, 'nursery'))}"
            log.error("the nursery %s", words)
            self._note_all_dead(f"ended with the nursery, which {words}")
            await asyncio.sleep(0.0 if came_up else NURSERY_PAUSE_S)
            while self._nursery is None:
                try:
                    self._nursery = nursery = await self._start_nursery()
                except OSError as error:
                    # No process or memory to be had now.
                    log.error("the nursery could not be started: %s", error.strerror)
                    await asyncio.sleep(NURSERY_PAUSE_S)
            for spec in self._specs.values():
                self._fork(spec)

    def _note_all_dead(self, words: str) -> None:
        for pause in self._pauses.values():
            pause.cancel()
        self._pauses.clear()
        for name, status in list(self._statuses.items()):
            if name in self._specs:
                born_again = status.restarts + 1
                self._note(replace(status, pid=None, url=None, restarts=born_again, last_words=words))
            else:
                self._forget(name)

    async def _follow(self, nursery: asyncio.subprocess.Process) -> bool:
        """Take what a nursery tells until it ends; whether it ever came up."""
        came_up = False
        if nursery.stdout is None:
            raise RuntimeError("the nursery has no standard output")
        async for line in nursery.stdout:
            event = orjson.loads(line)
            if event["event"] == "beat":
                self._nursery_heard = came_up = True
                continue
            status = self._statuses[event["name"]]
            if event["event"] == "started":
                self._note(replace(status, pid=event["pid"], url=None))
                if self._forked[status.name] != self._specs.get(status.name):
                    await self._end(status.name)
            elif event["event"] == "ready":
                spec = self._forked[status.name]
                self._note(replace(status, url=f"http://{spec.bind}:{event['port']}"))
            else:
                self._exited(status, event["status"])
        return came_up

    def _exited(self, status: ResidentStatus, code: int) -> None:
        name = status.name
        if name not in self._specs:
            self._forget(name)
            return
        words = f"ended with {code}: {last_line(log_path(self._log_dir, name))}"
        self._note(replace(status, pid=None, url=None, last_words=words))
        if not self._closing:
            pause_s = self._pause_before_restart(name)
            self._pauses[name] = asyncio.get_running_loop().call_later(pause_s, self._restart, name)

    async def _listen(self, nursery: asyncio.subprocess.Process) -> None:
        """Kill a nursery that stays silent: it learns of no death, and carries out no order."""
        vigil = Vigil(NURSERY_SILENT_LOOKS)
        self._nursery_heard = False
        while True:
            await asyncio.sleep(BEAT_EVERY_S)
            if nursery.returncode is not None or self._closing:
                return
            if not self._nursery_heard and resume_if_stopped(nursery.pid):
                log.warning("the nursery was stopped; it was told to go on")
            if vigil.look(self._nursery_heard):
                log.error("the nursery gives %s", vigil.verdict)
                nursery.kill()
                return
            self._nursery_heard = False

    def _pause_before_restart(self, name: str) -> float:
        now = time.monotonic()
        deaths = self._deaths.setdefault(name, deque(maxlen=CRASHES_BEFORE_PAUSE))
        deaths.append(now)
        often = len(deaths) == CRASHES_BEFORE_PAUSE and now - deaths[0] < CRASH_WINDOW_S
        return PAUSE_S if often else 0.0

    def _restart(self, name: str) -> None:
        del self._pauses[name]
        if not self._closing:
            status = self._statuses[name]
            self._note(replace(status, restarts=status.restarts + 1))
            self._fork(self._specs[name])

    def _note(self, status: ResidentStatus) -> None:
        self._statuses[status.name] = status
        self._tell()

    def _forget(self, name: str) -> None:
        del self._statuses[name]
        self._tell()

    def _tell(self) -> None:
        self._version += 1
        # A fresh event each time: everyone who waits wakes, and nobody clears it under another.
        self._changed.set()
        self._changed = asyncio.Event()


def _end_loudly(keeping: asyncio.Task[None]) -> None:
    """Without the task nothing here can be kept alive; the supervisor starts a new host."""
    if not keeping.cancelled() and (error := keeping.exception()) is not None:
        log.error("the nursery is not kept any more", exc_info=error)
        os._exit(1)
