"""What there is to show: titles, genres, and who had seen what before the feed began."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Film:
    """One item. ``viewers``: people who had seen it in the data that ranking learned from."""

    item: int
    title: str
    genres: tuple[str, ...]
    viewers: int


class Catalog:
    """All items by id."""

    def __init__(self, films: Iterable[Film]) -> None:
        self._films = {film.item: film for film in films}

    def __len__(self) -> int:
        return len(self._films)

    def get(self, item: int) -> Film | None:
        """Give the item, or none if it is not in the catalog."""
        return self._films.get(item)

    def films(self) -> Sequence[Film]:
        """Give all items."""
        return tuple(self._films.values())


class Popularity:
    """How many people opened each item: those of the data and those of the feed, each person once an item."""

    def __init__(self, catalog: Catalog, opened: Iterable[tuple[int, int]]) -> None:
        self.viewers = {film.item: film.viewers for film in catalog.films()}
        for item, people in opened:
            if item in self.viewers:
                self.viewers[item] += people
        self._order = sorted(self.viewers, key=self._place)

    def opened(self, item: int) -> None:
        """Count one more person."""
        if item not in self.viewers:
            return
        self.viewers[item] += 1
        # It only moves up, past those that it has overtaken.
        order, place = self._order, self._order.index(item)
        while place and self._place(order[place - 1]) > self._place(item):
            order[place] = order[place - 1]
            place -= 1
        order[place] = item

    def items(self) -> Sequence[int]:
        """Give all items, most popular first; the older id first where as many people opened both."""
        return self._order

    def _place(self, item: int) -> tuple[int, int]:
        return -self.viewers[item], item
