"""What rank's work earned ads: what is billed beyond what would be billed without its embeddings.

A share of people, by a hash of their name, always gets ads that are chosen without what rank knows of them. What
everybody's impressions are billed is summed up by arm, credits taken off; the difference per person is what rank's work
is worth (``product/holdout.py``). A charge counts once: what was told of an arm is kept beside its sum.
"""

from collections.abc import Collection, Mapping

import sqlalchemy as sa
from sqlalchemy import Connection

from tenfold.ads.campaign import MICROS
from tenfold.ads.tables import arms, people
from tenfold.product.holdout import earned_by_share, is_held_out

EXPERIMENT = "ads: chosen with rank or without"


def is_without_rank(person: str, share: float) -> bool:
    """Whether a person's ads are always chosen without rank."""
    return is_held_out(person, share, EXPERIMENT)


def count_people(connection: Connection, persons: Collection[str], share: float, now: float) -> None:
    """Count those who are new in their arm; it is theirs for good, whatever the share becomes."""
    known = set(connection.execute(sa.select(people.c.person).where(people.c.person.in_(list(persons)))).scalars())
    rows = [
        {"person": person, "share": share, "held_out": is_without_rank(person, share), "since": now}
        for person in dict.fromkeys(persons)
        if person not in known
    ]
    if not rows:
        return
    connection.execute(people.insert(), rows)
    for held_out in (False, True):
        _add(connection, share, held_out, people=sum(row["held_out"] is held_out for row in rows), micro=0)


def note_billed(connection: Connection, micro_by_person: Mapping[str, int], share: float, now: float) -> None:
    """Count what impressions of some people were billed; below zero for what was given back."""
    if not micro_by_person:
        return
    count_people(connection, micro_by_person.keys(), share, now)
    query = sa.select(people.c.person, people.c.share, people.c.held_out)
    sums: dict[tuple[float, bool], int] = {}
    for row in connection.execute(query.where(people.c.person.in_(list(micro_by_person)))):
        arm = row.share, bool(row.held_out)
        sums[arm] = sums.get(arm, 0) + micro_by_person[row.person]
    for (of_share, held_out), micro in sums.items():
        _add(connection, of_share, held_out, people=0, micro=micro)


def take_untold(connection: Connection) -> float | None:
    """Give what rank earned since the last time, in USD, and count it as told; none where nothing is known.

    While one arm of a share has nobody, what was billed is never told: it cannot be compared.
    """
    rows = connection.execute(sa.select(arms)).all()
    if all(row.charged_micro == row.told_micro for row in rows):
        return None
    connection.execute(sa.update(arms).values(told_micro=arms.c.charged_micro))
    sums = {
        (row.share, bool(row.held_out)): (row.people, (row.charged_micro - row.told_micro) / MICROS) for row in rows
    }
    earned = earned_by_share(sums)
    return sum(earned.values()) if earned else None


def _add(connection: Connection, share: float, held_out: bool, *, people: int, micro: int) -> None:
    if not (people or micro):
        return
    mine = (arms.c.share == share) & (arms.c.held_out == held_out)
    more = {"people": arms.c.people + people, "charged_micro": arms.c.charged_micro + micro}
    if not connection.execute(sa.update(arms).where(mine).values(more)).rowcount:
        row = {"share": share, "held_out": held_out, "people": people, "charged_micro": micro, "told_micro": 0}
        connection.execute(arms.insert().values(row))
