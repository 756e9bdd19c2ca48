"""What breaks between machines: a link, a raylet, the head. One pool over two hosts, for the whole module."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from e2e_pool import Pool, environment, get, living, start, until

from fault.two_hosts import TwoHosts, refusal, two_hosts

CUT_S = 20.0
SMALL = "[pool.kinds.cpu]\nslots = 2\n[rank]\nfloor = 3\n"

pytestmark = [pytest.mark.timeout(600), pytest.mark.skipif(bool(refusal()), reason=refusal() or "-")]


@dataclass
class Stage:
    """The hosts, how the pool is started on the first, and calls from there.

    ``shut_out``: an ``up`` from another home, which does not have the cluster's token.
    """

    hosts: TwoHosts
    home: Path
    variables: dict[str, str]
    call: Callable
    shut_out: subprocess.Popen[str]
    pool: Pool | None = None

    def up(self) -> None:
        words = ("--address", self.hosts.ray_address, "--config", str(self.home / "small.toml"))
        self.pool = start(self.home, *words, within=self.hosts.within("a"), **self.variables)

    def command(self, *words: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [*self.hosts.within("a"), sys.executable, "-m", "tenfold.cli.main", *words],
            env=environment(self.home),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def state(self) -> dict:
        return self.call(self.pool.state).result()

    def nodes(self) -> set[str]:
        return {slot["node"] for slot in self.state().get("slots", ())}

    def residents(self, node: str) -> dict[str, int]:
        """Process ids of the residents of a node."""
        slots = [slot for slot in self.state().get("slots", ()) if slot["node"] == node]
        return {r["resident"]: r["pid"] for slot in slots for r in slot["residents"]}

    def settle(self) -> None:
        """Wait until both hosts are there, all their residents are loaded, and every slot works."""
        until(lambda: self.nodes() == {"n0", "n1"}, what="both hosts in the pool")
        self.call(self.pool.settle).result()
        until(self.all_awake, what="a workload on every slot")

    def all_awake(self) -> bool:
        slots = self.state().get("slots", ())
        return len(slots) == 4 and all(slot["awake"] for slot in slots)

    def step(self) -> float:
        found = [w for w in self.state().get("workloads", ()) if w["workload"] == "train"]
        return found[0]["facts"].get("step", 0) if found else 0


@pytest.fixture(scope="module")
def stage(tmp_path_factory) -> Iterator[Stage]:
    home = tmp_path_factory.mktemp("two") / "home"
    home.mkdir()
    (home / "small.toml").write_text(SMALL)
    # Short, because Ray's sockets lie in it; and not where it would become this machine's default cluster.
    with tempfile.TemporaryDirectory(prefix="tfr", dir="/tmp", ignore_cleanup_errors=True) as ray_folder:
        token = Path(ray_folder) / "token"
        token.write_text("c0ffee" * 8)
        variables = {
            "RAY_TMPDIR": ray_folder,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(token),
        }
        with two_hosts() as hosts, hosts.on("a") as call:
            hosts.start_ray("a", variables, home / "ray-a.log")
            until(hosts.has_head, what="Ray's head")
            hosts.start_ray("b", variables, home / "ray-b.log")
            shut_out = subprocess.Popen(
                [
                    *(*hosts.within("a"), sys.executable, "-m", "tenfold.cli.main"),
                    *("up", "--address", hosts.ray_address, "--port", "0"),
                ],
                env={**environment(tmp_path_factory.mktemp("shut-out")), "RAY_TMPDIR": ray_folder},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            found = Stage(hosts, home, variables, call, shut_out)
            yield found
            if found.pool is not None and found.pool.process.poll() is None:
                found.command("down")
            with shut_out:
                shut_out.kill()


@dataclass
class Asking:
    """Asks for rankings in a few threads, until told to stop."""

    stage: Stage
    stop: bool = False
    slowest_s: float = 0.0
    count: int = 0
    failures: list[str] = field(default_factory=list)

    def __enter__(self) -> "Asking":
        self._threads = [self.stage.call(self._ask, number) for number in range(4)]
        return self

    def __exit__(self, *_: object) -> None:
        self.stop = True
        for thread in self._threads:
            thread.result(120)

    def _ask(self, number: int) -> None:
        import urllib.request

        while not self.stop:
            body = json.dumps({"user": 1 + (number * 200 + self.count) % 900}).encode()
            request = urllib.request.Request(f"{self.stage.pool.url}/v1/rank", body)
            began = time.monotonic()
            try:
                with urllib.request.urlopen(request, timeout=30) as response:
                    json.loads(response.read())
            except OSError as error:
                self.failures.append(f"{error!r} after {time.monotonic() - began:.1f} s")
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)
            self.count += 1
            time.sleep(0.1)


def test_a_cluster_with_authentication_is_joined_and_all_that_listens_asks_for_the_token(stage):
    stage.up()
    stage.settle()
    for name in ("token", "run.json"):
        assert (stage.home / name).stat().st_mode & 0o077 == 0, name
    listening = [
        (host["url"], path)
        for host in json.loads((stage.home / "run.json").read_text())["hosts"].values()
        for path in ("/host", "/statuses?seen=-1&wait_s=0")
    ]
    # What listens on loopback (llama.cpp's own server) is reached only from its own host.
    residents = {pid for node in ("n0", "n1") for pid in stage.residents(node).values()}
    open_to_others = [
        f"http://{address}:{port}"
        for host in "ab"
        for pid, address, port in stage.hosts.listening(host)
        if pid in residents and not address.startswith("127.")
    ]
    assert len(open_to_others) == len(residents)
    listening += [(url, path) for url in open_to_others for path in ("/v1/rank", "/resident/counters")]
    for url, path in listening:
        assert stage.call(get, f"{url}{path}").result()[0] == 401, (url, path)


def test_a_cluster_that_asks_for_a_token_is_told_from_one_that_is_not_there(stage):
    """Ray tries for half a minute, in which the tests before this one run."""
    _, err = stage.shut_out.communicate(timeout=120)
    assert stage.shut_out.returncode == 1
    said = " ".join(err.split())
    assert f"the Ray cluster at '{stage.hosts.ray_address}' lets nobody in without its token" in said
    assert "RAY_AUTH_TOKEN_PATH" in said


def test_a_cut_link_costs_no_request_and_the_host_comes_back_with_its_residents(stage):
    stage.settle()
    before = stage.residents("n1")
    assert len(before) == 6
    with Asking(stage) as asking:
        time.sleep(2)
        stage.hosts.cut()
        cut_at = time.monotonic()
        until(lambda: stage.nodes() == {"n0"}, what="the host out of the pool")
        lost_s = time.monotonic() - cut_at
        until(lambda: "node n1 does not answer" in str(stage.state().get("alarms")), what="an alarm")
        step = stage.step()
        time.sleep(max(0.0, CUT_S - (time.monotonic() - cut_at)))
        assert stage.nodes() == {"n0"}
        stage.hosts.mend()
        mended_at = time.monotonic()
        until(lambda: stage.nodes() == {"n0", "n1"}, what="the host in the pool again")
        back_s = time.monotonic() - mended_at
        until(stage.all_awake, what="a workload on every slot")
        whole_s = time.monotonic() - mended_at
    print(
        f"lost after {lost_s:.1f} s, back {back_s:.1f} s after the link, whole {whole_s:.1f} s; "
        f"{asking.count} requests, {len(asking.failures)} failed, the slowest took {asking.slowest_s:.1f} s"
    )
    assert not asking.failures
    assert asking.count > 50
    assert stage.residents("n1") == before
    until(lambda: stage.step() > step + 1, what="training with the host that came back")


def test_a_raylet_that_is_killed_disturbs_nothing_and_the_next_one_finds_the_host(stage):
    stage.settle()
    before = {node: stage.residents(node) for node in ("n0", "n1")}
    ray_ids = set(json.loads((stage.home / "run.json").read_text())["hosts"])
    starter = psutil.Process(stage.hosts.raylets["b"].pid)
    raylet = next(process for process in starter.children(recursive=True) if process.name() == "raylet")
    with Asking(stage) as asking:
        raylet.kill()
        stage.hosts.raylets["b"].wait(120)
        victim = next(name for name in before["n1"] if name.startswith("rank@"))
        os.kill(before["n1"][victim], signal.SIGKILL)
        until(lambda: stage.residents("n1").get(victim) not in (None, before["n1"][victim]), what="a resident again")
        stage.hosts.start_ray("b", stage.variables, stage.home / "ray-b.log")
        until(lambda: set(json.loads((stage.home / "run.json").read_text())["hosts"]) != ray_ids, what="a new raylet")
    after = {node: stage.residents(node) for node in ("n0", "n1")}
    assert stage.nodes() == {"n0", "n1"}
    assert {**after["n1"], victim: 0} == {**before["n1"], victim: 0}
    assert after["n0"] == before["n0"]
    assert not asking.failures


def test_a_head_that_is_killed_leaves_residents_that_the_next_adopts(stage):
    stage.settle()
    before = {node: stage.residents(node) for node in ("n0", "n1")}
    coordinator = coordinator_of(stage)
    step = stage.step()
    stage.pool.process.kill()
    stage.pool.process.wait()
    time.sleep(3)
    assert all(psutil.pid_exists(pid) for node in before.values() for pid in node.values())
    stage.up()
    until(lambda: {node: stage.residents(node) for node in ("n0", "n1")} == before, what="both hosts adopted")
    assert coordinator_of(stage) == coordinator
    until(lambda: stage.step() > step, what="training goes on")


def coordinator_of(stage: Stage) -> int:
    """Process id of whoever listens where the run file says that the coordinator is."""
    address, _, port = json.loads((stage.home / "run.json").read_text())["companions"]["train"].rpartition(":")
    return next(pid for pid, *where in stage.hosts.listening("a") if where == [address, int(port)])


def test_down_after_a_killed_head_ends_both_hosts_and_saves(stage):
    step = stage.step()
    family = stage.pool.family()
    assert len(family) > 20
    stage.pool.process.kill()
    stage.pool.process.wait()
    down = stage.command("down")
    assert down.returncode == 0, down.stderr
    until(lambda: not living(family), what="no process left")
    described = json.loads(stage.command("train", "--json").stdout)
    assert described["checkpoints"][0]["progress"]["step"] >= step
