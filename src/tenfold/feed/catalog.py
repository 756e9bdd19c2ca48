"""All items by id, and how popular each is."""

import bisect
from collections.abc import Iterable, Sequence

from tenfold.feed.item import Id, Item, in_order


class Catalog:
    """All items by id, and those of each surface."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._items = {item.item: item for item in items}
        self._of: dict[str, frozenset[Id] | None] = {}
        self.named = tuple(sorted({surface for item in self._items.values() for surface in item.surfaces}))
        """Surfaces that some item names."""

    def __len__(self) -> int:
        return len(self._items)

    def get(self, item: Id) -> Item | None:
        """Give the item, or none if it is not in the catalog."""
        return self._items.get(item)

    def items(self) -> Sequence[Item]:
        """Give all items."""
        return tuple(self._items.values())

    def on(self, surface: str) -> frozenset[Id] | None:
        """Items that may be shown on a surface; none where all may. A surface that no item names shows everything."""
        if surface not in self.named:
            return None
        if surface not in self._of:
            allowed = frozenset(
                key for key, item in self._items.items() if not item.surfaces or surface in item.surfaces
            )
            self._of[surface] = allowed if len(allowed) < len(self._items) else None
        return self._of[surface]

    def cold(self) -> list[Item]:
        """Items that ranking's catalog has not, the newest first."""
        found = (item for item in self._items.values() if not item.ranked)
        return sorted(found, key=lambda item: (-item.born_at, in_order(item.item)))


class Popularity:
    """How many people opened each item: those of the data and those of the feed, each person once an item."""

    def __init__(self, catalog: Catalog, opened: Iterable[tuple[Id, int]]) -> None:
        self.viewers = {item.item: item.viewers for item in catalog.items()}
        for item, people in opened:
            if item in self.viewers:
                self.viewers[item] += people
        self._order = sorted(self.viewers, key=self._place)

    def opened(self, item: Id) -> None:
        """Count one more person."""
        if item not in self.viewers:
            return
        at = bisect.bisect_left(self._order, self._place(item), key=self._place)
        self.viewers[item] += 1
        # It only moves up, past those that it has overtaken.
        to = bisect.bisect_left(self._order, self._place(item), hi=at, key=self._place)
        self._order.insert(to, self._order.pop(at))

    def items(self) -> Sequence[Id]:
        """Give all items, most popular first; the older id first where as many people opened both."""
        return self._order

    def _place(self, item: Id) -> tuple[int, tuple[bool, int | str]]:
        return -self.viewers[item], in_order(item)
