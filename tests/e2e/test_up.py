"""What a newcomer does: bring the pool up, talk to it, break it, take it down."""

import concurrent.futures
import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import openai
import psutil
import pytest
from e2e_pool import Pool, environment, get, living, runs, start, stop, tenfold, until

from tenfold.cli.keeper import DEATHS_BEFORE_ALARM
from tenfold.core.minilm import MODEL

pytestmark = pytest.mark.timeout(600)


def post(url: str, body: dict, timeout_s: float = 60) -> dict:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=timeout_s) as response:
        return json.loads(response.read())


def test_every_workload_has_served_when_the_pool_says_ready(pool):
    assert get(f"{pool.url}/healthz")[0] == 200
    state = pool.state()
    assert state["ready"]
    assert len(state["slots"]) == 2 * len(os.sched_getaffinity(0))
    receivers = {move["receiver"] for move in state["moves"]}
    assert receivers == {"rank", "serve", "train"}


def test_openai_client_chats_and_streams(pool):
    client = openai.OpenAI(base_url=f"{pool.url}/v1", api_key="none", max_retries=0)
    assert [model.id for model in client.models.list()] == ["smollm2-135m", MODEL]
    messages = [{"role": "user", "content": "What is the capital of France?"}]
    answer = client.chat.completions.create(model="smollm2-135m", messages=messages, max_tokens=24, temperature=0)
    assert "Paris" in answer.choices[0].message.content
    assert answer.usage.completion_tokens > 0
    parts = client.chat.completions.create(
        model="smollm2-135m", messages=messages, max_tokens=24, temperature=0, stream=True
    )
    words = [part.choices[0].delta.content or "" for part in parts if part.choices]
    assert len(words) > 3
    assert "Paris" in "".join(words)
    with pytest.raises(openai.NotFoundError, match="smollm2-135m"):
        client.chat.completions.create(model="gpt-9", messages=messages)
    told = client.responses.create(model="smollm2-135m", input="What is the capital of France?", max_output_tokens=24)
    assert told.output_text
    assert len(client.embeddings.create(model=MODEL, input=["a", "b"]).data) == 2
    client.close()
    rows = json.loads(tenfold(pool.home, "serve", "meter", "--json").stdout)["rows"]
    used = {row["model"]: row for row in rows if row["product"] == "api"}
    assert used["smollm2-135m"]["tokens_out"] >= 2 * answer.usage.completion_tokens
    assert used["smollm2-135m"]["slot_s"] > 0 and used[MODEL]["tokens_in"] > 0


def test_ranking_wakes_by_a_request_and_never_shows_what_was_seen(pool):
    found = post(f"{pool.url}/v1/rank", {"user": 196, "k": 20})
    assert len(found["items"]) == 20
    scores = [item["score"] for item in found["items"]]
    assert scores == sorted(scores, reverse=True)
    seen = [item["item"] for item in found["items"]][:5]
    again = post(f"{pool.url}/v1/rank", {"history": seen, "k": 50})
    assert not set(seen) & {item["item"] for item in again["items"]}


def test_idle_pool_trains_on_all_slots_and_the_loss_falls(pool):
    until(lambda: trains_everywhere(pool), what="training on all slots")
    losses = until(lambda: twelve_losses(pool), what="twelve points of loss")
    assert losses[-1] < losses[0]


def trains_everywhere(pool) -> bool:
    return pool.awake("train") == len(pool.slots()) > 0


def twelve_losses(pool) -> list[float]:
    losses = [point["loss"] for point in pool.state().get("loss", ())]
    return losses if len(losses) >= 12 else []


def test_why_tells_that_training_has_all_slots_and_would_get_the_next(pool):
    count = len(pool.settle()) // 3

    def told() -> str:
        return pool.command("pool", "why", "train").stdout

    until(lambda: f"train has {count} of {count} slots" in told(), what="a decision in the ledger")
    assert "It has all there are." in told()
    assert "A slot more in the pool would go to train." in told()


def test_asleep_residents_use_no_cpu(pool):
    count = len(pool.settle()) // 3
    asleep = until(lambda: all_that_sleep(pool, count), what="training on all slots, and all others asleep")
    before = {pid: sum(psutil.Process(pid).cpu_times()[:2]) for pid in asleep}
    time.sleep(3)
    used = {pid: sum(psutil.Process(pid).cpu_times()[:2]) - spent for pid, spent in before.items()}
    assert max(used.values()) <= 0.03


def all_that_sleep(pool, slots: int) -> list[int]:
    pids = [r["pid"] for r in pool.residents() if r["phase"] == "asleep"]
    return pids if trains_everywhere(pool) and len(pids) == 2 * slots else []


def test_load_moves_slots_and_the_report_adds_up(pool):
    # Rates of its own: the default ones follow what a slot did lately, and a short day may then have no chat at all.
    done = pool.command("load", "--day", "20s", "--rank-peak", "40", "--chat-peak", "2", "--json", timeout_s=200)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    for row in report["workloads"]:
        assert row["requests"] == row["answered"] + row["shed"] + row["failed"]
        assert row["answered"] > 0, done.stdout
        # A stream may be cut where a slot goes from one service to another at the peak; nothing else may fail.
        assert row["failed"] <= 1
    assert report["training_tokens"] > 0
    moves = json.loads(pool.command("pool", "--moves", "200", "--json").stdout)
    assert {(move["donor"], move["receiver"]) for move in moves} >= {("train", "rank"), ("train", "serve")}
    assert all(move["reason"] for move in moves)


def test_killed_resident_is_back_within_seconds_and_no_request_fails(pool):
    post(f"{pool.url}/v1/rank", {"user": 1})
    asking = Asking(pool.url)
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(asking.rank) for _ in range(4)]
        try:
            until(lambda: asking.answered > 8, what="answers")
            victim = pool.resident("rank", "awake")
            os.kill(victim["pid"], signal.SIGKILL)
            until(lambda: reborn(pool, victim), what="the killed resident back")
            before = asking.answered
            until(lambda: asking.answered > before + 8, what="answers after it was killed")
        finally:
            asking.stop = True
        for each in asked:
            each.result()


def reborn(pool, victim: dict) -> bool:
    found = [r for r in pool.residents() if r["resident"] == victim["resident"]]
    return any(r["pid"] not in (None, victim["pid"]) and r["phase"] in ("asleep", "awake") for r in found)


class Asking:
    """Asks for rankings until told to stop; a request that fails ends it."""

    def __init__(self, url: str) -> None:
        self.url, self.stop, self.answered = url, False, 0

    def rank(self) -> None:
        while not self.stop:
            assert len(post(f"{self.url}/v1/rank", {"user": 1 + self.answered % 900})["items"]) == 10
            self.answered += 1


def test_killed_controller_freezes_the_allocation_and_resumes(pool):
    post(f"{pool.url}/v1/rank", {"user": 5})
    epoch = pool.state()["epoch"]
    os.kill(pool.child("tenfold.pool.controller_server"), signal.SIGKILL)
    assert len(post(f"{pool.url}/v1/rank", {"user": 5})["items"]) == 10
    until(lambda: resumed(pool, epoch), what="a controller with a later epoch")
    assert len(post(f"{pool.url}/v1/rank", {"user": 5})["items"]) == 10


def resumed(pool, epoch: int) -> bool:
    state = pool.state()
    return state.get("controller") == "running" and state["epoch"] > epoch


def test_killed_gateway_comes_back_and_no_connection_is_refused(pool):
    os.kill(pool.child("tenfold.cli.front"), signal.SIGKILL)
    # The listening socket belongs to the supervisor: this request waits in its backlog.
    assert len(post(f"{pool.url}/v1/rank", {"user": 7})["items"]) == 10
    until(lambda: get(f"{pool.url}/healthz")[0] == 200, what="ready again")


def test_a_product_that_keeps_dying_is_an_alarm_until_it_stays_up(pool):
    def logs_as_feed(process: psutil.Process) -> bool:
        with contextlib.suppress(FileNotFoundError):
            return Path(f"/proc/{process.pid}/fd/1").readlink() == pool.home / "logs" / "feed.log"
        return False

    killed: set[int] = set()
    for _ in range(DEATHS_BEFORE_ALARM):
        victim = until(
            lambda: next((p.pid for p in living(pool.family()) if p.pid not in killed and logs_as_feed(p)), None),
            what="the feed's process",
        )
        os.kill(victim, signal.SIGKILL)
        killed.add(victim)
    alarm = "feed does not stay up; it ended with -9"
    until(lambda: alarm in get(f"{pool.url}/healthz")[1].decode(), what="an alarm")
    assert f"alarm: {alarm}" in pool.command("status").stdout
    until(lambda: alarm not in get(f"{pool.url}/healthz")[1].decode(), what="the alarm's end")


def test_a_product_that_answers_500_to_everything_is_an_alarm_until_it_answers_again(pool):
    """It lives and gives its signs of life: only its answers tell."""
    tables = sqlite3.connect(pool.home / "agents.db", timeout=60)
    tables.execute("ALTER TABLE businesses RENAME TO businesses_away")
    alarm = "the product agents failed at each of its last"
    try:
        for _ in range(3):
            with pytest.raises(urllib.error.HTTPError, match="500"):
                urllib.request.urlopen(f"{pool.url}/v1/agents/businesses", timeout=60)
        until(lambda: alarm in get(f"{pool.url}/healthz")[1].decode(), what="an alarm")
        assert alarm in pool.command("status").stdout
    finally:
        tables.execute("ALTER TABLE businesses_away RENAME TO businesses")
        tables.close()
    urllib.request.urlopen(f"{pool.url}/v1/agents/businesses", timeout=60).close()
    until(lambda: alarm not in get(f"{pool.url}/healthz")[1].decode(), what="the alarm's end")


def test_stopped_controller_front_and_coordinator_go_on_with_what_they_have_in_hand(pool):
    """A stopped process does not die, so only its silence tells."""
    modules = ("tenfold.pool.controller_server", "tenfold.cli.front")
    before = {module: pool.child(module) for module in modules}
    log = str(pool.home / "logs" / "train-companion.log")
    coordinator = next(p.pid for p in living(pool.family()) if str(Path(f"/proc/{p.pid}/fd/1").readlink()) == log)
    step = pool.step()
    asking = Asking(pool.url)
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(asking.rank) for _ in range(4)]
        try:
            until(lambda: asking.answered > 8, what="answers")
            for pid in (*before.values(), coordinator):
                os.kill(pid, signal.SIGSTOP)
            # Some were in the front's hands then; all are answered.
            answered = asking.answered
            until(lambda: asking.answered > answered + 8, what="answers after they were stopped")
        finally:
            asking.stop = True
        for each in asked:
            each.result()
    until(lambda: get(f"{pool.url}/healthz")[0] == 200, what="ready again")
    assert {module: pool.child(module) for module in modules} == before
    assert psutil.pid_exists(coordinator)
    until(lambda: pool.step() >= step + 2, what="training goes on")


def test_killed_trainer_loses_at_most_one_step(pool):
    victim, before = pool.resident("train", "awake"), pool.step()
    os.kill(victim["pid"], signal.SIGKILL)
    until(lambda: pool.step() >= before + 2, what="training goes on")
    steps = [point["step"] for point in pool.state()["loss"]]
    assert steps == sorted(steps)


def test_status_and_train_and_assets_speak_json(pool):
    status = json.loads(pool.command("status", "--json").stdout)
    assert status["state"]["ready"]
    assert "slot" in pool.command("status").stdout
    assets = json.loads(pool.command("assets", "--json").stdout)
    assert {row["status"] for row in assets["assets"]} == {"present"}
    ranked = json.loads(pool.command("rank", "196", "--json").stdout)
    assert len(ranked["items"]) == 10


def test_second_up_from_the_same_home_is_refused(pool):
    again = pool.command("up", "--port", "0")
    assert again.returncode == 1
    assert f"runs from {pool.home} already, at {pool.url}" in again.stderr.replace("\n", " ")


def test_taken_port_names_its_holder(pool, tmp_path):
    port = pool.url.rsplit(":", 1)[1]
    refused = tenfold(tmp_path, "up", "--port", port)
    assert refused.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in refused.stderr
    assert f"--port {int(port) + 1}" in refused.stderr


def test_usage_errors_exit_2_and_missing_pool_exits_1(tmp_path):
    assert tenfold(tmp_path, "up", "--prot", "1").returncode == 2
    (tmp_path / "bad.toml").write_text("[pool]\ntick = 1\n")
    bad = tenfold(tmp_path, "up", "--config", str(tmp_path / "bad.toml"))
    assert bad.returncode == 2
    assert "did you mean 'tick_s'?" in bad.stderr
    (tmp_path / "big.toml").write_text("[pool.kinds.cpu]\nslots = 4000\n")
    big = tenfold(tmp_path, "up", "--port", "0", "--config", str(tmp_path / "big.toml"))
    assert big.returncode == 3
    assert "MB are free" in big.stderr
    missing = tenfold(tmp_path, "status")
    assert missing.returncode == 1
    assert "tenfold up" in missing.stderr


def test_down_after_a_killed_supervisor_leaves_no_process(tmp_path):
    """Ray's own agents outlive their raylet by a minute; ``tenfold down`` does not leave them to it."""
    with (tmp_path / "up.log").open("ab") as log:
        up = subprocess.Popen(
            [sys.executable, "-m", "tenfold.cli.main", "up", "--port", "0"],
            env=environment(tmp_path),
            stdout=log,
            stderr=log,
        )
    pool = Pool(tmp_path, up, "")
    until(lambda: nurseries(pool.family()), what="a nursery")
    until(lambda: "ray::RuntimeEnvAgent" in names(pool.family()), what="Ray's agents")
    until(lambda: len(json.loads((tmp_path / "run.json").read_text())["family"]) > 8, what="the family in the run file")
    family = pool.family()
    up.kill()
    up.wait()
    until(lambda: not nurseries(family), what="all that is Tenfold's gone")
    assert "ray::RuntimeEnvAgent" in names(family)
    down = pool.command("down")
    assert (down.returncode, down.stdout[:8]) == (0, "stopped ")
    assert not living(family)
    assert pool.command("down").returncode == 1


def nurseries(family: list[psutil.Process]) -> list[psutil.Process]:
    return [process for process in living(family) if runs(process, "tenfold.pool.nursery")]


def names(family: list[psutil.Process]) -> list[str]:
    return [process.name() for process in living(family)]


def test_pool_joins_a_cluster_and_uses_a_second_node(tmp_path):
    """Two local Ray nodes of one core each: the pool puts residents on both, and both train."""
    environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0"}
    script = (
        "import sys\n"
        "from ray.cluster_utils import Cluster\n"
        "head = dict(num_cpus=1, object_store_memory=80 << 20, include_dashboard=False)\n"
        "cluster = Cluster(initialize_head=True, head_node_args=head)\n"
        "cluster.add_node(num_cpus=1, object_store_memory=80 << 20)\n"
        "print(cluster.address, flush=True)\n"
        "sys.stdin.read()\n"
        "cluster.shutdown()\n"
    )
    cluster = subprocess.Popen(
        [sys.executable, "-c", script],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        address = cluster.stdout.readline().strip()
        (tmp_path / "small.toml").write_text("[pool.kinds.cpu]\nslots = 1\n")
        joined = start(tmp_path / "home", "--address", address, "--config", str(tmp_path / "small.toml"))
        try:
            until(lambda: {slot["node"] for slot in joined.slots()} == {"n0", "n1"}, what="two nodes")
            until(
                lambda: {s["node"] for s in joined.slots() if s["awake"] == "train"} == {"n0", "n1"}, what="both train"
            )
            assert len(post(f"{joined.url}/v1/rank", {"user": 3})["items"]) == 10
        finally:
            stop(joined)
    finally:
        cluster.stdin.close()
        cluster.wait(120)
        cluster.stdout.close()
