"""An index by time: what is older than ``ledger.keep_days`` is found without reading the rest."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the index."""
    op.create_index("events_by_time", "events", ["at"], if_not_exists=True)
