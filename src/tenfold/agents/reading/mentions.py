"""Values and names of options that a question mentions, and which of them it excludes."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tenfold.agents.reading.lexicon import NO, YES, Stems, Value
from tenfold.agents.reading.quantity import Quantity, quantities_of
from tenfold.agents.reading.token import Token, stems_of
from tenfold.agents.shop import Shop
from tenfold.catalog.item import Item

_DENY = frozenset(
    [
        "not",
        "no",
        "without",
        "except",
        "excluding",
        "non",
        "nor",
        "besides",
        "isn't",
        "aren't",
        "avoid",
        "hate",
        "dislike",
        "neither",
        "minus",
        "exclude",
    ]
)
_HAVING = frozenset({"with", "have", "has", "include", "includes", "including"})
_SKIP = frozenset(
    [
        "in",
        "of",
        "made",
        "the",
        "a",
        "an",
        "any",
        "one",
        "ones",
        "too",
        "be",
        "it",
        "is",
        "or",
        "nor",
        "and",
        "color",
        "colour",
        "colored",
        "material",
        "size",
        "from",
        "with",
        "containing",
        "type",
        "anything",
        "with",
    ]
)
_DENY_PAIRS = frozenset(
    {("other", "than"), ("rather", "than"), ("anything", "but"), ("all", "but"), ("everything", "but"),
     ("instead", "of"), ("don't", "want"), ("don't", "like"), ("allergic", "to")}
)  # fmt: skip
PLAIN_NAMES = frozenset(["color", "type", "size", "material", "kind", "style", "option", "feature", "set"])
_LEAST = re.compile(
    r"(at least|minimum( of)?|more than|over|above|no less than|larger than|bigger than|longer than|>=?)\s*$"
)
_MOST = re.compile(
    r"(at most|maximum( of)?|less than|under|below|up to|no more than|smaller than|shorter than|<=?)\s*$"
)
_STRICT = re.compile(r"(more than|over|above|larger than|bigger than|longer than|less than|under|below|smaller than|"
                     r"shorter than|>|<)\s*$")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mention:
    """Part of a question about an option: its values that are meant, or its names, or a value that it does not have."""

    places: frozenset[int]
    said: str
    values: tuple[Value, ...] = ()
    names: tuple[str, ...] = ()
    absent: str = ""
    is_excluded: bool = False


@dataclass(frozen=True, slots=True)
class Scope:
    """Values and names of options of some items, by the words that mean them."""

    values: tuple[Value, ...]
    said: dict[Stems, list[Value]]
    loose: dict[Stems, list[Value]]
    names: dict[Stems, list[str]]

    @classmethod
    def of(cls, shop: Shop, items: Iterable[Item]) -> "Scope":
        """Of these items."""
        values = tuple(dict.fromkeys(value for item in items for value in shop.lexicon.values[item.id]))
        said: dict[Stems, list[Value]] = {}
        loose: dict[Stems, list[Value]] = {}
        names: dict[Stems, list[str]] = {}
        for value in values:
            for words in value.said:
                said.setdefault(words, []).append(value)
            for words in value.loose:
                # A part of a value means it only where no other value of the option has that part.
                others = [each for each in values if each.attribute == value.attribute and each is not value]
                if not any(words[0] in part for each in others for part in (*each.said, *each.loose)):
                    loose.setdefault(words, []).append(value)
            stems = stems_of(value.attribute)
            for words in {stems, *((each,) for each in stems if len(each) > 2)}:
                if value.attribute not in names.setdefault(words, []):
                    names[words].append(value.attribute)
        return cls(values, said, loose, names)


def mentions_of(text: str, tokens: Sequence[Token], scope: Scope, taken: frozenset[int]) -> list[Mention]:
    """Find what a question says of options; ``taken``: places of tokens that mean something else."""
    found: list[Mention] = []
    used = set(taken)
    for quantity in quantities_of(text):
        places = frozenset(
            at for at, token in enumerate(tokens) if quantity.start <= token.start < quantity.end and at not in used
        )
        mention = _quantity(text, tokens, quantity, places, scope) if places else None
        if mention:
            found.append(mention)
            used |= places
    for words in (scope.said, scope.loose):
        longest = max(map(len, words), default=0)
        for length in range(longest, 0, -1):
            for start in range(len(tokens) - length + 1):
                places = frozenset(range(start, start + length))
                values = words.get(tuple(token.stem for token in tokens[start : start + length]))
                # "USB-C hub": part of a value may be part of what names the thing, but not all of it.
                if not values or places & (used - taken) or places <= used:
                    continue
                values = [value for value in values if not value.is_number or _is_size(tokens, start, value)]
                if not values:
                    continue
                found.append(_value(text, tokens, places, _near(tokens, places, values)))
                used |= places
    found = [_whole(each, tokens, used) for each in found]
    found = _joined(found, text, tokens)
    found += _names(text, tokens, scope, used)
    found += _bare_numbers(text, tokens, scope, used)
    return sorted(found, key=lambda each: min(each.places))


def _whole(mention: Mention, tokens: Sequence[Token], used: set[int]) -> Mention:
    """The mention with what stands beside it of its value, as "SSD" after the "1TB" of "1TB SSD"."""
    words = {each for value in mention.values for each in stems_of(value.text)}
    places = set(mention.places)
    for at in (max(places) + 1, max(places) + 2, min(places) - 1):
        if 0 <= at < len(tokens) and at not in used and tokens[at].stem in words:
            places.add(at)
            used.add(at)
    return replace(mention, places=frozenset(places))


def _joined(mentions: list[Mention], text: str, tokens: Sequence[Token]) -> list[Mention]:
    """Mentions without those that are only part of another: "wi-fi and cellular" is one value, and not "wi-fi" too."""
    found = []
    for one in mentions:
        wholes = [other for other in mentions if _is_part(one, other)]
        ends = [(min(one.places | other.places), max(one.places | other.places)) for other in wholes]
        if any(" or " in text[tokens[first].start : tokens[last].end] for first, last in ends):
            wholes = []
        if not wholes:
            parts = [other for other in mentions if _is_part(other, one)]
            places = one.places.union(*(other.places for other in parts)) if parts else one.places
            found.append(replace(one, places=places))
    return found


def _is_part(one: Mention, other: Mention) -> bool:
    """Whether one value is only part of another that is said beside it."""
    if one is other or len(other.values) != 1 or not one.values or one.is_excluded != other.is_excluded:
        return False
    whole, parts = set(stems_of(other.values[0].text)), [set(stems_of(value.text)) for value in one.values]
    near = min(abs(a - b) for a in one.places for b in other.places) <= 2
    return near and one.values[0].attribute == other.values[0].attribute and all(part < whole for part in parts)


def is_denied(text: str, tokens: Sequence[Token], at: int) -> bool:
    """Whether the token at ``at`` is what is not wanted: "not wool", "anything but black", "no leather or suede"."""
    boundary = tokens[at].start
    for back in range(at - 1, max(at - 8, -1), -1):
        word, before = tokens[back].text, tokens[back - 1].text if back else ""
        between = text[tokens[back].end : boundary]
        if re.search(r"[;.!?]", between) or ("," in between and word not in _DENY and before not in _DENY):
            return False
        if word in _DENY or (before, word) in _DENY_PAIRS:
            return word not in _DENY or not _denies_stock(tokens, back)
        denied = back > 1 and tokens[back - 2].text in _DENY
        if word in {"with", "in"} and before.endswith("ing") and denied:
            # "not coming in blue"
            return True
        if _begins_anew(word, before, tokens[back + 1].text, is_next=back + 1 == at):
            return False
        boundary = tokens[back].start
    return False


def _begins_anew(word: str, before: str, after: str, *, is_next: bool) -> bool:
    """Whether what follows a word is no longer part of what was denied before it."""
    if word == "and" and after in {"in", "with", "under", "for", "size"}:
        return True
    if word.endswith("ing") and before in _DENY:
        return False
    if word in {"with", "in"} and before not in _DENY | {"made", "or", "than", "but"}:
        return True
    return word not in _SKIP and (is_next or after not in {"or", "nor", "and"})


def _denies_stock(tokens: Sequence[Token], at: int) -> bool:
    following = [token.text for token in tokens[at + 1 : at + 3]]
    return bool(following) and following[0] in {"available", "sold", "sure", "only", "more", "less", "over", "just"}


def _value(text: str, tokens: Sequence[Token], places: frozenset[int], values: Sequence[Value]) -> Mention:
    said = text[min(tokens[at].start for at in places) : max(tokens[at].end for at in places)]
    return Mention(places, said, tuple(values), is_excluded=is_denied(text, tokens, min(places)))


def _near(tokens: Sequence[Token], places: frozenset[int], values: Sequence[Value]) -> list[Value]:
    """Of values of several attributes those whose attribute is named beside: "black frame" is no black lens."""
    if len({value.attribute for value in values}) < 2:
        return list(values)
    beside = {
        token.stem
        for at, token in enumerate(tokens)
        if at not in places and min(abs(at - place) for place in places) <= 2
    }
    after = {tokens[at].stem for at in (max(places) + 1, max(places) + 2) if at < len(tokens)}
    for near in (after, beside):
        kept = [value for value in values if (set(stems_of(value.attribute)) - PLAIN_NAMES) & near]
        if kept and len(kept) < len(values):
            return kept
    return list(values)


def _is_size(tokens: Sequence[Token], at: int, value: Value) -> bool:
    """Whether a bare number is meant as the value: beside the option's name, or as in "in 10", "a 9"."""
    names = set(stems_of(value.attribute))
    beside = [tokens[near].stem for near in (at - 2, at - 1, at + 1) if 0 <= near < len(tokens)]
    if names & set(beside):
        return True
    before = tokens[at - 1].text if at > 0 else ""
    return before in {"in", "a", "an", "size", "or", "and", "not", "no", "the"} and len(value.number or "") <= 4


def _quantity(
    text: str, tokens: Sequence[Token], quantity: Quantity, places: frozenset[int], scope: Scope
) -> Mention | None:
    same = [value for value in scope.values if value.quantity and value.quantity.dimension == quantity.dimension]
    said = text[quantity.start : quantity.end]
    if quantity.dimension == "count":
        numbers = [
            value
            for value in scope.values
            if value.is_number and set(stems_of(value.attribute)) & {"piec", "piece", "count", "pack"}
        ]
        holds = _bound(text[: quantity.start], text[quantity.end :], quantity)
        same_count = [v for v in numbers if holds(Quantity("count", float(v.number or 0), 0, 0))]
        if numbers:
            return Mention(places, said, tuple(same_count), absent="" if same_count else numbers[0].attribute)
    if not same:
        return None
    before, after = text[: quantity.start], text[quantity.end :]
    holds = _bound(before, after, quantity)
    values = [value for value in same if value.quantity and holds(value.quantity)]
    if not values and any(f" {said}" == f" {value.text.casefold()}" for value in scope.values):
        return None
    if values:
        values = _near(tokens, places, values)
        return Mention(places, said, tuple(values), is_excluded=is_denied(text, tokens, min(places)))
    return Mention(places, said, absent=_nearest(tokens, places, same).attribute)


def _nearest(tokens: Sequence[Token], places: frozenset[int], values: Sequence[Value]) -> Value:
    return _near(tokens, places, values)[0]


def _bound(before: str, after: str, wanted: Quantity):  # noqa: ANN202
    strict = _STRICT.search(before) is not None
    if _LEAST.search(before) or re.match(r"\s*(or more|or larger|or bigger|or longer|and up|\+|minimum|plus\b)", after):
        return lambda has: has.magnitude > wanted.magnitude * (1.005 if strict else 0.995)
    if _MOST.search(before) or re.match(r"\s*(or less|or smaller|or shorter|maximum|max\b)", after):
        return lambda has: has.magnitude < wanted.magnitude * (0.995 if strict else 1.005)
    return wanted.same


def _names(text: str, tokens: Sequence[Token], scope: Scope, used: set[int]) -> list[Mention]:
    """Options that are named without a value; "without backlight" means the value that says none."""
    found = []
    longest = max(map(len, scope.names), default=0)
    for length in range(longest, 0, -1):
        for start in range(len(tokens) - length + 1):
            places = frozenset(range(start, start + length))
            names = scope.names.get(tuple(token.stem for token in tokens[start : start + length]))
            if not names or places & used:
                continue
            used |= places
            said = text[tokens[start].start : tokens[start + length - 1].end]
            numbered = _numbered(tokens, start, length, used, scope, names)
            if numbered is not None:
                at, value = numbered
                used.add(at)
                found.append(_value(text, tokens, places | {at}, [value]))
                continue
            number = _odd_number(tokens, start, length, used, scope, names)
            if number is not None:
                used.add(number)
                found.append(Mention(places | {number}, tokens[number].text, absent=names[0]))
                continue
            none = tuple(value for value in scope.values if value.attribute in names and value.text.casefold() in NO)
            word = tokens[start - 1].text if start else ""
            before = tokens[start - 2].text if start > 1 else ""
            article = word in {"any", "a", "an", "the"}
            is_denied_here = word in _DENY or (article and before in _DENY)
            is_had = word in _HAVING or (article and before in _HAVING)
            if (
                none
                and (is_denied_here or is_had)
                and not any(v.text.casefold() in YES for v in scope.values if v.attribute in names)
            ):
                found.append(Mention(places, said, none, is_excluded=not is_denied_here))
            else:
                found.append(Mention(places, said, names=tuple(names)))
    return found


def _numbered(
    tokens: Sequence[Token], start: int, length: int, used: set[int], scope: Scope, names: Sequence[str]
) -> tuple[int, Value] | None:
    """A number beside an option's name that one of its values has, as "factor 50" where it comes in "SPF 50"."""
    for at in (start + length, start - 1):
        if 0 <= at < len(tokens) and at not in used and tokens[at].is_number:
            values = [v for v in scope.values if v.attribute in names and numbers_in(v.text) == [tokens[at].text]]
            if len(values) == 1:
                return at, values[0]
    return None


def _bare_numbers(text: str, tokens: Sequence[Token], scope: Scope, used: set[int]) -> list[Mention]:
    """Long numbers without their unit that only one value has, as "drops 2000" where they come in "2000 IU"."""
    found = []
    for at, token in enumerate(tokens):
        if at in used or not token.text.isdigit() or len(token.text) < 3:
            continue
        values = [value for value in scope.values if numbers_in(value.text) == [token.text]]
        if len(values) == 1:
            used.add(at)
            found.append(_value(text, tokens, frozenset({at}), values))
    return found


def numbers_in(text: str) -> list[str]:
    """The numbers of a value, as they are written."""
    return re.findall(r"\d+(?:[.,]\d+)*", text)


def _odd_number(
    tokens: Sequence[Token], start: int, length: int, used: set[int], scope: Scope, names: Sequence[str]
) -> int | None:
    """A number beside a numeric option's name, of which it has no such value: "size 15"."""
    for at in (start + length, start - 1):
        if 0 <= at < len(tokens) and at not in used and tokens[at].is_number:
            values = [value for value in scope.values if value.attribute in names]
            if values and any(value.is_number for value in values):
                return at
    return None
