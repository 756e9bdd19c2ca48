"""Days that are over leave the ledger for files: nothing is lost or doubled, and both are read together."""

import asyncio
import datetime as dt
from contextlib import closing

import pytest

from small_disk import WAYS, small_disk
from tenfold.cli.history import read_moves
from tenfold.core.errors import Damaged
from tenfold.core.store import open_store
from tenfold.ledger import retention
from tenfold.ledger.days import add_to_day, newest_of_days
from tenfold.ledger.ledger import Event, Ledger
from tenfold.ledger.past import newest
from tenfold.ledger.recorder import Recorder
from tenfold.ledger.retention import Retention, forget, forget_forever
from tenfold.ledger.tables import MIGRATIONS
from tenfold.pool.state import MoveView

DAY_S = 86400.0
START = 1_790_035_200.0  # midnight, UTC
DAYS, A_DAY, KEEP = 6, 40, 2
NOW = START + (DAYS - 1) * DAY_S + 3600.0


@pytest.fixture(autouse=True)
def small_steps(monkeypatch):
    monkeypatch.setattr(retention, "STAY", 3)
    monkeypatch.setattr(retention, "TOGETHER", 7)


def fill(url: str) -> None:
    """Moves and alarms on each of the days, and one allocation on the first."""
    with closing(Ledger(url)) as ledger:
        found = [Event(0, START, "allocation", "pool", {"epoch": 1})]
        for day in range(DAYS):
            for number in range(A_DAY):
                at = START + day * DAY_S + number * 90.0
                kind = "move" if number % 2 else "alarm"
                found.append(Event(0, at, kind, "n0/cpu0", {"number": day * A_DAY + number}))
        ledger.extend(found)


def forgotten(url, folder, pause=lambda: None):
    with closing(open_store(url, MIGRATIONS)) as store:
        return forget(store, folder, KEEP, NOW, pause)


def all_numbers(url, folder) -> list[int]:
    with closing(Ledger(url)) as ledger:
        found = [event.body["number"] for kind in ("move", "alarm") for event in newest(ledger, folder, kind, 9999)]
    return sorted(found)


def in_ledger(url, kind: str) -> list[float]:
    with closing(Ledger(url)) as ledger:
        return [event.at for event in ledger.latest(kind, 9999)]


def test_days_that_are_over_are_in_files_and_read_back_in_order(database, tmp_path):
    url, folder = database("ledger"), tmp_path / "ledger-days"
    fill(url)
    done = forgotten(url, folder)
    over = DAYS - 1 - KEEP
    names = [f"{dt.datetime.fromtimestamp(START + day * DAY_S, dt.UTC):%Y-%m-%d}" for day in range(over)]
    assert done.days == tuple(names) and done.events == over * A_DAY
    assert sorted(path.name for path in folder.iterdir()) == [f"{name}.parquet" for name in names]
    assert min(in_ledger(url, "move")) >= START + over * DAY_S
    # Whatever its age: a controller goes on from the last one.
    assert in_ledger(url, "allocation") == [START]
    assert all_numbers(url, folder) == list(range(DAYS * A_DAY))
    with closing(Ledger(url)) as ledger:
        found = newest(ledger, folder, "move", 100)
        assert [event.at for event in found] == sorted((event.at for event in found), reverse=True)
        assert found[-1] == Event(found[-1].id, found[-1].at, "move", "n0/cpu0", {"number": 41})
    assert forgotten(url, folder) == retention.Forgotten()


@pytest.mark.parametrize("step", range(0, 3 * A_DAY // 7, 5))
def test_one_that_ends_in_between_loses_and_doubles_nothing(tmp_path, step):
    url, folder = f"sqlite:///{tmp_path / 'ledger.db'}", tmp_path / "ledger-days"
    fill(url)
    steps = iter(range(step))

    def pause() -> None:
        next(steps)

    with pytest.raises(StopIteration):
        forgotten(url, folder, pause)
    assert all_numbers(url, folder) == list(range(DAYS * A_DAY))
    forgotten(url, folder)
    assert all_numbers(url, folder) == list(range(DAYS * A_DAY))
    assert min(in_ledger(url, "move")) >= START + (DAYS - 1 - KEEP) * DAY_S


def test_where_no_file_can_be_written_events_stay(tmp_path):
    url, folder = f"sqlite:///{tmp_path / 'ledger.db'}", tmp_path / "ledger-days"
    folder.mkdir()
    fill(url)
    with small_disk(WAYS[0], folder) as disk:
        disk.fill()
        with pytest.raises(OSError, match="No space left"):
            forgotten(url, folder)
        assert len(in_ledger(url, "move")) == DAYS * A_DAY / 2
        disk.free()
        forgotten(url, folder)
        assert all_numbers(url, folder) == list(range(DAYS * A_DAY))


def test_events_that_come_late_join_the_file_of_their_day(tmp_path):
    url, folder = f"sqlite:///{tmp_path / 'ledger.db'}", tmp_path / "ledger-days"
    fill(url)
    forgotten(url, folder)
    late = [Event(0, START + 5.0 + number, "late", "pool", {"number": number}) for number in range(9)]
    with closing(Ledger(url)) as ledger:
        ledger.extend(late)
    assert forgotten(url, folder).events == 6
    assert [event.at for event in newest_of_days(folder, "late", 99, ())] == [START + 10.0 - n for n in range(6)]
    assert all_numbers(url, folder) == list(range(DAYS * A_DAY))


def test_a_report_that_is_told_again_after_any_time_is_still_known(database, tmp_path):
    url = database("ledger")
    with closing(Ledger(url, clock=lambda: START)) as ledger:
        for subject, newest in (("feed/a", 7), ("feed/b", 2)):
            assert ledger.append_once("earned", subject, newest, {"number": newest})
        ledger.extend([Event(0, START + 9.0, "earned", "feed/c", {"number": number}) for number in range(5)])
    # The newest of c, and two more: three of a kind stay at any age here.
    assert forgotten(url, tmp_path / "ledger-days") == retention.Forgotten(events=2, days=("2026-09-22",))
    with closing(Ledger(url)) as ledger:
        for subject, newest in (("feed/a", 7), ("feed/b", 2), ("feed/c", 4)):
            assert not ledger.append_once("earned", subject, newest, {"number": newest})
            assert ledger.append_once("earned", subject, newest + 1, {"number": newest + 1})


def test_a_damaged_day_is_named_and_then_set_aside(tmp_path):
    day = dt.date(2026, 9, 22)
    row = (1, START, "move", "n0/cpu0", '{"number": 1}', "")
    add_to_day(tmp_path, day, [row])
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(Damaged, match=path.name):
        list(newest_of_days(tmp_path, "move", 9, ()))
    add_to_day(tmp_path, day, [row])
    assert [event.body["number"] for event in newest_of_days(tmp_path, "move", 9, ())] == [1]
    assert [found.name for found in tmp_path.glob("*.damaged-*.json")]


def test_an_event_of_a_day_that_was_changed_is_not_believed(tmp_path):
    row = (1, START, "move", "n0/cpu0", '{"number": 1}', "deadbeef")
    add_to_day(tmp_path, dt.date(2026, 9, 22), [row])
    with pytest.raises(Damaged, match="event 1 does not match its check sum"):
        list(newest_of_days(tmp_path, "move", 9, ()))


def test_the_file_gives_back_the_space_of_what_left_it(tmp_path, monkeypatch):
    monkeypatch.setattr(retention, "FREE_PAGES", 4)
    path = tmp_path / "ledger.db"
    with closing(Ledger(f"sqlite:///{path}")) as ledger:
        times = [START + day * DAY_S + number for day in range(DAYS) for number in range(60)]
        ledger.extend([Event(0, at, "standings", "pool", {"text": "x" * 4000}) for at in times])
    before = path.stat().st_size
    forgotten(f"sqlite:///{path}", tmp_path / "ledger-days")
    assert path.stat().st_size < 0.6 * before


@pytest.mark.slow
async def test_a_process_does_it_beside_the_recorder_who_tells_of_it(tmp_path, monkeypatch):
    url, folder = f"sqlite:///{tmp_path / 'ledger.db'}", tmp_path / "ledger-days"
    monkeypatch.setattr(retention, "FIRST_S", 0.0)
    # The process counts days from today, and keeps the newest hundred of a kind.
    with closing(Ledger(url)) as ledger:
        ledger.extend([Event(0, START + number, "move", "n0/cpu0", {"number": number}) for number in range(150)])
    found = Recorder(lambda: Ledger(url, mends=True), "the ledger")
    task = asyncio.create_task(forget_forever(found, Retention(url=url, folder=folder, keep_days=1)))
    async with asyncio.timeout(60):
        while not (told := found.latest("forgotten")):
            assert not found.trouble
            await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert told[0].body == {"events": 50, "days": ["2026-09-22"]}
    assert len(found.latest("move", 999)) == 100
    found.close()


@pytest.mark.slow
async def test_why_it_could_not_is_the_recorders_trouble(tmp_path, monkeypatch):
    monkeypatch.setattr(retention, "FIRST_S", 0.0)
    found = Recorder(lambda: Ledger(f"sqlite:///{tmp_path / 'ledger.db'}"), "the ledger")
    elsewhere = Retention(url=f"sqlite:///{tmp_path / 'no' / 'ledger.db'}", folder=tmp_path, keep_days=5)
    task = asyncio.create_task(forget_forever(found, elsewhere))
    async with asyncio.timeout(60):
        while not found.trouble:
            await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert found.trouble == "events older than 5 days stay in the ledger: unable to open database file"
    found.close()


def test_the_pools_moves_are_listed_over_what_the_ledger_has_forgotten(tmp_path):
    move = MoveView(
        **{"move": 1, "slot": "n0/cpu0", "donor": None, "receiver": "rank", "reason": "floor", "epoch": 1, "at": START},
        **{"gain_usd_per_s": 1e-6, "deadline_s": 1.0, "state": "done", "seconds": 0.2},
    )
    with closing(Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")) as ledger:
        for number in range(10):
            at = START + number * DAY_S / 2
            ledger.append("move", "n0/cpu0", move.model_copy(update={"move": number, "at": at}).model_dump(), at=at)
    forgotten(f"sqlite:///{tmp_path / 'ledger.db'}", tmp_path / "ledger-days")
    assert [view.move for view in read_moves(tmp_path, 8)] == [9, 8, 7, 6, 5, 4, 3, 2]
