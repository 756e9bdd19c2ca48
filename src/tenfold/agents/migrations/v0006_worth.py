"""What each conversation earned, and how much of that was told to the pool."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("threads", sa.Column("earned_usd", sa.Float, nullable=False, server_default="0"))
    op.add_column("threads", sa.Column("told_usd", sa.Float, nullable=False, server_default="0"))
