"""Whether an SQLite file holds what was written to it, as far as SQLite and its header can tell."""

import os
from pathlib import Path

import sqlalchemy as sa

from tenfold.core.errors import LedgerError

# SQLite's result codes. The first: a statement of ours does not fit the schema, so the schema is not ours.
_ERROR, _CORRUPT, _CONSTRAINT, _MISMATCH, _NOT_A_DATABASE = 1, 11, 19, 20, 26
_SHORT_READ = 10 | 2 << 8
_DAMAGE = frozenset({_ERROR, _CORRUPT, _CONSTRAINT, _MISMATCH, _NOT_A_DATABASE})
_HEADER_BYTES, _MAGIC, _FORMATS = 100, b"SQLite format 3\0", slice(18, 20)


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


def fault_of_file(path: Path, *, whole: bool) -> str:
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
        return fault_or_raise(error)
    finally:
        engine.dispose()


def fault_or_raise(error: sa.exc.DBAPIError | ValueError | TypeError) -> str:
    """Say what damage an error tells of; raises it where it tells of none, e.g. of a full disk."""
    if not isinstance(error, sa.exc.DBAPIError):
        # What was read is no text, no JSON, or does not match its check sum.
        return str(error)
    code = getattr(error.orig, "sqlite_errorcode", None)
    no_text = str(error.orig).startswith("Could not decode to UTF-8")
    if no_text or (code is not None and (code & 0xFF in _DAMAGE or code == _SHORT_READ)):
        return str(error.orig)
    raise error


class Eye:
    """Looks at an open database's file beside SQLite, which would go on with what it remembers of one that is gone.

    Its descriptor stays open: closing any descriptor of a file drops this process's locks on it, SQLite's too, and a
    reader that leaves would take its log along.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def fault(self) -> str:
        """What is wrong with the file, or nothing."""
        try:
            if self._descriptor is None:
                self._descriptor = os.open(self._path, os.O_RDONLY)
            named = self._path.stat()
        except FileNotFoundError:
            return "it was removed while in use"
        if not os.path.samestat(named, os.fstat(self._descriptor)):
            return "another file took its place while in use"
        return _fault_of_header(os.pread(self._descriptor, _HEADER_BYTES, 0))

    def close(self) -> None:
        """Look no more; only once the database is closed."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _fault_of_header(header: bytes) -> str:
    if len(header) < _HEADER_BYTES:
        return f"it has {len(header)} bytes, fewer than its header"
    # SQLite takes a file whose format it does not know for one that it must not write.
    if not header.startswith(_MAGIC) or not set(header[_FORMATS]) <= {1, 2}:
        return "its header names no known format"
    return ""
