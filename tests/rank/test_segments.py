"""What the feed has written down becomes a stream beside the data set that ranking began with."""

from pathlib import Path

import numpy as np
import pytest
from feed_files import write_items, write_segment

from tenfold.core.errors import Damaged
from tenfold.rank.segments import Buffer, newest_us, stream_with
from tenfold.rank.stream import Events, Item, Items, Stream

BASE = Stream(
    ("films",),
    ("rated",),
    (1, 2),
    Items((Item(7, "Seven", attributes=("genre:Crime",), surfaces=("films",)), Item(8, "Eight"))),
    Events.of([0, 0, 1], [0, 1, 0], [10.0, 20.0, 30.0]),
)


def test_rows_of_one_visit_and_item_are_one_event(tmp_path: Path):
    rows = [
        {"person": "ann", "item": "7", "surface": "home", "action": "shown", "at": 100.0},
        {"person": "ann", "item": "7", "surface": "home", "action": "opened", "at": 101.0},
        {"person": "ann", "item": "7", "surface": "home", "action": "watched", "at": 160.0, "ratio": 0.75},
        {"person": "ann", "item": "new", "surface": "short", "action": "shown", "at": 105.0},
        {"person": "ann", "item": "new", "surface": "short", "action": "skipped", "at": 106.0},
        {"person": "bob", "item": "nobody-knows", "surface": "short", "action": "opened", "at": 107.0},
    ]
    write_segment(tmp_path, 0, 200_000_000, rows)
    write_items(tmp_path, [{"item": "7"}, {"item": "new", "title": "New", "attributes": ["genre:Noir"], "author": "x"}])
    found = stream_with(BASE, tmp_path)
    assert found.surfaces == ("films", "home", "short")
    assert found.actions[:4] == ("rated", "opened", "watched", "liked")
    assert [item.id for item in found.items] == [7, 8, "new"]
    assert found.items[0].attributes == ("genre:Crime",), "what it began with knows more of its own items"
    assert (found.items[2].title, found.items[2].author) == ("New", "x")
    ann = found.events.select(found.events.person_E == found.people.index("ann"))
    assert ann.row_E.tolist() == [0, 2]
    assert ann.surface_E.tolist() == [1, 2]
    assert ann.actions_E.tolist() == [0b110, 0], "opened and watched; the other was shown and passed by"
    assert ann.watched_E[0] == pytest.approx(0.75) and np.isnan(ann.watched_E[1])
    assert ann.at_E.tolist() == [100.0, 105.0]
    assert "bob" in found.people and len(found.events) == len(BASE.events) + 2
    assert newest_us(tmp_path) == 200_000_000


def test_an_event_that_two_files_have_counts_once(tmp_path: Path):
    row = {"person": "ann", "id": "e1", "item": "8", "surface": "home", "action": "opened", "at": 100.0}
    write_segment(tmp_path, 0, 5, [row])
    write_segment(tmp_path, 0, 9, [row, row | {"id": "e2", "item": "7"}])
    write_items(tmp_path, [])
    assert len(stream_with(BASE, tmp_path).events) == len(BASE.events) + 2


def test_without_files_there_is_what_it_began_with(tmp_path: Path):
    found = stream_with(BASE, tmp_path / "none")
    assert len(found.events) == 3 and found.people == (1, 2)
    assert newest_us(tmp_path / "none") == 0


def test_the_buffer_keeps_the_latest_of_each_and_of_all(tmp_path: Path):
    rows = [
        {"person": person, "item": "7", "surface": "home", "action": "opened", "at": 100.0 + at, "session": f"s{at}"}
        for person in ("ann", "bob")
        for at in range(6)
    ]
    write_segment(tmp_path, 0, 9, rows)
    assert sorted(stream_with(BASE, tmp_path, Buffer(of_person=4)).events.at_E.tolist())[-8:] == sorted(
        [102.0, 103.0, 104.0, 105.0] * 2
    )
    assert sorted(stream_with(BASE, tmp_path, Buffer(of_all=3)).events.at_E.tolist()) == [104.0, 105.0, 105.0]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path):
    path = write_segment(
        tmp_path, 0, 9, [{"person": "ann", "item": "7", "surface": "home", "action": "opened", "at": 1.0}]
    )
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(Damaged, match=path.name):
        stream_with(BASE, tmp_path)
