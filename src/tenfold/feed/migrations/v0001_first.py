"""People, events, what they say of each person and item, the arms of the comparison, and the catalog."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "people",
        sa.Column("person", sa.String, primary_key=True),
        sa.Column("share", sa.Float, nullable=False),
        sa.Column("held_out", sa.Boolean, nullable=False),
        sa.Column("since", sa.Float, nullable=False),
    )
    op.create_table(
        "events",
        sa.Column("person", sa.String, primary_key=True),
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("surface", sa.String, nullable=False),
        sa.Column("item", sa.BigInteger, nullable=False),
        sa.Column("action", sa.String, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("taken_at", sa.Float, nullable=False),
    )
    op.create_table(
        "seen",
        sa.Column("person", sa.String, primary_key=True),
        sa.Column("item", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("shown", sa.Integer, nullable=False),
        sa.Column("shown_at", sa.Float, nullable=True),
        sa.Column("chosen_at", sa.Float, nullable=True),
        sa.Column("blocked", sa.Boolean, nullable=False),
    )
    op.create_table(
        "opened",
        sa.Column("item", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("people", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "arms",
        sa.Column("share", sa.Float, primary_key=True),
        sa.Column("held_out", sa.Boolean, primary_key=True),
        sa.Column("people", sa.BigInteger, nullable=False),
        sa.Column("watched_s", sa.Float, nullable=False),
        sa.Column("told_s", sa.Float, nullable=False),
    )
    op.create_table(
        "films",
        sa.Column("item", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("title", sa.String, nullable=False),
        sa.Column("genres", sa.JSON, nullable=False),
        sa.Column("viewers", sa.BigInteger, nullable=False),
    )
