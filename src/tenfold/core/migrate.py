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

VERSIONS = "alembic_version"
"""Table that says which migrations a database has seen."""
_one_at_a_time = threading.Lock()
"""Alembic keeps the migration that runs in a global."""


def migrate(
    store: "Store",
    folder: Path,
    place: str,
    first: Callable[[sa.Connection], None] = lambda _: None,
    *,
    versions: str = VERSIONS,
) -> None:
    """Run all migrations of ``folder`` that the database has not seen, or none if one fails.

    Args:
        store: the database.
        folder: holds the migrations.
        place: what the database is called in sentences.
        first: done before them in the same transaction, e.g. making a schema.
        versions: table that says which the database has seen; another for a second folder of the same database.

    Raises:
        StoreError: a newer Tenfold has migrated it.
    """
    known = sorted(path.name[1:5] for path in folder.glob("v[0-9][0-9][0-9][0-9]_*.py"))
    with store.reading() as connection:
        if _require_known(_revision(connection, versions), known, place) == known[-1]:
            return
    with store.writing() as connection:
        first(connection)
        # Another process may have been quicker while this one waited for its turn.
        if _require_known(_revision(connection, versions), known, place) != known[-1]:
            _upgrade(connection, folder, versions)


def _revision(connection: sa.Connection, versions: str) -> str | None:
    if not sa.inspect(connection).has_table(versions):
        return None
    table = sa.table(versions, sa.column("version_num", sa.String))
    return connection.execute(sa.select(table.c.version_num)).scalar_one_or_none()


def _require_known(revision: str | None, known: list[str], place: str) -> str | None:
    if revision is not None and revision not in known:
        raise StoreError(
            f"the database {place} has revision {revision}, and this version of Tenfold knows {known[-1]} at most",
            next_step="use the version of Tenfold that wrote it, or a newer one",
        )
    return revision


def _upgrade(connection: sa.Connection, folder: Path, versions: str) -> None:
    # Only a database that is not up to date pays for it: 0.1 CPU-s.
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(folder), version_locations=[str(folder)])
    with (
        _one_at_a_time,
        EnvironmentContext(Config(), scripts, fn=lambda now, _: scripts._upgrade_revs("head", now)) as environment,
    ):
        environment.configure(connection=connection, version_table=versions)
        environment.run_migrations()
