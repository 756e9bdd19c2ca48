"""Down, and up again from the same home as a shadow: training goes on, nothing moves, and what would have is told."""

import json
import time

import pytest
from e2e_pool import Pool, interrupt, until

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def shadow(again) -> Pool:
    return again.pool


def test_down_leaves_no_process_and_training_goes_on_after_up(again):
    assert not again.left
    assert again.saved_step >= again.step
    until(lambda: again.pool.step() > again.step, what="training continued")


def test_a_shadow_moves_nothing_and_tells_what_it_would_have_done(shadow):
    slots = len(shadow.settle()) // 3
    # Even parts: as many slots for each as go, and all of them stay where they are.
    until(lambda: all(slot["awake"] for slot in shadow.slots()), what="all slots given")
    before = {s["slot"]: s["awake"] for s in shadow.slots()}
    moves = len(shadow.state()["moves"])
    # Nobody asks for anything, so the policy would train on every slot.
    until(lambda: shadow.state()["shadow"]["slots"].get("train") == slots, what="a shadow that trains")
    time.sleep(2)
    assert {s["slot"]: s["awake"] for s in shadow.slots()} == before
    assert len(shadow.state()["moves"]) == moves

    def gains() -> bool:
        found = shadow.command("pool", "shadow", "--json")
        if found.returncode:
            return False
        view = json.loads(found.stdout)
        return view["moves"] >= 1 and view["shadow_usd"] > view["real_usd"] > 0

    # The first moves cost something; training on all slots soon earns more.
    until(gains, what="a shadow that earns more")
    assert "it would have made" in shadow.command("status").stdout
    told = shadow.command("pool", "why", "train").stdout
    assert "It always has more to do" in told
    assert "A slot more in the pool would" in told


def test_ctrl_c_leaves_no_process(shadow):
    assert not interrupt(shadow)
