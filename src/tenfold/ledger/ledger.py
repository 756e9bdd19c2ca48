"""An append-only table of events; everything else is a view of it."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

_METADATA = sa.MetaData()
_EVENTS = sa.Table(
    "events",
    _METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("subject", sa.String, nullable=False),
    sa.Column("body", sa.JSON, nullable=False),
    sa.Index("events_by_kind", "kind", "id"),
)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    ``at``: Unix seconds. ``kind``: e.g. ``allocation``, ``move``, ``alarm``. ``subject``: what it happened to.
    """

    id: int
    at: float
    kind: str
    subject: str
    body: Mapping[str, object]


class Ledger:
    """Append events and read them back. One writer; any number of readers.

    Args:
        url: SQLAlchemy URL, e.g. ``sqlite:////path/ledger.db`` or ``postgresql+psycopg://host/db``.
        clock: gives Unix seconds.
    """

    def __init__(self, url: str, clock: Callable[[], float] = time.time) -> None:
        self._engine = sa.create_engine(url)
        self._clock = clock
        if self._engine.dialect.name == "sqlite":
            sa.event.listen(self._engine, "connect", _use_write_ahead_log)
        _METADATA.create_all(self._engine)

    def append(self, kind: str, subject: str, body: Mapping[str, object], at: float | None = None) -> Event:
        """Record one event, durably, and return it with its id; ``at``: when it happened, if that is not now."""
        at = self._clock() if at is None else at
        with self._engine.begin() as connection:
            insert = _EVENTS.insert().values(at=at, kind=kind, subject=subject, body=dict(body))
            number = connection.execute(insert.returning(_EVENTS.c.id)).scalar_one()
        return Event(number, at, kind, subject, body)

    def latest(self, kind: str, limit: int = 1) -> Sequence[Event]:
        """Read the newest events of a kind, newest first."""
        query = sa.select(_EVENTS).where(_EVENTS.c.kind == kind).order_by(_EVENTS.c.id.desc()).limit(limit)
        with self._engine.connect() as connection:
            return [Event(row.id, row.at, row.kind, row.subject, row.body) for row in connection.execute(query)]

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


def _use_write_ahead_log(connection: sa.engine.interfaces.DBAPIConnection, _: object) -> None:
    cursor = connection.cursor()
    # The writer is the controller's loop: it must not stand still for a lock that somebody holds.
    cursor.execute("PRAGMA busy_timeout=300")
    cursor.execute("PRAGMA journal_mode=WAL")
    # With WAL, NORMAL survives a crash of the process; only power loss can drop the last events.
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()
