"""An append-only table of events; everything else is a view of it.

Each event carries a check sum, since SQLite notices damage to its own structure only, not to what it stores.
"""

import json
import os
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from tenfold.core.errors import LedgerError
from tenfold.core.sound import set_aside

_METADATA = sa.MetaData()
_EVENTS = sa.Table(
    "events",
    _METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("subject", sa.String, nullable=False),
    sa.Column("body", sa.JSON, nullable=False),
    sa.Column("seal", sa.String, nullable=False, server_default=""),
    sa.Index("events_by_kind", "kind", "id"),
)
# SQLite's result codes. The first: a statement of ours does not fit the schema, so the schema is not ours.
_ERROR, _CORRUPT, _CONSTRAINT, _MISMATCH, _NOT_A_DATABASE = 1, 11, 19, 20, 26
_SHORT_READ = 10 | 2 << 8
_DAMAGE = frozenset({_ERROR, _CORRUPT, _CONSTRAINT, _MISMATCH, _NOT_A_DATABASE})
_HEADER_BYTES, _MAGIC, _FORMATS = 100, b"SQLite format 3\0", slice(18, 20)
LEDGER_FILE = "ledger.db"
BEGUN_ANEW = "a new ledger was begun, and earlier events are in the file set aside"


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
        mends: whether a damaged SQLite file is set aside and a new one begun, whose first event is
            ``ledger_damaged``. For the one writer; a reader leaves the file alone.

    Raises:
        LedgerError: a folder is in the file's place, it may not be read and written, or it is damaged and this is a
            reader.
    """

    def __init__(self, url: str, clock: Callable[[], float] = time.time, *, mends: bool = False) -> None:
        self._clock, self._mends = clock, mends
        self._untold: dict[str, object] | None = None
        # For looks at the file beside SQLite. Kept open: closing any descriptor of a file drops this process's locks on
        # it, SQLite's too, and a reader that leaves would take its log along.
        self._eye: int | None = None
        self._url = sa.make_url(url)
        self._path = Path(self._url.database) if self._url.drivername == "sqlite" and self._url.database else None
        if self._path is not None:
            require_usable(self._path)
        fault = _fault_of_file(self._path, whole=mends) if self._path is not None else ""
        if not fault:
            try:
                self._engine = self._open()
            except (sa.exc.DatabaseError, UnicodeDecodeError) as error:
                fault = _fault_or_raise(error)
        if fault:
            self._begin_anew(fault)

    def append(self, kind: str, subject: str, body: Mapping[str, object], at: float | None = None) -> Event:
        """Record one event, durably, and return it with its id; ``at``: when it happened, if that is not now."""
        # SQLite would go on with what it remembers, in a file without a name or one that nobody else can read.
        if self._mends and self._path is not None and (fault := self._fault_in_use(self._path)):
            self._begin_anew(fault)
        try:
            self._tell_damage()
            return self._append(kind, subject, body, at)
        except (sa.exc.DatabaseError, UnicodeDecodeError) as error:
            self._begin_anew(_fault_or_raise(error))
            return self._append(kind, subject, body, at)

    def latest(self, kind: str, limit: int = 1) -> Sequence[Event]:
        """Read the newest events of a kind, newest first.

        Raises:
            LedgerError: the file is damaged, and this is a reader. The writer begins a new one, which has no events.
        """
        query = sa.select(_EVENTS).where(_EVENTS.c.kind == kind).order_by(_EVENTS.c.id.desc()).limit(limit)
        try:
            with self._engine.connect() as connection:
                rows = connection.execute(query).all()
            for row in rows:
                if row.seal not in ("", _seal(row.at, row.kind, row.subject, row.body)):
                    raise ValueError(f"event {row.id} does not match its check sum")
        except (sa.exc.DatabaseError, ValueError, TypeError) as error:
            self._begin_anew(_fault_or_raise(error))
            return []
        return [Event(row.id, row.at, row.kind, row.subject, row.body) for row in rows]

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()
        if self._eye is not None:
            os.close(self._eye)
            self._eye = None

    def _fault_in_use(self, path: Path) -> str:
        try:
            if self._eye is None:
                self._eye = os.open(path, os.O_RDONLY)
            named = path.stat()
        except FileNotFoundError:
            return "it was removed while in use"
        if not os.path.samestat(named, os.fstat(self._eye)):
            return "another file took its place while in use"
        return _fault_of_header(os.pread(self._eye, _HEADER_BYTES, 0))

    def _append(self, kind: str, subject: str, body: Mapping[str, object], at: float | None) -> Event:
        at = float(self._clock() if at is None else at)
        row = {"at": at, "kind": kind, "subject": subject, "body": dict(body), "seal": _seal(at, kind, subject, body)}
        with self._engine.begin() as connection:
            number = connection.execute(_EVENTS.insert().values(row).returning(_EVENTS.c.id)).scalar_one()
        return Event(number, at, kind, subject, body)

    def _open(self) -> sa.Engine:
        engine = sa.create_engine(self._url)
        if engine.dialect.name == "sqlite":
            sa.event.listen(engine, "connect", _use_write_ahead_log)
        is_new = self._path is not None and not self._path.exists()
        try:
            _METADATA.create_all(engine)
            if "seal" not in {column["name"] for column in sa.inspect(engine).get_columns("events")}:
                with engine.begin() as connection:
                    connection.execute(sa.text("ALTER TABLE events ADD COLUMN seal VARCHAR NOT NULL DEFAULT ''"))
        except sa.exc.DatabaseError:
            engine.dispose()
            # A full disk has room for the name of a file, which would be taken for a damaged one at the next try.
            if is_new and self._path is not None and self._path.exists() and not self._path.stat().st_size:
                self._path.unlink()
            raise
        return engine

    def _begin_anew(self, fault: str) -> None:
        """Set the damaged file aside and begin another.

        Raises:
            LedgerError: this is a reader.
        """
        if self._path is None or not self._mends:
            raise LedgerError(
                f"the ledger {self._path or self._url} is damaged: {fault}",
                next_step="the next 'tenfold up' (or 'tenfold watch', whose it is) sets it aside and begins a new one",
            )
        if hasattr(self, "_engine"):
            self.close()
        aside = set_aside(self._path, fault, BEGUN_ANEW)
        # Under these names `sqlite3 FILE .recover` finds what the log still holds.
        for ending in ("-wal", "-shm"):
            log = self._path.with_name(self._path.name + ending)
            if aside is not None and log.exists():
                log.rename(aside.with_name(aside.name + ending))
        self._untold = self._untold or {"cause": fault, "set_aside": aside.name if aside else ""}
        self._engine = self._open()
        self._tell_damage()

    def _tell_damage(self) -> None:
        """Record the damage first in a new file; on a full disk that takes more than one try."""
        if self._untold is not None:
            self._append("ledger_damaged", LEDGER_FILE if self._path is None else self._path.name, self._untold, None)
            self._untold = None


def require_usable(path: Path) -> None:
    """See that a ledger's file can be opened, damaged or not, or be made.

    Raises:
        LedgerError: a folder is in its place, or it or its folder may not be written.
    """
    for needed, how in ((path.parent, os.R_OK | os.W_OK | os.X_OK), (path, os.R_OK | os.W_OK)):
        if os.access(needed, os.F_OK, effective_ids=True) and not os.access(needed, how, effective_ids=True):
            raise LedgerError(
                f"the ledger {path} cannot be opened: {needed} may not be read and written by this user",
                next_step=f"chmod u+rw{'x' if how & os.X_OK else ''} {needed}",
            )
    if path.is_dir():
        raise LedgerError(f"{path} is a folder, where the ledger's file belongs", next_step=f"move {path} away")


def _fault_of_file(path: Path, *, whole: bool) -> str:
    """What is wrong with an SQLite file, or nothing; ``whole``: all of it is read (0.1 CPU-s for 120 MB)."""
    if not path.exists():
        return ""
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    if fault := _fault_of_header(header):
        return fault
    engine = sa.create_engine(f"sqlite:///{path}")
    try:
        with engine.connect() as connection:
            check = "PRAGMA integrity_check(1)" if whole else "SELECT count(*) FROM sqlite_schema"
            answer = str(connection.execute(sa.text(check)).scalar_one())
            return "" if not whole or answer == "ok" else answer
    except (sa.exc.DatabaseError, UnicodeDecodeError) as error:
        return _fault_or_raise(error)
    finally:
        engine.dispose()


def _fault_of_header(header: bytes) -> str:
    if len(header) < _HEADER_BYTES:
        return f"it has {len(header)} bytes, fewer than its header"
    # SQLite takes a file whose format it does not know for one that it must not write.
    if not header.startswith(_MAGIC) or not set(header[_FORMATS]) <= {1, 2}:
        return "its header names no known format"
    return ""


def _fault_or_raise(error: sa.exc.DatabaseError | ValueError | TypeError) -> str:
    """Say what damage an error tells of; raises it where it tells of none, e.g. of a full disk."""
    if not isinstance(error, sa.exc.DatabaseError):
        # What was read is no text, no JSON, or does not match its check sum.
        return str(error)
    code = getattr(error.orig, "sqlite_errorcode", None)
    no_text = str(error.orig).startswith("Could not decode to UTF-8")
    if no_text or (code is not None and (code & 0xFF in _DAMAGE or code == _SHORT_READ)):
        return str(error.orig)
    raise error


def _seal(at: float, kind: str, subject: str, body: Mapping[str, object]) -> str:
    content = json.dumps([at, kind, subject, dict(body)], separators=(",", ":"))
    return f"{zlib.crc32(content.encode()):08x}"


def _use_write_ahead_log(connection: sa.engine.interfaces.DBAPIConnection, _: object) -> None:
    cursor = connection.cursor()
    # The writer is the controller's loop: it must not stand still for a lock that somebody holds.
    cursor.execute("PRAGMA busy_timeout=300")
    cursor.execute("PRAGMA journal_mode=WAL")
    # With WAL, NORMAL survives a crash of the process; only power loss can drop the last events.
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()
