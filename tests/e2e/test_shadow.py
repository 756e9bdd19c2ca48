"""A cautious team lets the pool watch first: nothing moves, and what it would have done is told."""

import json
import time

import pytest
from e2e_pool import start, stop, until

pytestmark = pytest.mark.timeout(600)


def test_a_shadow_moves_nothing_and_tells_what_it_would_have_done(tmp_path):
    pool = start(tmp_path / "home", "--shadow")
    try:
        slots = len(pool.state()["slots"])
        # Even parts: as many slots for each as go, and all of them stay where they are.
        until(lambda: sum(w["slots"] for w in pool.state()["workloads"]) == slots, 60, "all slots given")
        before = {s["slot"]: s["awake"] for s in pool.state()["slots"]}
        moves = len(pool.state()["moves"])
        # Nobody asks for anything, so the policy would train on every slot.
        until(lambda: pool.state()["shadow"]["slots"].get("train") == slots, 60, "a shadow that trains")
        time.sleep(2)
        assert {s["slot"]: s["awake"] for s in pool.state()["slots"]} == before
        assert len(pool.state()["moves"]) == moves

        def gains() -> bool:
            found = pool.command("pool", "shadow", "--json")
            if found.returncode:
                return False
            view = json.loads(found.stdout)
            return view["moves"] >= 1 and view["shadow_usd"] > view["real_usd"] > 0

        # The first moves cost something; training on all slots soon earns more.
        until(gains, 120, "a shadow that earns more")
        assert "it would have made" in pool.command("status").stdout
        told = pool.command("pool", "why", "train").stdout
        assert "It always has more to do" in told
        assert "A slot more in the pool would" in told
    finally:
        assert all(not process.is_running() for process in stop(pool) if process.pid)
