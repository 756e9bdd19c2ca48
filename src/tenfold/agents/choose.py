"""Which variants fit what a question wants, and which of them is the largest or the cheapest."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tenfold.agents.memory import Wish
from tenfold.agents.reading.cues import Amounts, Best
from tenfold.agents.reading.lexicon import options_of
from tenfold.agents.reading.quantity import measure_of
from tenfold.agents.reading.token import stems_of
from tenfold.agents.reading.words import MEASURES, OF_ANY
from tenfold.catalog.item import Item, Variant
from tenfold.catalog.money import MICROS
from tenfold.reply.fill import is_there

_ORDERS = (
    ("xxs", "xs", "s", "m", "l", "xl", "xxl", "xxxl", "4xl", "5xl"),
    ("extra small", "small", "medium", "large", "extra large"),
    ("mini", "small", "standard", "large"),
    ("low", "medium", "high"),
    ("portable", "medium", "large"),
    ("beginner", "intermediate", "expert"),
    ("basic", "standard", "professional"),
)


@dataclass(frozen=True, slots=True)
class Choice:
    """A variant with its item and all that is known of it; offers are of this moment."""

    item: Item
    variant: Variant
    known: Mapping[str, str]

    @property
    def is_there(self) -> bool:
        """Whether it can be had now."""
        return is_there(self.variant.offer)

    @property
    def price(self) -> int:
        """In millionths."""
        return self.variant.offer.price.micros


def choices_of(items: Iterable[Item]) -> list[Choice]:
    """All variants of the items."""
    return [Choice(item, variant, options_of(item, variant)) for item in items for variant in item.variants]


def fits(choice: Choice, wishes: Iterable[Wish]) -> bool:
    """Whether a variant is all that is wished."""
    return all(_fits(choice, wish) for wish in wishes)


def _fits(choice: Choice, wish: Wish) -> bool:
    has = any(choice.known.get(name) == value for name, value in wish.pairs)
    return has != wish.is_excluded


def costs(choice: Choice, amounts: Amounts, count: int = 1) -> bool:
    """Whether the price of so many is within bounds."""
    price = choice.price * count
    if amounts.most is not None:
        most = round(amounts.most * MICROS)
        if price > most or (amounts.is_strict and price == most):
            return False
    least = round((amounts.least or 0.0) * MICROS)
    return amounts.least is None or (price > least if amounts.is_over else price >= least)


def extreme(choices: Sequence[Choice], best: Best, about: Sequence[str]) -> tuple[str, list[Choice]]:
    """The variants that a superlative means, and the attribute that it measures; none where nothing can be measured."""
    if best.of == "price":
        ranked = {id(each): each.price for each in choices}
        return "price", _tops(choices, ranked, best)
    if best.of == "stock":
        ranked = {id(each): each.variant.offer.stock or 0 for each in choices if each.variant.offer.stock is not None}
        return "stock", _tops([each for each in choices if id(each) in ranked], ranked, best)
    for attribute in _measured(choices, about, best.adjective):
        if len(_dimensions(choices, attribute)) > 1:
            continue
        sizes = {id(each): size_of(each.known.get(attribute, "")) for each in choices}
        ranked = {key: size for key, size in sizes.items() if size is not None}
        if len(set(ranked.values())) > 1 or (len(choices) == 1 and ranked):
            return attribute, _tops([each for each in choices if id(each) in ranked], ranked, best)
    return "", []


def size_of(value: str) -> float | None:
    """What a value measures: a quantity, a number, or its place among small, medium and large."""
    quantity = measure_of("", value)
    if quantity is not None:
        return quantity.magnitude
    lowered = value.strip().casefold()
    for order in _ORDERS:
        if lowered in order:
            return float(order.index(lowered))
    numbers = re.findall(r"\d+(?:\.\d+)?", lowered)
    return float(numbers[-1]) if numbers else None


def _tops(choices: Sequence[Choice], ranked: Mapping[int, float], best: Best) -> list[Choice]:
    sizes = sorted({ranked[id(each)] for each in choices}, reverse=best.is_most)
    if len(sizes) < best.rank:
        return []
    top = sizes[best.rank - 1]
    return [each for each in choices if ranked[id(each)] == top]


def _measured(choices: Sequence[Choice], about: Sequence[str], adjective: str) -> list[str]:
    """Attributes that can be measured: those asked for, else what the adjective means, or what says a size."""
    names = list(dict.fromkeys(name for each in choices for name in each.known))
    if about:
        return [name for name in about if name in names]
    meant = MEASURES.get(adjective, frozenset())
    if hinted := [name for name in names if set(stems_of(name)) & meant]:
        return hinted
    alike = [name for name in names if {each for kind in _dimensions(choices, name) for each in stems_of(kind)} & meant]
    if alike or (adjective and adjective not in OF_ANY):
        return alike if len(alike) == 1 else []
    able = [name for name in names if all(size_of(each.known.get(name, "")) is not None for each in choices)]
    sized = [name for name in able if set(stems_of(name)) & _SIZE_NAMES]
    return sized or (able if len(able) == 1 else [])


def _dimensions(choices: Sequence[Choice], attribute: str) -> set[str]:
    """What an attribute's values measure, as weight, where they do."""
    found = {measure_of(attribute, each.known[attribute]) for each in choices if attribute in each.known}
    return {each.dimension for each in found if each is not None}


_SIZE_NAMES = frozenset(
    stems_of("size capacity volume length height diameter width storage weight screen piece count thickness")
)
