"""What can be shown: items as they are told and as they are kept, and the ids that name them."""

from dataclasses import dataclass
from typing import Annotated

import sqlalchemy as sa
from pydantic import AfterValidator, Field

from tenfold.core.frozen import Frozen

LONGEST_ID = 200
LARGEST_ID = 2**53
MOST_ITEMS = 1_000
MOST_ATTRIBUTES = 50

PLAIN = r"^[^\x00-\x1f\x7f]+$"
"""No control characters: PostgreSQL takes no NUL in a text, and no name needs a line's end."""


def canonical(item: int | str) -> int | str:
    """One way to write each id: a text that is a whole number is that number, so ``"7"`` and ``7`` are one item."""
    if isinstance(item, str) and item.isascii() and item.isdecimal() and (item == "0" or item[0] != "0"):
        return int(item) if len(item) <= 16 and int(item) <= LARGEST_ID else item
    return item


_Number = Annotated[int, Field(ge=0, le=LARGEST_ID, strict=True)]
_Text = Annotated[str, Field(pattern=PLAIN, min_length=1, max_length=LONGEST_ID)]
ItemId = Annotated[_Number | _Text, AfterValidator(canonical)]
"""A number, or a text."""

Id = int | str


def in_order(item: Id) -> tuple[bool, int | str]:
    """A key that sorts ids: numbers first."""
    return isinstance(item, str), item


class IdColumn(sa.types.TypeDecorator[Id]):
    """An item's id in a table: a text, which is given back as the number that it was."""

    impl = sa.String
    cache_ok = True

    def process_bind_param(self, value: Id | None, dialect: sa.Dialect) -> str | None:
        """Write it."""
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> Id | None:
        """Read it."""
        return None if value is None else canonical(value)


@dataclass(frozen=True, slots=True)
class Item:
    """One item.

    ``genres``: words that other items may share. ``surfaces``: where it may be shown; empty for everywhere.
    ``viewers``: people who had seen it in the data that ranking learned from. ``own``: told by ``/v1/feed/items``, not
    by ranking's catalog. ``ranked``: ranking's catalog has it; an item that it has not is *cold*. ``length_s``: how
    long it takes to watch. ``born_at``: when it came, Unix seconds.
    """

    item: Id
    title: str
    genres: tuple[str, ...] = ()
    viewers: int = 0
    text: str = ""
    author: str = ""
    surfaces: tuple[str, ...] = ()
    image: str = ""
    length_s: float | None = None
    own: bool = False
    ranked: bool = True
    born_at: float = 0.0


class ToldItem(Frozen):
    """An item as a team tells it."""

    item: ItemId
    title: str = Field(min_length=1, max_length=300)
    text: str = Field("", max_length=20_000, description="what it is, in words: all that is known of what nobody saw")
    attributes: tuple[Annotated[str, Field(pattern=PLAIN, min_length=1, max_length=100)], ...] = Field(
        (), max_length=MOST_ATTRIBUTES, description="words that other items may share: a genre, a topic, a brand"
    )
    author: str = Field("", max_length=200)
    surfaces: tuple[str, ...] = Field((), max_length=100, description="where it may be shown; default: everywhere")
    image: str = Field(
        "", max_length=2000, pattern=r"^(https?://[^\s\"'<>]+)?$", description="address of its picture; default: drawn"
    )
    length_s: float | None = Field(None, gt=0, le=1e6, allow_inf_nan=False, description="seconds to watch it")
    born_at: float | None = Field(
        None, ge=0, le=1e11, allow_inf_nan=False, description="Unix seconds when it came; default: when first told"
    )


class ToldItems(Frozen):
    """Items in any order; one that was told before is replaced."""

    items: tuple[ToldItem, ...] = Field(min_length=1, max_length=MOST_ITEMS)


class ItemsTaken(Frozen):
    """What became of the items. They are on disk when this is answered, and may be in the next feed."""

    new: int
    changed: int
