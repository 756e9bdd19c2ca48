"""Events stay: appended, read back in order, by another reader too; a damaged file is never a silent one."""

import os
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from damage import harms
from tenfold.core.errors import LedgerError, StoreError
from tenfold.ledger.ledger import Event, Ledger

EVENTS = 12


def open_ledger(path, **options):
    return closing(Ledger(f"sqlite:///{path}", clock=lambda: 1.5, **options))


def write(path) -> None:
    with open_ledger(path) as ledger:
        for number in range(EVENTS):
            ledger.append("move" if number % 2 else "standings", "n0/cpu0", {"number": number, "text": "x" * 300})


def contents(ledger) -> list[tuple]:
    found = [*ledger.latest("move", 100), *ledger.latest("standings", 100)]
    return [(event.id, event.at, event.subject, event.body["number"], event.body["text"]) for event in found]


def first_event(path) -> tuple[str, str]:
    with closing(sqlite3.connect(path)) as database:
        return database.execute("SELECT kind, body FROM events ORDER BY id LIMIT 1").fetchone()


def aside(folder) -> list[str]:
    return sorted(path.name for path in folder.glob("*.damaged-*") if path.suffix != ".json")


def test_events_are_read_back_newest_first(database):
    times = iter([1.0, 2.0, 3.0])
    ledger = Ledger(database("ledger"), clock=lambda: next(times))
    for number in (1, 2):
        ledger.append("move", "n0/cpu0", {"number": number})
    ledger.append("alarm", "hold", {})
    reader = Ledger(database("ledger"))
    assert [(event.at, event.body["number"]) for event in reader.latest("move", 5)] == [(2.0, 2), (1.0, 1)]
    assert reader.latest("nothing") == []
    ledger.close()
    reader.close()


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "ledger.db"
    write(path)
    return path


@given(harm=harms)
def test_any_damage_is_said_or_changes_no_event(tmp_path_factory, written, harm):
    path = tmp_path_factory.mktemp("damaged") / "ledger.db"
    path.write_bytes(harm(written.read_bytes()))
    damage = path.read_bytes()
    try:
        opened = open_ledger(path, mends=True)
    except StoreError as error:
        # A changed revision cannot be told from that of a newer Tenfold, whose file must stay as it is.
        assert "has revision" in str(error) and path.read_bytes()[:100] == damage[:100]
        return
    with opened as ledger:
        found = contents(ledger)
        ledger.append("move", "n0/cpu1", {"number": 99, "text": ""})
        assert ledger.latest("move")[0].body["number"] == 99
    if aside(path.parent):
        assert found == [] or first_event(path)[0] == "ledger_damaged"
        assert (path.parent / aside(path.parent)[0]).stat().st_size == len(damage)
    else:
        assert len(found) == EVENTS
        assert {(id, number, text) for id, _, _, number, text in found} == {
            (number + 1, number, "x" * 300) for number in range(EVENTS)
        }


@given(harm=harms)
def test_a_reader_names_damage_and_leaves_the_file_alone(tmp_path_factory, written, harm):
    path = tmp_path_factory.mktemp("damaged") / "ledger.db"
    path.write_bytes(harm(written.read_bytes()))
    try:
        with open_ledger(path) as reader:
            assert len(contents(reader)) <= EVENTS
    except LedgerError as error:
        assert str(path) in str(error) and "tenfold up" in error.next_step
    except StoreError as error:
        assert str(path) in str(error) and "has revision" in str(error)
    assert aside(path.parent) == []


@pytest.mark.parametrize("damage", ["cut", "garbled", "empty"])
def test_a_damaged_ledger_is_set_aside_and_a_new_one_says_so(tmp_path, damage):
    path = tmp_path / "ledger.db"
    write(path)
    content = path.read_bytes()
    bad = {"cut": content[: len(content) // 2], "garbled": os.urandom(len(content)), "empty": b""}[damage]
    path.write_bytes(bad)
    with open_ledger(path, mends=True) as ledger:
        told = ledger.latest("ledger_damaged")[0]
    (name,) = aside(tmp_path)
    assert told.body["set_aside"] == name and told.body["cause"]
    assert (tmp_path / name).read_bytes() == bad
    assert first_event(path)[0] == "ledger_damaged"


def test_a_ledger_that_is_damaged_while_in_use_is_left_for_a_new_one(tmp_path):
    path = tmp_path / "ledger.db"
    with open_ledger(path, mends=True) as ledger:
        ledger.append("move", "n0/cpu0", {"number": 1})
        with closing(sqlite3.connect(path)) as other:
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        path.write_bytes(os.urandom(path.stat().st_size))
        ledger.append("move", "n0/cpu0", {"number": 2})
        assert [event.body["number"] for event in ledger.latest("move", 5)] == [2]
    assert first_event(path)[0] == "ledger_damaged"
    assert len(aside(tmp_path)) >= 1


def test_a_ledger_that_is_garbled_under_a_writer_that_remembers_it_is_left_at_the_next_event(tmp_path):
    path = tmp_path / "ledger.db"
    with open_ledger(path, mends=True) as ledger:
        ledger.append("move", "n0/cpu0", {"number": 1})
        path.write_bytes(os.urandom(30_000))
        ledger.append("move", "n0/cpu0", {"number": 2})
        with open_ledger(path) as reader:
            assert [event.body["number"] for event in reader.latest("move", 5)] == [2]
    assert first_event(path)[0] == "ledger_damaged"


def test_a_ledger_that_is_removed_while_in_use_is_begun_anew(tmp_path):
    path = tmp_path / "ledger.db"
    with open_ledger(path, mends=True) as ledger:
        ledger.append("move", "n0/cpu0", {"number": 1})
        path.unlink()
        ledger.append("move", "n0/cpu0", {"number": 2})
    kind, body = first_event(path)
    assert kind == "ledger_damaged" and "removed while in use" in body


@given(harm=harms, which=st.sampled_from(["ledger.db-wal", "ledger.db-shm"]))
def test_a_damaged_log_loses_its_last_events_at_most(tmp_path_factory, harm, which):
    folder = tmp_path_factory.mktemp("log")
    with open_ledger(folder / "ledger.db") as ledger:
        for number in range(4):
            ledger.append("move", "n0/cpu0", {"number": number, "text": ""})
        killed = {name: (folder / name).read_bytes() for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm")}
    copy = tmp_path_factory.mktemp("killed")
    for name, content in killed.items():
        (copy / name).write_bytes(harm(content) if name == which else content)
    with open_ledger(copy / "ledger.db", mends=True) as ledger:
        numbers = [event.body["number"] for event in reversed(ledger.latest("move", 9))]
        ledger.append("move", "n0/cpu0", {"number": 9, "text": ""})
    assert numbers == list(range(len(numbers)))


def test_a_ledger_of_the_version_before_migrations_goes_on(tmp_path):
    path = tmp_path / "ledger.db"
    with closing(sqlite3.connect(path)) as old:
        # As the version before wrote it, check sums included.
        old.executescript((Path(__file__).parent / "version_before.sql").read_text())
    with open_ledger(path) as reader:
        assert [(event.at, event.body["move"]) for event in reader.latest("move", 9)] == [
            (1790000031.75, 2),
            (1790000021.25, 1),
        ]
    with open_ledger(path, mends=True) as ledger:
        assert ledger.append("move", "n0/cpu0", {"move": 3}).id == 6
        assert [event.id for kind in ("move", "alarm") for event in ledger.latest(kind, 9)] == [6, 4, 3, 5]
        assert ledger.latest("allocation")[0].body["epoch"] == 1001
    assert aside(tmp_path) == []
    with closing(sqlite3.connect(path)) as now:
        assert now.execute("SELECT version_num FROM alembic_version").fetchall() == [("0003",)]
        indexes = now.execute("SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL").fetchall()
    assert {name for (name,) in indexes} == {"events_by_kind", "events_by_time", "events_by_subject"}


def test_events_that_were_written_by_a_call_that_failed_are_not_written_again(database, monkeypatch):
    """As when the server takes a transaction and goes away before it says so."""
    ledger = Ledger(database("ledger"), clock=lambda: 1.5)
    dialect = ledger._opened().engine.dialect
    commit = dialect.do_commit

    def lose_the_answer(connection):
        commit(connection)
        raise dialect.dbapi.OperationalError("connection lost")

    with monkeypatch.context() as patch:
        patch.setattr(dialect, "do_commit", lose_the_answer)
        with pytest.raises(sa.exc.OperationalError):
            ledger.append("move", "n0/cpu0", {"number": 1})
    # Whoever recorded it tries again, with what has come since.
    again = [Event(0, 1.5, "move", "n0/cpu0", {"number": number}) for number in (1, 2)]
    assert [event.id for event in ledger.extend(again)] == [1, 2]
    assert [event.body["number"] for event in ledger.latest("move", 9)] == [2, 1]
    ledger.close()


def test_what_json_does_not_know_and_text_may_not_hold_is_recorded_all_the_same(database):
    body = {"worth": float("inf"), "text": "a\x00b"}
    ledger = Ledger(database("ledger"), mends=True)
    ledger.append("standings", "pool", body)
    assert ledger.latest("standings")[0].body == body
    ledger.close()


def test_a_ledger_of_an_older_version_is_read_and_added_to(tmp_path):
    path = tmp_path / "ledger.db"
    with closing(sqlite3.connect(path)) as old:
        old.execute(
            "CREATE TABLE events (id INTEGER NOT NULL PRIMARY KEY, at FLOAT NOT NULL, kind VARCHAR NOT NULL,"
            " subject VARCHAR NOT NULL, body JSON NOT NULL)"
        )
        old.execute("INSERT INTO events (at, kind, subject, body) VALUES (1, 'move', 'n0/cpu0', '{\"number\": 1}')")
        old.commit()
    with open_ledger(path, mends=True) as ledger:
        ledger.append("move", "n0/cpu0", {"number": 2})
        assert [event.body["number"] for event in ledger.latest("move", 5)] == [2, 1]
    assert aside(tmp_path) == []


def test_a_folder_in_the_place_of_the_ledger_is_named_with_its_cure(tmp_path):
    (tmp_path / "ledger.db").mkdir()
    with pytest.raises(LedgerError, match="is a folder") as caught:
        Ledger(f"sqlite:///{tmp_path / 'ledger.db'}", mends=True)
    assert "away" in caught.value.next_step


def test_a_ledger_without_permission_is_named_with_its_cure():
    as_root = os.geteuid() == 0
    # Not in pytest's folder, which is its user's alone.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        write(folder / "ledger.db")
        (folder / "ledger.db").chmod(0)
        if as_root:
            os.seteuid(65534)
        try:
            with pytest.raises(LedgerError, match="may not be read and written") as caught:
                Ledger(f"sqlite:///{folder / 'ledger.db'}", mends=True)
        finally:
            if as_root:
                os.seteuid(0)
        assert caught.value.next_step.startswith("chmod u+rw")
        assert aside(folder) == []


@pytest.mark.slow
def test_a_reader_that_leaves_takes_nothing_of_what_the_writer_records_after(tmp_path):
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    read = f"from tenfold.ledger.ledger import Ledger; l = Ledger({url!r}); print(len(l.latest('tick', 99))); l.close()"

    def read_elsewhere() -> int:
        done = subprocess.run([sys.executable, "-c", read], capture_output=True, text=True, check=True, timeout=60)
        return int(done.stdout)

    writer = Ledger(url, mends=True)
    for count in (1, 2, 3):
        writer.append("tick", "pool", {"count": count})
        assert read_elsewhere() == count
    writer.close()
