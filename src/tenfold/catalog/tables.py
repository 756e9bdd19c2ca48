"""What a product's database holds of the businesses that use it: their sources, items, offers and passages.

A product makes these tables in a migration of its own, by ``create_tables``. Offers have a table of their own, because
prices and stock change while the rest stays, and are read when a reply is sent.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import sqlalchemy as sa

metadata = sa.MetaData()

catalogs = sa.Table(
    "catalogs",
    metadata,
    sa.Column("business", sa.String, primary_key=True),
    sa.Column("revision", sa.Integer, nullable=False),
)
"""How often what can be found of a business has changed: an index of an older revision is out of date."""
sources = sa.Table(
    "catalog_sources",
    metadata,
    sa.Column("business", sa.String, primary_key=True),
    sa.Column("source", sa.String, primary_key=True),
    sa.Column("read_at", sa.Float, nullable=False),
    sa.Column("items", sa.Integer, nullable=False),
    sa.Column("passages", sa.Integer, nullable=False),
    sa.Column("skipped", sa.Text, nullable=False),
)
items = sa.Table(
    "catalog_items",
    metadata,
    sa.Column("business", sa.String, primary_key=True),
    sa.Column("item", sa.String, primary_key=True),
    sa.Column("source", sa.String, nullable=False),
    sa.Column("place", sa.Integer, nullable=False),
    sa.Column("hash", sa.String, nullable=False),
    sa.Column("content", sa.Text, nullable=False),
)
"""``content``: all of an item but its offers, as JSON. ``place``: its place in the source."""
offers = sa.Table(
    "catalog_offers",
    metadata,
    sa.Column("business", sa.String, primary_key=True),
    sa.Column("variant", sa.String, primary_key=True),
    sa.Column("item", sa.String, nullable=False),
    sa.Column("currency", sa.String, nullable=False),
    sa.Column("price_micros", sa.BigInteger, nullable=False),
    sa.Column("list_price_micros", sa.BigInteger),
    sa.Column("available", sa.Boolean, nullable=False),
    sa.Column("stock", sa.BigInteger),
    sa.Column("as_of", sa.Float, nullable=False),
)
passages = sa.Table(
    "catalog_passages",
    metadata,
    sa.Column("business", sa.String, primary_key=True),
    sa.Column("passage", sa.String, primary_key=True),
    sa.Column("source", sa.String, nullable=False),
    sa.Column("place", sa.Integer, nullable=False),
    sa.Column("hash", sa.String, nullable=False),
    sa.Column("document", sa.String, nullable=False),
    sa.Column("url", sa.String, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("fetched", sa.Float, nullable=False),
    sa.Column("published", sa.Float),
)


class Operations(Protocol):
    """What a migration can do: ``alembic.op``."""

    def create_table(self, name: str, /, *columns: sa.Column[Any]) -> object:
        """Make a table."""
        ...


def create_tables(op: Operations) -> None:
    """Make the tables as they are in their first version; called in a product's migration, and never changed."""
    business = ("business", sa.String)
    _create(op, "catalogs", keys=[business], rest=[("revision", sa.Integer)])
    _create(
        op,
        "catalog_sources",
        keys=[business, ("source", sa.String)],
        rest=[("read_at", sa.Float), ("items", sa.Integer), ("passages", sa.Integer), ("skipped", sa.Text)],
    )
    told = [("source", sa.String), ("place", sa.Integer), ("hash", sa.String)]
    _create(op, "catalog_items", keys=[business, ("item", sa.String)], rest=[*told, ("content", sa.Text)])
    _create(
        op,
        "catalog_offers",
        keys=[business, ("variant", sa.String)],
        rest=[
            *(("item", sa.String), ("currency", sa.String), ("price_micros", sa.BigInteger)),
            *(("available", sa.Boolean), ("as_of", sa.Float)),
        ],
        maybe=[("list_price_micros", sa.BigInteger), ("stock", sa.BigInteger)],
    )
    text = [("document", sa.String), ("url", sa.String), ("title", sa.Text), ("text", sa.Text), ("fetched", sa.Float)]
    _create(
        op,
        "catalog_passages",
        keys=[business, ("passage", sa.String)],
        rest=[*told, *text],
        maybe=[("published", sa.Float)],
    )


Columns = Sequence[tuple[str, type[Any]]]


def _create(op: Operations, name: str, *, keys: Columns, rest: Columns, maybe: Columns = ()) -> None:
    op.create_table(
        name,
        *(sa.Column(each, kind, primary_key=True) for each, kind in keys),
        *(sa.Column(each, kind, nullable=False) for each, kind in rest),
        *(sa.Column(each, kind) for each, kind in maybe),
    )
