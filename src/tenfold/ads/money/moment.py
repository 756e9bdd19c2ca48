"""What time it is: the database's, for all processes, so that clocks that differ between machines cost nobody money."""

import sqlalchemy as sa
from sqlalchemy import Connection

_SQLITE = sa.text("SELECT (julianday('now') - 2440587.5) * 86400.0")
_POSTGRESQL = sa.text("SELECT CAST(extract(epoch FROM clock_timestamp()) AS DOUBLE PRECISION)")


def database_now(connection: Connection) -> float:
    """Unix seconds by the database's clock; an SQLite file has that of its one machine."""
    is_sqlite = connection.dialect.name == "sqlite"
    return float(connection.execute(_SQLITE if is_sqlite else _POSTGRESQL).scalar_one())
