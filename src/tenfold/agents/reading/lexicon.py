"""What a catalog teaches: names of things, options and their values, with the words that mean them."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import log

from tenfold.agents.reading.quantity import Quantity, Span, measure_of, span_of
from tenfold.agents.reading.token import stem, stems_of, tokens_of
from tenfold.agents.reading.words import (
    COLOR_STEMS,
    GENERIC,
    INCIDENTAL,
    SAME_THING,
    SAME_VALUE,
    SETS,
    SIZES,
    SMALL_STEMS,
    SUFFIXES,
)
from tenfold.catalog.item import Item, Variant

Stems = tuple[str, ...]
LONGEST_VALUE = 60
SEVERAL = 3
"""Titles from which a first word that they share is taken for a brand."""
_MAKERS = frozenset({"brand", "manufacturer", "maker", "vendor", "category", "department", "collection", "author"})
_INCIDENTAL = frozenset(map(stem, INCIDENTAL))
YES = frozenset({"yes", "true", "y"})
NO = frozenset({"no", "false", "n", "none", "not"})
_BREAK = re.compile(r"\s+(?:for|with|in|of|from|by|-|\u2013)\s+|[,(|/:;]|\s-\s")


@dataclass(frozen=True, slots=True)
class Value:
    """A value of an option, and the words that mean it; ``loose`` words mean it where nothing else is meant by them."""

    attribute: str
    text: str
    said: tuple[Stems, ...]
    loose: tuple[Stems, ...]
    quantity: Quantity | None
    span: Span | None = None

    @property
    def is_number(self) -> bool:
        """Whether it is a number without a unit, as a shoe's size."""
        return self.number is not None

    @property
    def number(self) -> str | None:
        """The number that it is: of "40", and of "Size 40" where the option is the size."""
        rest = [each for each in stems_of(self.text) if each not in stems_of(self.attribute)]
        return rest[0] if len(rest) == 1 and re.fullmatch(r"\d+(?:[.,]\d+)?", rest[0]) else None

    @property
    def pair(self) -> tuple[str, str]:
        """Attribute and value."""
        return self.attribute, self.text


@dataclass(frozen=True, slots=True)
class Title:
    """An item's title in stems; ``heads``: places of what names the thing, as "bottle" in "water bottle"."""

    stems: Stems
    heads: frozenset[int]
    core: frozenset[int]


@dataclass(frozen=True, slots=True)
class Lexicon:
    """All of a catalog's words.

    ``titles``: by item's id. ``items_by_stem``: ids of items whose title, brand or category has a word. ``values``: by
    item's id, those of its variants. ``said``: all values by what means them; ``longest``: words of the longest such.
    ``words``: what a misspelt word may have been. ``joined``: words that a title writes apart, by how they are written
    together.
    """

    titles: Mapping[str, Title]
    around: Mapping[str, frozenset[str]]
    items_by_stem: Mapping[str, tuple[str, ...]]
    values: Mapping[str, tuple[Value, ...]]
    said: Mapping[Stems, tuple[Value, ...]]
    longest: int
    words: frozenset[str]
    joined: Mapping[str, tuple[str, ...]]
    same: Mapping[Stems, tuple[Stems, ...]]

    def rarity(self, stem: str) -> float:
        """How much a word of a title tells; a rare one more."""
        return log(1 + len(self.titles) / (1 + len(self.items_by_stem.get(stem, ()))))


@lru_cache(maxsize=10_000)
def attribute_name(name: str) -> str:
    """An option's name as people say it."""
    return " ".join(name.replace("_", " ").split()).casefold()


def options_of(item: Item, variant: Variant) -> dict[str, str]:
    """All that is known of a variant, by attribute; sentences are left out."""
    known = {**item.attributes, **variant.options}
    return {attribute_name(name): value for name, value in known.items() if _is_value(value)}


@lru_cache(maxsize=100_000)
def _is_value(text: str) -> bool:
    """Whether a text is a value and no sentence, which would speak to customers in the shop's name."""
    is_sentence = re.search(r"[.!?]\s|[!?]$|[$€£]\s?\d", text) or (text.endswith(".") and len(text.split()) > 3)
    return bool(text.strip()) and len(text) <= LONGEST_VALUE and not is_sentence


def learn(items: Iterable[Item]) -> Lexicon:
    """Learn the words of a catalog."""
    titles, around, by_stem, values = {}, {}, defaultdict(list), {}
    words: set[str] = set()
    joined: dict[str, tuple[str, ...]] = {}
    made: dict[tuple[str, str], Value] = {}
    items = list(items)
    makers = _MAKERS - {name for item in items for name in _varying(item)}
    firsts = Counter(stems_of(item.title)[:1] for item in items)
    for item in items:
        titles[item.id] = title_of(item.title)
        around[item.id] = frozenset(
            stems_of(" ".join((item.brand, item.category.replace("_", " "), *_makers(item, makers))))
        )
        if firsts[titles[item.id].stems[:1]] >= SEVERAL and len(titles[item.id].stems) > 2:
            around[item.id] |= frozenset(titles[item.id].stems[:1])
        for word in {*titles[item.id].stems, *around[item.id]}:
            by_stem[word].append(item.id)
        pairs = {pair: None for variant in item.variants for pair in options_of(item, variant).items()}
        for attribute, text in pairs:
            if (attribute, text) not in made:
                made[attribute, text] = _value(attribute, text)
        values[item.id] = tuple(made[pair] for pair in pairs)
        for text in (item.title, item.brand, item.category, *(part for pair in pairs for part in pair)):
            spelled = [token.text for token in tokens_of(text) if token.text.isalpha()]
            words.update(spelled)
            joined.update({a + b: (a, b) for a, b in pairwise(spelled) if len(a + b) > 4 and len(b) > 2})
    said: dict[Stems, list[Value]] = defaultdict(list)
    for value in made.values():
        for each in value.said:
            said[each].append(value)
    return Lexicon(
        titles=titles,
        around=around,
        items_by_stem={each: tuple(ids) for each, ids in by_stem.items()},
        values=values,
        said={each: tuple(meant) for each, meant in said.items()},
        longest=max(map(len, said), default=0),
        words=frozenset(words),
        joined=joined,
        same=_same(),
    )


def _makers(item: Item, names: Set[str]) -> set[str]:
    """Values of options that say who makes a thing or where it is shelved; feeds have them under many names."""
    pairs = [pair for variant in item.variants for pair in options_of(item, variant).items()]
    return {value for name, value in pairs if name in names}


def _varying(item: Item) -> set[str]:
    """Options in which an item's variants differ, as the "category" of a theatre's seats."""
    known = [options_of(item, variant) for variant in item.variants]
    return {name for name in _MAKERS if len({each.get(name) for each in known}) > 1}


def title_of(title: str) -> Title:
    """Find what names the thing in a title: the last word of its first part, before what only tells editions apart."""
    first = _BREAK.split(title)[0] or title
    count = len(stems_of(first)) or len(stems_of(title))
    stems = stems_of(title)
    last = count - 1
    while last > 0 and _is_suffix(stems[last]):
        last -= 1
    # "Cordless Drill 18V Pro": a number or an edition follows what names the thing.
    heads = {last} | {at for at in range(1, last) if _is_suffix(stems[at + 1]) and not _is_suffix(stems[at])}
    if last > 0 and stems[last] in SETS:
        heads.add(last - 1)
    return Title(stems, frozenset(heads), frozenset(range(last + 1)))


def _is_suffix(each: str) -> bool:
    return each in SUFFIXES or each in COLOR_STEMS or any(letter.isdigit() for letter in each)


def _value(attribute: str, text: str) -> Value:
    exact = stems_of(text)
    said = [exact] if exact else []
    lowered = text.strip().casefold()
    if lowered in SIZES:
        said += [stems_of(each) for each in SIZES[lowered]]
    for group in SAME_VALUE:
        if exact in (stems := [stems_of(each) for each in group]):
            said += stems
    if lowered in YES:
        said = [stems_of(attribute), *_same_as(stems_of(attribute))]
    if lowered in NO:
        said = [exact] if lowered == "none" else []
    if len(exact) > 1:
        said.append((stem("".join(token.text for token in tokens_of(text))),))
    bare = tuple(each for each in exact if each not in stems_of(attribute))
    if len(bare) < len(exact) and any(each[0].isdigit() for each in bare):
        said.append(bare)
    if sides := re.match(r"\d+\s*x\s*\d+", lowered):
        said.append(stems_of(sides.group()))
    loose = [
        (each,)
        for each in exact
        if len(exact) > 1
        and each[0].isalpha()
        and (len(each) > 2 or each[-1].isdigit())
        and (each not in SMALL_STEMS | GENERIC or each in _INCIDENTAL)
    ]
    kept = tuple(dict.fromkeys(each for each in said if each))
    return Value(
        attribute,
        text,
        kept,
        tuple(each for each in loose if each not in kept),
        measure_of(attribute, text),
        span_of(text),
    )


def _same_as(stems: Stems) -> list[Stems]:
    groups = [[stems_of(each) for each in group] for group in SAME_VALUE]
    return [each for group in groups if stems in group for each in group]


def _same() -> dict[Stems, tuple[Stems, ...]]:
    found: dict[Stems, tuple[Stems, ...]] = {}
    for group in SAME_THING:
        stems = [stems_of(each) for each in group]
        for each in stems:
            found[each] = tuple(other for other in stems if other != each)
    return found
