"""Bring a database up to date: run the migrations that it has not seen, each once, in order.

A package's migrations lie in its folder ``migrations/``, as files ``vNNNN_what.py`` with the revision ``NNNN``. They
are Alembic's, and no ``alembic.ini`` or ``env.py`` is needed. One that has landed is never changed; the next one mends
it. A migration must do no harm to what a version before without migrations had made.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from tenfold.core.errors import StoreError

if TYPE_CHECKING:
    from tenfold.core.store import Store

_VERSIONS = sa.table("alembic_version", sa.column("version_num", sa.String))
_one_at_a_time = threading.Lock()
"""Alembic keeps the migration that runs in a global."""


def migrate(store: "Store", folder: Path, place: str, first: Callable[[sa.Connection], None]) -> None:
    """Run all migrations of ``folder`` that the database has not seen, or none if one fails.

    Args:
        store: the database.
        folder: holds the migrations.
        place: what the database is called in sentences.
        first: done before them in the same transaction, e.g. making a schema.

    Raises:
        StoreError: a newer Tenfold has migrated it.
    """
    known = sorted(path.name[1:5] for path in folder.glob("v[0-9][0-9][0-9][0-9]_*.py"))
    with store.reading() as connection:
        if _require_known(_revision(connection), known, place) == known[-1]:
            return
    with store.writing() as connection:
        first(connection)
        # Another process may have been quicker while this one waited for its turn.
        if _require_known(_revision(connection), known, place) != known[-1]:
            _upgrade(connection, folder)


def _revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table(_VERSIONS.name):
        return None
    return connection.execute(sa.select(_VERSIONS.c.version_num)).scalar_one_or_none()


def _require_known(revision: str | None, known: list[str], place: str) -> str | None:
    if revision is not None and revision not in known:
        raise StoreError(
            f"the database {place} has revision {revision}, and this version of Tenfold knows {known[-1]} at most",
            next_step="use the version of Tenfold that wrote it, or a newer one",
        )
    return revision


def _upgrade(connection: sa.Connection, folder: Path) -> None:
    # Only a database that is not up to date pays for it: 0.1 CPU-s.
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(folder), version_locations=[str(folder)])
    with (
        _one_at_a_time,
        EnvironmentContext(Config(), scripts, fn=lambda now, _: scripts._upgrade_revs("head", now)) as environment,
    ):
        environment.configure(connection=connection)
        environment.run_migrations()
