"""Events that the disk does not take wait, and are written once it does, with the time at which they happened."""

import itertools
import sqlite3
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from small_disk import WAYS, small_disk
from tenfold.core.store import place_of, store_url
from tenfold.ledger import recorder
from tenfold.ledger.ledger import Ledger
from tenfold.ledger.recorder import Recorder


class Clock:
    """A second a look."""

    def __init__(self) -> None:
        self._ticks = itertools.count(1.0)

    def __call__(self) -> float:
        return next(self._ticks)


@pytest.mark.parametrize("way", WAYS)
def test_on_a_full_disk_events_wait_and_are_then_written_in_order(tmp_path, way):
    with small_disk(way, tmp_path) as disk:
        path = tmp_path / "ledger.db"
        found = Recorder(lambda: Ledger(f"sqlite:///{path}"), str(path), Clock())
        found.append("allocation", "pool", {"epoch": 1})
        assert found.trouble == ""
        disk.fill()
        # Where SQLite has room left in its log, some are still written.
        for epoch in range(2, 40):
            found.append("allocation", "pool", {"epoch": epoch})
        found.tend()
        assert f"{path} cannot be written" in found.trouble
        disk.free()
        found.tend()
        assert found.trouble == ""
        events = found.latest("allocation", 100)
        assert [event.body["epoch"] for event in events] == list(range(39, 0, -1))
        assert [event.at for event in events] == sorted((event.at for event in events), reverse=True)
        (gap,) = found.latest("unrecorded")
        assert gap.body["dropped"] == 0
        assert gap.body["cause"]
        found.close()


def test_a_ledger_that_somebody_locks_stops_nobody(tmp_path):
    path = tmp_path / "ledger.db"
    found = Recorder(lambda: Ledger(f"sqlite:///{path}"), str(path), Clock())
    found.append("allocation", "pool", {"epoch": 1})
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    found.append("allocation", "pool", {"epoch": 2})
    assert "database is locked" in found.trouble
    other.close()
    found.tend()
    assert (found.trouble, found.latest("allocation")[0].body["epoch"]) == ("", 2)
    found.close()


def test_a_ledger_that_cannot_be_opened_is_empty_and_opened_later(tmp_path):
    path = tmp_path / "home" / "ledger.db"
    found = Recorder(lambda: Ledger(f"sqlite:///{path}"), "the ledger", Clock())
    assert found.latest("allocation") == ()
    assert "the ledger cannot be written (unable to open database file)" in found.trouble
    found.append("allocation", "pool", {"epoch": 1})
    path.parent.mkdir()
    found.tend()
    assert (found.trouble, found.latest("allocation")[0].body["epoch"]) == ("", 1)
    found.close()


def test_while_the_server_is_away_events_wait_and_are_then_written_in_order(postgres, postgres_settings, tmp_path):
    url = store_url(postgres_settings, tmp_path, "ledger")
    found = Recorder(lambda: Ledger(url, mends=True), place_of(url), Clock())
    found.append("allocation", "pool", {"epoch": 1})
    assert found.trouble == ""
    postgres.stop()
    try:
        for epoch in (2, 3):
            found.append("allocation", "pool", {"epoch": epoch})
        found.tend()
        assert "/postgres (schema t" in found.trouble and "cannot be written" in found.trouble
        assert found.latest("allocation") == ()
    finally:
        postgres.start()
    found.append("allocation", "pool", {"epoch": 4})
    heal(found)
    assert [event.body["epoch"] for event in found.latest("allocation", 9)] == [4, 3, 2, 1]
    assert found.latest("unrecorded")[0].body["dropped"] == 0
    found.close()


def test_a_server_that_hangs_holds_nobody_up_and_gets_every_event_once(
    postgres, postgres_settings, tmp_path, monkeypatch
):
    url = store_url(postgres_settings, tmp_path, "ledger")
    found = Recorder(lambda: Ledger(url, mends=True), place_of(url), Clock())
    found.append("allocation", "pool", {"epoch": 0})
    monkeypatch.setattr(recorder, "WAIT_S", 0.05)
    with postgres.hanging():
        for epoch in range(1, 300):
            found.append("allocation", "pool", {"epoch": epoch})
            found.tend()
        # The first was waited for once, and the others not at all.
        assert "no answer within 0.05 s" in found.trouble
        assert found.unrecorded == 299
    heal(found)
    monkeypatch.setattr(recorder, "WAIT_S", 60.0)
    assert [event.body["epoch"] for event in found.latest("allocation", 999)] == list(range(299, -1, -1))
    found.close()


def heal(found: Recorder) -> None:
    until = time.monotonic() + 60.0
    while found.trouble:
        assert time.monotonic() < until, found.trouble
        found.tend()
        time.sleep(0.02)


def test_it_is_not_tried_at_every_event_nor_at_every_look(tmp_path):
    opened, now = [], [100.0]

    def fail() -> Ledger:
        opened.append(now[0])
        raise OSError(28, "No space left on device")

    found = Recorder(fail, "the ledger", lambda: now[0])
    for _ in range(50):
        found.append("move", "n0/cpu0", {})
        found.tend()
        now[0] += 0.1
    assert len(opened) <= 6
    now[0] -= 1000.0  # the wall clock was set back
    found.tend()
    assert opened[-1] == now[0]


@given(kinds=st.lists(st.sampled_from(["allocation", "move", "alarm"]), min_size=20, max_size=60))
def test_what_is_kept_is_bounded_and_the_latest_of_each_kind_is_in_it(kinds):
    def fail() -> Ledger:
        raise OSError(28, "No space left on device")

    found = Recorder(fail, "the ledger", Clock())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recorder, "KEPT", 10)
        for number, kind in enumerate(kinds):
            found.append(kind, "pool", {"number": number})
    kept = [(event.kind, event.body["number"]) for event in found._waiting]
    assert len(kept) == 10
    assert found._dropped == len(kinds) - 10
    assert kept == sorted(kept, key=lambda pair: pair[1])
    latest = {kind: number for number, kind in enumerate(kinds)}
    assert set(latest.items()) <= set(kept)
