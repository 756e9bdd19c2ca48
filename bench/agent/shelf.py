"""One item of a drawn catalog, as questions about it are made, and how a customer says what it is."""

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent.expected import Row

Line = dict[str, object]
Where = dict[str, list[str]]


@dataclass(frozen=True)
class Shelf:
    """An item's rows, those of the whole catalog, and titles of what other trades sell."""

    rng: random.Random
    own: Sequence[Row]
    rows: Sequence[Row]
    elsewhere: Sequence[str]

    @property
    def title(self) -> str:
        return self.own[0].title

    @property
    def said(self) -> str:
        """The title as a customer types it."""
        return self.title if sum(map(ord, self.title)) % 3 == 0 else self.title.lower()

    def varied(self) -> list[str]:
        """Options in which the item's variants differ."""
        names = dict.fromkeys(name for row in self.own for name in row.options)
        return [name for name in names if len({row.options.get(name) for row in self.own}) > 1]

    def worded(self) -> list[str]:
        """Of these those that are neither yes or no, nor a bare number."""
        return [
            each for each in self.varied() if all(re.search("[A-Za-z]", v) and not is_flag(v) for v in self.of(each))
        ]

    def of(self, name: str) -> list[str]:
        """Values of an option, in the feed's order."""
        return list(dict.fromkeys(row.options[name] for row in self.own if name in row.options))

    def measured(self) -> list[str]:
        """Options in which the variants differ by a size."""
        return [
            each
            for each in self.varied()
            if len({unit_of(value) for value in self.of(each)} - {None}) == 1
            and all(unit_of(value) is not None for value in self.of(each))
        ]

    def counted(self) -> list[str]:
        """Of these those that are bare numbers."""
        return [each for each in self.measured() if all(value.isdigit() for value in self.of(each))]

    def pick(self, *phrases: str) -> str:
        return self.rng.choice(phrases)

    def check(self, kind: str, where: Mapping[str, object], **more: object) -> Line:
        return {"check": kind, "title": self.title, "where": dict(where), **more}


SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([a-zA-Z0-9/%]*)")
FACTORS = {"ml": 0.001, "kg": 1000, "TB": 1000}
_SAME_UNIT = {"ml": "l", "kg": "g", "TB": "GB"}


def unit_of(value: str) -> str | None:
    """The unit of a value that is a number with at most a unit; dates are none."""
    found = SIZE.fullmatch(value)
    return (
        None if not found or found.group(2) in ("May",) else _SAME_UNIT.get(found.group(2), found.group(2).rstrip("s"))
    )


def size_of(value: str) -> float | None:
    """What a value measures, in comparable units; none where it is no number with at most a unit."""
    found = SIZE.fullmatch(value)
    return float(found.group(1)) * FACTORS.get(found.group(2), 1) if found else None


def is_flag(value: str) -> bool:
    return value.casefold() in ("yes", "no")


def said_of(name: str, value: str) -> str:
    """An option as a customer says it."""
    if is_flag(value):
        return f"with {name}" if value == "yes" else f"without {name}"
    return f"{name} {value}" if re.fullmatch(r"[\d./+:-]+", value) or len(value) < 3 else value


def line_of(question: str, *expects: Mapping[str, object], thread: str = "") -> Line:
    question = re.sub(r"\b(a|the) (the) ", r"\2 ", question, flags=re.IGNORECASE)
    return {"question": question, "expects": list(expects), **({"thread": thread} if thread else {})}


def where_of(row: Row, names: Sequence[str]) -> Where:
    return {name: [row.options[name]] for name in names if name in row.options}
