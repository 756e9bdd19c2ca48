"""Businesses, threads and the messages in them."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "businesses",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("since", sa.Float, nullable=False),
        sa.Column("secret", sa.String, nullable=False),
        sa.Column("settings", sa.JSON, nullable=False),
    )
    op.create_table(
        "threads",
        sa.Column("business", sa.String, primary_key=True),
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("channel", sa.String, nullable=False),
        sa.Column("address", sa.String, nullable=False),
        sa.Column("held_by", sa.String, nullable=False),
        sa.Column("memory", sa.JSON, nullable=False),
        sa.Column("since", sa.Float, nullable=False),
        sa.Column("last_at", sa.Float, nullable=False),
        sa.Column("held_out", sa.Boolean, nullable=False),
        sa.Column("share", sa.Float, nullable=False),
        sa.Column("handed_off", sa.Boolean, nullable=False),
        sa.Column("resolved_by", sa.String, nullable=False),
        sa.Column("customer", sa.String, nullable=False),
        sa.Column("proven_until", sa.Float, nullable=False),
    )
    op.create_table(
        "messages",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("business", sa.String, nullable=False),
        sa.Column("thread", sa.String, nullable=False),
        sa.Column("id", sa.String, nullable=False),
        sa.Column("role", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("said", sa.JSON, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("answers", sa.Integer, nullable=True),
        sa.Column("waiting", sa.Boolean, nullable=False),
        sa.UniqueConstraint("business", "thread", "role", "id"),
    )
    op.create_index("messages_answers", "messages", ["answers"], unique=True)
    op.create_index(
        "messages_waiting",
        "messages",
        ["business", "thread", "number"],
        sqlite_where=sa.text("waiting"),
        postgresql_where=sa.text("waiting"),
    )
