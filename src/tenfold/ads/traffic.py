"""Invalid traffic: what no person did is found before it is billed, and given back.

Three rules, each of which names what it saw: more ads in a minute than anybody can see; clicks on most of what was
shown; a click sooner than anybody can read. They look only at charges that are on no invoice yet.
"""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from tenfold.ads.money.charge import BILLED
from tenfold.ads.money.invoice import credit
from tenfold.ads.tables import charges, clicks

MOST_A_MINUTE = 60
"""Ads that one person can see in a minute."""

MOST_CLICKED = 0.5
LEAST_CLICKS = 10
"""Who clicks more than this part of what they are shown, and so often, is a program."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was given back: micro-dollars by person."""

    micro_by_person: dict[str, int]

    @property
    def micro(self) -> int:
        """All of it."""
        return sum(self.micro_by_person.values())


def credit_invalid(connection: Connection, since: float, now: float) -> Found:
    """Give back what programs have seen since a time, and count their clicks no more."""
    minute = sa.cast(sa.func.floor(charges.c.taken_at / 60.0), sa.BigInteger)
    recent = (charges.c.taken_at >= since) & (charges.c.state == BILLED) & charges.c.invoice.is_(None)
    crowds = sa.select(charges.c.person, minute.label("minute")).where(recent)
    crowds = crowds.group_by(charges.c.person, minute).having(sa.func.count() > MOST_A_MINUTE)
    found: dict[str, int] = {}
    for row in connection.execute(crowds).all():
        in_it = recent & (charges.c.person == row.person) & (minute == row.minute)
        why = f"one person cannot see more than {MOST_A_MINUTE} ads in a minute"
        _credit(connection, row.person, in_it, why, now, found)
    for person in _programs(connection, since):
        why = f"more than {MOST_CLICKED:.0%} of what was shown was clicked"
        _credit(connection, person, recent & (charges.c.person == person), why, now, found)
        theirs = (clicks.c.person == person) & (clicks.c.at >= since)
        connection.execute(sa.update(clicks).where(theirs).values(valid=False))
    return Found(found)


def _programs(connection: Connection, since: float) -> list[str]:
    """Who clicks on most of what they are shown."""
    clicked = sa.select(clicks.c.person, sa.func.count().label("clicks")).where(clicks.c.at >= since)
    rows = connection.execute(clicked.group_by(clicks.c.person).having(sa.func.count() >= LEAST_CLICKS)).all()
    shown = sa.select(sa.func.count()).where(charges.c.taken_at >= since)
    found = []
    for row in rows:
        seen = connection.execute(shown.where(charges.c.person == row.person)).scalar_one()
        if row.clicks > MOST_CLICKED * seen:
            found.append(row.person)
    return found


def _credit(
    connection: Connection,
    person: str,
    which: sa.ColumnElement[bool],
    why: str,
    now: float,
    found: dict[str, int],
) -> None:
    events = list(connection.execute(sa.select(charges.c.event).where(which)).scalars())
    micro = credit(connection, events, why, now)
    if micro:
        found[person] = found.get(person, 0) + micro
