"""What the feed remembers: events as they came, what they say of each person and item, and the sums of both arms.

The events are the truth. The other tables are kept beside them in the same transactions, so that a feed reads the rows
of one person and not a life of events.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
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
    """What became of some events. ``chosen``: the item of each person who chose it for the first time."""

    new: int
    repeated: int
    chosen: tuple[int, ...]


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


def read_person(connection: Connection, person: str, *, again_before: float) -> Person | None:
    """Read what is known of a person; none of whom nothing is.

    Args:
        connection: in a transaction.
        person: anybody's name.
        again_before: Unix seconds; what was shown before that, and not chosen, may be shown again.
    """
    held_out = connection.scalar(sa.select(people.c.held_out).where(people.c.person == person))
    if held_out is None:
        return None
    rows = connection.execute(sa.select(seen).where(seen.c.person == person)).all()
    chosen = [(row.chosen_at, row.item) for row in rows if row.chosen_at is not None]
    blocked = frozenset(row.item for row in rows if row.blocked)
    return Person(
        bool(held_out),
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
    known = {(row.person, row.id) for row in _rows(connection, events, events.c.id, list(first))}
    fresh = [event for named, event in first.items() if named not in known]
    if not fresh:
        return Noted(0, len(came), ())
    at = [now if event.at is None else min(event.at, now) for event in fresh]
    rows = [event.model_dump() | {"at": at_s, "taken_at": now} for event, at_s in zip(fresh, at, strict=True)]
    connection.execute(sa.insert(events), rows)
    arm_of = _arms_of(connection, sorted({event.person for event in fresh}), share, now)
    for arm in sorted(set(arm_of.values())):
        watched_s = sum(e.seconds for e in fresh if e.action == "watched" and arm_of[e.person] == arm)
        _add_to_arm(connection, arm, watched_s=watched_s)
    chosen = _see(connection, fresh, at)
    _count_opened(connection, chosen)
    return Noted(len(fresh), len(came) - len(fresh), tuple(chosen))


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


def count_events(connection: Connection, person: str) -> int:
    """Count the events of a person."""
    return connection.scalar(sa.select(sa.func.count()).select_from(events).where(events.c.person == person)) or 0


def forget(connection: Connection, person: str) -> int:
    """Delete all that is known of a person, and return how many events that were; what was watched stays summed up."""
    row = connection.execute(sa.select(people).where(people.c.person == person)).first()
    if row is not None:
        _add_to_arm(connection, Arm(row.share, bool(row.held_out)), people=-1)
    gone = connection.execute(sa.delete(events).where(events.c.person == person)).rowcount
    connection.execute(sa.delete(seen).where(seen.c.person == person))
    connection.execute(sa.delete(people).where(people.c.person == person))
    return gone


def _arms_of(connection: Connection, names: Sequence[str], share: float, now: float) -> dict[str, Arm]:
    """Tell the arm of each of ``names``; those who are new are counted in."""
    rows = connection.execute(sa.select(people).where(people.c.person.in_(names))).all()
    found = {row.person: Arm(row.share, bool(row.held_out)) for row in rows}
    new = {name: Arm(share, is_held_out(name, share, EXPERIMENT)) for name in names if name not in found}
    if new:
        rows_new = [{"person": name, "since": now} | arm._asdict() for name, arm in new.items()]
        connection.execute(sa.insert(people), rows_new)
    for arm, count in Counter(new.values()).items():
        _add_to_arm(connection, arm, people=count)
    return found | new


def _rows(connection: Connection, table: sa.Table, column: sa.Column, keys: Sequence[tuple[str, object]]) -> list[Row]:
    """Read the rows of these persons and values of ``column``, person by person.

    SQLite would look for a list of pairs by reading the whole table.
    """
    of: dict[str, list[object]] = {}
    for person, value in keys:
        of.setdefault(person, []).append(value)
    return [
        row
        for person, values in of.items()
        for row in connection.execute(sa.select(table).where(table.c.person == person, column.in_(values)))
    ]


def _see(connection: Connection, fresh: Sequence[FeedEvent], at: Sequence[float]) -> list[int]:
    """Bring ``seen`` up to date; give the item of each person who chose it for the first time."""
    keys = sorted({(event.person, event.item) for event in fresh})
    found = _rows(connection, seen, seen.c.item, keys)
    before = {
        (row.person, row.item): _Sight(row.shown, row.shown_at, row.chosen_at, bool(row.blocked)) for row in found
    }
    after = {key: before.get(key, _Sight()) for key in keys}
    for event, at_s in zip(fresh, at, strict=True):
        key = event.person, event.item
        after[key] = after[key].after(event.action, at_s)
    rows = {key: asdict(sight) for key, sight in after.items()}
    new = [{"person": key[0], "item": key[1]} | row for key, row in rows.items() if key not in before]
    old = [{"of": key[0], "at_item": key[1]} | row for key, row in rows.items() if key in before]
    if new:
        connection.execute(sa.insert(seen), new)
    if old:
        mine = (seen.c.person == sa.bindparam("of")) & (seen.c.item == sa.bindparam("at_item"))
        connection.execute(sa.update(seen).where(mine), old)
    first = [key for key in keys if after[key].chosen_at is not None and before.get(key, _Sight()).chosen_at is None]
    return [item for _, item in first]


def _count_opened(connection: Connection, chosen: Sequence[int]) -> None:
    for item in sorted(set(chosen)):
        more = chosen.count(item)
        changed = connection.execute(
            sa.update(opened).where(opened.c.item == item).values(people=opened.c.people + more)
        )
        if not changed.rowcount:
            connection.execute(sa.insert(opened).values(item=item, people=more))


def _add_to_arm(connection: Connection, arm: Arm, *, people: int = 0, watched_s: float = 0.0) -> None:
    if not (people or watched_s):
        return
    more = {"people": arms.c.people + people, "watched_s": arms.c.watched_s + watched_s}
    mine = (arms.c.share == arm.share) & (arms.c.held_out == arm.held_out)
    if not connection.execute(sa.update(arms).where(mine).values(more)).rowcount:
        row = arm._asdict() | {"people": people, "watched_s": watched_s, "told_s": 0.0}
        connection.execute(sa.insert(arms).values(row))
