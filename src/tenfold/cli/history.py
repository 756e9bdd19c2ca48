"""Read the pool's past from its ledger."""

from collections.abc import Sequence
from pathlib import Path

from tenfold.core.errors import NotRunning
from tenfold.ledger.past import days_of, newest, open_ledger
from tenfold.pool.state import MoveView, ShadowView


def read_moves(home: Path, limit: int) -> Sequence[MoveView]:
    """Read the newest moves, newest first, those too that the ledger has forgotten.

    Raises:
        NotRunning: there is no ledger yet.
    """
    with open_ledger(home) as ledger:
        return [MoveView.model_validate(event.body) for event in newest(ledger, days_of(home), "move", limit)]


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
