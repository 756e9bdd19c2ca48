"""What owners answer in the agent's place, and whether the agent does since."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "corrections",
        sa.Column("business", sa.String, primary_key=True),
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("question", sa.Text, nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("checked_at", sa.Float, nullable=False),
        sa.Column("holds", sa.Boolean, nullable=False),
        sa.Column("said", sa.Text, nullable=False),
    )
