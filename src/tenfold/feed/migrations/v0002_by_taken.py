"""An index of events by when they came: those older than ``[feed] keep_days`` are found without reading the rest."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the index."""
    op.create_index("events_by_taken", "events", ["taken_at"])
