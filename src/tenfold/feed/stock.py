"""The items that the feed keeps: those of ranking's catalog, and those that a team has told."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from tenfold.feed.item import Id, Item, ItemsTaken, ToldItem, canonical, in_order
from tenfold.feed.tables import items, opened

_VALUES = sa.bindparam("values", expanding=True)
_AT = sa.select(items).where(items.c.item.in_(_VALUES))
_SOME = 500
"""Items looked up at once."""


def read_catalog(connection: Connection) -> list[Item]:
    """Read all items that may be shown, in the order of their ids."""
    rows = connection.execute(sa.select(items).where(items.c.gone.is_(False)))
    return sorted((_item(row) for row in rows), key=lambda item: in_order(item.item))


def write_catalog(connection: Connection, catalog: Sequence[Item]) -> None:
    """Take ranking's catalog in place of the one before; what a team has told of an item, or deleted, stays so."""
    connection.execute(sa.delete(items).where(items.c.own.is_(False), items.c.gone.is_(False)))
    connection.execute(sa.update(items).values(ranked=False))
    kept = set(connection.execute(sa.select(items.c.item)).scalars())
    if new := [_row(item) for item in catalog if item.item not in kept]:
        connection.execute(sa.insert(items), new)
    if old := [{"of": item.item, "seen_by": item.viewers} for item in catalog if item.item in kept]:
        change = sa.update(items).where(items.c.item == sa.bindparam("of"))
        connection.execute(change.values(ranked=True, viewers=sa.bindparam("seen_by")), old)


def from_ranking(row: Mapping[str, Any]) -> Item:
    """An item as ranking's catalog gives it."""
    return Item(
        item=canonical(row["item"]),
        title=row["title"],
        genres=tuple(row["genres"]),
        viewers=row["viewers"],
        text=row.get("text", ""),
        author=row.get("author", ""),
        surfaces=tuple(row.get("surfaces", ())),
        length_s=row.get("length_s"),
        born_at=row.get("born_at") or 0.0,
    )


def tell_items(connection: Connection, told: Sequence[ToldItem], now: float) -> ItemsTaken:
    """Write a team's items; one that was there, of ranking's catalog too, is replaced.

    Args:
        connection: in a transaction that may write.
        told: the items; the last one counts where an id comes twice.
        now: Unix seconds.
    """
    by_id = {each.item: each for each in told}
    before = {row.item: row for row in _rows(connection, by_id)}
    rows = []
    for key, each in by_id.items():
        was = before.get(key)
        born_at = each.born_at if each.born_at is not None else now if was is None else was.born_at
        item = Item(
            item=key,
            title=each.title,
            genres=each.attributes,
            viewers=0 if was is None else was.viewers,
            text=each.text,
            author=each.author,
            surfaces=each.surfaces,
            image=each.image,
            length_s=each.length_s,
            own=True,
            ranked=was is not None and bool(was.ranked),
            born_at=born_at,
        )
        rows.append(_row(item, now))
    connection.execute(sa.delete(items).where(items.c.item == sa.bindparam("of")), [{"of": key} for key in by_id])
    connection.execute(sa.insert(items), rows)
    changed = sum(not row.gone for row in before.values())
    return ItemsTaken(new=len(rows) - changed, changed=changed)


def delete_item(connection: Connection, item: Id, now: float) -> bool:
    """Take an item away for good, whatever ranking's catalog says; tells whether it was there."""
    change = sa.update(items).where(items.c.item == item, items.c.gone.is_(False)).values(gone=True, changed_at=now)
    return connection.execute(change).rowcount > 0


def read_opened(connection: Connection) -> list[tuple[Id, int]]:
    """Read how many people chose each item."""
    return [(row.item, row.people) for row in connection.execute(sa.select(opened))]


def gone_items(connection: Connection) -> frozenset[Id]:
    """Read which items were taken away, that ranking's catalog may still have."""
    return frozenset(connection.execute(sa.select(items.c.item).where(items.c.gone, items.c.ranked)).scalars())


def _rows(connection: Connection, keys: Collection[Id]) -> Iterable[sa.Row]:
    ordered = list(keys)
    for start in range(0, len(ordered), _SOME):
        yield from connection.execute(_AT, {"values": ordered[start : start + _SOME]})


def _item(row: sa.Row) -> Item:
    return Item(
        item=row.item,
        title=row.title,
        genres=tuple(row.genres),
        viewers=row.viewers,
        text=row.text,
        author=row.author,
        surfaces=tuple(row.surfaces),
        image=row.image,
        length_s=row.length_s,
        own=bool(row.own),
        ranked=bool(row.ranked),
        born_at=row.born_at,
    )


def _row(item: Item, changed_at: float = 0.0) -> dict[str, object]:
    row: dict[str, object] = {**asdict(item)}
    row["genres"], row["surfaces"] = list(item.genres), list(item.surfaces)
    row["gone"], row["changed_at"] = False, changed_at
    return row
