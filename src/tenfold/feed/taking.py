"""Takes events: writes each down once, and what they change of people, items, arms and experiments."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from tenfold.feed.arms import Arm, add_to_arm, arms_of
from tenfold.feed.contract import FeedEvent
from tenfold.feed.hours import add_to_hours
from tenfold.feed.item import Id, in_order
from tenfold.feed.people import Sight
from tenfold.feed.subjects import Design, count_in
from tenfold.feed.tables import events, opened, seen, visits

VISIT_S = 1800.0
"""Seconds that a visit is taken to last where its sender does not name it."""

NEWCOMER = 5
"""A person with fewer choices is a newcomer."""

# Made once: making them anew costs more than the database's own work.
_OF, _VALUES = sa.bindparam("of"), sa.bindparam("values", expanding=True)
_SIGHTS_AT = sa.select(seen).where(seen.c.person == _OF, seen.c.item.in_(_VALUES))
_SEE_AGAIN = sa.update(seen).where(seen.c.person == _OF, seen.c.item == sa.bindparam("at_item"))
_KNOWN = sa.select(events.c.person, events.c.id).where(events.c.person == _OF, events.c.id.in_(_VALUES))
_VISITS_AT = sa.select(visits.c.person, visits.c.visit).where(
    visits.c.person.in_(sa.bindparam("names", expanding=True)), visits.c.visit.in_(_VALUES)
)
_CHOICES_OF = (
    sa.select(seen.c.person, sa.func.count(), sa.func.count(sa.distinct(seen.c.surface)), sa.func.sum(seen.c.watched_s))
    .where(seen.c.person.in_(_VALUES), seen.c.chosen_at.is_not(None))
    .group_by(seen.c.person)
)
_OPENED_AT = sa.select(opened.c.item).where(opened.c.item.in_(_VALUES))
_OPENED_MORE = sa.update(opened).where(opened.c.item == _OF).values(people=opened.c.people + sa.bindparam("more"))


@dataclass(frozen=True, slots=True)
class Noted:
    """What became of some events.

    ``fresh``: person and id of those that are new. ``chosen``: the item of each person who chose it for the first time.
    """

    new: int
    repeated: int
    chosen: tuple[Id, ...]
    fresh: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a person has chosen: how many items, on how many surfaces, and how long they were watched."""

    choices: int = 0
    surfaces: int = 0
    watched_s: float = 0.0


def take(
    connection: Connection,
    came: Sequence[FeedEvent],
    share: float,
    now: float,
    *,
    designs: Sequence[Design] = (),
    cold: Collection[Id] = (),
) -> Noted:
    """Write events down, each once by person and id, and what they change.

    A late event takes its place in a person's history by when it happened. Taking the same events again, in any order
    and in any parts, changes nothing.

    Args:
        connection: in a transaction that may write.
        came: events of any people.
        share: of new people who are held out.
        now: Unix seconds; when an event without a time happened. No event happened later.
        designs: experiments that run.
        cold: items that ranking does not know yet.
    """
    first: dict[tuple[str, str], FeedEvent] = {}
    for event in came:
        first.setdefault((event.person, event.id), event)
    known = {(row.person, row.id) for row in _rows(connection, _KNOWN, list(first))}
    new = {named: event for named, event in first.items() if named not in known}
    fresh = list(new.values())
    if not fresh:
        return Noted(0, len(came), ())
    at = [now if event.at is None else min(event.at, now) for event in fresh]
    rows = [event.model_dump() | {"at": at_s, "taken_at": now} for event, at_s in zip(fresh, at, strict=True)]
    connection.execute(sa.insert(events), rows)
    names = sorted({event.person for event in fresh})
    before = _chosen(connection, names)
    arm_of = arms_of(connection, names, share, now)
    _add_watched(connection, fresh, arm_of)
    chosen = _see(connection, fresh, at)
    _count_opened(connection, chosen)
    more_visits = _visit(connection, fresh, at)
    after = _chosen(connection, names) if designs else before
    surfaces = {name: found.surfaces for name, found in after.items()}
    past_s = {name: found.watched_s for name, found in before.items()}
    count_in(connection, fresh, arm_of, designs, past_s, surfaces, more_visits, now)
    newcomers = frozenset(name for name, found in before.items() if found.choices < NEWCOMER)
    add_to_hours(connection, fresh, at, cold=cold, newcomers=newcomers)
    return Noted(len(fresh), len(came) - len(fresh), tuple(chosen), frozenset(new))


def _chosen(connection: Connection, names: Sequence[str]) -> dict[str, Chosen]:
    rows = connection.execute(_CHOICES_OF, {"values": names})
    return {name: Chosen() for name in names} | {row[0]: Chosen(*row[1:]) for row in rows}


def _add_watched(connection: Connection, fresh: Sequence[FeedEvent], arm_of: dict[str, Arm]) -> None:
    watched_s: dict[Arm, float] = {}
    for event in fresh:
        if event.action == "watched":
            watched_s[arm_of[event.person]] = watched_s.get(arm_of[event.person], 0.0) + event.seconds
    for arm in sorted(watched_s):
        add_to_arm(connection, arm, watched_s=watched_s[arm])


def _rows(connection: Connection, query: sa.Select, keys: Sequence[tuple[str, object]]) -> list[Row]:
    """Read the rows of these persons and values, person by person.

    SQLite would look for a list of pairs by reading the whole table.
    """
    of: dict[str, list[object]] = {}
    for person, value in keys:
        of.setdefault(person, []).append(value)
    return [row for person, values in of.items() for row in connection.execute(query, {"of": person, "values": values})]


def _see(connection: Connection, fresh: Sequence[FeedEvent], at: Sequence[float]) -> list[Id]:
    """Bring ``seen`` up to date; give the item of each person who chose it for the first time."""
    keys = sorted({(event.person, event.item) for event in fresh}, key=lambda key: (key[0], in_order(key[1])))
    before = {(row.person, row.item): Sight(*row[2:]) for row in _rows(connection, _SIGHTS_AT, keys)}
    after = {key: before.get(key, Sight()) for key in keys}
    for event, at_s in zip(fresh, at, strict=True):
        key = event.person, event.item
        after[key] = after[key].after(event, at_s)
    rows = {key: asdict(sight) for key, sight in after.items()}
    new = [{"person": key[0], "item": key[1]} | row for key, row in rows.items() if key not in before]
    old = [{"of": key[0], "at_item": key[1]} | row for key, row in rows.items() if key in before]
    if new:
        connection.execute(sa.insert(seen), new)
    if old:
        connection.execute(_SEE_AGAIN, old)
    first = [key for key in keys if after[key].chosen_at is not None and before.get(key, Sight()).chosen_at is None]
    return [item for _, item in first]


def _count_opened(connection: Connection, chosen: Sequence[Id]) -> None:
    if not chosen:
        return
    more = Counter(chosen)
    known = set(connection.execute(_OPENED_AT, {"values": list(more)}).scalars())
    items = sorted(more, key=in_order)
    if new := [{"item": item, "people": more[item]} for item in items if item not in known]:
        connection.execute(sa.insert(opened), new)
    if old := [{"of": item, "more": more[item]} for item in items if item in known]:
        connection.execute(_OPENED_MORE, old)


def _visit(connection: Connection, fresh: Sequence[FeedEvent], at: Sequence[float]) -> Counter[str]:
    """Note visits that are new; gives how many of each person."""
    began: dict[tuple[str, str], float] = {}
    for event, at_s in zip(fresh, at, strict=True):
        # A name that no sender can give: it has a space at its beginning and a half hour's number.
        key = event.person, event.session or f" {at_s // VISIT_S:.0f}"
        began[key] = min(began.get(key, at_s), at_s)
    names, named = sorted({person for person, _ in began}), sorted({visit for _, visit in began})
    rows_known = connection.execute(_VISITS_AT, {"names": names, "values": named})
    known = {(row.person, row.visit) for row in rows_known}
    new = {key: at_s for key, at_s in began.items() if key not in known}
    if new:
        rows = [{"person": person, "visit": visit, "at": at_s} for (person, visit), at_s in new.items()]
        connection.execute(sa.insert(visits), rows)
    return Counter(person for person, _ in new)
