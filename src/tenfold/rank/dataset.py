"""MovieLens-100K as its package ships it: films on four surfaces by their genres, and who rated which when.

It has no surfaces of its own. A film's surface is the first group of genres that it has one of, so that a person's
history runs over all four.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tenfold.core.assets import FETCH_AGAIN, AssetStatus, check, require
from tenfold.core.errors import AssetError, Damaged
from tenfold.rank.recipe import DATA, Recipe
from tenfold.rank.stream import Events, Item, Items, Rows, Stream

_EVENT_HEADER = "user_id:token\titem_id:token\trating:float\ttimestamp:float"
_ITEM_HEADER = "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq"

SURFACES = {
    "family": ("Children's", "Animation", "Musical", "Fantasy"),
    "thrill": (
        "Action",
        "Adventure",
        "Sci-Fi",
        "Thriller",
        "Horror",
        "Crime",
        "Mystery",
        "War",
        "Western",
        "Film-Noir",
    ),
    "comedy": ("Comedy", "Romance"),
    "drama": (),
}
"""Genres of each surface, in the order in which they are asked; the last takes what is left."""
ACTIONS = ("rated", "liked")
AGE = ("decade:", "year:")
"""How attributes begin that say when a film came out; they are no genres."""
_YEARS_FROM = 1985
LIKED = 4
"""Stars from which on a film counts as liked."""
RECIPE = Recipe(
    width=48, dropout=0.3, cold_places=2.0, negatives=512, batch_events=400, epochs=8, learning_rate=0.01, gaps=True
)
"""Smaller and quicker than the recipe for anyone's data: `tenfold up` waits for it."""


@dataclass(frozen=True, slots=True)
class Film:
    """One film of the catalog."""

    item: int
    title: str
    year: int | None
    genres: tuple[str, ...]

    def attributes(self) -> tuple[str, ...]:
        """Genres, decade, and the year of the later films, of which there are many each year."""
        genres = (f"genre:{genre}" for genre in self.genres)
        decade = () if self.year is None else (f"decade:{self.year // 10 * 10}",)
        year = () if self.year is None or self.year < _YEARS_FROM else (f"year:{self.year}",)
        return (*genres, *decade, *year)

    def surface(self) -> str:
        """Where it is shown."""
        *asked, rest = SURFACES
        return next((name for name in asked if set(SURFACES[name]) & set(self.genres)), rest)


@dataclass(frozen=True, slots=True)
class Catalog:
    """All films, in rising order of id."""

    items: tuple[Film, ...]

    def __len__(self) -> int:
        return len(self.items)

    def row_of(self) -> dict[int, int]:
        """Row of each item id."""
        return {item.item: row for row, item in enumerate(self.items)}


@dataclass(frozen=True, slots=True)
class MovieLens:
    """The data set: its catalog and its events, whose people are 0 to 942 in order of user id."""

    catalog: Catalog
    events: Events
    users: tuple[int, ...]

    def stream(self) -> Stream:
        """The data set as the recommender learns from it."""
        items = (
            Item(
                film.item,
                film.title,
                attributes=film.attributes(),
                surfaces=(film.surface(),),
            )
            for film in self.catalog.items
        )
        return Stream(tuple(SURFACES), ACTIONS, self.users, Items(tuple(items)), self.events)

    def histories(self) -> dict[int, Rows]:
        """Catalog rows of each user by their id, oldest first."""
        return {self.users[person]: row_E for person, row_E in self.events.histories().items()}

    def events_of(self, user: int) -> Events | None:
        """Events of a user by their id, oldest first; none where there is no such user."""
        person = int(np.searchsorted(self.users, user))
        if person == len(self.users) or self.users[person] != user:
            return None
        first, end = np.searchsorted(self.events.person_E, [person, person + 1])
        return self.events.select(slice(int(first), int(end)))


def load_movielens(cache: Path) -> MovieLens:
    """Read the unpacked data set from the user's cache.

    Raises:
        AssetError: a file is missing, or is not what the package ships; names file and line.
    """
    folder = require(DATA, cache)
    catalog = _load_catalog(folder / "ml-100k.item")
    events, users = _load_events(folder / "ml-100k.inter", catalog)
    found = MovieLens(catalog, events, users)
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
            items.append(Film(int(item), title, int(year) if year.isdigit() else None, tuple(genres.split())))
        except ValueError as error:
            raise _corrupt(path, number, text) from error
    return Catalog(tuple(sorted(items, key=lambda item: item.item)))


def _load_events(path: Path, catalog: Catalog) -> tuple[Events, tuple[int, ...]]:
    row_of = catalog.row_of()
    user, row, stars, at = [], [], [], []
    for number, text in enumerate(_lines(path, _EVENT_HEADER), start=2):
        try:
            user_text, item_text, stars_text, at_text = text.split("\t")
            user.append(int(user_text))
            row.append(row_of[int(item_text)])
            stars.append(float(stars_text))
            at.append(int(float(at_text)))
        except (ValueError, KeyError, OverflowError) as error:
            raise _corrupt(path, number, text) from error
    users, person = np.unique(user, return_inverse=True)
    place = {name: index for index, name in enumerate(SURFACES)}
    surface_I = np.array([place[film.surface()] for film in catalog.items])
    liked = 2 * (np.array(stars) >= LIKED)
    return Events.of(person, row, at, surface=surface_I[row], actions=1 + liked), tuple(users.tolist())
