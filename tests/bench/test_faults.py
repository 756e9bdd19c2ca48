"""How the bench of faults counts: nothing that failed is left out, and no fault counts that did not happen."""

import math
import sqlite3
import subprocess
import sys

import psutil
import pytest

from fault.catalog import FAULTS
from fault.judge import growth, is_flat, ledger_gaps
from fault.kinds import kill_process, not_replaced
from fault.load import Request, days, tally
from tenfold.world.report import Record


def request(due_at: float, ended_at: float, outcome: str, status: int) -> Request:
    return Request(due_at, ended_at, Record("serve", due_at, outcome, status, 0.1, ended_at - due_at, 1))


REQUESTS = (
    request(9, 9.5, "answered", 200),
    request(9.5, 12, "failed", 200),  # was being answered when the fault came
    request(9.6, 12, "failed", 0),  # was in hand, and no byte had come
    request(11, 17, "failed", 503),  # waited into the next fault's time
    request(12, 12, "shed", 429),
    request(13, 14, "answered", 200),
    request(16, 17, "answered", 200),
)


def test_a_failed_request_counts_for_the_fault_that_broke_it():
    counted = tally(REQUESTS, 10, 15, streams=4)
    assert (counted.cut, counted.failed, counted.shed, counted.answered) == (1, 2, 1, 1)
    assert tally(REQUESTS, 15, math.inf, streams=0).failed == 0


def test_what_nothing_that_died_was_streaming_has_failed():
    assert tally(REQUESTS, 10, 15, streams=0).failed == 3


def test_what_a_killed_front_held_is_counted_apart_up_to_what_it_may_hold():
    died_at = 11.8
    counted = tally(REQUESTS, 10, 15, streams=4, hands=16, died_at=died_at)
    assert (counted.in_hand, counted.cut, counted.failed) == (1, 1, 1), "the 503 was told by one that lived"
    assert tally(REQUESTS, 10, 15, streams=4, hands=0, died_at=died_at).failed == 2
    held = [request(died_at - 0.1, 12, "failed", 0)] * 20
    counted = tally(held, 10, 15, streams=0, hands=16, died_at=died_at)
    assert (counted.in_hand, counted.failed) == (16, 4)
    came_later = request(died_at + 0.1, 12, "failed", 0)
    broke_later = request(died_at - 0.1, 14.5, "failed", 0)
    assert tally([came_later, broke_later], 10, 15, streams=0, hands=16, died_at=died_at).failed == 2


def test_days_follow_one_another():
    two = days(10, 15, seed=3)
    assert two.duration_s == 20
    assert (two.rank_at_s[:-1] <= two.rank_at_s[1:]).all()
    assert two.rank_at_s.max() > 10


def test_a_kill_is_seen_and_a_process_that_stays_is_not_healed():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)

    class Unchanged:
        def pids(self, role):
            return [child.pid]

    try:
        assert "was not replaced" in not_replaced(Unchanged(), "front", child.pid)
        kill_process(child.pid)
        assert psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE
    finally:
        child.communicate()


def test_faults_have_names_of_their_own():
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 12


def test_a_gap_in_a_ledger_is_found(tmp_path):
    ledger = sqlite3.connect(tmp_path / "ledger.db")
    ledger.execute("CREATE TABLE events (id INTEGER PRIMARY KEY)")
    ledger.executemany("INSERT INTO events VALUES (?)", [(number,) for number in (3, 4, 5)])
    ledger.commit()
    assert ledger_gaps(tmp_path) == {}
    ledger.execute("INSERT INTO events VALUES (8)")
    ledger.commit()
    ledger.close()
    assert ledger_gaps(tmp_path) == {"ledger.db": (4, 6)}


def test_memory_is_flat_or_grows():
    steady = [(float(at), 1000 + (500 if at < 200 else at % 7)) for at in range(0, 1200, 20)]
    assert is_flat(*growth(steady, 1200))
    rising = [(at, mb + at / 4) for at, mb in steady]
    assert not is_flat(*growth(rising, 1200))
    with pytest.raises(ValueError, match="too few"):
        growth(steady[:4], 1200)
