"""MovieLens-100K as its package ships it: the events, the catalog, and a cut in time.

Shapes: E events, I catalog items, G genres. A *row* is an item's position in the catalog, 0 to I - 1; an *item* is
the id that the data set and the HTTP contract use.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tenfold.core.assets import FETCH_AGAIN, AssetStatus, check, require
from tenfold.core.errors import AssetError, Damaged
from tenfold.rank.recipe import DATA

_EVENT_HEADER = "user_id:token\titem_id:token\trating:float\ttimestamp:float"
_ITEM_HEADER = "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq"

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Item:
    """One film of the catalog."""

    item: int
    title: str
    year: int | None
    genres: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Catalog:
    """All items, in rising order of id."""

    items: tuple[Item, ...]

    def __len__(self) -> int:
        return len(self.items)

    def row_of(self) -> dict[int, int]:
        """Row of each item id."""
        return {item.item: row for row, item in enumerate(self.items)}

    def genres(self) -> tuple[str, ...]:
        """Every genre that occurs, sorted."""
        return tuple(sorted({genre for item in self.items for genre in item.genres}))

    def genre_share_IG(self) -> npt.NDArray[np.float32]:
        """Weight of each genre in each item, rows summing to 1 (or 0 where an item has no genre)."""
        column = {genre: index for index, genre in enumerate(self.genres())}
        share_IG = np.zeros((len(self.items), len(column)), dtype=np.float32)
        for row, item in enumerate(self.items):
            for genre in item.genres:
                share_IG[row, column[genre]] = 1 / len(item.genres)
        return share_IG


@dataclass(frozen=True, slots=True)
class Events:
    """Who rated what, when: sorted by user, then time; ties keep the file's order, which means nothing.

    Shapes (E,): ``user_E`` user ids, ``row_E`` catalog rows, ``at_E`` Unix seconds.
    """

    user_E: npt.NDArray[np.int64]
    row_E: Rows
    at_E: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.at_E)

    def select(self, keep_E: npt.NDArray[np.bool_]) -> "Events":
        """The events that ``keep_E`` marks."""
        return Events(self.user_E[keep_E], self.row_E[keep_E], self.at_E[keep_E])

    def by_user(self) -> Iterator[tuple[int, slice]]:
        """Each user with the slice of their events."""
        starts = np.flatnonzero(np.diff(self.user_E, prepend=np.int64(-1)))
        for start, end in zip(starts, [*starts[1:], len(self)], strict=True):
            yield int(self.user_E[start]), slice(int(start), int(end))

    def histories(self) -> dict[int, Rows]:
        """Catalog rows of each user, oldest first."""
        return {user: self.row_E[part] for user, part in self.by_user()}


@dataclass(frozen=True, slots=True)
class MovieLens:
    """The data set: its catalog and its events."""

    catalog: Catalog
    events: Events


@dataclass(frozen=True, slots=True)
class TimeSplit:
    """Events on both sides of one instant: ``train`` strictly before ``cut_at``, ``test`` from it on."""

    cut_at: int
    train: Events
    test: Events


def split_in_time(events: Events, share: float) -> TimeSplit:
    """Cut all users at the one instant before which about ``share`` of the events lie."""
    cut_at = int(np.sort(events.at_E)[int(share * len(events))])
    before_E = events.at_E < cut_at
    return TimeSplit(cut_at, events.select(before_E), events.select(~before_E))


def load_movielens(cache: Path) -> MovieLens:
    """Read the unpacked data set from the user's cache.

    Raises:
        AssetError: a file is missing, or is not what the package ships; names file and line.
    """
    folder = require(DATA, cache)
    catalog = _load_catalog(folder / "ml-100k.item")
    found = MovieLens(catalog, _load_events(folder / "ml-100k.inter", catalog.row_of()))
    # Last, since a line that cannot be read says more than a digest.
    if check(DATA, cache) is not AssetStatus.PRESENT:
        raise Damaged(folder, "a file's sha256 is not the manifest's", what="MovieLens-100K in", next_step=FETCH_AGAIN)
    return found


def _lines(path: Path, header: str) -> list[str]:
    try:
        first, *lines = path.read_text(encoding="utf-8").splitlines() or [""]
    except (OSError, UnicodeDecodeError) as error:
        raise AssetError(f"cannot read the MovieLens file {str(path)!r}: {error}", next_step=FETCH_AGAIN) from error
    if first != header:
        raise _corrupt(path, 1, first)
    return lines


def _corrupt(path: Path, line: int, text: str) -> AssetError:
    message = f"{path}: line {line} is not what MovieLens-100K has there: {text!r}"
    return AssetError(message, next_step=f"delete {path.parent}, then {FETCH_AGAIN}")


def _load_catalog(path: Path) -> Catalog:
    items = []
    for number, text in enumerate(_lines(path, _ITEM_HEADER), start=2):
        try:
            item, title, year, genres = text.split("\t")
            items.append(Item(int(item), title, int(year) if year.isdigit() else None, tuple(genres.split())))
        except ValueError as error:
            raise _corrupt(path, number, text) from error
    return Catalog(tuple(sorted(items, key=lambda item: item.item)))


def _load_events(path: Path, row_of: dict[int, int]) -> Events:
    user, row, at = [], [], []
    for number, text in enumerate(_lines(path, _EVENT_HEADER), start=2):
        try:
            user_text, item_text, _, at_text = text.split("\t")
            user.append(int(user_text))
            row.append(row_of[int(item_text)])
            at.append(int(float(at_text)))
        except (ValueError, KeyError, OverflowError) as error:
            raise _corrupt(path, number, text) from error
    user_E, row_E, at_E = np.array(user), np.array(row), np.array(at)
    order_E = np.lexsort((np.arange(len(user)), at_E, user_E))
    return Events(user_E[order_E], row_E[order_E], at_E[order_E])
