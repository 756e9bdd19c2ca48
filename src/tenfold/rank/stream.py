"""What a recommender learns from: items, and one stream of what people did with them on every surface.

Shapes: E events, I items, S surfaces, A actions. A *row* is an item's position among the items, 0 to I - 1. Surfaces
and actions are named by the data: an event holds the index of its surface and a bit for each action.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Id = int | str
"""An item or a person, as the data names it."""

Rows = npt.NDArray[np.int64]
Times = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

MOST_ACTIONS = 31
UNWANTED = ("not_interested", "less", "hidden", "disliked", "reported", "blocked", "returned")
"""Actions by which a person turns an item down: foretold like others, and never what comes next."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that can be shown.

    ``attributes`` are words that other items may share, as ``genre:Comedy``; ``surfaces`` are those on which it may
    be shown, empty for all; ``length_s`` is how long watching it takes, ``born_at`` when it came (Unix seconds).
    """

    id: Id
    title: str = ""
    text: str = ""
    attributes: tuple[str, ...] = ()
    author: str = ""
    surfaces: tuple[str, ...] = ()
    length_s: float | None = None
    born_at: float | None = None

    def words(self) -> str:
        """Title and description, from which its content is embedded; empty where it has neither."""
        return " ".join(part for part in (self.title, self.text) if part)


@dataclass(frozen=True, slots=True)
class Items:
    """All items; an item's place is its row."""

    all: tuple[Item, ...]

    def __len__(self) -> int:
        return len(self.all)

    def __iter__(self) -> Iterator[Item]:
        return iter(self.all)

    def __getitem__(self, row: int) -> Item:
        return self.all[row]

    def row_of(self) -> dict[Id, int]:
        """Row of each item id."""
        return {item.id: row for row, item in enumerate(self.all)}

    def attributes(self) -> tuple[str, ...]:
        """Every attribute that occurs, sorted."""
        return tuple(sorted({attribute for item in self.all for attribute in item.attributes}))

    def allowed_SI(self, surfaces: Sequence[str]) -> Mask:
        """Which item may be shown on which surface, shape (S, I)."""
        place = {surface: index for index, surface in enumerate(surfaces)}
        allowed_SI = np.zeros((len(surfaces), len(self.all)), dtype=np.bool_)
        for row, item in enumerate(self.all):
            allowed_SI[[place[name] for name in item.surfaces if name in place] or slice(None), row] = True
        return allowed_SI


@dataclass(frozen=True, slots=True)
class Events:
    """What happened: sorted by person, then time; those of one person at one time keep the data's order.

    Shapes (E,): ``person_E`` index of the person, ``row_E`` item rows, ``surface_E`` index of the surface,
    ``actions_E`` bits of the actions (0: it was shown, and the person did nothing), ``watched_E`` share of the
    item's length that was watched (not a number: unknown), ``at_E`` Unix seconds.
    """

    person_E: npt.NDArray[np.int64]
    row_E: Rows
    surface_E: npt.NDArray[np.int64]
    actions_E: npt.NDArray[np.int64]
    watched_E: npt.NDArray[np.float32]
    at_E: Times

    def __post_init__(self) -> None:
        lengths = [len(column) for column in self.columns()]
        assert len(set(lengths)) == 1, f"columns of different lengths: {lengths}"

    @staticmethod
    def of(
        person: npt.ArrayLike,
        row: npt.ArrayLike,
        at: npt.ArrayLike | None = None,
        *,
        surface: npt.ArrayLike = 0,
        actions: npt.ArrayLike = 1,
        watched: npt.ArrayLike = np.nan,
    ) -> "Events":
        """Sort what is given into events.

        Args:
            person: index of each event's person.
            row: item row of each.
            at: Unix seconds; without times the order given is the order in time.
            surface: index, one for all or one each.
            actions: bits, likewise.
            watched: share of the item's length, likewise.
        """
        person_E, row_E = np.asarray(person, np.int64), np.asarray(row, np.int64)
        count = len(person_E)
        at_E = np.arange(count, dtype=np.float64) if at is None else np.asarray(at, np.float64)
        order_E = np.lexsort((np.arange(count), at_E, person_E))
        return Events(
            person_E[order_E],
            row_E[order_E],
            np.broadcast_to(np.asarray(surface, np.int64), count)[order_E],
            np.broadcast_to(np.asarray(actions, np.int64), count)[order_E],
            np.broadcast_to(np.asarray(watched, np.float32), count)[order_E],
            at_E[order_E],
        )

    @staticmethod
    def none() -> "Events":
        """No events."""
        return Events.of([], [])

    def __len__(self) -> int:
        return len(self.at_E)

    def columns(self) -> tuple[np.ndarray, ...]:
        """All columns, in the order in which they are told."""
        return self.person_E, self.row_E, self.surface_E, self.actions_E, self.watched_E, self.at_E

    def select(self, keep_E: Mask | slice | Rows) -> "Events":
        """The events that ``keep_E`` marks, or has the places of."""
        return Events(*(column[keep_E] for column in self.columns()))

    def by_person(self) -> Iterator[tuple[int, slice]]:
        """Each person that has events, with the slice of these."""
        starts = np.flatnonzero(np.diff(self.person_E, prepend=np.int64(-1)))
        for start, end in pairwise([*starts, len(self)]):
            yield int(self.person_E[start]), slice(int(start), int(end))

    def histories(self) -> dict[int, Rows]:
        """Item rows of each person, oldest first."""
        return {person: self.row_E[part] for person, part in self.by_person()}


def joined(parts: Sequence[Events]) -> Events:
    """The events of all parts, sorted anew."""
    if not parts:
        return Events.none()
    together = Events(*(np.concatenate(columns) for columns in zip(*(part.columns() for part in parts), strict=True)))
    return together.select(np.lexsort((np.arange(len(together)), together.at_E, together.person_E)))


def comes_back(events: Events) -> bool:
    """Whether people do things with items again: more than one event in 20 is of an item seen before."""
    pairs = events.person_E * (int(events.row_E.max(initial=0)) + 1) + events.row_E
    return len(np.unique(pairs)) < 0.95 * len(events)


@dataclass(frozen=True, slots=True)
class Stream:
    """A data set: items, people, and their events; what surface and action indices mean.

    ``timed``: whether ``at_E`` are times; otherwise they only say the order.
    """

    surfaces: tuple[str, ...]
    actions: tuple[str, ...]
    people: tuple[Id, ...]
    items: Items
    events: Events
    timed: bool = True

    def wanted(self) -> int:
        """Bits of the actions that make an event one that a list should have foreseen."""
        return sum(1 << index for index, name in enumerate(self.actions) if name not in UNWANTED)

    def __post_init__(self) -> None:
        assert 1 <= len(self.actions) <= MOST_ACTIONS, self.actions
        assert self.surfaces, "a stream has at least one surface"


@dataclass(frozen=True, slots=True)
class TimeSplit:
    """Events on both sides of one instant: ``train`` strictly before ``cut_at``, ``test`` from it on."""

    cut_at: float
    train: Events
    test: Events


def split_in_time(events: Events, share: float) -> TimeSplit:
    """Cut everybody at the one instant before which about ``share`` of the events lie."""
    cut_at = float(np.sort(events.at_E)[int(share * len(events))])
    before_E = events.at_E < cut_at
    return TimeSplit(cut_at, events.select(before_E), events.select(~before_E))


def split_last(events: Events) -> tuple[Events, Events]:
    """Each person's events but the last, and the last; only for comparison with published tables."""
    last_E = np.diff(events.person_E, append=np.int64(-1)) != 0
    return events.select(~last_E), events.select(last_E)
