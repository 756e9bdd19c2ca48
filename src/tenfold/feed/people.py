"""What the feed knows of one person: what they chose, have seen, and do not want."""

from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy import Connection

from tenfold.feed.arms import add_to_arm, read_arm
from tenfold.feed.contract import CHOICES, FeedEvent
from tenfold.feed.item import Id, in_order
from tenfold.feed.tables import erasures, events, people, seen, subjects, visits

HISTORY = 100
"""Latest items of a person that ranking is given."""

TIRED_AFTER = 3
"""An item that was shown so often and never chosen is not shown again."""

_OF = sa.bindparam("of")
_PERSON = sa.select(people.c.held_out, people.c.since).where(people.c.person == _OF)
_SIGHTS_OF = sa.select(*(column for column in seen.c if column is not seen.c.person)).where(seen.c.person == _OF)


@dataclass(frozen=True, slots=True)
class Choice:
    """An item that a person chose: when last and where, in which ways (bits of ``CHOICES``), how much was watched."""

    item: Id
    at: float
    surface: str
    did: int
    watched_s: float
    ratio: float | None


@dataclass(frozen=True, slots=True)
class Person:
    """What a feed needs to know of one person.

    ``choices``: items chosen, the latest last. ``seen``: all of them, however long ago. ``blocked``: items that do not
    interest. ``tired``: items shown lately, or so often that they are not shown again. ``less``: items of whose like
    the person wants less. ``surfaces``: on which something was chosen. ``since``: when they did something first, Unix
    seconds.
    """

    held_out: bool
    since: float = 0.0
    choices: tuple[Choice, ...] = ()
    seen: frozenset[Id] = frozenset()
    blocked: frozenset[Id] = frozenset()
    tired: frozenset[Id] = frozenset()
    less: frozenset[Id] = frozenset()
    surfaces: frozenset[str] = frozenset()

    @property
    def history(self) -> tuple[Id, ...]:
        """Items chosen, the latest last."""
        return tuple(choice.item for choice in self.choices)

    @property
    def hidden(self) -> frozenset[Id]:
        """Everything that is not shown now."""
        return self.seen | self.blocked | self.tired | self.less

    def on(self, surface: str) -> "Person":
        """The person as one surface alone knows them: choices made elsewhere are left out, what is hidden is not."""
        return replace(self, choices=tuple(choice for choice in self.choices if choice.surface == surface))


@dataclass(frozen=True, slots=True)
class Sight:
    """What one person has had to do with one item: a row of ``seen``."""

    shown: int = 0
    shown_at: float | None = None
    chosen_at: float | None = None
    surface: str = ""
    did: int = 0
    watched_s: float = 0.0
    ratio: float | None = None
    blocked_at: float | None = None
    less_at: float | None = None
    allowed_at: float | None = None

    def after(self, event: FeedEvent, at: float) -> "Sight":
        """The same after an event; the order of events makes no difference."""
        match event.action:
            case "shown" | "skipped":
                return replace(self, shown=self.shown + 1, shown_at=_latest(self.shown_at, at))
            case "not_interested":
                return replace(self, blocked_at=_latest(self.blocked_at, at))
            case "less":
                return replace(self, less_at=_latest(self.less_at, at))
            case "allowed":
                return replace(self, allowed_at=_latest(self.allowed_at, at))
        last_at, last_on = max((self.chosen_at or 0.0, self.surface), (at, event.surface))
        return replace(
            self,
            chosen_at=last_at,
            surface=last_on,
            did=self.did | 1 << CHOICES.index(event.action),
            watched_s=self.watched_s + (event.seconds if event.action == "watched" else 0.0),
            ratio=self.ratio if event.ratio is None else max(self.ratio or 0.0, event.ratio),
        )

    @property
    def is_blocked(self) -> bool:
        """Whether the person does not want it, and has not taken that back."""
        return self.blocked_at is not None and self.blocked_at >= (self.allowed_at or 0.0)

    @property
    def is_less(self) -> bool:
        """Whether the person wants less of its like, and has not taken that back."""
        return self.less_at is not None and self.less_at >= (self.allowed_at or 0.0)

    def is_tired(self, again_before: float) -> bool:
        """Whether it was shown since then, or often enough."""
        return self.shown_at is not None and (self.shown >= TIRED_AFTER or self.shown_at >= again_before)


def read_person(connection: Connection, person: str, *, again_before: float) -> Person | None:
    """Read what is known of a person; none of whom nothing is.

    Args:
        connection: in a transaction.
        person: anybody's name.
        again_before: Unix seconds; what was shown before that, and not chosen, may be shown again.
    """
    row = connection.execute(_PERSON, {"of": person}).first()
    if row is None:
        return None
    sights = {row.item: Sight(*row[1:]) for row in connection.execute(_SIGHTS_OF, {"of": person})}
    blocked = frozenset(item for item, sight in sights.items() if sight.is_blocked)
    less = frozenset(item for item, sight in sights.items() if sight.is_less)
    chosen = [
        Choice(item, sight.chosen_at, sight.surface, sight.did, sight.watched_s, sight.ratio)
        for item, sight in sights.items()
        if sight.chosen_at is not None
    ]
    chosen.sort(key=lambda choice: (choice.at, in_order(choice.item)))
    return Person(
        bool(row.held_out),
        since=row.since,
        choices=tuple(choice for choice in chosen if choice.item not in blocked and choice.item not in less)[-HISTORY:],
        seen=frozenset(choice.item for choice in chosen),
        blocked=blocked,
        tired=frozenset(item for item, sight in sights.items() if sight.is_tired(again_before)),
        less=less,
        surfaces=frozenset(choice.surface for choice in chosen),
    )


def count_events(connection: Connection, person: str) -> int:
    """Count the events of a person."""
    return connection.scalar(sa.select(sa.func.count()).select_from(events).where(events.c.person == person)) or 0


def read_events(connection: Connection, person: str) -> list[dict[str, object]]:
    """Read all events of a person, the oldest first."""
    rows = connection.execute(sa.select(events).where(events.c.person == person).order_by(events.c.at, events.c.id))
    return [dict(row) for row in rows.mappings()]


def forget(connection: Connection, person: str, now: float = 0.0) -> int:
    """Delete all that is known of a person, and return how many events that were; what was watched stays summed up.

    That the files which ranking learns from have to be cleaned too is written down with it.
    """
    arm = read_arm(connection, person)
    if arm is not None:
        add_to_arm(connection, arm, more_people=-1)
    gone = connection.execute(sa.delete(events).where(events.c.person == person)).rowcount
    for table in (seen, visits, subjects, people):
        connection.execute(sa.delete(table).where(table.c.person == person))
    if connection.execute(sa.update(erasures).where(erasures.c.person == person).values(asked_at=now)).rowcount == 0:
        connection.execute(sa.insert(erasures).values(person=person, asked_at=now))
    return gone


def forget_older(connection: Connection, before: float, most: int) -> int:
    """Delete events that came before a time, the oldest first and about ``most`` of them; returns how many.

    What they say of persons, items and arms stays.
    """
    by_age = sa.select(events.c.taken_at).where(events.c.taken_at < before).order_by(events.c.taken_at)
    last = connection.scalar(by_age.offset(most - 1).limit(1))
    old = events.c.taken_at < before if last is None else events.c.taken_at <= last
    gone = connection.execute(sa.delete(events).where(old)).rowcount
    if not gone:
        connection.execute(sa.delete(visits).where(visits.c.at < before))
    return gone


def pending_erasures(connection: Connection) -> list[tuple[str, float]]:
    """Read who still has to be taken out of the files, and when that was asked for (Unix seconds)."""
    query = sa.select(erasures.c.person, erasures.c.asked_at).order_by(erasures.c.asked_at)
    return [(row.person, row.asked_at) for row in connection.execute(query)]


def erased(connection: Connection, person: str) -> None:
    """Note that nobody has to be taken out of the files any more."""
    connection.execute(sa.delete(erasures).where(erasures.c.person == person))


def _latest(before: float | None, at: float) -> float:
    return at if before is None else max(before, at)
