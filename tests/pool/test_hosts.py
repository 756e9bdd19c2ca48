"""Nodes come, fall silent, die and come back; none of it ends the pool. Real hosts, and nodes that the test invents."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
from minipool import TOKEN, until
from test_host import spec as resident

from tenfold.core.config import KindSettings
from tenfold.pool import hosts
from tenfold.pool.host_info import HostInfo
from tenfold.pool.host_server import launch
from tenfold.pool.hosts import Cluster
from tenfold.pool.scout import Place, RayNode, ScoutSpec


class PretendScout:
    """Starts hosts on this machine, without Ray, on nodes that the test makes up."""

    failures = 0
    placed: list[HostInfo]

    def __init__(self, _spec: ScoutSpec, _log_file: Path, on_nodes) -> None:
        self.tell = on_nodes
        self.placed = []

    async def connect(self) -> str:
        return "127.0.0.1"

    async def place(self, order: Place) -> HostInfo | None:
        if self.failures:
            self.failures -= 1
            return None
        self.placed.append(await asyncio.to_thread(launch, order.spec))
        return self.placed[-1]

    async def close(self) -> None:
        pass


def node(ray_id: str, *, alive: bool = True, left: bool = False) -> RayNode:
    return RayNode(ray_id=ray_id, address="127.0.0.1", alive=alive, left=left, head=ray_id == "first", gpus=0.0)


@pytest.fixture
async def make_cluster(tmp_path, toys_importable, monkeypatch) -> AsyncIterator:
    monkeypatch.setattr(hosts, "Scout", PretendScout)
    monkeypatch.setattr(hosts, "SILENT_S", 2.0)
    monkeypatch.setattr(hosts, "POLL_TIMEOUT_S", 1.5)
    made: list[Cluster] = []

    async def make(left: dict[str, HostInfo] | None = None, address: str | None = "10.0.0.1:6379") -> Cluster:
        cluster = Cluster(
            address,
            {"cpu": KindSettings(slots=1)},
            tmp_path,
            ["toy_workload"],
            token=TOKEN,
            supervisor=os.getpid(),
            specs=lambda node: [resident(tmp_path, f"toy@{slot.slot}", slot=slot.slot) for slot in node.slots],
        )
        assert await cluster.connect(left or {}) == "127.0.0.1"
        made.append(cluster)
        return cluster

    yield make
    for cluster in made:
        await cluster.close(1.0)
    for cluster in made:
        for host in cluster._scout.placed:
            if psutil.pid_exists(host.pid):
                os.kill(host.pid, signal.SIGKILL)


def loaded(cluster: Cluster) -> dict[str, int]:
    return {status.name: status.pid for status in cluster.report().residents if status.url}


async def test_a_node_whose_host_does_not_start_is_tried_again(make_cluster):
    cluster = await make_cluster()
    cluster._scout.failures = 2
    for _ in range(3):
        cluster._scout.tell((node("first"),))
        await asyncio.sleep(0.05)
    await until(lambda: len(loaded(cluster)) == 1)
    assert len(cluster._scout.placed) == 1


async def test_a_host_that_is_killed_is_replaced(make_cluster):
    cluster = await make_cluster()
    cluster._scout.tell((node("first"), node("second")))
    await until(lambda: len(loaded(cluster)) == 2)
    victim = cluster._scout.placed[0]
    os.kill(victim.pid, signal.SIGKILL)
    await until(lambda: victim.name not in cluster.nodes)
    assert not any(slot.node == victim.name for slot in cluster.report().slots)
    # At once, and not when Ray next tells its nodes.
    await until(lambda: len(loaded(cluster)) == 2)
    assert victim.name not in cluster.nodes
    assert len(cluster._scout.placed) == 3


@pytest.mark.slow
async def test_a_host_that_was_stopped_on_the_only_machine_goes_on(make_cluster, caplog):
    cluster = await make_cluster(address=None)
    cluster._scout.tell((node("first"),))
    await until(lambda: len(loaded(cluster)) == 1)
    before, (host,) = loaded(cluster), cluster._scout.placed
    os.kill(host.pid, signal.SIGSTOP)
    await until(lambda: psutil.Process(host.pid).status() != psutil.STATUS_STOPPED)
    await until(lambda: "was stopped; it was told to go on" in caplog.text)
    assert loaded(cluster) == before
    assert cluster.report().out_of_reach == ()


async def test_a_silent_host_leaves_the_report_and_comes_back(make_cluster):
    cluster = await make_cluster()
    cluster._scout.tell((node("first"), node("second")))
    await until(lambda: len(loaded(cluster)) == 2)
    before = loaded(cluster)
    silent = next(found.host for found in cluster.nodes.values() if found.ray_id == "second")
    os.kill(silent.pid, signal.SIGSTOP)
    await until(lambda: cluster.report().out_of_reach == (silent.name,))
    assert not any(slot.node == silent.name for slot in cluster.report().slots)
    assert len(loaded(cluster)) == 1
    await cluster.signal(f"toy@{silent.name}/cpu0", signal.SIGKILL, None)
    cluster._scout.tell((node("first"), node("second", alive=False)))
    os.kill(silent.pid, signal.SIGCONT)
    await until(lambda: cluster.report().out_of_reach == ())
    assert silent.name in cluster.nodes
    assert len(cluster._scout.placed) == 2
    assert loaded(cluster).keys() <= before.keys()


async def test_a_raylet_that_is_started_again_is_joined_with_the_host_of_its_machine(make_cluster):
    cluster = await make_cluster()
    cluster._scout.tell((node("first"),))
    await until(lambda: len(loaded(cluster)) == 1)
    before = loaded(cluster)
    cluster._scout.tell((node("first", alive=False),))
    await asyncio.sleep(0.1)
    assert loaded(cluster) == before
    cluster._scout.tell((node("first", alive=False), node("again")))
    await asyncio.sleep(0.1)
    assert [found.ray_id for found in cluster.nodes.values()] == ["again"]
    assert loaded(cluster) == before
    assert len(cluster._scout.placed) == 1


async def test_the_host_of_a_node_that_was_stopped_in_order_is_closed(make_cluster):
    cluster = await make_cluster()
    cluster._scout.tell((node("first"), node("second")))
    await until(lambda: len(loaded(cluster)) == 2)
    gone = next(found.host for found in cluster.nodes.values() if found.ray_id == "second")
    cluster._scout.tell((node("first"), node("second", alive=False, left=True)))
    await until(lambda: len(cluster.nodes) == 1 and not psutil.pid_exists(gone.pid))


async def test_the_next_supervisor_adopts_hosts_with_their_residents(make_cluster):
    first = await make_cluster()
    first._scout.tell((node("first"), node("second")))
    await until(lambda: len(loaded(first)) == 2)
    known = {found.ray_id: found.host for found in first.nodes.values()}
    os.kill(known["second"].pid, signal.SIGKILL)
    second = await make_cluster(known)
    await until(lambda: len(loaded(second)) == 1)
    assert loaded(second).items() <= loaded(first).items()
    second._scout.tell((node("first"), node("second")))
    await until(lambda: len(loaded(second)) == 2)
    assert len(second._scout.placed) == 1
