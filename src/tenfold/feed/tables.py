"""What the feed remembers: events as they came, what they say of each person and item, and the sums of both arms.

The events are the truth. The other tables are kept beside them in the same transactions, so that a feed reads the rows
of one person and not a life of events.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from tenfold.feed.catalog import Film
from tenfold.feed.contract import FeedEvent
from tenfold.product.holdout import is_held_out

MIGRATIONS = Path(__file__).parent / "migrations"

EXPERIMENT = "feed: ranked or popular"
"""What the draw of people into the two arms is called."""

HISTORY = 100
"""Latest items of a person that ranking is given."""

TIRED_AFTER = 3
"""An item that was shown so often and never chosen is not shown again."""

metadata = sa.MetaData()

people = sa.Table(
    "people",
    metadata,
    sa.Column("person", sa.String, primary_key=True),
    sa.Column("share", sa.Float, nullable=False),
    sa.Column("held_out", sa.Boolean, nullable=False),
    sa.Column("since", sa.Float, nullable=False),
)
events = sa.Table(
    "events",
    metadata,
    sa.Column("person", sa.String, primary_key=True),
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("surface", sa.String, nullable=False),
    sa.Column("item", sa.BigInteger, nullable=False),
    sa.Column("action", sa.String, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("taken_at", sa.Float, nullable=False),
    sa.Index("events_by_taken", "taken_at"),
)
seen = sa.Table(
    "seen",
    metadata,
    sa.Column("person", sa.String, primary_key=True),
    sa.Column("item", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("shown", sa.Integer, nullable=False),
    sa.Column("shown_at", sa.Float, nullable=True),
    sa.Column("chosen_at", sa.Float, nullable=True),
    sa.Column("blocked", sa.Boolean, nullable=False),
)
opened = sa.Table(
    "opened",
    metadata,
    sa.Column("item", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("people", sa.BigInteger, nullable=False),
)
arms = sa.Table(
    "arms",
    metadata,
    sa.Column("share", sa.Float, primary_key=True),
    sa.Column("held_out", sa.Boolean, primary_key=True),
    sa.Column("people", sa.BigInteger, nullable=False),
    sa.Column("watched_s", sa.Float, nullable=False),
    sa.Column("told_s", sa.Float, nullable=False),
)
films = sa.Table(
    "films",
    metadata,
    sa.Column("item", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("title", sa.String, nullable=False),
    sa.Column("genres", sa.JSON, nullable=False),
    sa.Column("viewers", sa.BigInteger, nullable=False),
)

# Made once: making them anew costs more than the database's own work.
_OF, _VALUES = sa.bindparam("of"), sa.bindparam("values", expanding=True)
_ARM_OF = sa.select(people.c.share, people.c.held_out).where(people.c.person == _OF)
_ARMS_OF = sa.select(people.c.person, people.c.share, people.c.held_out).where(people.c.person.in_(_VALUES))
_SIGHTS_OF = sa.select(*(column for column in seen.c if column is not seen.c.person)).where(seen.c.person == _OF)
_SIGHTS_AT = sa.select(seen).where(seen.c.person == _OF, seen.c.item.in_(_VALUES))
_SEE_AGAIN = sa.update(seen).where(seen.c.person == _OF, seen.c.item == sa.bindparam("at_item"))
_KNOWN = sa.select(events.c.person, events.c.id).where(events.c.person == _OF, events.c.id.in_(_VALUES))
_OPENED_FIRST = sa.text(
    "INSERT INTO opened (item, people) SELECT CAST(:of AS BIGINT), 0"
    " WHERE NOT EXISTS (SELECT 1 FROM opened WHERE item = CAST(:of AS BIGINT))"
)
_OPENED_MORE = sa.update(opened).where(opened.c.item == _OF).values(people=opened.c.people + sa.bindparam("more"))


@dataclass(frozen=True, slots=True)
class Person:
    """What a feed needs to know of one person.

    ``history``: items chosen (opened, watched or liked), the latest last. ``seen``: all of them, however long ago.
    ``blocked``: items that do not interest. ``tired``: items shown lately, or so often that they are not shown again.
    """

    held_out: bool
    history: tuple[int, ...] = ()
    seen: frozenset[int] = frozenset()
    blocked: frozenset[int] = frozenset()
    tired: frozenset[int] = frozenset()

    @property
    def hidden(self) -> frozenset[int]:
        """Everything that is not shown now."""
        return self.seen | self.blocked | self.tired


@dataclass(frozen=True, slots=True)
class Noted:
    """What became of some events.

    ``fresh``: person and id of those that are new. ``chosen``: the item of each person who chose it for the first time.
    """

    new: int
    repeated: int
    chosen: tuple[int, ...]
    fresh: frozenset[tuple[str, str]] = frozenset()


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


@dataclass(frozen=True, slots=True)
class _Sight:
    """One row of ``seen``."""

    shown: int = 0
    shown_at: float | None = None
    chosen_at: float | None = None
    blocked: bool = False

    def after(self, action: str, at: float) -> "_Sight":
        if action == "shown":
            return replace(self, shown=self.shown + 1, shown_at=max(at, self.shown_at or 0.0))
        if action == "not_interested":
            return replace(self, blocked=True)
        return replace(self, chosen_at=max(at, self.chosen_at or 0.0))

    def row(self) -> dict[str, object]:
        return {"shown": self.shown, "shown_at": self.shown_at, "chosen_at": self.chosen_at, "blocked": self.blocked}


def read_person(connection: Connection, person: str, *, again_before: float) -> Person | None:
    """Read what is known of a person; none of whom nothing is.

    Args:
        connection: in a transaction.
        person: anybody's name.
        again_before: Unix seconds; what was shown before that, and not chosen, may be shown again.
    """
    arm = connection.execute(_ARM_OF, {"of": person}).first()
    if arm is None:
        return None
    rows = connection.execute(_SIGHTS_OF, {"of": person}).all()
    chosen = [(row.chosen_at, row.item) for row in rows if row.chosen_at is not None]
    blocked = frozenset(row.item for row in rows if row.blocked)
    return Person(
        bool(arm.held_out),
        history=tuple(item for _, item in sorted(chosen) if item not in blocked)[-HISTORY:],
        seen=frozenset(item for _, item in chosen),
        blocked=blocked,
        tired=frozenset(
            row.item
            for row in rows
            if row.shown_at is not None and (row.shown >= TIRED_AFTER or row.shown_at >= again_before)
        ),
    )


def take(connection: Connection, came: Sequence[FeedEvent], share: float, now: float) -> Noted:
    """Write events down, each once by person and id, and what they change.

    A late event takes its place in a person's history by when it happened. Taking the same events again, in any order
    and in any parts, changes nothing.

    Args:
        connection: in a transaction that may write.
        came: events of any people.
        share: of new people who are held out.
        now: Unix seconds; when an event without a time happened. No event happened later.
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
    arm_of = _arms_of(connection, sorted({event.person for event in fresh}), share, now)
    watched_s: dict[Arm, float] = {}
    for event in fresh:
        if event.action == "watched":
            watched_s[arm_of[event.person]] = watched_s.get(arm_of[event.person], 0.0) + event.seconds
    for arm in sorted(watched_s):
        _add_to_arm(connection, arm, watched_s=watched_s[arm])
    chosen = _see(connection, fresh, at)
    _count_opened(connection, chosen)
    return Noted(len(fresh), len(came) - len(fresh), tuple(chosen), frozenset(new))


def read_arms(connection: Connection) -> dict[Arm, Sums]:
    """Read the sums of all arms."""
    rows = connection.execute(sa.select(arms)).all()
    return {Arm(row.share, bool(row.held_out)): Sums(row.people, row.watched_s, row.told_s) for row in rows}


def has_untold(connection: Connection) -> bool:
    """Tell whether anything was watched since it was last told."""
    return connection.execute(sa.select(arms.c.held_out).where(arms.c.watched_s != arms.c.told_s)).first() is not None


def take_untold(connection: Connection) -> list[tuple[Sums, Sums]]:
    """Count all that was watched as told, and give what can be compared: those served and those held out, by share.

    While one of two arms has nobody, nothing is known of what ranking adds. What was watched meanwhile is never told:
    set against the first person of the other arm, who has had no time to watch, it would look like a gain.

    Args:
        connection: in a transaction that may write, and that also writes what is told.
    """
    found = read_arms(connection)
    connection.execute(sa.update(arms).values(told_s=arms.c.watched_s))
    pairs = [(sums, found.get(Arm(arm.share, True), Sums())) for arm, sums in found.items() if not arm.held_out]
    return [(served, held_out) for served, held_out in pairs if served.people and held_out.people]


def read_catalog(connection: Connection) -> list[Film]:
    """Read all items."""
    rows = connection.execute(sa.select(films).order_by(films.c.item))
    return [Film(row.item, row.title, tuple(row.genres), row.viewers) for row in rows]


def write_catalog(connection: Connection, catalog: Sequence[Film]) -> None:
    """Put ``catalog`` in place of the items that there are."""
    connection.execute(sa.delete(films))
    rows = [{"item": f.item, "title": f.title, "genres": list(f.genres), "viewers": f.viewers} for f in catalog]
    if rows:
        connection.execute(sa.insert(films), rows)


def read_opened(connection: Connection) -> list[tuple[int, int]]:
    """Read how many people chose each item."""
    return [(row.item, row.people) for row in connection.execute(sa.select(opened))]


def forget_older(connection: Connection, before: float, most: int) -> int:
    """Delete events that came before a time, the oldest first and about ``most`` of them; returns how many.

    What they say of persons, items and arms stays.
    """
    by_age = sa.select(events.c.taken_at).where(events.c.taken_at < before).order_by(events.c.taken_at)
    last = connection.scalar(by_age.offset(most - 1).limit(1))
    old = events.c.taken_at < before if last is None else events.c.taken_at <= last
    return connection.execute(sa.delete(events).where(old)).rowcount


def count_events(connection: Connection, person: str) -> int:
    """Count the events of a person."""
    return connection.scalar(sa.select(sa.func.count()).select_from(events).where(events.c.person == person)) or 0


def forget(connection: Connection, person: str) -> int:
    """Delete all that is known of a person, and return how many events that were; what was watched stays summed up."""
    row = connection.execute(_ARM_OF, {"of": person}).first()
    if row is not None:
        _add_to_arm(connection, Arm(row.share, bool(row.held_out)), people=-1)
    gone = connection.execute(sa.delete(events).where(events.c.person == person)).rowcount
    connection.execute(sa.delete(seen).where(seen.c.person == person))
    connection.execute(sa.delete(people).where(people.c.person == person))
    return gone


def _arms_of(connection: Connection, names: Sequence[str], share: float, now: float) -> dict[str, Arm]:
    """Tell the arm of each of ``names``; those who are new are counted in."""
    rows = connection.execute(_ARMS_OF, {"values": names}).all()
    found = {row.person: Arm(row.share, bool(row.held_out)) for row in rows}
    new = {name: Arm(share, is_held_out(name, share, EXPERIMENT)) for name in names if name not in found}
    if new:
        rows_new = [{"person": name, "since": now} | arm._asdict() for name, arm in new.items()]
        connection.execute(sa.insert(people), rows_new)
    for arm, count in Counter(new.values()).items():
        _add_to_arm(connection, arm, people=count)
    return found | new


def _rows(connection: Connection, query: sa.Select, keys: Sequence[tuple[str, object]]) -> list[Row]:
    """Read the rows of these persons and values, person by person.

    SQLite would look for a list of pairs by reading the whole table.
    """
    of: dict[str, list[object]] = {}
    for person, value in keys:
        of.setdefault(person, []).append(value)
    return [row for person, values in of.items() for row in connection.execute(query, {"of": person, "values": values})]


def _see(connection: Connection, fresh: Sequence[FeedEvent], at: Sequence[float]) -> list[int]:
    """Bring ``seen`` up to date; give the item of each person who chose it for the first time."""
    keys = sorted({(event.person, event.item) for event in fresh})
    found = _rows(connection, _SIGHTS_AT, keys)
    before = {
        (row.person, row.item): _Sight(row.shown, row.shown_at, row.chosen_at, bool(row.blocked)) for row in found
    }
    after = {key: before.get(key, _Sight()) for key in keys}
    for event, at_s in zip(fresh, at, strict=True):
        key = event.person, event.item
        after[key] = after[key].after(event.action, at_s)
    rows = {key: sight.row() for key, sight in after.items()}
    new = [{"person": key[0], "item": key[1]} | row for key, row in rows.items() if key not in before]
    old = [{"of": key[0], "at_item": key[1]} | row for key, row in rows.items() if key in before]
    if new:
        connection.execute(sa.insert(seen), new)
    if old:
        connection.execute(_SEE_AGAIN, old)
    first = [key for key in keys if after[key].chosen_at is not None and before.get(key, _Sight()).chosen_at is None]
    return [item for _, item in first]


def _count_opened(connection: Connection, chosen: Sequence[int]) -> None:
    if chosen:
        rows = [{"of": item, "more": more} for item, more in sorted(Counter(chosen).items())]
        connection.execute(_OPENED_FIRST, [{"of": row["of"]} for row in rows])
        connection.execute(_OPENED_MORE, rows)


def _add_to_arm(connection: Connection, arm: Arm, *, people: int = 0, watched_s: float = 0.0) -> None:
    if not (people or watched_s):
        return
    more = {"people": arms.c.people + people, "watched_s": arms.c.watched_s + watched_s}
    mine = (arms.c.share == arm.share) & (arms.c.held_out == arm.held_out)
    if not connection.execute(sa.update(arms).where(mine).values(more)).rowcount:
        row = arm._asdict() | {"people": people, "watched_s": watched_s, "told_s": 0.0}
        connection.execute(sa.insert(arms).values(row))
