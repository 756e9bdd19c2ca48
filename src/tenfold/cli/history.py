"""Read the pool's past from its ledger."""

from collections.abc import Sequence
from pathlib import Path

from tenfold.core.errors import NotRunning
from tenfold.ledger.ledger import Ledger
from tenfold.pool.state import MoveView


def read_moves(home: Path, limit: int) -> Sequence[MoveView]:
    """Read the newest moves, newest first.

    Raises:
        NotRunning: there is no ledger yet.
    """
    path = home / "ledger.db"
    if not path.exists():
        raise NotRunning(f"there is no ledger at {path}", next_step="start a pool with 'tenfold up'")
    ledger = Ledger(f"sqlite:///{path}")
    try:
        return [MoveView.model_validate(event.body) for event in ledger.latest("move", limit)]
    finally:
        ledger.close()
