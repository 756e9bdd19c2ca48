"""Minutes of a day's traffic while processes are killed: the pool stays up, and so does the training run."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest
from e2e_pool import environment, get, until

DAY = "2m"
KILL_EVERY_S = 8.0


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_a_day_of_traffic_with_a_kill_every_eight_seconds(pool):
    chance = random.Random(0)
    load = subprocess.Popen(
        [sys.executable, "-m", "tenfold.cli.main", "load", "--day", DAY, "--json"],
        env=environment(pool.home),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    kills = 0
    while load.poll() is None:
        time.sleep(KILL_EVERY_S)
        kills += kill_one(pool, chance)
    report = json.loads(load.stdout.read())
    load.stdout.close()
    print(json.dumps({"kills": kills, **report}, indent=1))
    for row in report["workloads"]:
        # A kill breaks the streams whose first byte is out, and the front's open connections; nothing else may fail.
        assert row["failed"] <= max(4 * kills, 0.02 * row["requests"])
        assert row["attainment"] > 0.8
    assert report["training_tokens"] > 0
    until(lambda: get(f"{pool.url}/healthz")[0] == 200, what="ready again")
    until(lambda: not pool.state()["alarms"], what="no alarm left")
    step = pool.step()
    until(lambda: pool.step() > step, what="training goes on")
    # The last kill may be a second old: who was killed is being loaded anew then.
    loaded = {"awake", "asleep", "draining", "waking"}
    until(lambda: {resident["phase"] for resident in pool.residents()} <= loaded, what="every resident is loaded")
    assert sum(resident["phase"] == "awake" for resident in pool.residents()) <= len(pool.slots())


def kill_one(pool, chance: random.Random) -> bool:
    """Kill a resident, or now and then the controller or the front."""
    state = pool.state()
    residents = [r["pid"] for s in state.get("slots", ()) for r in s["residents"] if r["pid"]]
    kind = chance.choice(["resident", "resident", "resident", "controller", "front"])
    try:
        if kind == "resident" and residents:
            os.kill(chance.choice(residents), signal.SIGKILL)
        elif kind == "controller":
            os.kill(pool.child("tenfold.pool.controller_server"), signal.SIGKILL)
        else:
            os.kill(pool.child("tenfold.cli.front"), signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True
