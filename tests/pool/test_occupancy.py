"""What the controller knows of its slots: nothing names the dead, and who does not answer is killed."""

import pytest

from tenfold.ledger.ledger import Ledger
from tenfold.pool.alarms import Alarms
from tenfold.pool.deaths import SILENCE_BEFORE_ALARM_S, SILENCE_BEFORE_KILL_S, Deaths
from tenfold.pool.host import ResidentStatus, Slot
from tenfold.pool.occupancy import Occupancy

SLOT = Slot("n0/cpu0", "cpu", "n0", (0,), None, 0.5)


def status(workload: str, pid: int | None, url: str | None = "http://127.0.0.1:1") -> ResidentStatus:
    return ResidentStatus(f"{workload}@{SLOT.slot}", workload, SLOT.slot, pid, url, 0, "")


@pytest.fixture
def occupied() -> Occupancy:
    occupancy = Occupancy()
    occupancy.take([SLOT], [status("rank", 7), status("train", 8)])
    address = occupancy.address("rank@n0/cpu0")
    assert address is not None
    occupancy.occupy(SLOT.slot, address)
    return occupancy


def test_a_resident_that_was_forked_again_is_dead_by_its_old_process(occupied):
    assert occupied.held(["rank", "train"]) == {"rank": 1, "train": 0}
    assert occupied.dead() == []
    assert occupied.take([SLOT], [status("rank", 9), status("train", 8)])
    ((slot, address),) = occupied.dead()
    assert (slot, address.pid) == (SLOT.slot, 7)
    assert occupied.vacate(slot) == "rank"
    assert occupied.held(["rank", "train"]) == {"rank": 0, "train": 0}
    assert list(occupied.addresses("rank")) == []


def test_a_resident_that_loads_has_no_door_and_the_same_report_is_nothing_new(occupied):
    assert occupied.take([SLOT], [status("rank", 7, url=None)])
    assert occupied.address("rank@n0/cpu0") is None
    assert occupied.dead() == []
    assert not occupied.take([SLOT], [status("rank", 7, url=None)])


async def test_a_silent_resident_is_told_of_then_killed_and_forgotten_once_dead(occupied, tmp_path):
    now = 0.0
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    alarms = Alarms(ledger)
    deaths = Deaths(occupied, alarms, lambda: now)
    address = occupied.awake[SLOT.slot]
    deaths.not_heard(address)
    assert (alarms.texts, deaths.ordered()) == ((), {})
    now = SILENCE_BEFORE_ALARM_S + 0.1
    deaths.not_heard(address)
    deaths.not_heard(address)
    assert (alarms.texts, deaths.ordered()) == (("rank@n0/cpu0 does not answer",), {})
    assert [event.subject for event in ledger.latest("alarm", 9)] == ["silent rank@n0/cpu0"]
    now = SILENCE_BEFORE_KILL_S + 0.1
    deaths.not_heard(address)
    assert deaths.ordered() == {address.name: 7}
    occupied.take([SLOT], [status("rank", 9)])
    assert deaths.ordered() == {}
    deaths.forget_all_but(set())
    assert alarms.texts == ()
    ledger.close()
