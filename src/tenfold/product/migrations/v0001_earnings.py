"""What was earned and is not told yet, and under which name and number it will be."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "earnings_source",
        sa.Column("only", sa.Integer, primary_key=True),
        sa.Column("incarnation", sa.String, nullable=False),
        sa.Column("reports", sa.Integer, nullable=False),
    )
    op.create_table(
        "earnings",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("report", sa.Integer, index=True),
        sa.Column("workload", sa.String, nullable=False),
        sa.Column("nano_usd", sa.BigInteger, nullable=False),
        sa.Column("units", sa.Float, nullable=False),
        sa.Column("what", sa.String, nullable=False),
    )
