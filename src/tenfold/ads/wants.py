"""What people want of ads: whether by what they did, and which campaigns and accounts no more."""

from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import Connection

from tenfold.ads.tables import consents, stops


class Said(NamedTuple):
    """What people said: whether ads may be chosen by what each did, and what each wants no more of."""

    personal: dict[str, bool]
    stopped: dict[str, set[str]]


class Wants:
    """What people said, as the last turn read it and as they have said since.

    Args:
        by_default: whether ads for who said nothing may be chosen by what they did.
    """

    def __init__(self, *, by_default: bool) -> None:
        self._by_default = by_default
        self._personal: dict[str, bool] = {}
        self._stopped: dict[str, set[str]] = {}

    def may_be_personal(self, person: str) -> bool:
        """Whether ads for somebody may be chosen by what they did."""
        return self._personal.get(person, self._by_default)

    def stopped_by(self, person: str) -> set[str]:
        """Campaigns and accounts, as ``campaign/ID`` and ``account/ID``, of which somebody wants no more."""
        return self._stopped.get(person, set())

    def note_consent(self, person: str, personal: bool) -> None:
        """Do as a person says from now on, before the next turn reads it."""
        self._personal[person] = personal

    def stop(self, person: str, what: str) -> None:
        """Show somebody a campaign or an account no more, before the next turn reads it."""
        self._stopped.setdefault(person, set()).add(what)

    def take(self, said: Said) -> None:
        """Take up what a turn has read."""
        self._personal, self._stopped = said


def read_said(connection: Connection) -> Said:
    """Read what people have said."""
    personal = {row.person: bool(row.personal) for row in connection.execute(sa.select(consents))}
    stopped: dict[str, set[str]] = {}
    for person, what in connection.execute(sa.select(stops.c.person, stops.c.what)):
        stopped.setdefault(person, set()).add(what)
    return Said(personal, stopped)


def note_stop(connection: Connection, person: str, what: str, at: float) -> None:
    """Write down that a person wants no more of a campaign or an account."""
    mine = (stops.c.person == person) & (stops.c.what == what)
    connection.execute(sa.delete(stops).where(mine))
    connection.execute(stops.insert().values(person=person, what=what, at=at))
