"""Ray, wrapped: a process that tells which nodes Ray has, and starts a host on each that it is told to.

Ray places the hosts and tells when a node is gone. Residents are children of the host's nursery and not actors of their
own: a fork takes 30 ms and shares one import of torch, where an actor took 3.5 CPU-seconds and 200 MB. Hosts are
processes of their own and not actors: they outlive Ray's. An actor on each node starts its host, and claims the node's
GPUs for as long as the pool lives, so that Ray gives them to nobody else.
"""

import asyncio
import logging
import os
import socket
import sys
import traceback
from collections import Counter

import ray

from tenfold.core.errors import HostFailed
from tenfold.core.links import is_refused
from tenfold.core.logs import log_as
from tenfold.pool.host_info import HostInfo, HostSpec
from tenfold.pool.host_server import launch
from tenfold.pool.process import die_with_parent
from tenfold.pool.scout import Place, Placed, RayNode, ScoutSpec, Told

log = logging.getLogger(__name__)

NAMESPACE = "tenfold"
LOOPBACK = "127.0.0.1"
OBJECT_STORE_BYTES = 80 << 20
NODES_EVERY_S = 1.0
RAY_SILENT_S = 20.0
LAUNCH_TIMEOUT_S = 80.0
ANSWER_S = 10.0
"""For a connection to the cluster's address."""
STOPPED_IN_ORDER = 1
"""What Ray gives as the reason of a node's end (``NodeDeathInfo.EXPECTED_TERMINATION``) after ``ray stop``."""


class Starter:
    """An actor on a node: starts the node's host."""

    def start(self, spec: str) -> str:
        """Start a host from a ``HostSpec`` in JSON; its ``HostInfo`` in JSON."""
        told = HostSpec.model_validate_json(spec)
        return launch(told.model_copy(update={"gpus": len(ray.get_gpu_ids())})).model_dump_json()

    def claim(self) -> None:
        """Do nothing: the actor is there, and so is its claim."""


class RayScout:
    """The process's work.

    Args:
        spec: what it was told.
        out: descriptor of the pipe to the supervisor.
    """

    def __init__(self, spec: ScoutSpec, out: int) -> None:
        self._spec = spec
        self._out = out
        self._starters: dict[str, ray.actor.ActorHandle[Starter]] = {}
        self._gpus: dict[str, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def connect(self) -> bool:
        """Start or join Ray; false, and the reason told, if that did not work."""
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        quiet = {"logging_level": logging.ERROR, "log_to_driver": False, "namespace": NAMESPACE}
        address = self._spec.address
        try:
            if address is not None:
                _knock(address)
                # In the mode that the environment names. A token that merely lies about must not switch it on: this
                # process would then turn away a cluster that has none.
                ray.init(address=address, **quiet)
            else:
                # Ray swaps a loopback address for the machine's own and would listen to the whole network.
                ray._private.services.resolve_ip_for_localhost = lambda host: host
                ray.init(
                    # Not the cluster that someone else's "ray start" left as this machine's default.
                    address="local",
                    include_dashboard=False,
                    _node_ip_address=LOOPBACK,
                    # No room for objects: residents talk HTTP.
                    object_store_memory=OBJECT_STORE_BYTES,
                    **quiet,
                )
        except (ConnectionError, ValueError, RuntimeError, TimeoutError, ray.exceptions.RayError) as error:
            self._say(_why_not(error, address, self._spec.home))
            return False
        own = LOOPBACK if address is None else str(ray.util.get_node_ip_address())
        self._own_id = ray.get_runtime_context().get_node_id()
        self._say(Told(own_address=own))
        return True

    async def run(self) -> None:
        """Tell nodes and carry out orders until standard input ends, or Ray has."""
        orders = asyncio.StreamReader(limit=1 << 24)
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
        telling = asyncio.create_task(self._tell_nodes())
        reading = asyncio.create_task(self._read(orders))
        done, _ = await asyncio.wait({telling, reading}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    async def _read(self, orders: asyncio.StreamReader) -> None:
        async for line in orders:
            task = asyncio.create_task(self._place(Place.model_validate_json(line)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _tell_nodes(self) -> None:
        """Tell all nodes every second; returns when the raylet of this process, or Ray's head, is gone."""
        while True:
            # In a thread: without its head, Ray blocks.
            found = await asyncio.wait_for(asyncio.to_thread(ray.nodes), RAY_SILENT_S)
            ghosts = await _ghosts(found, self._own_id)
            nodes = tuple(_ray_node(node, is_ghost=node["NodeID"] in ghosts) for node in found)
            self._gpus = {node.ray_id: node.gpus for node in nodes}
            self._say(Told(nodes=nodes))
            if not any(node.alive and node.ray_id == self._own_id for node in nodes):
                log.warning("the raylet of this machine is gone")
                return
            await asyncio.sleep(NODES_EVERY_S)

    async def _place(self, order: Place) -> None:
        try:
            starter = self._starters.get(order.ray_id) or self._make_starter(order.ray_id)
            if order.spec is None:
                await asyncio.wait_for(starter.claim.remote(), LAUNCH_TIMEOUT_S)
                placed = Placed(ray_id=order.ray_id, host=None)
            else:
                info = await asyncio.wait_for(starter.start.remote(order.spec.model_dump_json()), LAUNCH_TIMEOUT_S)
                placed = Placed(ray_id=order.ray_id, host=HostInfo.model_validate_json(info))
        except (ray.exceptions.RayError, ConnectionError, TimeoutError, HostFailed) as error:
            self._starters.pop(order.ray_id, None)
            placed = Placed(ray_id=order.ray_id, host=None, error=f"{type(error).__name__}: {error}")
        self._say(Told(placed=placed))

    def _make_starter(self, ray_id: str) -> "ray.actor.ActorHandle[Starter]":
        options = {
            "num_gpus": self._gpus.get(ray_id, 0.0) if self._spec.claim_gpus else 0,
            # CPU slots are held by affinity.
            "num_cpus": 0,
            "scheduling_strategy": ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(ray_id, soft=False),
        }
        # Ray types neither an actor's options nor an actor class that is made at run time.
        starter: ray.actor.ActorHandle[Starter] = ray.remote(**options)(Starter).remote()  # pyrefly: ignore
        self._starters[ray_id] = starter
        return starter

    def _say(self, told: Told) -> None:
        os.write(self._out, told.model_dump_json().encode() + b"\n")


async def _ghosts(nodes: list[dict[str, object]], own_id: str) -> set[object]:
    """Nodes that Ray still takes for alive though their raylet is dead; ``own_id`` is the node of this process.

    Ray notices a raylet's death after some 15 s; that nobody listens there any more tells it at once. Asked are the own
    raylet, without which this process is of no use, and those that share a machine with another: one that is started
    again there is the heir of the dead one, and not a further node beside it.
    """
    alive = [node for node in nodes if node["Alive"]]
    machines = Counter(node["NodeManagerAddress"] for node in alive)
    return {
        node["NodeID"]
        for node in alive
        if (node["NodeID"] == own_id or machines[node["NodeManagerAddress"]] > 1)
        and await is_refused(str(node["NodeManagerAddress"]), int(str(node["NodeManagerPort"])))
    }


def _ray_node(node: dict[str, object], *, is_ghost: bool) -> RayNode:
    resources = node["Resources"]
    assert isinstance(resources, dict)
    return RayNode(
        ray_id=str(node["NodeID"]),
        address=str(node["NodeManagerAddress"]),
        alive=bool(node["Alive"]) and not is_ghost,
        left=not node["Alive"] and node.get("DeathReason") == STOPPED_IN_ORDER,
        head="node:__internal_head__" in resources,
        gpus=float(resources.get("GPU", 0.0)),
    )


def _knock(address: str) -> None:
    """Connect to a cluster's address once: where nobody listens, Ray itself tries for many minutes.

    Raises:
        ConnectionError: nobody listens there.
    """
    host, colon, port = address.rpartition(":")
    if not colon or "/" in host or not port.isdigit():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_S).close()
    except (OSError, OverflowError) as error:
        raise ConnectionError(f"nobody listens there ({error})") from None


def _why_not(error: BaseException, address: str | None, home: str) -> Told:
    """Tell why Ray could not be joined or started."""
    # Ray raises what its client raised as the cause of another error, or only quotes it in one.
    if "AuthenticationError" in "".join(traceback.format_exception(error)):
        return Told(
            failed=f"the Ray cluster at {address!r} lets nobody in without its token",
            next_step="give it in Ray's way: RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH=FILE (or RAY_AUTH_TOKEN)",
        )
    log.error("cannot join or start Ray", exc_info=error)
    while error.__cause__ is not None:
        error = error.__cause__
    first_line = str(error).strip().split("\n", 1)[0]
    return Told(
        failed=f"no Ray cluster answers at {address or 'the one started here'!r}: {first_line}",
        next_step=f"see {home}/logs/ray.log; start one with 'ray start --head', or leave out --address",
    )


def main() -> None:
    """Read a ``ScoutSpec`` from standard input and serve until it ends."""
    die_with_parent()
    # Ray and its native code print what they like; the pipe is for messages only.
    out = os.dup(1)
    os.dup2(2, 1)
    spec = ScoutSpec.model_validate_json(sys.stdin.buffer.readline())
    log_as("scout")
    scout = RayScout(spec, out)
    if not scout.connect():
        sys.exit(1)
    try:
        asyncio.run(scout.run())
    finally:
        ray.shutdown()


if __name__ == "__main__":
    main()
