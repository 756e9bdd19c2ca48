"""The ledger's one table."""

import json
from collections.abc import Mapping
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator

MIGRATIONS = Path(__file__).parent / "migrations"

metadata = sa.MetaData()


class JsonText(TypeDecorator[Mapping[str, object]]):
    """A JSON object in a column of text: its check sum needs it as it was written, and PostgreSQL's type has no NaN."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Mapping[str, object] | None, dialect: sa.Dialect) -> str:
        """Write it."""
        return json.dumps(value)

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> Mapping[str, object]:
        """Read it."""
        return json.loads(value or "")


events = sa.Table(
    "events",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("subject", sa.String, nullable=False),
    sa.Column("body", JsonText, nullable=False),
    sa.Column("seal", sa.String, nullable=False, server_default=""),
    sa.Index("events_by_kind", "kind", "id"),
    sa.Index("events_by_time", "at"),
    sa.Index("events_by_subject", "kind", "subject", "id"),
)
