"""Where each process that bids is, so that those of its machine can tell whether it lives."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Those that are there already have no place."""
    op.add_column("workers", sa.Column("place", sa.String, nullable=False, server_default=""))
