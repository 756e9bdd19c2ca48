"""A part of a question that is about an option, and the options of the items that are spoken of."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from tenfold.agents.reading.denied import DENY, is_denied
from tenfold.agents.reading.lexicon import Stems, Value
from tenfold.agents.reading.token import Token, stems_of
from tenfold.agents.reading.words import DEEDS
from tenfold.agents.shop import Shop
from tenfold.catalog.item import Item

PLAIN_NAMES = frozenset(["color", "type", "size", "material", "kind", "style", "option", "feature", "set"])


STEPS = frozenset(
    [
        "of",
        "at",
        "least",
        "most",
        "more",
        "than",
        "less",
        "fewer",
        "up",
        "to",
        "no",
        "not",
        "minimum",
        "maximum",
        "over",
        "under",
        "above",
        "below",
        "is",
    ]
)
"""Words between an option's name and its bound: "a width of at least 38 mm"."""


@dataclass(frozen=True, slots=True)
class Mention:
    """Part of a question about an option: its values that are meant, or its names, or a value that it does not have."""

    places: frozenset[int]
    said: str
    values: tuple[Value, ...] = ()
    names: tuple[str, ...] = ()
    absent: str = ""
    is_excluded: bool = False


@dataclass(frozen=True)
class Scope:
    """Values and names of options of some items, by the words that mean them."""

    values: tuple[Value, ...]
    said: dict[Stems, list[Value]]
    loose: dict[Stems, list[Value]]
    names: dict[Stems, list[str]]

    @cached_property
    def stems(self) -> frozenset[str]:
        """Every word of an option's name or value."""
        return frozenset(each for words in (*self.said, *self.loose, *self.names) for each in words)

    @classmethod
    def of(cls, shop: Shop, items: Iterable[Item]) -> "Scope":
        """Of these items."""
        values = tuple(dict.fromkeys(value for item in items for value in shop.lexicon.values[item.id]))
        said: dict[Stems, list[Value]] = {}
        loose: dict[Stems, list[Value]] = {}
        names: dict[Stems, list[str]] = {}
        having = Counter(
            (value.attribute, part)
            for value in values
            for part in {each for words in (*value.said, *value.loose) for each in words}
        )
        for value in values:
            for words in value.said:
                said.setdefault(words, []).append(value)
            for words in value.loose:
                # A part of a value means it only where no other value of the option has that part.
                if having[value.attribute, words[0]] == 1:
                    loose.setdefault(words, []).append(value)
        for attribute in dict.fromkeys(value.attribute for value in values):
            stems = stems_of(attribute)
            deeds = [(deed,) for deed, told in DEEDS.items() if set(stems) & told]
            for words in dict.fromkeys((stems, *((each,) for each in stems if len(each) > 2), *deeds)):
                names.setdefault(words, []).append(attribute)
        return cls(values, said, loose, names)


def mention_of(text: str, tokens: Sequence[Token], places: frozenset[int], values: Sequence[Value]) -> Mention:
    """Values that are said at these places."""
    said = text[min(tokens[at].start for at in places) : max(tokens[at].end for at in places)]
    # "Not size 40": what is denied begins with the option's name, or with a word of the value that is not matched.
    beside = {each for value in values for each in (*stems_of(value.attribute), *stems_of(value.text))}
    first = min(places)
    while first > 0 and tokens[first - 1].stem in beside and tokens[first - 1].text not in DENY:
        first -= 1
    return Mention(places, said, tuple(values), is_excluded=is_denied(text, tokens, first))


def near(tokens: Sequence[Token], places: frozenset[int], values: Sequence[Value]) -> list[Value]:
    """Of values of several attributes those whose attribute is named beside: "black frame" is no black lens."""
    if len({value.attribute for value in values}) < 2:
        return list(values)
    first = min(places) - 1
    while first > 0 and tokens[first].text in STEPS:
        first -= 1
    beside = {
        token.stem
        for at, token in enumerate(tokens)
        if at not in places and (min(abs(at - place) for place in places) <= 2 or at == first)
    }
    after = {tokens[at].stem for at in (max(places) + 1, max(places) + 2) if at < len(tokens)}
    for near in (after, beside):
        kept = [value for value in values if (set(stems_of(value.attribute)) - PLAIN_NAMES) & near]
        if kept and len(kept) < len(values):
            return kept
    return list(values)
