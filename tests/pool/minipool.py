"""A pool of toy workloads: real processes and sockets, without Ray."""

import asyncio
import contextlib
import os
import signal
import socket
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import uvicorn

from tenfold.core.config import KindSettings, PoolSettings
from tenfold.pool.answer import answered
from tenfold.pool.connection import Connection
from tenfold.pool.controller_server import ControllerSpec, build_app
from tenfold.pool.demand import WorkloadPlan
from tenfold.pool.gateway import Gateway
from tenfold.pool.host import Host, Slot, make_slots
from tenfold.pool.methods import take_methods
from tenfold.pool.process import ProcessSpec
from tenfold.pool.reports import HostsReport
from tenfold.pool.token import TOKEN_HEADER
from tenfold.pool.traffic import GatewayRoute

TOKEN = "secret"


def plan(workload: str, *, floor: int = 0, path: str | None = "/work", value: float = 1.0) -> WorkloadPlan:
    """A toy service, or with ``path=None`` a toy training job that takes whatever is left."""
    return WorkloadPlan(
        workload=workload,
        unit="request",
        kinds=frozenset({"cpu"}),
        floor=floor,
        ceiling=None,
        value_per_unit_usd=value,
        latency_target_s=0.1 if path else None,
        assumed_capacity=20.0,
        takes_requests=path is not None,
        probe=("/work", {}),
    )


@dataclass
class MiniPool:
    """A host, a controller and a gateway with real processes and sockets, without Ray."""

    home: Path
    plans: tuple[WorkloadPlan, ...]
    paths: dict[str, str]
    settings: PoolSettings
    workload_settings: dict[str, dict[str, object]] = field(default_factory=dict)
    at_once: int | None = None
    ledger_url: str = ""

    def __post_init__(self) -> None:
        self.host = Host(self.home / "logs", ["toy_workload", "tenfold.pool.process"])
        self.slots: tuple[Slot, ...] = make_slots(
            "n0", {"cpu": KindSettings(slots=self.settings.kinds["cpu"].slots)}, sorted(os.sched_getaffinity(0)), 0
        )
        self.controller_url = f"http://127.0.0.1:{free_port()}"
        self._tasks: list[asyncio.Task[None]] = []
        self.controller_task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self.host.start()
        for slot in self.slots:
            for spec in self.plans:
                await self.host.spawn(self._spec(spec.workload, slot))
        self.start_controller()
        self._tasks.append(asyncio.create_task(self._tell_controller()))
        routes = {path: GatewayRoute(path, workload, 1.0, self.at_once) for path, workload in self.paths.items()}
        self.gateway = Gateway(
            routes,
            self.controller_url,
            TOKEN,
            wait_deadline_s=self.settings.wait_deadline_s,
            queue_per_slot=self.settings.queue_per_slot,
            body_limit_bytes=self.settings.body_limit_bytes,
        )
        self._running = self.gateway.running()
        await self._running.__aenter__()
        methods = {path: {route.method} for path, route in routes.items()}
        self.url, gateway_task = serve(answered(take_methods(self.gateway, methods)))
        self._tasks.append(gateway_task)
        self.session = aiohttp.ClientSession()

    def start_controller(self) -> None:
        spec = ControllerSpec(
            settings=self.settings,
            plans=self.plans,
            ledger_url=self.ledger_url or f"sqlite:///{self.home / 'ledger.db'}",
            port=0,
            token=TOKEN,
        )
        _, self.controller_task = serve(build_app(spec), int(self.controller_url.rsplit(":", 1)[1]))

    async def stop_controller(self) -> None:
        assert self.controller_task is not None
        self.controller_task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.controller_task

    async def ready(self) -> None:
        await until(lambda: self.gateway.link.ready and self.gateway.link.state is not None)

    async def state(self):
        headers = {TOKEN_HEADER: TOKEN}
        async with self.session.get(f"{self.controller_url}/state", headers=headers) as response:
            return await response.json()

    async def counters(self, resident: str):
        _, statuses = await self.host.statuses(-1, 0)
        url = next(status.url for status in statuses if status.name == resident)
        async with self.session.get(f"{url}/resident/counters", headers={TOKEN_HEADER: TOKEN}) as response:
            return await response.json()

    async def pid(self, resident: str) -> int | None:
        _, statuses = await self.host.statuses(-1, 0)
        return next(status.pid for status in statuses if status.name == resident)

    async def close(self) -> None:
        await self.session.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._running.__aexit__(None, None, None)
        await self.stop_controller()
        await self.host.close(1.0)

    def _spec(self, workload: str, slot: Slot) -> ProcessSpec:
        return ProcessSpec(
            name=f"{workload}@{slot.slot}",
            workload=workload,
            factory="toy_workload:create",
            slot=slot.slot,
            cores=slot.cores,
            threads=1,
            gpu=None,
            bind="127.0.0.1",
            port=0,
            home=str(self.home),
            cache=str(self.home),
            settings=self.workload_settings.get(workload, {}),
            companions={},
            token=TOKEN,
        )

    async def _tell_controller(self) -> None:
        version = -1
        async with aiohttp.ClientSession(headers={TOKEN_HEADER: TOKEN}) as session:
            while True:
                version, statuses = await self.host.statuses(version, 0.1)
                report = HostsReport(slots=self.slots, residents=statuses)
                try:
                    async with session.post(f"{self.controller_url}/hosts", data=report.model_dump_json()) as response:
                        kills = (await response.json())["kill"]
                except aiohttp.ClientError:
                    await asyncio.sleep(0.05)
                    continue
                for name, pid in kills.items():
                    await self.host.signal(name, signal.SIGKILL, pid)


def serve(app, port: int = 0) -> tuple[str, "asyncio.Task[None]"]:
    listener = socket.create_server(("127.0.0.1", port))
    server = uvicorn.Server(
        uvicorn.Config(
            app, http=Connection, log_level="warning", access_log=False, lifespan="auto", timeout_graceful_shutdown=1
        )
    )
    server.capture_signals = contextlib.nullcontext

    async def run() -> None:
        try:
            await server.serve(sockets=[listener])
        except asyncio.CancelledError:
            # Without waiting for the long polls of a gateway that is gone already.
            server.should_exit = server.force_exit = True
            await server.shutdown(sockets=[listener])
            # What the app runs beside its requests ends too: a controller that is stopped gives no further orders.
            await server.lifespan.shutdown()
            raise
        finally:
            listener.close()

    return f"http://127.0.0.1:{listener.getsockname()[1]}", asyncio.create_task(run())


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


async def until(condition, timeout_s: float = 60.0) -> None:
    """Wait until something holds; far longer than it takes, so that only what never comes fails a test."""
    async with asyncio.timeout(timeout_s):
        while True:
            found = condition()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return
            await asyncio.sleep(0.02)
