"""What a right answer to a question holds, told by the feed: so that a set of questions states no price twice.

A question's ``expects`` is a list of checks. ``title``: an item's, or ``~words`` that its title has, or ``~`` for all;
``where``: options (``color``), without some (``color!=``), and prices (``price<``, ``price>``).

    price, have, fit    the prices of these variants, and no other; "no" where there are none; "out of stock" where so
    any, anyof          one of these is named with its price         min, max    the cheapest, the dearest
    count, avail        how many there are, and are in stock         stock       pieces of it, or out of stock
    values, nvalues     all values of an option, how many            moststock   the one with most pieces
    less                which of two is cheaper                      url         the document that is cited
    yes, no, not yes, not no, unknown, handoff, clarify, has, hasnot, anytext
    abstains            no answer: unknown, a question back, or a person; ``no or abstains``: or "no"
    either              one of several checks holds
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tenfold.catalog.item import Item

Check = Mapping[str, object]


@dataclass(frozen=True)
class Row:
    """A variant as the feed has it; ``stock``: none where it is only said to be there."""

    id: str
    title: str
    options: Mapping[str, str]
    price: Decimal
    stock: int | None

    @property
    def told(self) -> str:
        return f"{self.price:,.2f}"

    @property
    def is_there(self) -> bool:
        return self.stock != 0


@dataclass(frozen=True)
class Replied:
    """What was replied."""

    type: str
    text: str
    sources: tuple[str, ...]

    @property
    def prices(self) -> set[str]:
        return set(re.findall(r"\d[\d,]*\.\d\d(?= [A-Z]{3})", self.text))

    @property
    def word(self) -> str:
        return "".join(re.findall(r"^\W*(yes|no)\b", self.text.casefold()))


def rows_of(items: Sequence[Item]) -> list[Row]:
    found = []
    for item in items:
        shared = {name.casefold(): value for name, value in item.attributes.items()}
        for variant in item.variants:
            offer = variant.offer
            stock = offer.stock if offer.stock is not None else (None if offer.available else 0)
            known = {**shared, "brand": item.brand, "category": item.category.replace("_", " "), **variant.options}
            options = {name.casefold(): value for name, value in known.items() if value}
            found.append(Row(variant.id, item.title, options, offer.price.amount, stock))
    return found


def selected(rows: Sequence[Row], check: Check) -> list[Row]:
    title, where = str(check["title"]), check["where"]
    assert isinstance(where, Mapping)
    if title.startswith("~"):
        kept = [row for row in rows if title[1:].casefold() in row.title.casefold()]
    else:
        kept = [row for row in rows if row.title == title]
    assert kept, f"no item {title!r}"
    return [row for row in kept if all(_holds(row, name, wanted) for name, wanted in where.items())]


def _holds(row: Row, name: str, wanted: object) -> bool:
    if name.startswith("price"):
        return row.price < Decimal(str(wanted)) if name.endswith("<") else row.price > Decimal(str(wanted))
    assert isinstance(wanted, list)
    has = row.options.get(name.removesuffix("!=").removesuffix("!").casefold())
    return (has not in wanted) if name.endswith("=") else (has in wanted)


def holds(check: Check, replied: Replied, rows: Sequence[Row]) -> bool:
    """Whether the reply is as this check wants it."""
    kind = str(check["check"])
    if kind == "either":
        return any(holds(each, replied, rows) for each in check["of"])  # type: ignore[attr-defined]
    if kind in SIMPLE:
        return SIMPLE[kind](replied)
    if kind in TEXT:
        return TEXT[kind](check, replied)
    if replied.type != "answer":
        return False
    if kind in ("less", "anyof"):
        sides = [selected(rows, each) for each in check["of"]]  # type: ignore[attr-defined]
        return any(_any(side, replied) for side in sides) if kind == "anyof" else _less(sides, replied)
    chosen = selected(rows, check)
    return OF_ROWS[kind](chosen, replied) if kind in OF_ROWS else _of_values(kind, chosen, check, replied)


def _price(chosen: Sequence[Row], replied: Replied) -> bool:
    return bool(chosen) and {row.told for row in _few(chosen)} <= replied.prices <= {row.told for row in chosen}


def _have(chosen: Sequence[Row], replied: Replied) -> bool:
    if not chosen:
        return replied.word == "no"
    there = [row for row in chosen if row.is_there]
    if not there:
        return "out of stock" in replied.text and chosen[0].told in replied.text
    if replied.word == "no" or not replied.prices <= {row.told for row in chosen}:
        return False
    return {row.told for row in _few(there)} <= replied.prices or {row.told for row in _few(chosen)} <= replied.prices


def _few(rows: Sequence[Row]) -> list[Row]:
    """All of a few; of many the cheapest and the dearest."""
    ordered = sorted(rows, key=lambda row: row.price)
    return ordered if len(rows) <= 6 else [ordered[0], ordered[-1]]


def _any(chosen: Sequence[Row], replied: Replied) -> bool:
    return any(row.told in replied.text and row.id in replied.sources for row in chosen)


def _extreme(pick: Callable[..., Row]) -> Callable[[Sequence[Row], Replied], bool]:
    def is_told(chosen: Sequence[Row], replied: Replied) -> bool:
        there = [row for row in chosen if row.is_there] or chosen
        return any(pick(rows, key=lambda row: row.price).told in replied.text for rows in (chosen, there))

    return is_told


def _most_stock(chosen: Sequence[Row], replied: Replied) -> bool:
    top = max(row.stock or 0 for row in chosen)
    return any(row.id in replied.sources and _said(top, replied.text) for row in chosen if row.stock == top)


def _stock(chosen: Sequence[Row], replied: Replied) -> bool:
    if all(not row.is_there for row in chosen):
        return "out of stock" in replied.text
    return any(_said(row.stock, replied.text) for row in chosen if row.is_there)


def _of_values(kind: str, chosen: Sequence[Row], check: Check, replied: Replied) -> bool:
    values = {row.options[name] for row in chosen if (name := str(check["attribute"]).casefold()) in row.options}
    if kind == "nvalues":
        return _said(len(values), replied.text)
    return all(value.casefold() in replied.text.casefold() for value in values)


def _less(sides: Sequence[Sequence[Row]], replied: Replied) -> bool:
    lows = sorted((min(side, key=lambda row: row.price) for side in sides), key=lambda row: row.price)
    return f"cheaper is {lows[0].title}" in replied.text and all(row.told in replied.text for row in lows)


def _said(number: object, text: str) -> bool:
    return re.search(rf"(?<![\d.,]){number}(?!\d|[.,]\d)", text) is not None


OF_ROWS: Mapping[str, Callable[[Sequence[Row], Replied], bool]] = {
    "price": _price,
    "have": _have,
    "fit": _have,
    "any": _any,
    "min": _extreme(min),
    "max": _extreme(max),
    "count": lambda chosen, replied: _said(len(chosen), replied.text),
    "avail": lambda chosen, replied: _said(sum(row.is_there for row in chosen), replied.text),
    "stock": _stock,
    "moststock": _most_stock,
}
SIMPLE: Mapping[str, Callable[[Replied], bool]] = {
    "unknown": lambda replied: replied.type == "unknown",
    "handoff": lambda replied: replied.type == "handoff",
    "clarify": lambda replied: replied.type == "clarify",
    "abstains": lambda replied: replied.type != "answer",
    "yes": lambda replied: replied.type == "answer" and replied.word == "yes",
    "no": lambda replied: replied.type == "answer" and replied.word == "no",
    "no or abstains": lambda replied: replied.type != "answer" or replied.word == "no",
    "not yes": lambda replied: replied.word != "yes",
    "not no": lambda replied: replied.word != "no",
    "no or unknown": lambda replied: replied.type == "unknown" or replied.word == "no",
}
TEXT: Mapping[str, Callable[[Check, Replied], bool]] = {
    "has": lambda check, replied: str(check["text"]).casefold() in replied.text.casefold(),
    "hasnot": lambda check, replied: str(check["text"]).casefold() not in replied.text.casefold(),
    "url": lambda check, replied: any(str(check["text"]) in source for source in replied.sources),
    "anytext": lambda check, replied: (
        replied.type == "answer" and any(each.casefold() in replied.text.casefold() for each in check["texts"])  # type: ignore[attr-defined]
    ),
}
