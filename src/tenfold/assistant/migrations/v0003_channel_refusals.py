"""Which channels take nothing, since when and why."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "channel_refusals",
        sa.Column("business", sa.String, primary_key=True),
        sa.Column("channel", sa.String, primary_key=True),
        sa.Column("since", sa.Float, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
    )
