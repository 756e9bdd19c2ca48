"""Writes down what selling has noted, and reads what other processes have shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from tenfold.ads.selling import Draw
from tenfold.ads.tables import charges, clicks, conversions, draws, leases, ticks

FORGOTTEN = ""
"""Name of a person of whom nothing is kept: what they were charged for stays in the books."""

MOST_AT_ONCE = 20_000
"""Impressions of other processes that one turn takes up."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What other processes have shown: campaign, person and time of each, up to charge ``last``."""

    of_others: tuple[tuple[str, str, float], ...]
    last: int


def note_draws(connection: Connection, drawn: Sequence[Draw]) -> None:
    """Write down who was drawn into which arm of a campaign; the first time counts."""
    for draw in drawn:
        mine = (draws.c.campaign == draw.campaign) & (draws.c.person == draw.person)
        if connection.execute(sa.select(draws.c.at).where(mine)).first() is None:
            row = {"campaign": draw.campaign, "person": draw.person, "held_out": draw.held_out}
            connection.execute(draws.insert().values(row | {"chance": draw.chance, "at": draw.at}))


def note_ticks(connection: Connection, worker: int, at: float, told: Mapping[str, Mapping[str, object]]) -> None:
    """Write down what decisions of a process came to in a minute, in place of what was written of it before."""
    mine = (ticks.c.worker == worker) & (ticks.c.at == at)
    connection.execute(sa.delete(ticks).where(mine & ticks.c.campaign.in_(list(told))))
    rows = [{"campaign": campaign, "at": at, "worker": worker, "told": dict(each)} for campaign, each in told.items()]
    if rows:
        connection.execute(ticks.insert(), rows)


def shown_since(connection: Connection, last: int, worker: int) -> Shown:
    """Read what other processes have shown since charge ``last``."""
    columns = charges.c.number, charges.c.campaign, charges.c.person, charges.c.taken_at, leases.c.worker
    query = sa.select(*columns).join(leases, leases.c.id == charges.c.lease, isouter=True)
    rows = connection.execute(query.where(charges.c.number > last).order_by(charges.c.number).limit(MOST_AT_ONCE)).all()
    others = tuple((row.campaign, row.person, row.taken_at) for row in rows if row.worker != worker)
    return Shown(others, rows[-1].number if rows else last)


def forget_old(connection: Connection, before: float) -> None:
    """Take the names of people off what is old; what was charged stays."""
    for table in (charges, clicks, conversions):
        at = table.c.taken_at if "taken_at" in table.c else table.c.at
        old = (at < before) & (table.c.person != FORGOTTEN)
        connection.execute(sa.update(table).where(old).values(person=FORGOTTEN))
    for table in (draws, ticks):
        connection.execute(sa.delete(table).where(table.c.at < before))


def forget_person(connection: Connection, person: str) -> int:
    """Take a person's name off everything, and delete what is only about them; gives how many rows knew them."""
    known = 0
    for table in (charges, clicks, conversions):
        known += connection.execute(sa.update(table).where(table.c.person == person).values(person=FORGOTTEN)).rowcount
    for table in (draws,):
        known += connection.execute(sa.delete(table).where(table.c.person == person)).rowcount
    return known
