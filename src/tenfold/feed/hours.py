"""What was done on each surface in each hour: the figures of the team's page, kept while events come in."""

from collections.abc import Collection, Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from tenfold.feed.contract import FeedEvent
from tenfold.feed.item import Id
from tenfold.feed.tables import hours

HOUR_S = 3600

_MORE = (
    sa.update(hours)
    .where(*(column == sa.bindparam(f"of_{column.name}") for column in hours.primary_key))
    .values(times=hours.c.times + sa.bindparam("more"), seconds=hours.c.seconds + sa.bindparam("more_s"))
)


def add_to_hours(
    connection: Connection,
    fresh: Sequence[FeedEvent],
    at: Sequence[float],
    *,
    cold: Collection[Id],
    newcomers: Collection[str],
) -> None:
    """Count events.

    Args:
        connection: in a transaction that may write.
        fresh: events that were not counted before.
        at: when each happened.
        cold: items that ranking does not know yet.
        newcomers: people who have chosen little before.
    """
    found: dict[tuple[str, int, str, bool, bool], list[float]] = {}
    for event, at_s in zip(fresh, at, strict=True):
        key = event.surface, int(at_s) // HOUR_S, event.action, event.item in cold, event.person in newcomers
        sums = found.setdefault(key, [0, 0.0])
        sums[0] += 1
        sums[1] += event.seconds
    names = [column.name for column in hours.primary_key]
    for key in sorted(found):
        times, seconds = found[key]
        at_key = {f"of_{name}": value for name, value in zip(names, key, strict=True)}
        if not connection.execute(_MORE, {**at_key, "more": times, "more_s": seconds}).rowcount:
            row = dict(zip(names, key, strict=True)) | {"times": times, "seconds": seconds}
            connection.execute(sa.insert(hours).values(row))


def forget_hours(connection: Connection, before: float) -> None:
    """Delete the figures of hours before a time."""
    connection.execute(sa.delete(hours).where(hours.c.hour < int(before) // HOUR_S))
