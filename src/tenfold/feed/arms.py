"""What those who are ranked for and those held out have watched: from this the worth of ranking is told."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import Connection

from tenfold.feed.tables import arms, people
from tenfold.product.holdout import earned_by_share, is_held_out

EXPERIMENT = "feed: ranked or popular"
"""What the draw of people into the two arms is called."""

# Made once: making them anew costs more than the database's own work.
_ARM_OF = sa.select(people.c.share, people.c.held_out).where(people.c.person == sa.bindparam("of"))
_ARMS_OF = sa.select(people.c.person, people.c.share, people.c.held_out, people.c.since).where(
    people.c.person.in_(sa.bindparam("values", expanding=True))
)


class Arm(NamedTuple):
    """Who got the same kind of feed: people that came while ``share`` of them were held out, and were or were not.

    People of different shares are never compared: those who came earlier may watch more or less for other reasons.
    """

    share: float
    held_out: bool


@dataclass(frozen=True, slots=True)
class Sums:
    """What an arm has come to since the feed began. ``told_s``: of the watched seconds, those whose worth was told."""

    people: int = 0
    watched_s: float = 0.0
    told_s: float = 0.0


def read_arm(connection: Connection, person: str) -> Arm | None:
    """Read a person's arm; none if the person has never done anything."""
    row = connection.execute(_ARM_OF, {"of": person}).first()
    return None if row is None else Arm(row.share, bool(row.held_out))


def read_arms(connection: Connection) -> dict[Arm, Sums]:
    """Read the sums of all arms."""
    rows = connection.execute(sa.select(arms)).all()
    return {Arm(row.share, bool(row.held_out)): Sums(row.people, row.watched_s, row.told_s) for row in rows}


def arms_of(connection: Connection, names: Sequence[str], share: float, now: float) -> dict[str, Arm]:
    """Tell the arm of each of ``names``; those who are new are drawn, and counted in."""
    rows = connection.execute(_ARMS_OF, {"values": names}).all()
    found = {row.person: Arm(row.share, bool(row.held_out)) for row in rows}
    new = {name: Arm(share, is_held_out(name, share, EXPERIMENT)) for name in names if name not in found}
    if new:
        rows_new = [{"person": name, "since": now} | arm._asdict() for name, arm in new.items()]
        connection.execute(sa.insert(people), rows_new)
    for arm, count in Counter(new.values()).items():
        add_to_arm(connection, arm, more_people=count)
    return found | new


def has_untold(connection: Connection) -> bool:
    """Tell whether anything was watched since it was last told."""
    return connection.execute(sa.select(arms.c.held_out).where(arms.c.watched_s != arms.c.told_s)).first() is not None


def take_untold(connection: Connection) -> float | None:
    """Give the seconds that ranking had watched since the last time, and count all as told; none if none is known.

    While one of two arms has nobody, nothing is known of what ranking adds. What was watched meanwhile is never told:
    set against the first person of the other arm, who has had no time to watch, it would look like a gain.

    Args:
        connection: in a transaction that may write, and that also writes what is told.
    """
    found = read_arms(connection)
    connection.execute(sa.update(arms).values(told_s=arms.c.watched_s))
    earned = earned_by_share(
        {(arm.share, arm.held_out): (sums.people, sums.watched_s - sums.told_s) for arm, sums in found.items()}
    )
    return sum(earned.values()) if earned else None


def add_to_arm(connection: Connection, arm: Arm, *, more_people: int = 0, watched_s: float = 0.0) -> None:
    """Add people, or what they watched, to an arm's sums."""
    if not (more_people or watched_s):
        return
    more = {"people": arms.c.people + more_people, "watched_s": arms.c.watched_s + watched_s}
    mine = (arms.c.share == arm.share) & (arms.c.held_out == arm.held_out)
    if not connection.execute(sa.update(arms).where(mine).values(more)).rowcount:
        row = arm._asdict() | {"people": more_people, "watched_s": watched_s, "told_s": 0.0}
        connection.execute(sa.insert(arms).values(row))
