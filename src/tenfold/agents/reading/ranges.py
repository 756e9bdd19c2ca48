"""Quantities and counts that lie in what a value ranges over, as "8 miles" in "5 to 12 miles"."""

from collections.abc import Sequence
from math import inf

from tenfold.agents.reading.lexicon import Value
from tenfold.agents.reading.mention import Mention, Scope, mention_of, near
from tenfold.agents.reading.quantity import UNLIKE, YEAR_H, Quantity, side_of
from tenfold.agents.reading.token import Token, stems_of


def whole_ranges(text: str, tokens: Sequence[Token], scope: Scope, used: set[int]) -> list[Mention]:
    """Ranges said as the values are written, as "6 to 12 months": no quantity that lies in another range too."""
    found: list[Mention] = []
    for value in scope.values:
        words = stems_of(value.text) if value.span is not None else ()
        for start in range(len(tokens) - len(words) + 1) if len(words) > 1 else ():
            places = frozenset(range(start, start + len(words)))
            is_said = tuple(token.stem for token in tokens[start : start + len(words)]) == words
            if is_said and not places & used and not any(places & other.places for other in found):
                found.append(mention_of(text, tokens, places, [value]))
    return found


def ranged(text: str, tokens: Sequence[Token], scope: Scope, used: set[int]) -> list[Mention]:
    """Numbers of what a value counts by a range, as "4 bathrooms" where it has "3 or more bathrooms"."""
    found = []
    for at, token in enumerate(tokens[:-1]):
        if not token.text.isdigit() or at in used:
            continue
        counted = [
            value
            for value in scope.values
            if value.span and not value.span.dimension and tokens[at + 1].stem in stems_of(value.text)
        ]
        side, is_strict = side_of(text, token.start, tokens[at + 1].end)
        counts = float(token.text)
        kept = [value for value in counted if value.span and value.span.meets(counts, side, is_strict=is_strict)]
        # "At least 2 rooms" is also the one that has 2, beside those that have "3 or more".
        names = {value.attribute for value in kept}
        is_all = all(value.span for value in scope.values if value.attribute in names)
        if kept and (is_all or not side):
            found.append(mention_of(text, tokens, frozenset({at, at + 1}), kept))
    return found


def for_people(text: str, tokens: Sequence[Token], scope: Scope, used: set[int]) -> list[Mention]:
    """How many a thing is for, as "a cake for 14" where it serves 14 people."""
    found = []
    for at, token in enumerate(tokens):
        if at == 0 or at in used or not token.text.isdigit() or tokens[at - 1].text != "for":
            continue
        if at + 1 < len(tokens) and tokens[at + 1].start - token.end <= 1 and tokens[at + 1].stem not in _JOINS:
            continue
        number = float(token.text)
        values = [v for v in scope.values if v.quantity and v.quantity.dimension == "people"]
        kept = [value for value in values if value.quantity and value.quantity.magnitude == number]
        if kept:
            found.append(mention_of(text, tokens, frozenset({at}), kept))
    return found


_JOINS = frozenset(["and", "or", "please", "in", "with", "on", "that", "which", "pls"])


def in_range(
    text: str,
    tokens: Sequence[Token],
    quantity: Quantity,
    places: frozenset[int],
    spanned: Sequence[Value],
    scope: Scope,
) -> Mention | None:
    """The values in whose range a quantity lies; an absent one where an option has ranges only, and none has it."""
    if not spanned:
        return None
    side, is_strict = side_of(text, quantity.start, quantity.end)
    kept = [
        value
        for value in spanned
        if value.span and value.span.meets(_in_span(quantity, value), side, is_strict=is_strict)
    ]
    if kept:
        return mention_of(text, tokens, places, near(tokens, places, kept))
    attribute = near(tokens, places, spanned)[0].attribute
    own = [value for value in scope.values if value.attribute == attribute]
    is_like = any(_is_like(quantity, value) for value in own)
    if side or not is_like or not all(value in spanned for value in own):
        return None
    return Mention(places, text[quantity.start : quantity.end], absent=attribute)


def spanned(quantity: Quantity, said: str, scope: Scope) -> list[Value]:
    """Values that range over such a quantity: an age without a unit is in years."""
    found = []
    for value in scope.values:
        if value.span is None:
            continue
        is_age = quantity.dimension == "time" and not value.span.dimension and "year" in said
        if value.span.dimension == quantity.dimension or (is_age and set(stems_of(value.attribute)) & _AGES):
            found.append(value)
    return found


_AGES = frozenset(stems_of("age ages year years old"))


def _is_like(quantity: Quantity, value: Value) -> bool:
    """Whether a quantity may be meant for what a value ranges over: "my 6 year old" asks for no dispatch in days."""
    ends = [end for end in (value.span.least, value.span.most) if 0 < end < inf] if value.span else []
    magnitude = _in_span(quantity, value)
    return bool(ends) and min(ends) / UNLIKE <= magnitude <= max(ends) * UNLIKE


def _in_span(quantity: Quantity, value: Value) -> float:
    """The quantity as the value's range counts it."""
    return quantity.magnitude if value.span and value.span.dimension else round(quantity.magnitude / YEAR_H, 3)
