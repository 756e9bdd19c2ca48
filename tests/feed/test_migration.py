"""A database of the version before is taken over with all that it knows."""

import shutil
from pathlib import Path

import sqlalchemy as sa

from tenfold.core.store import open_store
from tenfold.feed import arms, people, stock, subjects, tables, taking
from tenfold.feed.contract import FeedEvent
from tenfold.feed.item import Item

BEFORE = (
    ("people", {"person": "ann", "share": 0.1, "held_out": False, "since": 5.0}),
    ("people", {"person": "bob", "share": 0.1, "held_out": True, "since": 6.0}),
    ("arms", {"share": 0.1, "held_out": False, "people": 1, "watched_s": 60.0, "told_s": 60.0}),
    ("arms", {"share": 0.1, "held_out": True, "people": 1, "watched_s": 0.0, "told_s": 0.0}),
    ("opened", {"item": 7, "people": 1}),
    ("films", {"item": 7, "title": "Seven", "genres": '["Crime"]', "viewers": 3}),
)
EVENT = {"person": "ann", "id": "1", "surface": "home", "item": 7, "action": "watched", "seconds": 60.0, "at": 9.0}
SEEN = {"person": "ann", "shown": 1, "shown_at": 8.0}


def test_what_was_known_is_known(database, tmp_path: Path):
    first = tmp_path / "migrations"
    first.mkdir()
    for path in tables.MIGRATIONS.glob("v000[12]_*.py"):
        shutil.copy(path, first)
    url = database("feed")
    store = open_store(url, first)
    with store.writing() as connection:
        for table, row in BEFORE:
            names = ", ".join(row)
            connection.execute(sa.text(f"INSERT INTO {table} ({names}) VALUES (:{', :'.join(row)})"), row)
        connection.execute(
            sa.text("INSERT INTO events VALUES (:person, :id, :surface, :item, :action, :seconds, :at, 9.5)"), EVENT
        )
        for item, chosen_at, blocked in ((7, 9.0, False), (8, None, True)):
            row = SEEN | {"item": item, "chosen_at": chosen_at, "blocked": blocked}
            connection.execute(
                sa.text("INSERT INTO seen VALUES (:person, :item, :shown, :shown_at, :chosen_at, :blocked)"), row
            )
    store.close()

    store = open_store(url, tables.MIGRATIONS)
    with store.writing() as connection:
        ann = people.read_person(connection, "ann", again_before=100.0)
        assert (ann.history, ann.blocked, ann.held_out) == ((7,), {8}, False)
        assert stock.read_catalog(connection) == [Item(7, "Seven", ("Crime",), 3)]
        assert stock.read_opened(connection) == [(7, 1)]
        assert [row["item"] for row in people.read_events(connection, "ann")] == [7]
        assert {arm.held_out: sums.watched_s for arm, sums in arms.read_arms(connection).items()} == {
            False: 60.0,
            True: 0.0,
        }
        # The same event told again counts nowhere; another counts for the arm that she was in all the time.
        for number in (1, 2):
            event = FeedEvent(id=str(number), person="ann", surface="home", item=7, action="watched", seconds=30.0)
            taking.take(connection, [event], 0.1, 200.0)
        figures = subjects.read_figures(connection, "holdout", subjects.holdout_text(0.1))
        assert {arm: (each.people, each.watched_s) for arm, each in figures.items()} == {
            "ranked": (1, 30.0),
            "popular": (1, 0.0),
        }
    store.close()
