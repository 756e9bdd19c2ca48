"""What businesses sell and write."""

from alembic import op

from tenfold.catalog.tables import create_tables

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the catalog's tables."""
    create_tables(op)
