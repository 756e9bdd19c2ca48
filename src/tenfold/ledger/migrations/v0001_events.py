"""The table of events, as the versions before migrations made it; one that is there already is kept."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the table, or add the check sum to one of a version that had none."""
    there = sa.inspect(op.get_bind())
    if not there.has_table("events"):
        op.create_table(
            "events",
            sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
            sa.Column("at", sa.Float, nullable=False),
            sa.Column("kind", sa.String, nullable=False),
            sa.Column("subject", sa.String, nullable=False),
            sa.Column("body", sa.Text, nullable=False),
            sa.Column("seal", sa.String, nullable=False, server_default=""),
        )
    elif "seal" not in {column["name"] for column in there.get_columns("events")}:
        op.add_column("events", sa.Column("seal", sa.String, nullable=False, server_default=""))
    op.create_index("events_by_kind", "events", ["kind", "id"], if_not_exists=True)
