"""What was read from one source of a business: items, passages, and what was left out and why."""

from dataclasses import dataclass

from tenfold.catalog.item import Item
from tenfold.catalog.passage import Passage


@dataclass(frozen=True, slots=True)
class Skipped:
    """A row, page or file that was left out. ``where``: as ``products.csv, row 17``. ``why``: and what is right."""

    where: str
    why: str


@dataclass(frozen=True, slots=True)
class Gathered:
    """What one source holds now, all of it: what is not here any more is no longer there."""

    items: tuple[Item, ...] = ()
    passages: tuple[Passage, ...] = ()
    skipped: tuple[Skipped, ...] = ()

    def __add__(self, other: "Gathered") -> "Gathered":
        """Both together."""
        return Gathered(self.items + other.items, self.passages + other.passages, self.skipped + other.skipped)
