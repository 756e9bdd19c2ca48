"""A cautious team lets Tenfold watch its own Ray cluster first: what is told is true, and nothing there is touched."""

import concurrent.futures
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from e2e_pool import environment, get, until

pytestmark = pytest.mark.timeout(300)

SENDERS, EVERY_S = 4, 0.2
WATCH = """
dashboard = "http://127.0.0.1:{port}"
tick_s = 1
dwell_s = 60

[services.shop]
usd_per_request = 0.01
capacity_per_slot = 8
latency_target_s = 1
wake_s = 1

[jobs.pretrain]
holders = "Trainer"
usd_per_accelerator_hour = 2
least = 1
most = 4
resize_s = 1
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@dataclass
class Cluster:
    """Somebody else's."""

    dashboard_port: int
    serve_port: int
    token: str

    def rows(self, what: str, *filters: tuple[str, str]) -> list[dict]:
        query = "".join(f"&filter_keys={key}&filter_predicates=%3D&filter_values={value}" for key, value in filters)
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.dashboard_port}/api/v0/{what}?limit=10000{query}",
            headers={"authorization": f"Bearer {self.token}"},
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.loads(response.read())["data"]["result"]["result"]

    def inventory(self) -> dict[str, set[str]]:
        """All that a guest could have added: actors, plain tasks, placement groups, drivers, workers of drivers."""
        return {
            "actors": {row["actor_id"] for row in self.rows("actors")},
            "tasks": {row["task_id"] for row in self.rows("tasks", ("type", "NORMAL_TASK"))},
            "placement groups": {row["placement_group_id"] for row in self.rows("placement_groups")},
            "jobs": {row["job_id"] for row in self.rows("jobs")},
            "nodes": {row["node_id"] for row in self.rows("nodes")},
        }


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[Cluster]:
    found = Cluster(free_port(), free_port(), secrets.token_hex(32))
    log = tmp_path_factory.mktemp("cluster") / "cluster.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [
                sys.executable,
                Path(__file__).with_name("watched_cluster.py"),
                str(found.dashboard_port),
                str(found.serve_port),
            ],
            env={
                **os.environ,
                "RAY_USAGE_STATS_ENABLED": "0",
                "RAY_AUTH_MODE": "token",
                "RAY_AUTH_TOKEN": found.token,
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
        )
    try:
        assert process.stdout.readline().strip() == "ready", log.read_text()
        yield found
    finally:
        process.stdin.close()
        process.wait(120)
        process.stdout.close()


@pytest.fixture
def watch_file(cluster, tmp_path) -> Path:
    path = tmp_path / "watch.toml"
    path.write_text(WATCH.format(port=cluster.dashboard_port))
    return path


def command(home: Path, *words: str, token: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "tenfold.cli.main", "watch", *words],
        env={**environment(home), "RAY_AUTH_TOKEN": token},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def send(url: str, stop: threading.Event) -> float:
    """Send a request every so often until told to stop; returns how many were answered a second."""
    answered, began = 0, time.monotonic()
    due = began
    while not stop.wait(max(0.0, due - time.monotonic())):
        answered += get(url)[0] == 200
        due += EVERY_S
    return answered / (time.monotonic() - began)


def test_what_is_told_is_what_the_cluster_does_and_nothing_there_is_touched(cluster, watch_file, tmp_path):
    url, stop = f"http://127.0.0.1:{cluster.serve_port}/", threading.Event()
    with concurrent.futures.ThreadPoolExecutor(SENDERS) as threads:
        sent = [threads.submit(send, url, stop) for _ in range(SENDERS)]
        try:
            time.sleep(3)
            before = cluster.inventory()
            watching = command(tmp_path, str(watch_file), "--for", "15s", "--json", token=cluster.token)
            out, err = watching.communicate(timeout=120)
            assert cluster.inventory() == before
        finally:
            stop.set()
    assert watching.returncode == 0, err
    view = json.loads(out)
    rows = {row["workload"]: row for row in view["workloads"]}
    per_s = sum(answered.result() for answered in sent)

    # What is: one replica, three trainers of which one runs in a placement group, and the rate that was sent.
    assert (view["slots"], view["idle"], view["others"], view["missed"]) == (4, 0, 0, 0)
    assert (rows["shop"]["slots"], rows["pretrain"]["slots"]) == (1, 3)
    assert rows["shop"]["arrival_per_s"] == pytest.approx(per_s, rel=0.25)
    assert rows["shop"]["slot_hours"] == pytest.approx(view["shadow"]["seconds"] / 3600)
    assert rows["pretrain"]["slot_hours"] == pytest.approx(3 * view["shadow"]["seconds"] / 3600)

    # What would be: a slot answers 8 requests a second at 70 to 90%, so 20 a second need three; a request earns more
    # than training.
    assert (rows["shop"]["shadow_slots"], rows["pretrain"]["shadow_slots"]) == (3, 1)
    assert view["shadow"]["moves"] == 2
    assert view["shadow"]["shadow_usd"] > view["shadow"]["real_usd"] > 0
    told = command(tmp_path, "report", token="")
    assert "Tenfold would have made 2 moves" in told.communicate(timeout=120)[0]


def test_ctrl_c_ends_a_watch_with_its_summary(cluster, watch_file, tmp_path):
    watching = command(tmp_path, str(watch_file), token=cluster.token)
    until((tmp_path / "watch.db").exists, what="a ledger")
    time.sleep(4)
    watching.send_signal(signal.SIGINT)
    out, err = watching.communicate(timeout=120)
    assert watching.returncode == 0, err
    assert "Watched for" in out
    assert "touched nothing" in out
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("change", "token", "told", "next_step", "code"),
    [
        (("[services.shop]", "[services.shp]"), None, "no Serve application 'shp'; did you mean 'shop'?", "mend", 2),
        (("wake_s = 1\n", 'wake_s = 1\ndeployment = "Ehco"\n'), None, "did you mean 'Echo'?", "mend", 2),
        (("tick_s", 'accelerator = "TPU"\ntick_s'), None, "no node of the cluster has any 'TPU'", "accelerator", 3),
        (("tick_s", "tick_s"), "wrong", "lets nobody in without its token", "RAY_AUTH_TOKEN", 1),
        (("{port}", "1"), None, "no Ray dashboard answers at http://127.0.0.1:1", "dashboard", 1),
    ],
)
def test_what_cannot_be_watched_is_told_with_the_next_step(cluster, tmp_path, change, token, told, next_step, code):
    path = tmp_path / "watch.toml"
    path.write_text(WATCH.replace(*change).format(port=cluster.dashboard_port))
    watching = command(tmp_path, str(path), "--for", "5s", token=token or cluster.token)
    _, err = watching.communicate(timeout=120)
    assert told in " ".join(err.split())
    assert next_step in err
    assert watching.returncode == code
