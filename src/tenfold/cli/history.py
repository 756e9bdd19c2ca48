"""Read the pool's past from its ledger."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy.exc import DatabaseError

from tenfold.core.errors import LedgerError, NotRunning
from tenfold.ledger.ledger import LEDGER_FILE, Ledger
from tenfold.pool.state import MoveView, ShadowView


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


def read_moves(home: Path, limit: int) -> Sequence[MoveView]:
    """Read the newest moves, newest first.

    Raises:
        NotRunning: there is no ledger yet.
    """
    with open_ledger(home) as ledger:
        return [MoveView.model_validate(event.body) for event in ledger.latest("move", limit)]


def read_shadow(home: Path) -> ShadowView:
    """Read what a pool in shadow mode has recorded last.

    Raises:
        NotRunning: there is no ledger, or nothing of a shadow in it.
    """
    with open_ledger(home) as ledger:
        found = ledger.latest("shadow")
    if not found:
        raise NotRunning(f"the ledger in {home} knows of no shadow", next_step="start one with 'tenfold up --shadow'")
    return ShadowView.model_validate(found[0].body)
