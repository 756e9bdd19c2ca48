"""An index by subject: the newest event of one is found without reading those of all others of its kind."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the index."""
    op.create_index("events_by_subject", "events", ["kind", "subject", "id"], if_not_exists=True)
