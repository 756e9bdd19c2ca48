"""People, threads, messages, what is remembered, what was read, and the arms of the comparison."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "people",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("key_hash", sa.String, nullable=False, unique=True),
        sa.Column("since", sa.Float, nullable=False),
    )
    op.create_table(
        "threads",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("since", sa.Float, nullable=False),
        sa.Column("held_out", sa.Boolean, nullable=False),
        sa.Column("share", sa.Float, nullable=False),
        sa.Column("plan", sa.JSON, nullable=True),
    )
    op.create_table(
        "members",
        sa.Column("thread", sa.String, primary_key=True),
        sa.Column("person", sa.String, primary_key=True, index=True),
        sa.Column("since", sa.Float, nullable=False),
    )
    op.create_table(
        "invites",
        sa.Column("code_hash", sa.String, primary_key=True),
        sa.Column("thread", sa.String, nullable=False),
        sa.Column("until", sa.Float, nullable=False),
        sa.Column("used_by", sa.String, nullable=True),
    )
    op.create_table(
        "messages",
        sa.Column("thread", sa.String, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("person", sa.String, nullable=False),
        sa.Column("id", sa.String, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("said", sa.JSON, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("waiting", sa.Boolean, nullable=False, index=True),
        sa.Column("answers", sa.Integer, nullable=True),
        sa.UniqueConstraint("thread", "person", "id"),
        sa.UniqueConstraint("thread", "answers"),
    )
    op.create_table(
        "remembered",
        sa.Column("thread", sa.String, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("by", sa.String, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
    )
    op.create_table(
        "images",
        sa.Column("thread", sa.String, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "arms",
        sa.Column("share", sa.Float, primary_key=True),
        sa.Column("held_out", sa.Boolean, primary_key=True),
        sa.Column("threads", sa.BigInteger, nullable=False),
        sa.Column("answered", sa.BigInteger, nullable=False),
        sa.Column("told", sa.BigInteger, nullable=False),
        sa.Column("tokens", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "subscriptions",
        sa.Column("url", sa.String, primary_key=True),
        sa.Column("title", sa.String, nullable=False),
        sa.Column("etag", sa.String, nullable=False),
        sa.Column("modified", sa.String, nullable=False),
        sa.Column("next_at", sa.Float, nullable=False),
        sa.Column("read_at", sa.Float, nullable=True),
        sa.Column("fails", sa.Integer, nullable=False),
        sa.Column("trouble", sa.String, nullable=False),
    )
    op.create_table(
        "passages",
        sa.Column("url", sa.String, primary_key=True),
        sa.Column("subscription", sa.String, nullable=False, index=True),
        sa.Column("title", sa.String, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("published", sa.Float, nullable=True),
        sa.Column("fetched", sa.Float, nullable=False),
        sa.Column("digest", sa.String, nullable=False),
    )
