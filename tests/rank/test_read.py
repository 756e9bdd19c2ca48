"""Anyone's data is read as it comes, and rows that cannot be used are named."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tenfold.core.errors import UsageError
from tenfold.rank.read.bad import BadRows
from tenfold.rank.read.folder import read_folder
from tenfold.rank.read.s3_rec import names_in
from tenfold.rank.stream import Item


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return folder


def test_s3_rec_with_attributes(tmp_path: Path):
    write(tmp_path, Toys__txt="1 10 20 30\n2 20 10\n", Toys_item2attributes__json=json.dumps({"10": [1, 2], "30": [2]}))
    stream, complaints = read_folder(tmp_path)
    assert complaints.count == 0
    assert stream.people == (1, 2)
    assert [item.id for item in stream.items] == [10, 20, 30]
    assert [item.attributes for item in stream.items] == [("1", "2"), (), ("2",)]
    assert stream.events.histories()[0].tolist() == [0, 1, 2]
    assert stream.events.histories()[1].tolist() == [1, 0]
    assert not stream.timed


def test_items_that_nobody_took_are_no_data_set(tmp_path: Path):
    """S3-Rec's folders hold Beauty.txt and, written the same way, 99 items beside each target in Beauty_sample.txt."""
    write(
        tmp_path, Toys__txt="1 10 20\n2 20 10\n", Toys_sample__txt="1 30 40 50\n2 40 50 60\n", my_sample__txt="1 7 8\n"
    )
    assert names_in(tmp_path) == ["Toys", "my_sample"]


def test_recbole_ratings_and_items(tmp_path: Path):
    write(
        tmp_path,
        ml__inter="user_id:token\titem_id:token\trating:float\ttimestamp:float\n7\ta\t5\t20\n7\tb\t3\t10\n8\ta\t1\t5\n",
        ml__item="item_id:token\tmovie_title:token_seq\tclass:token_seq\na\tToy Story\tComedy Drama\nb\tHeat\tCrime\n",
    )
    stream, _ = read_folder(tmp_path)
    assert stream.people == (7, 8)
    assert stream.items[0] == Item("a", "Toy Story", attributes=("class:Comedy", "class:Drama"))
    assert stream.events.histories()[0].tolist() == [1, 0], "oldest first"
    assert stream.actions == ("rated", "liked")
    assert stream.events.actions_E.tolist() == [1, 3, 1]
    assert stream.timed


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_table_with_surfaces_actions_and_watch_time(tmp_path: Path, kind: str):
    table = pl.DataFrame(
        {
            "user_id": ["ann", "ann", "bob"],
            "item": ["v1", "p1", "v1"],
            "surface": ["video", "shop", "video"],
            "action": ["like", "impression", "buy"],
            "watched": [0.5, None, 1.25],
            "at": ["2026-11-28T10:00:00", "2026-11-28T09:00:00Z", "1764000000"],
        }
    )
    items = pl.DataFrame(
        {"id": ["v1", "p1"], "title": ["A clip", "A pot"], "tag": ["x|y", "x"], "duration_s": [30, None]}
    )
    for name, frame in (("events", table), ("items", items)):
        if kind == "csv":
            frame.write_csv(tmp_path / f"{name}.csv")
        else:
            frame.write_parquet(tmp_path / f"{name}.parquet")
    stream, _ = read_folder(tmp_path)
    assert (stream.surfaces, stream.actions, stream.people) == (("shop", "video"), ("buy", "like"), ("ann", "bob"))
    assert stream.items[0] == Item("v1", "A clip", attributes=("tag:x", "tag:y"), length_s=30.0)
    events = stream.events
    assert [stream.items[row].id for row in events.row_E] == ["p1", "v1", "v1"]
    assert events.actions_E.tolist() == [0, 2, 1]
    assert events.at_E[1] - events.at_E[0] == 3600
    np.testing.assert_array_equal(events.watched_E, np.array([np.nan, 0.5, 1.25], np.float32))


@pytest.mark.parametrize(
    ("file", "text", "named"),
    [
        (
            "toys.txt",
            "1 10 20\n2 x 10\n3\n",
            ["line 2: a person and items are whole numbers, got 'x'", "line 3: person 3 has no items"],
        ),
        (
            "events.csv",
            "person,item,at\nann,a,1\n,b,2\nbob,,3\ncid,c,soon\n",
            [
                "line 3: the person is missing",
                "line 4: the item is missing",
                "line 5: the time is no number of seconds and no date, got 'soon'",
            ],
        ),
        (
            "ml.inter",
            "user_id:token\titem_id:token\trating:float\n1\t2\t5\n1\t3\tfive\n",
            ["line 3: rating:float is no number, got 'five'"],
        ),
    ],
)
def test_bad_rows_are_named_and_left_out_only_if_asked(tmp_path: Path, file: str, text: str, named: list[str]):
    (tmp_path / file).write_text(text)
    with pytest.raises(BadRows) as caught:
        read_folder(tmp_path)
    for line in named:
        assert line in str(caught.value)
    assert "--skip-bad-rows" in caught.value.next_step
    stream, complaints = read_folder(tmp_path, skip_bad_rows=True)
    assert complaints.count == len(named)
    assert len(stream.events) >= 1


def test_files_of_a_feed_are_read_as_one_and_a_visit_to_an_item_is_one_event(tmp_path: Path):
    columns = ("person", "id", "surface", "item", "action", "ratio", "session", "at")
    first = [
        ("ann", "e1", "home", "7", "shown", None, "s1", 10.0),
        ("ann", "e2", "home", "8", "shown", None, "s1", 10.0),
        ("ann", "e3", "home", "8", "opened", None, "s1", 20.0),
    ]
    second = [
        first[2],
        ("ann", "e4", "home", "8", "watched", 0.75, "s1", 60.0),
        ("ann", "e5", "home", "7", "not_interested", None, "s1", 70.0),
        ("ann", "e6", "home", "8", "opened", None, "s2", 90.0),
    ]
    for name, rows in (("1-2", first), ("2-3", second)):
        pl.DataFrame(rows, schema=columns, orient="row").write_parquet(tmp_path / f"events-{name}.parquet")
    items = {"item": ["7", "8"], "title": ["A", "B"], "attributes": [["Comedy", "War"], []], "surfaces": [["home"], []]}
    pl.DataFrame(items).write_parquet(tmp_path / "items.parquet")
    stream, _ = read_folder(tmp_path)
    assert stream.actions == ("not_interested", "opened", "watched")
    assert stream.wanted() == 0b110
    assert [stream.items[row].id for row in stream.events.row_E] == [7, 8, 8]
    assert stream.events.actions_E.tolist() == [0b001, 0b110, 0b010]
    np.testing.assert_array_equal(stream.events.watched_E, np.array([np.nan, 0.75, np.nan], np.float32))
    assert stream.items[0].attributes == ("Comedy", "War")
    assert stream.items[0].surfaces == ("home",)


def test_marks_of_byte_order_and_lines_with_nothing_on_them_are_no_rows(tmp_path: Path):
    (tmp_path / "toys.txt").write_bytes(b"\xef\xbb\xbf1 10 20\r\n\r\n2 20 30\r\n")
    stream, _ = read_folder(tmp_path)
    assert stream.people == (1, 2) and len(stream.events) == 4
    (tmp_path / "toys.txt").unlink()
    (tmp_path / "events.csv").write_bytes(b"\xef\xbb\xbfperson,item,at\r\n\r\nann,a,1\r\n\r\nbob,b,2\r\n\r\n")
    stream, _ = read_folder(tmp_path)
    assert stream.people == ("ann", "bob") and len(stream.events) == 2


def test_what_cannot_be_read_says_what_can(tmp_path: Path):
    with pytest.raises(UsageError, match=r"there is no .*nowhere"):
        read_folder(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="has no events to read") as caught:
        read_folder(tmp_path)
    assert "NAME.inter" in caught.value.next_step
    (tmp_path / "events.csv").write_text("who,what\na,b\n")
    with pytest.raises(UsageError, match="has no column for the person; its columns are who, what"):
        read_folder(tmp_path)
    write(tmp_path, a__inter="", b__inter="")
    with pytest.raises(UsageError, match="several data sets"):
        read_folder(tmp_path)
    (tmp_path / "b.inter").unlink()
    (tmp_path / "a.inter").write_bytes("user_id\titem_id\nann\tKäse\n".encode("latin-1"))
    (tmp_path / "events.csv").unlink()
    with pytest.raises(UsageError, match="can't decode") as caught:
        read_folder(tmp_path)
    assert "UTF-8" in caught.value.next_step
