"""What may be claimed: facts of an advertiser, each with its kind, how it may be said, and where it is written."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Literal

from tenfold.catalog.gathered import Skipped

Kind = Literal[
    "name",
    "brand",
    "category",
    "material",
    "option",
    "attribute",
    "detail",
    "price",
    "was",
    "discount",
    "shipping",
    "returns",
    "warranty",
    "date",
    "rating",
    "award",
    "superlative",
    "place",
    "quantity",
]
SOFT = frozenset({"name", "brand", "category", "material", "option", "detail"})
"""Kinds that may stand anywhere in a sentence. All others stand alone, so that no word beside them bends them."""
SHOP_WIDE = frozenset({"shipping", "returns", "warranty", "award", "rating"})
"""Kinds that hold for all that a shop sells, wherever the shop writes them."""


@dataclass(frozen=True, slots=True)
class Span:
    """Where a fact is written.

    ``source``: address of a page, or what is sold. ``place``: field or heading there. ``start``, ``end``: characters
    of the field's text, which is ``text`` there.
    """

    source: str
    place: str
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Claim:
    """One fact.

    ``subject``: id of what it is about; empty: all that the shop sells. ``says``: the ways in which it may be said,
    word for word, the plainest first. ``until``: when it stops being true, if it says so.
    """

    id: str
    kind: Kind
    subject: str
    says: tuple[str, ...]
    spans: tuple[Span, ...]
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """What an ad is about: one item, or one page where nothing is sold by items.

    ``regulated``: the category that a person must look at before anything of it is shown, or empty.
    """

    id: str
    name: str
    url: str = ""
    image: str = ""
    regulated: str = ""


@dataclass(frozen=True)
class FactSheet:
    """All that ads of one advertiser may say. ``left_out``: what is written there and may not be said, and why."""

    subjects: tuple[Subject, ...]
    claims: tuple[Claim, ...]
    left_out: tuple[Skipped, ...] = field(default=())

    @cached_property
    def by_id(self) -> Mapping[str, Claim]:
        """Claims by their ids."""
        return {each.id: each for each in self.claims}

    def about(self, subject: str, now: datetime) -> tuple[Claim, ...]:
        """Claims that an ad about a subject may use at a time."""
        return tuple(
            each for each in self.claims if each.subject in (subject, "") and (each.until is None or now < each.until)
        )

    def subject(self, name: str) -> Subject | None:
        """The subject with this id; none if it is no longer offered."""
        return next((each for each in self.subjects if each.id == name), None)
