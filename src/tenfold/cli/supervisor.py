"""Start all processes of a pool, keep them alive, and stop them without a trace."""

import asyncio
import contextlib
import dataclasses
import errno
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import aiohttp
import psutil

from tenfold import wiring
from tenfold.cli.front import FrontSpec
from tenfold.cli.keeper import Keeper
from tenfold.cli.products import Products
from tenfold.cli.site import Site, free_port, new_companions
from tenfold.core.config import Config
from tenfold.core.errors import ClusterUnreachable, HomeNotWritable, NotEnoughMemory, PortTaken, UsageError
from tenfold.core.paths import replace_file
from tenfold.core.store import store_url
from tenfold.ledger.ledger import LEDGER
from tenfold.ledger.past import RESOLVED, days_of
from tenfold.ledger.retention import Retention
from tenfold.pool.access import is_required
from tenfold.pool.controller_server import ControllerSpec
from tenfold.pool.hosts import Cluster, Node
from tenfold.pool.keys import make_key, read_keys
from tenfold.pool.process import ProcessSpec
from tenfold.pool.runfile import RunFile, own_family, own_start_time, pool_token, run_file_path, write_run_file
from tenfold.pool.token import TOKEN_HEADER

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
CLOSE_GRACE_S = 5.0
REPORT_EVERY_S = 0.25
"""The controller may be another than the last time, and hears of hosts only by this."""
COMPANIONS_WAIT_S = 20.0
"""For how long companions wait for a host on this machine before they go to another."""
OVERHEAD_MB = 1200

Say = Callable[[str], None]


class Supervisor:
    """One running pool, from ``tenfold up`` to its end.

    Args:
        config: the resolved config.
        home: the pool's folder.
        cache: folder of fetched models and data.
        address: a Ray cluster to join, or none to start one.
        say: told what it does, for the terminal.
        before: the run file of a supervisor that is gone, whose hosts are adopted; none to begin afresh.
    """

    def __init__(
        self, config: Config, home: Path, cache: Path, address: str | None, say: Say, before: RunFile | None = None
    ) -> None:
        self._config = config
        self._home = home
        self._cache = cache
        self._address = address
        self._before = before
        self._say = unfailing(say)
        self._cluster: Cluster | None = None
        self._controller_url = f"http://{LOOPBACK}:{free_port(LOOPBACK)}"
        self._keepers: list[Keeper] = []
        self._stop = asyncio.Event()
        self._token = ""
        self._products = Products((), config, home, cache)
        self._site: Site | None = None
        self._own_address = LOOPBACK
        self._companions_on: str | None = None
        self._companions_lost_at = time.monotonic()
        self.url = ""

    async def run(self, ready: Callable[[str], None]) -> None:
        """Start everything, call ``ready`` with the address once every workload has served, and stay until stopped."""
        listener = listen(self._config.pool.host, self._config.pool.port)
        self._products = Products(wiring.PRODUCTS, self._config, self._home, self._cache)
        self.url = f"http://{self._config.pool.host}:{listener.getsockname()[1]}"
        self._settle_home()
        tasks: list[asyncio.Task[None]] = []
        try:
            self._say("starting Ray and the pool's processes")
            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, self._stop.set)
            cluster = await self._connect()
            self._keepers = self._make_keepers(listener)
            tasks = [
                *(asyncio.create_task(keeper.run()) for keeper in self._keepers),
                asyncio.create_task(self._tell_controller(cluster)),
            ]
            await self._until_ready(tasks, unfailing(ready))
            stopped = asyncio.create_task(self._stop.wait())
            done, _ = await asyncio.wait({stopped, *tasks}, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopped}:
                task.result()
        finally:
            self._say("stopping")
            await self._close(tasks)
            listener.close()
            self._products.close()

    async def _until_ready(self, tasks: list[asyncio.Task[None]], ready: Callable[[str], None]) -> None:
        """Wait for the first answer of every workload; tell each alarm on the way once."""
        told: set[str] = set()
        timeout = aiohttp.ClientTimeout(total=2)
        async with aiohttp.ClientSession(headers={TOKEN_HEADER: self._token}, timeout=timeout) as session:
            while not self._stop.is_set():
                for task in tasks:
                    if task.done():
                        task.result()
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    async with session.get(f"{self.url}/healthz") as response:
                        health = await response.json()
                    if health["ready"]:
                        ready(self.url)
                        return
                    for alarm in set(health["alarms"]) - told:
                        self._say(f"alarm: {alarm}")
                        told.add(alarm)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stop.wait(), 0.2)

    # ---- controller and front

    def _controller_spec(self, beat_on: int) -> str:
        assert self._site is not None
        ledger = store_url(self._config.store, self._home, LEDGER)
        return ControllerSpec(
            settings=self._config.pool,
            plans=tuple(workload.plan(self._config, self._home) for workload in wiring.running(self._config)),
            ledger_url=ledger,
            retention=Retention(url=ledger, folder=days_of(self._home), keep_days=self._config.ledger.keep_days),
            port=int(self._controller_url.rsplit(":", 1)[1]),
            token=self._token,
            beat_on=beat_on,
            folders=(self._home, self._cache),
        ).model_dump_json()

    def _front_spec(self, listener: socket.socket, beat_on: int) -> str:
        assert self._site is not None
        return FrontSpec(
            config=self._config,
            url=self.url,
            listener=listener.fileno(),
            controller_url=self._controller_url,
            companions=dict(self._site.companions),
            products=self._products.routes,
            token=self._token,
            beat_on=beat_on,
        ).model_dump_json()

    def _make_keepers(self, listener: socket.socket) -> list[Keeper]:
        """The listening socket outlives the front, so requests queue while it restarts."""
        logs = self._home / "logs"
        return [
            Keeper(
                "controller",
                "tenfold.pool.controller_server",
                self._controller_spec,
                logs / "controller.log",
                started=self._note_run,
            ),
            Keeper(
                "front",
                "tenfold.cli.front",
                lambda beat_on: self._front_spec(listener, beat_on),
                logs / "front.log",
                pass_fds=[listener.fileno()],
                started=self._note_run,
            ),
            *self._products.keepers(self.url, self._controller_url, self._token, self._note_run),
        ]

    # ---- what it leaves in the home

    def _settle_home(self) -> None:
        """Make the home's folders and write what other commands read.

        Raises:
            HomeNotWritable: e.g. the disk is full.
        """
        try:
            (self._home / "logs").mkdir(parents=True, exist_ok=True)
            # A database's URL may hold a password.
            replace_file(self._home / RESOLVED, self._config.model_dump_json(indent=2).encode(), mode=0o600)
            self._token = pool_token(self._home)
            self._make_first_key()
            self._write_run_file()
        except OSError as error:
            raise HomeNotWritable(
                f"cannot write {error.filename or self._home}: {error.strerror}",
                next_step="free space or mend permissions there, or set TENFOLD_HOME to another folder",
            ) from error

    def _make_first_key(self) -> None:
        """Where keys are asked for and there is none, make one and say it, once: it is kept nowhere."""
        if is_required(self._config) and not read_keys(self._home):
            key = make_key(self._home, "operator", note="made by tenfold up")
            self._say(f"every request must show an API key; this one is an operator's, and is not told again: {key}")

    def _note_run(self) -> None:
        """Bring the run file up to date; on a full disk the older one has to do, and the pool goes on."""
        try:
            self._write_run_file()
        except OSError as error:
            log.warning("cannot write %s: %s; the older one stays", run_file_path(self._home), error.strerror)

    def _write_run_file(self) -> None:
        run = RunFile(
            pid=os.getpid(),
            started=own_start_time(),
            url=self.url,
            family=own_family(),
            hosts={node.ray_id: node.host for node in self._cluster.nodes.values()} if self._cluster else {},
            companions=dict(self._site.companions) if self._site else {},
            companions_on=self._companions_on,
            products=self._products.routes,
        )
        if self._cluster is None and self._before is not None:
            run = self._before.model_copy(update={"pid": run.pid, "started": run.started, "url": run.url})
        write_run_file(self._home, run)

    # ---- nodes and residents

    async def _connect(self) -> Cluster:
        """Start or join Ray, and adopt the hosts that a dead supervisor of this home has left."""
        self._cluster = cluster = Cluster(
            self._address,
            self._config.pool.kinds,
            self._home,
            self._modules(),
            token=self._token,
            supervisor=os.getpid(),
            specs=self._specs,
        )
        before = self._before
        if before is None or not before.hosts:
            self._own_address = await cluster.connect({})
            self._site = self._make_site(new_companions(wiring.WORKLOADS, self._own_address))
            return cluster
        # A companion that lives on stays where it is: its workers know the address.
        self._site, self._companions_on = self._make_site(before.companions), before.companions_on
        try:
            self._own_address = await cluster.connect(before.hosts)
        except ClusterUnreachable:
            # They wait for the next try, for as long as their lease.
            await cluster.leave()
            self._cluster = None
            raise
        return cluster

    def _modules(self) -> list[str]:
        """What a nursery imports, what is light first."""
        workloads = sorted(wiring.running(self._config), key=lambda workload: not workload.light)
        return [module for each in workloads for module in each.modules]

    def _make_site(self, companions: Mapping[str, str]) -> Site:
        return Site(self._config, self._home, self._cache, self._token, companions)

    def _specs(self, node: Node) -> list[ProcessSpec]:
        """Every workload on every slot that suits it, one of each workload first, so that each can serve soon."""
        assert self._site is not None
        workloads = wiring.running(self._config)
        pairs = [
            (workloads[(index + turn) % len(workloads)], slot)
            for turn in range(len(workloads))
            for index, slot in enumerate(node.slots)
        ]
        here = node.name == self._companions_on
        return [
            *(self._site.companion(workload) for workload in workloads if workload.companion and here),
            *(
                self._site.outpost(workload, node.name)
                for workload in workloads
                if self._site.has_outpost(workload, node.host.bind)
            ),
            *(
                self._site.resident(workload, slot, node.host.bind)
                for workload, slot in pairs
                if slot.kind in workload.table(self._config).kinds
            ),
        ]

    def _settle_companions(self, cluster: Cluster) -> None:
        """Keep companions on the node of this machine; on another if its host is gone and does not come back.

        A host that is only out of reach keeps them: it may still run them, and there must be one of each.
        """
        assert self._site is not None
        if self._companions_on in cluster.nodes or not cluster.nodes:
            return
        own = [node for node in cluster.nodes.values() if node.host.bind == self._own_address]
        if self._companions_on is not None:
            self._companions_on, self._companions_lost_at = None, time.monotonic()
        if not own and time.monotonic() - self._companions_lost_at < COMPANIONS_WAIT_S:
            return
        node = (own or [node for node in cluster.nodes.values() if node.in_reach] or list(cluster.nodes.values()))[0]
        log.info("companions live on node %s", node.name)
        self._companions_on = node.name
        bind = next(iter(self._site.companions.values())).rsplit(":", 1)[0]
        if bind != node.host.bind:
            self._site = dataclasses.replace(self._site, companions=new_companions(wiring.WORKLOADS, node.host.bind))
        cluster.wish_again()

    async def _tell_controller(self, cluster: Cluster) -> None:
        """Report residents to the controller and carry out the kills it asks for."""
        timeout = aiohttp.ClientTimeout(total=2)
        noted: tuple[str, ...] = ()
        async with aiohttp.ClientSession(headers={TOKEN_HEADER: self._token}, timeout=timeout) as session:
            while True:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(cluster.changed.wait(), REPORT_EVERY_S)
                self._settle_companions(cluster)
                hosts = (*(node.ray_id for node in cluster.nodes.values()), str(self._companions_on))
                if hosts != noted:
                    # Ray's own agents are there by now: what is to be found again should this process be killed.
                    self._note_run()
                    noted = hosts
                cluster.changed.clear()
                if not cluster.nodes:
                    continue
                troubles = {keeper.name: keeper.trouble for keeper in self._keepers if keeper.trouble}
                body = cluster.report().model_copy(update={"troubles": troubles}).model_dump_json()
                try:
                    async with session.post(f"{self._controller_url}/hosts", data=body) as response:
                        response.raise_for_status()
                        kills: dict[str, int] = (await response.json())["kill"]
                except (aiohttp.ClientError, TimeoutError):
                    await asyncio.sleep(0.1)
                    continue
                for name, pid in kills.items():
                    await cluster.signal(name, signal.SIGKILL, pid)

    async def _close(self, tasks: list[asyncio.Task[None]]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(keeper.stop(CLOSE_GRACE_S) for keeper in self._keepers))
        if self._cluster is None and self._before is not None:
            write_run_file(self._home, self._before)
            return
        if self._cluster is not None:
            await self._cluster.close(CLOSE_GRACE_S)
        run_file_path(self._home).unlink(missing_ok=True)


def unfailing(say: Say) -> Say:
    """What a pool says must not end it: the output may be a file on a full disk, or a terminal that is gone."""

    def told(text: str) -> None:
        try:
            say(text)
        except OSError as error:
            log.warning("cannot say %r: %s", text, error)

    return told


def listen(host: str, port: int) -> socket.socket:
    """Open the gateway's listening socket.

    Raises:
        PortTaken: names who has it, where the system tells.
    """
    try:
        return socket.create_server((host, port), backlog=1024)
    except OSError as error:
        # create_server gives a failed look-up the number of its cause, in a plain OSError.
        if error.errno in (errno.EADDRNOTAVAIL, socket.EAI_NONAME, socket.EAI_AGAIN):
            raise UsageError(
                f"cannot listen on {host!r}: {error.strerror}", next_step="give --host an address of this machine"
            ) from error
        raise PortTaken(
            f"cannot listen on {host}:{port}: {error.strerror}{_holder(port)}",
            next_step=f"stop that process, or choose another: tenfold up --port {port + 1}",
        ) from error


def _holder(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN:
                name = psutil.Process(connection.pid).name() if connection.pid else "unknown"
                return f" (held by process {connection.pid}, {name})"
    except (psutil.AccessDenied, psutil.NoSuchProcess):
        return ""
    return ""


def check_memory(config: Config) -> None:
    """Refuse to start when the residents would not fit.

    Raises:
        NotEnoughMemory: says need, free, and which setting lowers the need.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    cpu = config.pool.kinds.get("cpu")
    slots = (cpu.slots or cores * cpu.slots_per_core) if cpu else 0
    need_mb = OVERHEAD_MB + slots * sum(workload.memory_mb(config) for workload in wiring.running(config))
    free_mb = psutil.virtual_memory().available // (1 << 20)
    if free_mb < need_mb:
        raise NotEnoughMemory(
            f"{slots} slots need about {need_mb} MB of memory, {free_mb} MB are free",
            next_step="free some, or set pool.kinds.cpu.slots to a smaller number in tenfold.toml",
        )
