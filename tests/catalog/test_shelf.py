"""A business's catalog in a database: what changed is written, what is sold is read as it is now."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from tenfold.catalog.gathered import Gathered, Skipped
from tenfold.catalog.item import Item, Offer, Variant
from tenfold.catalog.money import Money
from tenfold.catalog.passage import Passage
from tenfold.catalog.shelf import Change, Shelf
from tenfold.catalog.tables import metadata
from tenfold.catalog.vectors import Kept, open_vectors
from tenfold.core.store import open_store

NOW = datetime(2026, 11, 28, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


def item(name: str, price: str = "9.90", stock: int | None = 3) -> Item:
    variants = tuple(
        Variant(f"{name}-{color}", name, {"color": color}, Offer(Money.of(price, "EUR"), True, stock))
        for color in ("blue", "red")
    )
    return Item(name, f"Jacket {name}", variants, "Warm.", attributes={"material": "wool"})


def passage(name: str, text: str = "Thirty days.") -> Passage:
    return Passage(name, "faq", "https://shop.example/faq", "Returns", text, NOW, NOW - timedelta(days=1))


@pytest.fixture
def store(database, tmp_path):
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "v0001_catalog.py").write_text(
        "from alembic import op\nfrom tenfold.catalog.tables import create_tables\n"
        "revision = '0001'\ndown_revision = None\n\ndef upgrade():\n    create_tables(op)\n"
    )
    store = open_store(database("shop"), folder)
    yield store
    store.close()


@pytest.fixture
def shelf(store):
    return Shelf(store)


def test_the_first_migration_makes_what_the_tables_say(store):
    import sqlalchemy as sa

    seen = sa.inspect(store.engine)
    for table in metadata.sorted_tables:
        columns = {column["name"]: column["nullable"] for column in seen.get_columns(table.name)}
        assert columns == {column.name: bool(column.nullable) for column in table.columns}, table.name
        assert set(seen.get_pk_constraint(table.name)["constrained_columns"]) == {key.name for key in table.primary_key}


def test_what_was_put_is_read_as_it_was(shelf):
    gathered = Gathered((item("a"), item("b")), (passage("p"),), (Skipped("feed.csv, row 3", "it has no price"),))
    assert shelf.put("acme", "feed.csv", gathered, NOW) == Change(added=3, offers=4)
    assert shelf.items("acme") == [item("a"), item("b")]
    assert shelf.passages("acme") == [passage("p")]
    (source,) = shelf.sources("acme")
    assert (source.name, source.read_at, source.items, source.passages) == ("feed.csv", NOW, 2, 1)
    assert source.skipped == gathered.skipped
    assert shelf.items("other") == [] and shelf.passages("other") == [] and shelf.sources("other") == []


def test_only_what_changed_is_written(shelf):
    shelf.put("acme", "feed.csv", Gathered((item("a"), item("b")), (passage("p"), passage("q"))), NOW)
    assert shelf.revision("acme") == 1
    again = shelf.put("acme", "feed.csv", Gathered((item("a"), item("b")), (passage("p"), passage("q"))), LATER)
    assert again == Change(same=4)
    assert shelf.revision("acme") == 1
    assert {each.fetched for each in shelf.passages("acme")} == {LATER}
    changed = Gathered((item("a"), replace(item("c"), brand="Acme")), (passage("p", "Sixty days."),))
    assert shelf.put("acme", "feed.csv", changed, LATER) == Change(added=1, changed=1, removed=2, same=1, offers=2)
    assert shelf.revision("acme") == 2
    assert [each.id for each in shelf.items("acme")] == ["a", "c"]
    assert shelf.offer("acme", "b-blue") is None


def test_a_price_is_read_as_it_is_now_and_changing_it_outdates_no_index(shelf):
    shelf.put("acme", "feed.csv", Gathered((item("a"),)), NOW)
    assert shelf.put("acme", "feed.csv", Gathered((item("a", "12.50", None),)), LATER) == Change(same=1, offers=2)
    assert shelf.offer("acme", "a-red") == Offer(Money.of("12.50", "EUR"), True, None)
    sold_out = Offer(Money.of("12.50", "EUR"), False, 0, Money.of("20", "EUR"))
    assert shelf.set_offer("acme", "a-red", sold_out, LATER)
    assert not shelf.set_offer("acme", "a-green", sold_out, LATER)
    assert not shelf.set_offer("other", "a-red", sold_out, LATER)
    assert shelf.offers("acme", ["a-red", "a-blue", "z"])["a-red"] == sold_out
    assert shelf.revision("acme") == 1


def test_sources_do_not_take_each_others_items(shelf):
    shelf.put("acme", "feed.csv", Gathered((item("a"),)), NOW)
    site = Gathered((item("a", "1.00"), item("b")), (passage("p"),))
    assert shelf.put("acme", "site", site, NOW) == Change(added=2, offers=2)
    assert str(shelf.offer("acme", "a-red").price) == "9.90 EUR"
    assert shelf.forget("acme", "feed.csv", LATER).removed == 1
    assert [each.name for each in shelf.sources("acme")] == ["site"]
    assert shelf.offer("acme", "a-red") is None
    shelf.put("acme", "site", site, LATER)
    assert str(shelf.offer("acme", "a-red").price) == "1.00 EUR"


class Counting:
    def __init__(self) -> None:
        self.texts: list[str] = []

    def embed(self, texts, /):
        self.texts += texts
        return np.array([[len(text), 1.0] for text in texts], np.float32)


def test_only_texts_that_are_new_are_embedded(tmp_path: Path):
    store = open_vectors(tmp_path)
    counting = Counting()
    kept = Kept(counting, "toy", store)
    assert kept.embed(["a", "bb", "a"]).tolist() == [[1, 1], [2, 1], [1, 1]]
    assert kept.embed(["bb", "ccc"]).tolist() == [[2, 1], [3, 1]]
    assert counting.texts == ["a", "bb", "ccc"]
    Kept(counting, "another", store).embed(["a", "bb"])
    assert counting.texts[3:] == ["a", "bb"]
    later = Kept(counting, "toy", store, now=lambda: datetime.now(UTC) + timedelta(days=91))
    later.embed(["bb", "x"])
    del counting.texts[:]
    kept.embed(["a", "bb", "x"])
    assert counting.texts == ["a"]
    store.close()
