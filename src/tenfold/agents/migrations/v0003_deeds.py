"""What agents do for customers: proposals and their fate, carts, orders, and codes that prove who somebody is."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "deeds",
        sa.Column("business", sa.String, primary_key=True),
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("thread", sa.String, nullable=False),
        sa.Column("customer", sa.String, nullable=False),
        sa.Column("tool", sa.String, nullable=False),
        sa.Column("arguments", sa.JSON, nullable=False),
        sa.Column("summary", sa.Text, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("result", sa.JSON, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.UniqueConstraint("business", "key"),
    )
    op.create_table(
        "carts",
        sa.Column("business", sa.String, primary_key=True),
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("customer", sa.String, nullable=False),
        sa.Column("thread", sa.String, nullable=False),
        sa.Column("lines", sa.JSON, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
    )
    op.create_table(
        "orders",
        sa.Column("business", sa.String, primary_key=True),
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("customer", sa.String, nullable=False),
        sa.Column("email", sa.String, nullable=False),
        sa.Column("cart", sa.String, nullable=False),
        sa.Column("lines", sa.JSON, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
    )
    op.create_table(
        "done",
        sa.Column("business", sa.String, primary_key=True),
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("result", sa.JSON, nullable=False),
    )
    op.create_table(
        "codes",
        sa.Column("business", sa.String, primary_key=True),
        sa.Column("thread", sa.String, primary_key=True),
        sa.Column("customer", sa.String, nullable=False),
        sa.Column("digest", sa.String, nullable=False),
        sa.Column("until", sa.Float, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
    )
