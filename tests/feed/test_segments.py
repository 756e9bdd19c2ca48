"""The files that ranking learns from: each event once, whole or not at all, and nobody who is forgotten."""

import datetime as dt

import polars as pl
import pytest

from tenfold.feed import archive as archive_module
from tenfold.feed import people, segments, taking
from tenfold.feed.contract import FeedEvent
from tenfold.feed.item import Item

DAY_S = 86_400.0
NOW = 20_000 * DAY_S + 1000.0


@pytest.fixture
async def desk(make_desk):
    return await make_desk([Item(1, "One", ("a",), surfaces=("short",)), Item("x", "Ex")])


@pytest.fixture
def folder(desk, tmp_path):
    return segments.folder_of(tmp_path)


def take(desk, at, person, *items):
    with desk._store.writing() as connection:
        events = [FeedEvent(id=f"{at}{n}", person=person, surface="home", item=i, action="opened") for n, i in
                  enumerate(items)]  # fmt: skip
        taking.take(connection, events, 0.1, at)


def read(folder) -> list[tuple[str, str]]:
    frames = [pl.read_parquet(each.path) for each in segments.segments(folder)]
    return [row for frame in frames for row in frame.select("person", "item").iter_rows()]


async def test_each_event_is_in_one_file_and_the_next_begins_where_the_last_ends(desk, folder):
    take(desk, NOW, "ann", 1, "x")
    assert not desk.archive.export()
    take(desk, NOW + 1, "bob", 1)
    for _ in range(3):
        desk.archive.export()
    assert read(folder) == [("ann", "1"), ("ann", "x"), ("bob", "1")]
    first, second = segments.segments(folder)
    assert first.last_us == second.first_us
    # What is written is known by the names: a new life goes on.
    assert archive_module.Archive(desk._store, folder.parents[1]).export() is False
    desk.archive.write_items(desk.catalog)
    rows = pl.read_parquet(folder / segments.ITEMS).select("item", "attributes", "surfaces").rows()
    assert rows == [("1", ["a"], ["short"]), ("x", [], [])]


async def test_a_transaction_is_not_divided_between_files(desk, folder, monkeypatch):
    monkeypatch.setattr(archive_module, "MOST_ROWS", 3)
    for at in range(4):
        take(desk, NOW + at, "ann", 1, "x")
    while desk.archive.export():
        pass
    desk.archive.export()
    assert [pl.read_parquet(each.path).height for each in segments.segments(folder)] == [2, 2, 2, 2]


async def test_the_files_of_a_day_become_one_and_a_crash_in_between_doubles_nothing(desk, folder, monkeypatch):
    for at in (NOW, NOW + 60, NOW + DAY_S):
        take(desk, at, "ann", at and 1, "x")
        desk.archive.export()
    kept = []
    monkeypatch.setattr(segments, "_delete", lambda path: kept.append(path) or 0)
    later = dt.datetime.fromtimestamp(NOW + DAY_S, dt.UTC)
    segments.join_days(folder, later)
    assert len(kept) >= 2 and len(list(folder.glob("events-*"))) == 4
    assert len(read(folder)) == 6
    monkeypatch.undo()
    desk.archive.tidy(0.0, later)
    assert len(list(folder.glob("events-*"))) == 2
    assert len(read(folder)) == 6
    # The last file stays however old it is, so that nothing is written twice.
    desk.archive.tidy(NOW + 9 * DAY_S, later)
    assert len(read(folder)) == 2
    assert desk.archive.export() is False


async def test_who_is_forgotten_is_in_no_file_and_a_crash_before_that_is_made_up_for(desk, folder):
    take(desk, NOW, "ann", 1)
    take(desk, NOW + 1, "bob", "x")
    desk.archive.export()
    await desk.forget("ann")
    assert read(folder) == [("bob", "x")]
    with desk._store.writing() as connection:
        assert people.pending_erasures(connection) == []
        # As a crash would leave it.
        people.forget(connection, "bob", NOW + 2)
    take(desk, NOW + 3, "bob", 1)
    desk._export_now()
    assert read(folder) == [("bob", "1")]
    assert await desk.export("ann") is None
    exported = await desk.export("bob")
    assert [(each.item, each.taken_at) for each in exported.events] == [(1, NOW + 3)]
    assert exported.experiments["holdout"] in ("ranked", "popular")


async def test_a_damaged_file_is_written_anew(desk, folder):
    take(desk, NOW, "ann", 1)
    take(desk, NOW + 1, "bob", "x")
    desk.archive.export()
    (only,) = segments.segments(folder)
    only.path.write_bytes(b"PAR1 and then nothing")
    await desk.forget("ann")
    assert read(folder) == [("bob", "x")]
