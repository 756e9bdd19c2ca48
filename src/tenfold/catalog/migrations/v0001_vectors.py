"""Embeddings by the hash of what was embedded."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "vectors",
        sa.Column("hash", sa.LargeBinary, primary_key=True),
        sa.Column("vector", sa.LargeBinary, nullable=False),
        sa.Column("day", sa.Integer, nullable=False),
    )
