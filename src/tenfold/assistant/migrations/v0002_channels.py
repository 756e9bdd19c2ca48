"""Who writes on WhatsApp and Messenger, and what is to be sent there."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "addresses",
        sa.Column("channel", sa.String, primary_key=True),
        sa.Column("address", sa.String, primary_key=True),
        sa.Column("thread", sa.String, nullable=False, unique=True),
        sa.Column("person", sa.String, nullable=False),
    )
    op.create_table(
        "deliveries",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("business", sa.String, nullable=False),
        sa.Column("thread", sa.String, nullable=False),
        sa.Column("channel", sa.String, nullable=False),
        sa.Column("address", sa.String, nullable=False),
        sa.Column("content", sa.JSON, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("next_at", sa.Float, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
    )
    op.create_index("deliveries_due", "deliveries", ["state", "next_at"])
