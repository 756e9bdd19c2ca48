"""What a team wants to know of its feed: each surface's figures, slices, cold items, freshness."""

import time
from collections.abc import Sequence

import sqlalchemy as sa
from pydantic import Field
from sqlalchemy import Connection

from tenfold.core.frozen import Frozen
from tenfold.feed.catalog import Catalog
from tenfold.feed.contract import CHOICES
from tenfold.feed.desk import Desk
from tenfold.feed.experiments import ExperimentView, read_experiments
from tenfold.feed.hours import HOUR_S
from tenfold.feed.item import Id, ItemId
from tenfold.feed.learned import Learned
from tenfold.feed.tables import events, hours, people, seen, visits

SPAN_H = 24
"""Hours that the figures are of."""

MOST_COLD = 12


class SurfaceFigures(Frozen):
    """What was done on one surface; rates are of the cards that were shown."""

    surface: str
    items: int = Field(description="that may be shown there")
    shown: int
    opened: int
    watched_minutes: float
    approved: int = Field(description="liked, saved, shared, commented, bought")
    refused: int = Field(description="not for me, less of this")
    opened_by_hour: tuple[float | None, ...] = Field(description="share of shown cards opened, the oldest hour first")


class Slice(Frozen):
    """A part of what was shown."""

    name: str
    shown: int
    opened: int
    watched_minutes: float


class ColdItem(Frozen):
    """An item that ranking's model has not learned yet."""

    item: ItemId
    title: str
    born_at: float
    people: int = Field(description="who were shown it")
    opened: int = Field(description="of these, who chose it")


class Freshness(Frozen):
    """How far what is known has come, Unix seconds; none: never."""

    newest_event_at: float | None
    in_files_up_to: float | None = Field(description="events up to here are in the files that ranking learns from")
    snapshot: str = Field(description="version of the model that ranked last; empty: none yet")


class TeamReport(Frozen):
    """All of it. ``learned``: none where ranking does not answer."""

    at: float
    span_hours: int
    people: int
    visits: int = Field(description="begun in the span")
    surfaces: tuple[SurfaceFigures, ...]
    slices: tuple[Slice, ...]
    items: int
    cold_items: int
    cold: tuple[ColdItem, ...] = Field(description="the newest of them")
    freshness: Freshness
    learned: Learned | None
    experiments: tuple[ExperimentView, ...]


def read_team(connection: Connection, desk: Desk, learned: Learned | None = None) -> TeamReport:
    """Read the figures of the last ``SPAN_H`` hours, and how the experiments stand.

    Args:
        connection: in a transaction.
        desk: of the feed.
        learned: what the ranking model tells of itself.

    Raises:
        NoCatalog: there is nothing to show yet.
    """
    catalog, surfaces = desk.catalog, desk.surfaces
    now = time.time()
    last = int(now) // HOUR_S
    rows = connection.execute(sa.select(hours).where(hours.c.hour > last - SPAN_H)).all()
    of = {surface: [row for row in rows if row.surface == surface] for surface in surfaces}
    cold = catalog.cold()
    return TeamReport(
        at=now,
        span_hours=SPAN_H,
        people=_count(connection, people),
        visits=connection.scalar(sa.select(sa.func.count()).where(visits.c.at > now - SPAN_H * HOUR_S)) or 0,
        surfaces=tuple(_surface(surface, of[surface], catalog, last) for surface in surfaces),
        slices=(
            _slice("newcomers", [row for row in rows if row.newcomer]),
            _slice("everybody else", [row for row in rows if not row.newcomer]),
            _slice("cold items", [row for row in rows if row.cold]),
            _slice("items that ranking has learned", [row for row in rows if not row.cold]),
        ),
        items=len(catalog),
        cold_items=len(cold),
        cold=_cold(connection, {item.item: (item.title, item.born_at) for item in cold[:MOST_COLD]}),
        freshness=Freshness(
            newest_event_at=connection.scalar(sa.select(sa.func.max(events.c.taken_at))),
            in_files_up_to=desk.archive.up_to() or None,
            snapshot=desk.snapshot,
        ),
        learned=learned,
        experiments=read_experiments(connection, desk.settings).experiments,
    )


def _surface(surface: str, rows: Sequence[sa.Row], catalog: Catalog, last: int) -> SurfaceFigures:
    allowed = catalog.on(surface)
    by_hour: list[float | None] = []
    for hour in range(last - SPAN_H + 1, last + 1):
        shown = _times([row for row in rows if row.hour == hour], "shown")
        opened = _times([row for row in rows if row.hour == hour], "opened")
        by_hour.append(min(1.0, opened / shown) if shown else None)
    return SurfaceFigures(
        surface=surface,
        items=len(catalog) if allowed is None else len(allowed),
        shown=_times(rows, "shown"),
        opened=_times(rows, "opened"),
        watched_minutes=sum(row.seconds for row in rows) / 60.0,
        approved=_times(rows, *(each for each in CHOICES if each not in ("opened", "watched"))),
        refused=_times(rows, "not_interested", "less"),
        opened_by_hour=tuple(by_hour),
    )


def _slice(name: str, rows: Sequence[sa.Row]) -> Slice:
    return Slice(
        name=name,
        shown=_times(rows, "shown"),
        opened=_times(rows, "opened"),
        watched_minutes=sum(row.seconds for row in rows) / 60.0,
    )


def _cold(connection: Connection, items: dict[Id, tuple[str, float]]) -> tuple[ColdItem, ...]:
    query = (
        sa.select(seen.c.item, sa.func.count(), sa.func.count(seen.c.chosen_at))
        .where(seen.c.item.in_(list(items)))
        .group_by(seen.c.item)
    )
    counts = {row[0]: (row[1], row[2]) for row in connection.execute(query)}
    found = []
    for item, (title, born_at) in items.items():
        shown, opened = counts.get(item, (0, 0))
        found.append(ColdItem(item=item, title=title, born_at=born_at, people=shown, opened=opened))
    return tuple(found)


def _times(rows: Sequence[sa.Row], *actions: str) -> int:
    return sum(row.times for row in rows if row.action in actions)


def _count(connection: Connection, table: sa.Table) -> int:
    return connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
