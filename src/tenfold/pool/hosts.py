"""Ray, wrapped: one ``Host`` actor per node of the cluster.

Ray places the hosts, moves their messages between machines and tells when a node is gone. Residents themselves are
children of the host's nursery and not actors of their own: a fork takes 30 ms and shares one import of torch, where an
actor took 3.5 CPU-seconds and 200 MB; and their HTTP servers answer the gateway directly.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import ray

from tenfold.core.config import Kind, KindSettings
from tenfold.core.errors import ClusterUnreachable
from tenfold.pool.host import Host, ResidentStatus, Slot, make_slots
from tenfold.pool.process import ProcessSpec
from tenfold.pool.reports import HostsReport

log = logging.getLogger(__name__)

NAMESPACE = "tenfold"
LOST = (ray.exceptions.RayError, ConnectionError, TimeoutError)
"""What a call through Ray may raise when its node, its actor or Ray itself is away; none of it may end the pool."""
LOOPBACK = "127.0.0.1"
OBJECT_STORE_BYTES = 80 << 20


@dataclass(frozen=True, slots=True)
class NodeInfo:
    """A node as its host sees it."""

    address: str
    cores: tuple[int, ...]
    gpus: int


class HostActor:
    """A ``Host`` that Ray keeps on a node; an async actor, so that a waiting report blocks nothing."""

    def __init__(self, log_dir: str, preload: Sequence[str]) -> None:
        self._host = Host(Path(log_dir), preload)
        self._gpus = len(ray.get_gpu_ids())

    async def start(self) -> NodeInfo:
        """Start the nursery and describe the node."""
        await self._host.start()
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
        return NodeInfo(ray.util.get_node_ip_address(), tuple(cores), self._gpus)

    async def spawn(self, line: bytes) -> None:
        """Start a resident from a ``ProcessSpec`` in JSON."""
        await self._host.spawn(ProcessSpec.from_json(line))

    async def signal(self, name: str, number: int, pid: int | None) -> None:
        """Send a signal to a resident; with a ``pid`` only if it is still that process."""
        await self._host.signal(name, number, pid)

    async def statuses(self, seen_version: int, wait_s: float) -> tuple[int, tuple[ResidentStatus, ...]]:
        """Report residents once something changed."""
        return await self._host.statuses(seen_version, wait_s)

    async def close(self, grace_s: float) -> None:
        """Stop everything on the node."""
        await self._host.close(grace_s)


@dataclass(slots=True)
class Node:
    """A node of the pool: its actor, its slots, and its residents' latest statuses."""

    name: str
    ray_id: str
    actor: "ray.actor.ActorHandle[HostActor]"
    info: NodeInfo
    slots: tuple[Slot, ...]
    version: int = 0
    statuses: tuple[ResidentStatus, ...] = ()


class Cluster:
    """The Ray cluster under the pool: started here, or joined by address.

    Args:
        address: ``host:port`` of a running Ray head, or none to start one for this pool.
        kinds: accelerator kinds to make slots of.
        log_dir: where residents log, on every node.
        preload: modules that each nursery imports once.
    """

    def __init__(
        self, address: str | None, kinds: Mapping[Kind, KindSettings], log_dir: Path, preload: Sequence[str]
    ) -> None:
        self._address = address
        self._kinds = dict(kinds)
        self._log_dir = log_dir
        self._preload = tuple(preload)
        self._node_count = 0
        self.nodes: dict[str, Node] = {}

    def connect(self, log_file: Path) -> None:
        """Start or join Ray; blocking, some seconds. What Ray says meanwhile goes to ``log_file``.

        Raises:
            ClusterUnreachable: nothing answers at the address.
        """
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        quiet = {"logging_level": logging.ERROR, "log_to_driver": False, "namespace": NAMESPACE}
        try:
            with _errors_to(log_file):
                if self._address is not None:
                    ray.init(address=self._address, **quiet)
                else:
                    # Ray swaps a loopback address for the machine's own and would listen to the whole network.
                    ray._private.services.resolve_ip_for_localhost = lambda host: host
                    # No room for objects: residents talk HTTP, Ray carries small messages.
                    ray.init(
                        include_dashboard=False,
                        _node_ip_address=LOOPBACK,
                        object_store_memory=OBJECT_STORE_BYTES,
                        **quiet,
                    )
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise ClusterUnreachable(
                f"no Ray cluster answers at {self._address or 'the one started here'!r}: {error}",
                next_step=f"see {log_file}; start one with 'ray start --head', or leave out --address",
            ) from error

    def own_address(self) -> str:
        """Return this machine's address in the cluster."""
        return str(ray.util.get_node_ip_address()) if self._address is not None else LOOPBACK

    async def join_new_nodes(self) -> list[Node]:
        """Start a host on every live node that has none; drop the nodes that died. Returns the new ones.

        A node whose host does not start is tried again at the next call.
        """
        try:
            # In a thread: without its head, Ray blocks.
            found = await asyncio.to_thread(ray.nodes)
        except LOST as error:
            log.warning("Ray does not tell its nodes: %s", error)
            return []
        alive = {node["NodeID"]: node for node in found if node["Alive"]}
        for gone in [name for name, node in self.nodes.items() if node.ray_id not in alive]:
            log.warning("node %s left the cluster", gone)
            del self.nodes[gone]
        known = {node.ray_id for node in self.nodes.values()}
        # The head first, so that companions, which live on the first node, are near the controller.
        new = sorted(alive.keys() - known, key=lambda key: "node:__internal_head__" not in alive[key]["Resources"])
        joined = await asyncio.gather(
            *(self._join(key, alive[key]["Resources"]) for key in new), return_exceptions=True
        )
        for failure in joined:
            if isinstance(failure, LOST):
                log.warning("a node could not join: %s", failure)
            elif isinstance(failure, BaseException):
                raise failure
        return [node for node in joined if isinstance(node, Node)]

    async def _join(self, ray_id: str, resources: Mapping[str, float]) -> Node:
        name = f"n{self._node_count}"
        self._node_count += 1
        place = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(ray_id, soft=False)
        options = {
            # It claims the node's GPUs, so that Ray gives them to nobody else; CPU slots are held by affinity.
            "num_gpus": resources.get("GPU", 0.0) if "gpu" in self._kinds else 0,
            "num_cpus": 0,
            "max_concurrency": 16,
            "scheduling_strategy": place,
        }
        # Ray types neither a host's options nor an actor class made at run time.
        make_actor = ray.remote(**options)(HostActor)  # pyrefly: ignore
        actor: ray.actor.ActorHandle[HostActor] = make_actor.remote(str(self._log_dir), self._preload)  # pyrefly: ignore
        info: NodeInfo = await actor.start.remote()
        slots = make_slots(name, self._kinds, info.cores, info.gpus)
        node = Node(name, ray_id, actor, info, slots)
        self.nodes[name] = node
        return node

    async def watch(self, node: Node, wait_s: float) -> None:
        """Update a node's statuses once something changed, or after ``wait_s``; drops the node if its host died."""
        try:
            node.version, node.statuses = await node.actor.statuses.remote(node.version, wait_s)
        except LOST as error:
            log.warning("host of node %s is gone: %s", node.name, error)
            self.nodes.pop(node.name, None)

    async def spawn(self, node: Node, spec: ProcessSpec) -> None:
        """Start a resident; if the host is gone, ``watch`` finds that out."""
        try:
            await node.actor.spawn.remote(spec.to_json())
        except LOST as error:
            log.warning("host of node %s did not start %s: %s", node.name, spec.name, error)

    async def signal(self, name: str, number: int, pid: int | None) -> None:
        """Send a signal to a resident, wherever it is; with a ``pid`` only if it is still that process."""
        for node in list(self.nodes.values()):
            if any(status.name == name for status in node.statuses):
                try:
                    await node.actor.signal.remote(name, number, pid)
                except LOST as error:
                    log.warning("host of node %s did not signal %s: %s", node.name, name, error)

    def report(self) -> HostsReport:
        """Describe all slots and residents of all nodes."""
        nodes = list(self.nodes.values())
        return HostsReport(
            slots=tuple(slot for node in nodes for slot in node.slots),
            residents=tuple(status for node in nodes for status in node.statuses),
        )

    async def close(self, grace_s: float) -> None:
        """Stop all hosts, then Ray if it was started here."""
        closing = [node.actor.close.remote(grace_s) for node in self.nodes.values()]
        results = await asyncio.gather(*closing, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                log.warning("a host did not close: %s", result)
        for node in self.nodes.values():
            ray.kill(node.actor)
        ray.shutdown()


@contextlib.contextmanager
def _errors_to(path: Path) -> Iterator[None]:
    """Send this process's standard error to a file for a while, that of native code too."""
    saved = os.dup(2)
    with path.open("ab") as file:
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
