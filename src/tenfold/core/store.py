"""A package's own database: opened by URL, brought up to date, read and written in transactions.

By default it is an SQLite file in the pool's home; with ``[store] url`` it is a schema of a PostgreSQL database. Both
promise the same:

- Transactions of ``writing`` come one after another, those of other processes too: what one has read still holds when
  it writes.
- ``reading`` sees the database as of one moment, and no writer makes it wait.
- What was written outlives a loss of power once ``writing`` has ended, unless the store was opened as not ``durable``.

A call blocks its thread while it works; from a loop go through ``asyncio.to_thread``.
"""

import sqlite3
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from tenfold.core.config import StoreSettings
from tenfold.core.errors import ConfigError, StoreError
from tenfold.core.migrate import migrate

PATIENCE_S = 5.0
CONNECT_S = 2
"""Seconds until a PostgreSQL server that does not answer counts as away; libpq takes no fewer."""
UNHEARD_MS = 4000
"""Milliseconds in which the network must take what is sent to PostgreSQL."""
_SCHEMA = "schema"
_WRITES = "tenfold_writes"
_POSTGRESQL = "postgresql+psycopg"


def store_url(settings: StoreSettings, home: Path, name: str) -> str:
    """Say where the database called ``name`` lies: the file ``NAME.db`` of the home, or a schema of ``[store] url``.

    Raises:
        ConfigError: ``[store] url`` is no URL.
    """
    if settings.url is None:
        return f"sqlite:///{home / f'{name}.db'}"
    try:
        url = sa.make_url(settings.url).set(drivername=_POSTGRESQL)
    except (sa.exc.ArgumentError, ValueError) as error:
        raise ConfigError(
            f"store.url is no URL of a database: {error}", next_step="write postgresql://USER@HOST/DATABASE there"
        ) from error
    return url.update_query_dict({_SCHEMA: f"{settings.schema_prefix}{name}"}).render_as_string(hide_password=False)


def place_of(url: str) -> str:
    """Name a database in sentences: the path of its file, or its URL without the password."""
    parsed = sa.make_url(url)
    if (path := _file_of(parsed)) is not None:
        return str(path)
    shown = parsed.set(drivername="postgresql").difference_update_query([_SCHEMA])
    return f"{shown.render_as_string(hide_password=True)} (schema {_schema_of(parsed)})"


def cause_of(error: sa.exc.DBAPIError) -> str:
    """What the database or its driver said, in one line."""
    return (str(error.orig).strip().splitlines() or [type(error.orig).__name__])[0]


class Store:
    """An open database. ``engine`` is SQLAlchemy's; ``path`` is its file, if it is one.

    Its methods raise ``sqlalchemy.exc.DBAPIError`` when the disk is full, somebody else has written for longer than
    its patience, or the server is away; each call tries anew.
    """

    def __init__(self, engine: sa.Engine, path: Path | None, schema: str | None) -> None:
        self.engine = engine
        self.path = path
        self._schema = schema

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Read in one transaction, as of one moment."""
        calmly = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True} if self._schema else {}
        with self.engine.connect().execution_options(**calmly) as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Read and write in one transaction, the only one that writes now; it is undone if the block raises."""
        with self.engine.connect().execution_options(**{_WRITES: True}) as connection, connection.begin():
            if self._schema is not None:
                _wait_for_turn(connection, self._schema)
            yield connection

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def open_store(url: str, migrations: Path, *, patience_s: float = PATIENCE_S, durable: bool = True) -> Store:
    """Open a database, make it if there is none, and bring it up to date; of several processes one does so.

    Args:
        url: as ``store_url`` gives it.
        migrations: folder of the package's migrations; see ``core/migrate.py``.
        patience_s: seconds to wait for somebody else's transaction.
        durable: whether what was written outlives a loss of power at once. If not, the last seconds before one may be
            missing from an SQLite file; a killed process loses nothing either way.

    Raises:
        StoreError: the server or its driver is away, or a newer Tenfold has written here.
        sqlalchemy.exc.DatabaseError: the file cannot be opened or made, e.g. because the disk is full.
    """
    parsed = sa.make_url(url)
    path = _file_of(parsed)
    schema = None if path is not None else _schema_of(parsed)
    engine = _sqlite(parsed, patience_s, durable) if schema is None else _postgresql(parsed, schema, patience_s)
    store = Store(engine, path, schema)
    is_new = path is not None and not path.exists()
    try:
        migrate(store, migrations, place_of(url), _make_schema(schema))
    except sa.exc.DBAPIError as error:
        store.close()
        # A full disk has room for the name of a file, which would be taken for a damaged one at the next try.
        if is_new and path is not None and path.exists() and not path.stat().st_size:
            path.unlink()
        if schema is None:
            raise
        raise StoreError(
            f"the database {place_of(url)} cannot be used: {cause_of(error)}",
            next_step="see that PostgreSQL runs there and lets this user in, or take store.url out of tenfold.toml",
        ) from error
    except BaseException:
        store.close()
        raise
    return store


# ---- SQLite


def _file_of(url: sa.URL) -> Path | None:
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def _sqlite(url: sa.URL, patience_s: float, durable: bool) -> sa.Engine:
    engine = sa.create_engine(url, connect_args={"timeout": patience_s})

    def prepare(connection: sqlite3.Connection, _: object) -> None:
        # Python's driver would begin a transaction at the first change only: `_begin` does it in time.
        connection.isolation_level = None
        cursor = connection.cursor()
        if cursor.execute("PRAGMA page_count").fetchone() == (0,):
            # So that a file can give back what it no longer needs; one that has tables does not take it.
            cursor.execute("PRAGMA auto_vacuum = INCREMENTAL")
        _retry_while_busy(lambda: cursor.execute("PRAGMA journal_mode = WAL"), patience_s)
        cursor.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    sa.event.listen(engine, "connect", prepare)
    sa.event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: sa.Connection) -> None:
    # One that reads first and then writes would fail if somebody has written in between.
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _retry_while_busy(work: Callable[[], object], patience_s: float) -> None:
    """SQLite does not wait by itself where two processes make the same file at once."""
    until = time.monotonic() + patience_s
    while True:
        try:
            work()
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)


# ---- PostgreSQL


def _schema_of(url: sa.URL) -> str:
    found = url.query.get(_SCHEMA)
    if not isinstance(found, str):
        raise StoreError(f"the URL {url!r} names no schema", next_step="make it by core.store.store_url")
    return found


def _postgresql(url: sa.URL, schema: str, patience_s: float) -> sa.Engine:
    given = url.query.get("options", "")
    options = (
        f"-c search_path={schema} -c lock_timeout={round(1000 * patience_s)}",
        *([given] if isinstance(given, str) else given),
    )
    try:
        return sa.create_engine(
            url.difference_update_query([_SCHEMA, "options"]),
            # A server that was started again is noticed before a transaction, not by its failure.
            pool_pre_ping=True,
            connect_args={
                "options": " ".join(options).strip(),
                "connect_timeout": CONNECT_S,
                "tcp_user_timeout": UNHEARD_MS,
                # One whose machine is gone never answers: the system would take two hours to notice.
                "keepalives_idle": 5,
                "keepalives_interval": 2,
                "keepalives_count": 3,
                "application_name": "tenfold",
            },
        )
    except ModuleNotFoundError as error:
        raise StoreError(
            f"[store] url names a PostgreSQL database, and its driver is not installed ({error})",
            next_step="pip install 'tenfold[postgres]'",
        ) from error


def _wait_for_turn(connection: sa.Connection, schema: str) -> None:
    """Take the schema's lock, which the end of the transaction gives back."""
    key = zlib.crc32(f"tenfold {schema}".encode())
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))


def _make_schema(schema: str | None) -> Callable[[sa.Connection], None]:
    def make(connection: sa.Connection) -> None:
        # One that somebody else has made may be all that this user was given.
        if schema is not None and not sa.inspect(connection).has_schema(schema):
            connection.execute(sa.schema.CreateSchema(schema))

    return make
