"""Businesses' catalogs in a database: written source by source, where only what changed is written, and read."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from tenfold.catalog import tables
from tenfold.catalog.gathered import Gathered, Skipped
from tenfold.catalog.item import Item, Offer, Variant
from tenfold.catalog.money import Money
from tenfold.catalog.passage import Passage
from tenfold.core.store import Store


@dataclass(frozen=True, slots=True)
class Change:
    """What a source brought: items and passages together, by what became of them; offers beside them."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    same: int = 0
    offers: int = 0


@dataclass(frozen=True, slots=True)
class Source:
    """Something that a business's catalog was read from, and how that went last."""

    name: str
    read_at: datetime
    items: int
    passages: int
    skipped: tuple[Skipped, ...]


class Shelf:
    """The catalogs in one database, whose migrations have called ``create_tables``.

    Nothing is read across businesses: each method takes the business's id.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def put(self, business: str, source: str, gathered: Gathered, now: datetime) -> Change:
        """Write what a source holds now, and forget what it no longer holds.

        An item or passage that another source has already keeps its place there: the first source that told of it
        counts.
        """
        with self._store.writing() as connection:
            item_rows = [_item_row(item, place) for place, item in enumerate(gathered.items)]
            passage_rows = [_passage_row(passage, place) for place, passage in enumerate(gathered.passages)]
            of_items = _merge(connection, tables.items, "item", business, source, item_rows)
            of_passages = _merge(connection, tables.passages, "passage", business, source, passage_rows)
            changed = _put_offers(connection, business, gathered.items, source, now)
            _drop_orphans(connection, business)
            _read_again(connection, business, source, now)
            told = [asdict(each) for each in gathered.skipped]
            row = {
                "read_at": now.timestamp(),
                "items": len(gathered.items),
                "passages": len(gathered.passages),
                "skipped": json.dumps(told),
            }
            _upsert(connection, tables.sources, {"business": business, "source": source}, row)
            found = [a + b for a, b in zip(of_items, of_passages, strict=True)]
            if any(found[:3]):
                later = {"revision": _revision(connection, business) + 1}
                _upsert(connection, tables.catalogs, {"business": business}, later)
        return Change(*found, offers=changed)

    def forget(self, business: str, source: str, now: datetime) -> Change:
        """Forget a source and all that it brought."""
        change = self.put(business, source, Gathered(), now)
        with self._store.writing() as connection:
            of_source = (tables.sources.c.business == business) & (tables.sources.c.source == source)
            connection.execute(tables.sources.delete().where(of_source))
        return change

    def set_offer(self, business: str, variant: str, offer: Offer, now: datetime) -> bool:
        """Write what a variant costs and how many there are from now on; false if there is no such variant."""
        with self._store.writing() as connection:
            of_variant = (tables.offers.c.business == business) & (tables.offers.c.variant == variant)
            row = {**_offer_row(offer), "as_of": now.timestamp()}
            return connection.execute(tables.offers.update().where(of_variant).values(row)).rowcount > 0

    def revision(self, business: str) -> int:
        """How often what can be found has changed; offers do not count."""
        with self._store.reading() as connection:
            return _revision(connection, business)

    def sources(self, business: str) -> list[Source]:
        """Give what the catalog was read from, by name."""
        with self._store.reading() as connection:
            chosen = sa.select(tables.sources).where(tables.sources.c.business == business)
            rows = connection.execute(chosen.order_by(tables.sources.c.source)).all()
        return [
            Source(
                row.source,
                datetime.fromtimestamp(row.read_at, UTC),
                row.items,
                row.passages,
                tuple(Skipped(**each) for each in json.loads(row.skipped)),
            )
            for row in rows
        ]

    def items(self, business: str) -> list[Item]:
        """Give all items with their offers as they are now, in the order of their sources."""
        table = tables.items
        with self._store.reading() as connection:
            chosen = sa.select(table.c.content).where(table.c.business == business)
            contents = connection.execute(chosen.order_by(table.c.source, table.c.place)).scalars().all()
            found = connection.execute(sa.select(tables.offers).where(tables.offers.c.business == business)).all()
        offers = {(row.item, row.variant): _offer(row) for row in found}
        return [_item(json.loads(content), offers) for content in contents]

    def passages(self, business: str) -> list[Passage]:
        """Give all passages in the order of their sources."""
        table = tables.passages
        with self._store.reading() as connection:
            chosen = sa.select(table).where(table.c.business == business)
            rows = connection.execute(chosen.order_by(table.c.source, table.c.place)).all()
        return [
            Passage(
                row.passage,
                row.document,
                row.url,
                row.title,
                row.text,
                datetime.fromtimestamp(row.fetched, UTC),
                None if row.published is None else datetime.fromtimestamp(row.published, UTC),
            )
            for row in rows
        ]

    def offer(self, business: str, variant: str) -> Offer | None:
        """Give the offer of a variant as it is now; none if it is no longer sold."""
        return self.offers(business, [variant]).get(variant)

    def all_offers(self, business: str) -> dict[str, Offer]:
        """Give the offers of all that is sold, as of one moment."""
        table = tables.offers
        with self._store.reading() as connection:
            chosen = sa.select(table).where(table.c.business == business)
            return {row.variant: _offer(row) for row in connection.execute(chosen)}

    def mark_of_offers(self, business: str) -> tuple[object, ...]:
        """Give what nearly surely differs once an offer has changed: much sooner read than all offers."""
        table = tables.offers
        sums = (sa.func.sum(column) for column in (table.c.price_micros, table.c.stock, table.c.list_price_micros))
        available = sa.func.sum(sa.cast(table.c.available, sa.Integer))
        marks = sa.func.count(), sa.func.max(table.c.as_of), available, *sums
        with self._store.reading() as connection:
            return tuple(connection.execute(sa.select(*marks).where(table.c.business == business)).one())

    def offers(self, business: str, variants: Sequence[str]) -> dict[str, Offer]:
        """Give the offers of those variants that are sold, all as of one moment."""
        table = tables.offers
        with self._store.reading() as connection:
            chosen = sa.select(table).where(table.c.business == business, table.c.variant.in_(variants))
            return {row.variant: _offer(row) for row in connection.execute(chosen)}


Row = dict[str, object]


def _merge(
    connection: sa.Connection, table: sa.Table, key: str, business: str, source: str, rows: Sequence[Row]
) -> tuple[int, int, int, int]:
    """Bring a source's rows up to date by their hashes: how many were added, changed, removed and are the same."""
    column = table.c[key]
    of_business = table.c.business == business
    chosen = sa.select(column, table.c.source, table.c.hash).where(of_business)
    before = {row[0]: (row[1], row[2]) for row in connection.execute(chosen)}
    fresh = {row[key]: row for row in rows if row[key] not in before or before[row[key]][0] == source}
    added = [row for name, row in fresh.items() if name not in before]
    changed = [row for name, row in fresh.items() if name in before and before[name][1] != row["hash"]]
    gone = [name for name, (of, _) in before.items() if of == source and name not in fresh]
    if added:
        connection.execute(table.insert(), [{**row, "business": business, "source": source} for row in added])
    for row in changed:
        connection.execute(table.update().where(of_business, column == row[key]).values(row))
    for start in range(0, len(gone), 500):
        connection.execute(table.delete().where(of_business, column.in_(gone[start : start + 500])))
    return len(added), len(changed), len(gone), len(fresh) - len(added) - len(changed)


def _put_offers(connection: sa.Connection, business: str, items: Iterable[Item], source: str, now: datetime) -> int:
    """Write the offers of this source's items that differ from what is there; how many did."""
    own = sa.select(tables.items.c.item).where(tables.items.c.business == business, tables.items.c.source == source)
    owned = set(connection.execute(own).scalars())
    table = tables.offers
    rows = connection.execute(sa.select(table).where(table.c.business == business)).all()
    before = {row.variant: (row.item, _offer(row)) for row in rows}
    wanted = {variant.id: (item.id, variant.offer) for item in items if item.id in owned for variant in item.variants}
    # An id that another item's variant has already stays that one's.
    differing = {
        name: told
        for name, told in wanted.items()
        if name not in before or (before[name] != told and before[name][0] == told[0])
    }
    stale = [name for name, (item, _) in before.items() if item in owned and name not in wanted]
    for start in range(0, len(stale), 500):
        some = table.c.variant.in_(stale[start : start + 500])
        connection.execute(table.delete().where(table.c.business == business, some))
    added = [name for name in differing if name not in before]
    written = {
        name: {"variant": name, "item": item, **_offer_row(offer), "as_of": now.timestamp()}
        for name, (item, offer) in differing.items()
    }
    if added:
        connection.execute(table.insert(), [{**written[name], "business": business} for name in added])
    for name in differing.keys() - set(added):
        of_variant = (table.c.business == business) & (table.c.variant == name)
        connection.execute(table.update().where(of_variant).values(written[name]))
    return len(differing)


def _drop_orphans(connection: sa.Connection, business: str) -> None:
    kept = sa.select(tables.items.c.item).where(tables.items.c.business == business)
    table = tables.offers
    connection.execute(table.delete().where(table.c.business == business, table.c.item.not_in(kept)))


def _read_again(connection: sa.Connection, business: str, source: str, now: datetime) -> None:
    table = tables.passages
    of_source = (table.c.business == business) & (table.c.source == source) & (table.c.fetched < now.timestamp())
    connection.execute(table.update().where(of_source).values(fetched=now.timestamp()))


def _upsert(connection: sa.Connection, table: sa.Table, keys: Mapping[str, object], row: Mapping[str, object]) -> None:
    where = sa.and_(*(table.c[name] == value for name, value in keys.items()))
    if not connection.execute(table.update().where(where).values(row)).rowcount:
        connection.execute(table.insert().values({**keys, **row}))


def _revision(connection: sa.Connection, business: str) -> int:
    chosen = sa.select(tables.catalogs.c.revision).where(tables.catalogs.c.business == business)
    return connection.execute(chosen).scalar_one_or_none() or 0


def _item_row(item: Item, place: int) -> Row:
    content = asdict(item)
    for variant in content["variants"]:
        del variant["offer"], variant["item"]
    written = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return {"item": item.id, "place": place, "hash": _hash(written), "content": written}


def _item(content: dict[str, Any], offers: Mapping[tuple[str, str], Offer]) -> Item:
    item = content["id"]
    variants = tuple(
        Variant(each["id"], item, each["options"], offers[item, each["id"]], each["url"])
        for each in content["variants"]
        if (item, each["id"]) in offers
    )
    facts: dict[str, Any] = {**content, "variants": variants}
    return Item(**facts)


def _passage_row(passage: Passage, place: int) -> Row:
    published = None if passage.published is None else passage.published.timestamp()
    told = [passage.document, passage.url, passage.title, passage.text, published]
    return {
        "passage": passage.id,
        "place": place,
        "hash": _hash(json.dumps(told, ensure_ascii=False)),
        "document": passage.document,
        "url": passage.url,
        "title": passage.title,
        "text": passage.text,
        "fetched": passage.fetched.timestamp(),
        "published": published,
    }


def _offer_row(offer: Offer) -> Row:
    return {
        "currency": offer.price.currency,
        "price_micros": offer.price.micros,
        "list_price_micros": None if offer.list_price is None else offer.list_price.micros,
        "available": offer.available,
        "stock": offer.stock,
    }


def _offer(row: sa.Row) -> Offer:
    before = None if row.list_price_micros is None else Money(row.currency, row.list_price_micros)
    return Offer(Money(row.currency, row.price_micros), row.available, row.stock, before)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
