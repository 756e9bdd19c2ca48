"""Templates: facts about things for sale as claims, with prices and stock as slots."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tenfold.agents.choose import Choice
from tenfold.agents.reading.lexicon import attribute_name, options_of
from tenfold.catalog.item import Item
from tenfold.catalog.passage import Passage
from tenfold.reply.reply import Answer, Claim, Evidence

SHOWN = 6
"""Variants that are named one by one; of more, a range is told."""


@dataclass
class Draft:
    """An answer in the making."""

    claims: list[Claim] = field(default_factory=list)
    evidence: dict[str, Evidence] = field(default_factory=dict)

    def say(self, text: str, *sources: Item | Choice | Passage) -> None:
        """Add a claim that rests on these sources."""
        cited = dict.fromkeys(key for source in sources for key in self._cite(source))
        self.claims.append(Claim(text, tuple(cited)))

    def lead(self, word: str) -> None:
        """Put "Yes" or "No" before the first claim."""
        first = self.claims[0]
        self.claims[0] = Claim(f"{word}{first.text}", first.evidence)

    def answer(self) -> Answer:
        """The answer."""
        return Answer(tuple(self.claims), self.evidence)

    def _cite(self, source: Item | Choice | Passage) -> tuple[str, ...]:
        if isinstance(source, Choice):
            # A variant's title is its item's.
            variant = Evidence(f"variant:{source.variant.id}", source.variant)
            self.evidence[variant.id] = variant
            return variant.id, *self._cite(source.item)
        kind = "item" if isinstance(source, Item) else "passage"
        found = Evidence(f"{kind}:{source.id}", source)
        self.evidence[found.id] = found
        return (found.id,)


def label(choice: Choice) -> str:
    """A variant in words: its title and options."""
    known = options_of(choice.item, choice.variant)
    if len(choice.item.variants) > 1:
        own = {attribute_name(name) for name in choice.variant.options}
        known = {name: value for name, value in known.items() if name in own}
    inside = ", ".join(f"{name}: {value}" for name, value in known.items())
    return f"{choice.item.title} ({inside})" if inside else choice.item.title


def price(choice: Choice) -> str:
    """Slot of a price."""
    return f"{{price:{choice.variant.id}}}"


def stock(choice: Choice) -> str:
    """Slot of stock."""
    return f"{{stock:{choice.variant.id}}}"


def costs_line(choice: Choice) -> str:
    """What a variant costs, and whether it can be had."""
    return f"{label(choice)} costs {price(choice)} and is {stock(choice)}."


def listed(words: Iterable[str]) -> str:
    """Words with commas and an "and"."""
    words = list(words)
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def values_of(choices: Sequence[Choice], attribute: str) -> list[str]:
    """Values of an attribute among variants, in the catalog's order."""
    return list(dict.fromkeys(each.known[attribute] for each in choices if attribute in each.known))


def option_names(choices: Sequence[Choice]) -> list[str]:
    """Names of all attributes among variants."""
    return list(dict.fromkeys(name for each in choices for name in each.known))


def options_line(choices: Sequence[Choice]) -> str:
    """All options of variants with their values."""
    return "; ".join(f"{name}: {', '.join(values_of(choices, name))}" for name in option_names(choices))


def range_line(draft: Draft, choices: Sequence[Choice], what: str, *, count: int | None = None) -> None:
    """Say what many variants have in common: how many, from which price to which, with which options."""
    ordered = sorted(choices, key=lambda each: each.price)
    low, high = ordered[0], ordered[-1]
    there = sum(1 for each in choices if each.is_there)
    many = count if count is not None else len(choices)
    told = f"from {price(low)} to {price(high)}" if low.price != high.price else f"for {price(low)}"
    items = {each.item.id: each.item for each in choices}
    sources: list[Item | Choice] = [*items.values()] if len(items) <= 20 and _is_whole(choices) else [*choices]
    draft.say(f"{what} in {many} versions, {there} of them in stock, {told}.", *sources, low, high)


def _is_whole(choices: Sequence[Choice]) -> bool:
    items = {each.item.id: each.item for each in choices}
    return sum(len(item.variants) for item in items.values()) == len(choices)
