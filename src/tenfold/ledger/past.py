"""Open a ledger to read the past from it, also of a pool that has stopped."""

import json
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError

from tenfold.core.config import StoreSettings
from tenfold.core.errors import ConfigError, LedgerError, NotRunning
from tenfold.core.store import cause_of, place_of, store_url
from tenfold.ledger.ledger import LEDGER, Event, Ledger

RESOLVED = "config.json"
"""What a pool leaves in its home: the config that it runs with."""


def ledger_of(home: Path) -> str:
    """URL of the ledger of the pool that runs or ran from ``home``.

    Raises:
        ConfigError: what that pool left of its config cannot be read.
    """
    path = home / RESOLVED
    try:
        settings = StoreSettings.model_validate(json.loads(path.read_text()).get("store", {}))
    except FileNotFoundError:
        settings = StoreSettings()
    except (OSError, ValueError, AttributeError, ValidationError) as error:
        raise ConfigError(
            f"cannot read from {path} where the pool's ledger is: {error}", next_step="'tenfold up' writes it anew"
        ) from error
    return store_url(settings, home, LEDGER)


def days_of(home: Path, name: str = LEDGER) -> Path:
    """Folder of the days that a ledger of ``home`` has forgotten."""
    return home / f"{name}-days"


@contextmanager
def open_ledger(home: Path, url: str = "", how: str = "start a pool with 'tenfold up'") -> Iterator[Ledger]:
    """Open the ledger of the pool that runs or ran from ``home``, or another one at ``url``; ``how`` one is made.

    Raises:
        NotRunning: there is no ledger yet.
        LedgerError: it is damaged, or cannot be read now, e.g. because a full disk has no room for SQLite's own files.
    """
    url = url or ledger_of(home)
    place = place_of(url)
    if url.startswith("sqlite") and not Path(place).exists():
        raise NotRunning(f"there is no ledger at {place}", next_step=how)
    try:
        with closing(Ledger(url)) as ledger:
            yield ledger
    except DBAPIError as error:
        raise LedgerError(
            f"the ledger {place} cannot be read: {cause_of(error)}",
            next_step=f"see that the disk of {home} has room and can be written",
        ) from error


def newest(ledger: Ledger, days: Path, kind: str, limit: int) -> Sequence[Event]:
    """Read the newest events of a kind, newest first: from the ledger, and then from the days that it has forgotten."""
    found = list(ledger.latest(kind, limit))
    if len(found) < limit and days.exists():
        from tenfold.ledger.days import newest_of_days

        known = {(event.id, event.at) for event in found}
        found.extend(newest_of_days(days, kind, limit - len(found), known))
    return found
