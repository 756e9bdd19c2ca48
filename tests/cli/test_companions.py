"""There is one coordinator of training: on this machine, and on another only once its host here is known to be gone."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from tenfold.cli import supervisor
from tenfold.cli.site import Site
from tenfold.cli.supervisor import Supervisor
from tenfold.core.config import Config
from tenfold.pool.host import make_slots
from tenfold.pool.host_info import HostInfo
from tenfold.pool.hosts import Node
from tenfold.wiring import CONFIG

HERE, THERE = "127.0.0.1", "10.0.0.2"


def node(name: str, bind: str, config: Config, *, in_reach: bool = True) -> Node:
    host = HostInfo(name=name, url=f"http://{bind}:1", bind=bind, pid=1, started=0.0, cores=(0,), gpus=0)
    return Node(name, f"ray-{name}", host, make_slots(name, config.pool.kinds, (0,), 0), in_reach=in_reach)


class PretendCluster(SimpleNamespace):
    nodes: dict[str, Node]
    wishes = 0

    def wish_again(self) -> None:
        self.wishes += 1


@pytest.fixture
def pool(tmp_path, monkeypatch):
    config = CONFIG()
    found = Supervisor(config, tmp_path, Path("/cache"), "10.0.0.1:6379", print)
    found._site = Site(config, tmp_path, Path("/cache"), "secret", {"train": f"{HERE}:20001"})
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(supervisor.time, "monotonic", lambda: clock.now)
    found._companions_lost_at = clock.now
    cluster = PretendCluster(nodes={})

    def settle() -> None:
        found._settle_companions(cluster)

    return SimpleNamespace(supervisor=found, cluster=cluster, clock=clock, settle=settle, config=config)


def coordinators(pool) -> dict[str, str]:
    """Nodes that are told to keep a coordinator, with the address that it is to listen on."""
    specs = {name: pool.supervisor._specs(node) for name, node in pool.cluster.nodes.items()}
    return {name: f"{s.bind}:{s.port}" for name, found in specs.items() for s in found if s.name == "train-companion"}


def told(pool) -> set[str]:
    """Addresses of the coordinator that residents are told."""
    specs = [spec for node in pool.cluster.nodes.values() for spec in pool.supervisor._specs(node) if spec.slot]
    assert {bool(spec.companions) for spec in specs if spec.workload != "train"} == {False}
    return {spec.companions["train"] for spec in specs if spec.workload == "train"}


def test_it_waits_for_the_host_of_this_machine_and_does_not_take_the_first_that_comes(pool):
    pool.cluster.nodes["n0"] = node("n0", THERE, pool.config)
    pool.settle()
    assert coordinators(pool) == {}
    pool.cluster.nodes["n1"] = node("n1", HERE, pool.config)
    pool.settle()
    assert coordinators(pool) == {"n1": f"{HERE}:20001"}
    assert told(pool) == {f"{HERE}:20001"}
    assert pool.cluster.wishes == 1


def test_a_host_out_of_reach_keeps_it_and_one_that_is_gone_loses_it_to_a_host_with_another_address(pool):
    pool.cluster.nodes |= {"n0": node("n0", HERE, pool.config), "n1": node("n1", THERE, pool.config)}
    pool.settle()
    pool.cluster.nodes["n0"].in_reach = False
    pool.clock.now += 500
    pool.settle()
    assert coordinators(pool) == {"n0": f"{HERE}:20001"}
    del pool.cluster.nodes["n0"]
    pool.settle()
    assert coordinators(pool) == {}
    pool.clock.now += supervisor.COMPANIONS_WAIT_S
    pool.settle()
    ((where, address),) = coordinators(pool).items()
    assert where == "n1"
    assert address.startswith(f"{THERE}:")
    assert told(pool) == {address}
    assert pool.cluster.wishes == 2


def test_each_other_machine_has_an_outpost_which_its_residents_are_told_of(pool):
    pool.cluster.nodes |= {"n0": node("n0", HERE, pool.config), "n1": node("n1", THERE, pool.config)}
    pool.settle()
    specs = {name: pool.supervisor._specs(each) for name, each in pool.cluster.nodes.items()}
    outposts = {name: [f"{s.bind}:{s.port}" for s in found if "outpost" in s.name] for name, found in specs.items()}
    assert outposts == {"n0": [], "n1": ["127.0.0.1:20001"]}
    here, there = (
        {s.companions.get("train-outpost") for s in specs[name] if s.slot and s.workload == "train"}
        for name in ("n0", "n1")
    )
    assert (here, there) == ({None}, {"127.0.0.1:20001"})
