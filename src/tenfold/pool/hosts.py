"""The hosts of all nodes: found through Ray once, then spoken to directly, over HTTP.

A host that does not answer is **out of reach**: its slots and residents leave the report until it answers again, with
all that it kept. One that refuses the connection is gone, and its node gets another. Ray's word counts only for nodes
that join, and for nodes that were stopped in order; a raylet that dies takes nothing along.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from tenfold.core.config import Kind, KindSettings
from tenfold.core.links import connector
from tenfold.pool.heartbeat import resume_if_stopped
from tenfold.pool.host import ResidentStatus, Slot, make_slots
from tenfold.pool.host_info import HostInfo, HostSpec
from tenfold.pool.host_server import SPECS, Signal, Statuses
from tenfold.pool.process import ProcessSpec
from tenfold.pool.reports import HostsReport
from tenfold.pool.scout import Place, RayNode, Scout, ScoutSpec
from tenfold.pool.token import TOKEN_HEADER

log = logging.getLogger(__name__)

POLL_WAIT_S = 0.5
POLL_TIMEOUT_S = 1.5
SILENT_S = 3.0
SILENT_ALONE_S = 30.0
"""On one machine there is no link to lose: a host that is slow to answer there is only busy."""
LEASE_S = 600.0
RETRY_PAUSE_S = 0.1


@dataclass(slots=True)
class Node:
    """A node of the pool: its host, its slots, and its residents' latest statuses.

    ``ray_id``: Ray's node that the host was started on. ``wish``: the wish that its host was last told.
    ``in_reach``: it answers. ``out_of_reach``: it has not for so long that its residents are not counted on. One that
    has just joined is neither.
    """

    name: str
    ray_id: str
    host: HostInfo
    slots: tuple[Slot, ...]
    version: int = -1
    statuses: tuple[ResidentStatus, ...] = ()
    wish: int = -1
    in_reach: bool = False
    out_of_reach: bool = False
    gone: bool = False
    heard_at: float = field(default_factory=time.monotonic)


class Cluster:
    """The nodes under the pool: this machine alone, or those of a Ray cluster that it joins by address.

    Args:
        address: ``host:port`` of a running Ray head, or none to start one for this pool.
        kinds: accelerator kinds to make slots of.
        home: the pool's folder, on every node.
        preload: modules that each nursery imports once.
        token: the pool's secret.
        supervisor: process with which the hosts of a pool on one machine end.
        specs: what is to live on a node.
        lease_s: after how long without a word a host of a cluster ends.
    """

    def __init__(
        self,
        address: str | None,
        kinds: Mapping[Kind, KindSettings],
        home: Path,
        preload: Sequence[str],
        *,
        token: str,
        supervisor: int,
        specs: Callable[[Node], Sequence[ProcessSpec]],
        lease_s: float = LEASE_S,
    ) -> None:
        self._address = address
        self._kinds = dict(kinds)
        self._home = home
        self._preload = tuple(preload)
        self._token = token
        self._supervisor = supervisor
        self._specs = specs
        self._wish = 0
        self._lease_s = lease_s
        self._scout: Scout | None = None
        self._session: aiohttp.ClientSession | None = None
        self._ray_nodes: tuple[RayNode, ...] = ()
        self._placing: set[str] = set()
        self._count = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.nodes: dict[str, Node] = {}
        self.changed = asyncio.Event()

    async def connect(self, left: Mapping[str, HostInfo]) -> str:
        """Start or join Ray; returns this machine's address in the cluster.

        Args:
            left: the hosts of a pool whose supervisor is gone, by Ray's node; they are taken over.

        Raises:
            ClusterUnreachable: nothing answers at the address, or lets nobody in without a token.
        """
        self._session = aiohttp.ClientSession(headers={TOKEN_HEADER: self._token}, connector=connector())
        # Before Ray tells its nodes: those that have a host need no other.
        await self._adopt(left)
        spec = ScoutSpec(address=self._address, home=str(self._home), claim_gpus="gpu" in self._kinds)
        self._scout = Scout(spec, self._home / "logs" / "ray.log", self._take_ray_nodes)
        return await self._scout.connect()

    async def _adopt(self, left: Mapping[str, HostInfo]) -> None:
        """Take over hosts, those out of reach too; not those that are gone or another pool's."""
        for ray_id, host in left.items():
            try:
                await self._call(host, "GET", "/host", POLL_TIMEOUT_S)
            except aiohttp.ClientResponseError as error:
                log.warning("%s is another pool's host: %r", host.url, error)
                continue
            except (aiohttp.ClientError, TimeoutError) as error:
                if _is_refusal(error):
                    continue
                log.warning("host %s of node %s does not answer yet: %r", host.url, host.name, error)
            self._add(ray_id, host)

    # ---- nodes

    def _take_ray_nodes(self, nodes: tuple[RayNode, ...]) -> None:
        """Start a host on every node that has none, the head's first."""
        self._ray_nodes = nodes
        alive = {node.ray_id for node in nodes if node.alive}
        left = {node.ray_id for node in nodes if node.left}
        for node in list(self.nodes.values()):
            if node.ray_id in left:
                self._spawn_task(self._let_go(node))
        taken = {node.ray_id for node in self.nodes.values()}
        for found in sorted(nodes, key=lambda node: (not node.head, node.address)):
            if not found.alive or found.ray_id in taken | self._placing:
                continue
            # A raylet that was started again is on a machine whose host lives on.
            heir = next(
                (n for n in self.nodes.values() if n.host.bind == found.address and n.ray_id not in alive | left), None
            )
            if heir is not None:
                log.warning("node %s has a new raylet", heir.name)
                heir.ray_id = found.ray_id
                taken.add(found.ray_id)
                if "gpu" in self._kinds:
                    self._spawn_task(self._claim(found.ray_id))
                continue
            self._placing.add(found.ray_id)
            self._spawn_task(self._place(found))

    async def _place(self, found: RayNode) -> None:
        assert self._scout is not None
        spec = HostSpec(
            name=self._new_name(),
            home=str(self._home),
            preload=self._preload,
            bind=found.address,
            gpus=0,
            token=self._token,
            lease_s=self._lease_s,
            ends_with=self._supervisor if self._address is None else None,
        )
        try:
            host = await self._scout.place(Place(ray_id=found.ray_id, spec=spec))
        finally:
            self._placing.discard(found.ray_id)
        if host is not None:
            self._add(found.ray_id, host)

    async def _claim(self, ray_id: str) -> None:
        assert self._scout is not None
        await self._scout.place(Place(ray_id=ray_id, spec=None))

    def _new_name(self) -> str:
        while f"n{self._count}" in self.nodes:
            self._count += 1
        self._count += 1
        return f"n{self._count - 1}"

    def _add(self, ray_id: str, host: HostInfo) -> None:
        slots = make_slots(host.name, self._kinds, host.cores, host.gpus)
        node = self.nodes[host.name] = Node(host.name, ray_id, host, slots)
        self._spawn_task(self._follow(node))

    def wish_again(self) -> None:
        """Ask ``specs`` again for every node, and tell its host: something about them has changed."""
        self._wish += 1

    # ---- one node

    async def _follow(self, node: Node) -> None:
        """Keep a node's statuses up to date, for as long as its host lives."""
        refused = 0
        while not node.gone:
            try:
                told = await self._hear(node)
            except (aiohttp.ClientError, TimeoutError) as error:
                refused = refused + 1 if _is_refusal(error) else 0
                self._bear(node, error, is_gone=refused > 1)
                await asyncio.sleep(RETRY_PAUSE_S)
            else:
                refused = 0
                self._take(node, told)

    async def _hear(self, node: Node) -> Statuses:
        """Tell a host whom to keep alive, where that has changed, and ask it what became of them."""
        if node.wish != self._wish:
            wish, specs = self._wish, SPECS.dump_json(list(self._specs(node)))
            await self._call(node.host, "PUT", "/residents", POLL_TIMEOUT_S, specs)
            node.wish = wish
        query = f"/statuses?seen={node.version}&wait_s={POLL_WAIT_S}"
        return Statuses.model_validate_json(await self._call(node.host, "GET", query, POLL_TIMEOUT_S))

    def _bear(self, node: Node, error: Exception, *, is_gone: bool) -> None:
        """A host has not answered: it may be stopped, busy, cut off, or gone."""
        is_alone, silent = self._address is None, time.monotonic() - node.heard_at
        if isinstance(error, TimeoutError) and is_alone and resume_if_stopped(node.host.pid):
            log.warning("the host of node %s was stopped; it was told to go on", node.name)
        if is_gone or silent > self._lease_s + SILENT_ALONE_S:
            self._drop(node, f"its host is gone ({error})")
        elif silent > (SILENT_ALONE_S if is_alone else SILENT_S) and not node.out_of_reach:
            log.warning("node %s is out of reach: %r", node.name, error)
            node.in_reach, node.out_of_reach = False, True
            self.changed.set()

    def _take(self, node: Node, told: Statuses) -> None:
        if node.out_of_reach:
            log.warning("node %s is in reach again", node.name)
        changed = not node.in_reach or told.version != node.version
        node.in_reach, node.out_of_reach, node.heard_at = True, False, time.monotonic()
        node.version, node.statuses = told.version, told.residents
        if changed:
            self.changed.set()

    def _drop(self, node: Node, cause: str) -> None:
        log.warning("node %s leaves the pool: %s", node.name, cause)
        node.gone = True
        self.nodes.pop(node.name, None)
        self.changed.set()
        # Another host for a machine that lives, without waiting until Ray tells its nodes again.
        self._take_ray_nodes(self._ray_nodes)

    async def _let_go(self, node: Node) -> None:
        """Close the host of a node that was stopped in order."""
        self._drop(node, "it was stopped in order")
        await self._close_host(node.host, 5.0)

    # ---- what the supervisor asks

    def report(self) -> HostsReport:
        """Describe all slots and residents of all nodes in reach."""
        nodes = [node for node in self.nodes.values() if node.in_reach]
        return HostsReport(
            slots=tuple(slot for node in nodes for slot in node.slots),
            residents=tuple(status for node in nodes for status in node.statuses),
            out_of_reach=tuple(node.name for node in self.nodes.values() if node.out_of_reach),
        )

    async def signal(self, name: str, number: int, pid: int | None) -> None:
        """Send a signal to a resident, wherever it is; with a ``pid`` only if it is still that process."""
        order = Signal(name=name, number=number, pid=pid).model_dump_json()
        for node in list(self.nodes.values()):
            if any(status.name == name for status in node.statuses):
                try:
                    await self._call(node.host, "POST", "/signal", POLL_TIMEOUT_S, order.encode())
                except (aiohttp.ClientError, TimeoutError) as error:
                    log.warning("node %s did not signal %s: %r", node.name, name, error)

    async def close(self, grace_s: float) -> None:
        """End all hosts in order, then Ray if it was started here."""
        await self._stop_tasks()
        await asyncio.gather(*(self._close_host(node.host, grace_s) for node in self.nodes.values()))
        await self.leave()

    async def leave(self) -> None:
        """Let go of all hosts, which live on, and of Ray."""
        await self._stop_tasks()
        if self._scout is not None:
            await self._scout.close()
        if self._session is not None:
            await self._session.close()

    async def _stop_tasks(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _close_host(self, host: HostInfo, grace_s: float) -> None:
        try:
            await self._call(host, "POST", f"/close?grace_s={grace_s}", grace_s + 10)
        except (aiohttp.ClientError, TimeoutError) as error:
            log.warning("the host of node %s did not close, it ends by itself: %r", host.name, error)

    async def _call(self, host: HostInfo, method: str, path: str, timeout_s: float, body: bytes = b"") -> bytes:
        assert self._session is not None
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        async with self._session.request(method, f"{host.url}{path}", data=body, timeout=timeout) as response:
            response.raise_for_status()
            return await response.read()

    def _spawn_task(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a task of the cluster failed", exc_info=task.exception())


def _is_refusal(error: Exception) -> bool:
    """Whether the machine answers, and says that nobody listens there."""
    return isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, ConnectionRefusedError)
