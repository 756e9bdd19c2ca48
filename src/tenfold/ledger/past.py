"""Open a ledger to read the past from it, also of a pool that has stopped."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy.exc import DatabaseError

from tenfold.core.errors import LedgerError, NotRunning
from tenfold.ledger.ledger import LEDGER_FILE, Ledger


@contextmanager
def open_ledger(home: Path, file: str = LEDGER_FILE, how: str = "start a pool with 'tenfold up'") -> Iterator[Ledger]:
    """Open the ledger of the pool that runs or ran from ``home``, or another ``file`` there; ``how`` one is made.

    Raises:
        NotRunning: there is no ledger yet.
        LedgerError: it is damaged, or cannot be read now, e.g. because a full disk has no room for SQLite's own files.
    """
    path = home / file
    if not path.exists():
        raise NotRunning(f"there is no ledger at {path}", next_step=how)
    try:
        with closing(Ledger(f"sqlite:///{path}")) as ledger:
            yield ledger
    except DatabaseError as error:
        raise LedgerError(
            f"the ledger {path} cannot be read: {error.orig}",
            next_step=f"see that the disk of {home} has room and can be written",
        ) from error
