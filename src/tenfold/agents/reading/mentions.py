"""Values and names of options that a question mentions, and which of them it excludes."""

import re
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import replace

from tenfold.agents.reading.denied import DENY
from tenfold.agents.reading.lexicon import NO, YES, Value
from tenfold.agents.reading.mention import PLAIN_NAMES, STEPS, Mention, Scope, mention_of, near
from tenfold.agents.reading.quantity import UNLIKE, Quantity, own_quantities, quantities_of, read_number, side_of
from tenfold.agents.reading.ranges import for_people, in_range, ranged, spanned, whole_ranges
from tenfold.agents.reading.token import Token, stem, stems_of
from tenfold.agents.reading.words import SIZES, SMALL_STEMS
from tenfold.catalog.words import STOP_WORDS

_HAVING = frozenset({"with", "have", "has", "include", "includes", "including"})


def mentions_of(text: str, tokens: Sequence[Token], scope: Scope, taken: frozenset[int]) -> list[Mention]:
    """Find what a question says of options; ``taken``: places of tokens that mean something else."""
    found: list[Mention] = []
    used = set(taken)
    for mention in whole_ranges(text, tokens, scope, used):
        found.append(mention)
        used |= mention.places
    units = {value.quantity.dimension for value in scope.values if value.quantity}
    for quantity in (*quantities_of(text), *own_quantities(text, units)):
        places = frozenset(
            at for at, token in enumerate(tokens) if quantity.start <= token.start < quantity.end and at not in used
        )
        mention = _quantity(text, tokens, quantity, places, scope) if places else None
        if mention:
            after = max(places) + 1
            if quantity.dimension == "time" and after < len(tokens) and tokens[after].text == "old":
                # "My 12 year old": the word belongs to the age.
                places |= {after}
                mention = replace(mention, places=mention.places | {after})
            found.append(mention)
            used |= places
    for quantity, places in _named_numbers(tokens, scope, units, set(used), taken):
        mention = None if places & (used - taken) else _quantity(text, tokens, quantity, places, scope)
        if mention:
            found.append(mention)
            used |= places
    for mention in (
        *ranged(text, tokens, scope, used),
        *for_people(text, tokens, scope, used),
        *_undone(tokens, scope, used),
    ):
        if not mention.places & used:
            found.append(mention)
            used |= mention.places
    found += _said(text, tokens, scope, used, taken)
    found = [_whole(each, tokens, used) for each in found]
    found = _joined(found, text, tokens)
    told = {value.attribute for each in found for value in each.values}
    found += _names(text, tokens, scope, used, told)
    found += _bare_numbers(text, tokens, scope, used)
    return sorted(found, key=lambda each: min(each.places))


def _said(text: str, tokens: Sequence[Token], scope: Scope, used: set[int], taken: Set[int]) -> list[Mention]:
    """Values that are said in the catalog's words, the longest first; parts of values after them."""
    found: list[Mention] = []
    for words in (scope.said, scope.loose):
        longest = max(map(len, words), default=0)
        for length in range(longest, 0, -1):
            for start in range(len(tokens) - length + 1):
                places = frozenset(range(start, start + length))
                values = words.get(tuple(token.stem for token in tokens[start : start + length]))
                # "USB-C hub": part of a value may be part of what names the thing, but not all of it.
                if not values or places & (used - taken) or places <= used:
                    continue
                values = [
                    v
                    for v in values
                    if not (v.is_number or _is_one(tokens, start, length)) or _is_size(tokens, start, v)
                ]
                # "Which powder do the gloves come in?" is no "powdered".
                run = tuple(token.text for token in tokens[start : start + length])
                if tuple(token.stem for token in tokens[start : start + length]) in scope.names:
                    values = [value for value in values if value.text.casefold() in (*YES, " ".join(run))]
                if not values:
                    continue
                found.append(mention_of(text, tokens, places, near(tokens, places, values)))
                used |= places
    return found


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


def _is_size(tokens: Sequence[Token], at: int, value: Value) -> bool:
    """Whether a bare number is meant as the value: beside the option's name, or as in "in 10", "a 9"."""
    names = set(stems_of(value.attribute))
    beside = [tokens[near].stem for near in (at - 2, at - 1, at + 1) if 0 <= near < len(tokens)]
    if names & set(beside) or _is_listed(tokens, at):
        return True
    before = tokens[at - 1].text if at > 0 else ""
    return before in {"in", "a", "an", "size", "or", "and", "not", "no", "the"} and len(value.number or "") <= 4


def _is_one(tokens: Sequence[Token], start: int, length: int) -> bool:
    """Whether a word may stand for the thing, as in "the French one"."""
    return length == 1 and tokens[start].text == "one" and not _is_listed(tokens, start)


def _is_listed(tokens: Sequence[Token], at: int) -> bool:
    """Whether a comma or the like parts a word from the one before it: "(box, 17 May, two)"."""
    return at > 0 and tokens[at].start - tokens[at - 1].end > 1


def _quantity(
    text: str, tokens: Sequence[Token], quantity: Quantity, places: frozenset[int], scope: Scope
) -> Mention | None:
    of_kind = [value for value in scope.values if value.quantity and value.quantity.dimension == quantity.dimension]
    # "Over 25 kg" is not 25 kg.
    same = [value for value in of_kind if value.span is None]
    said = text[quantity.start : quantity.end]
    if quantity.dimension == "count":
        numbers = [
            value
            for value in scope.values
            if value.is_number and set(stems_of(value.attribute)) & {"piec", "piece", "count", "pack"}
        ]
        holds = _bound(text, quantity)
        same_count = [v for v in numbers if holds(Quantity("count", float(v.number or 0), 0, 0))]
        if numbers:
            return Mention(places, said, tuple(same_count), absent="" if same_count else numbers[0].attribute)
    if not any(value.quantity.same(quantity) for value in same if value.quantity):
        lying = in_range(text, tokens, quantity, places, spanned(quantity, said, scope), scope)
        if lying is not None:
            return lying
    if not same:
        return None
    holds = _bound(text, quantity)
    values = [value for value in same if value.quantity and holds(value.quantity)]
    if values:
        return mention_of(text, tokens, places, near(tokens, places, values))
    sizes = [value.quantity.magnitude for value in same if value.quantity]
    # "We live 10 miles away" asks for no cake of that size.
    is_like = min(sizes) / UNLIKE <= quantity.magnitude <= max(sizes) * UNLIKE
    is_value = any(f" {said}" == f" {value.text.casefold()}" for value in scope.values)
    after = max(places) + 1
    if after < len(tokens) and not _is_listed(tokens, after) and tokens[after].stem not in SMALL_STEMS | scope.stems:
        # "A ten year guarantee" is no age.
        return None
    return None if is_value or not is_like else Mention(places, said, absent=_nearest(tokens, places, same).attribute)


_OR = frozenset(["or", "more", "less", "fewer", "and", "up"])


def _named_numbers(
    tokens: Sequence[Token], scope: Scope, dimensions: set[str], used: Set[int], taken: Set[int]
) -> Iterator[tuple[Quantity, frozenset[int]]]:
    """Bare numbers beside the name of an option that has such: "at least 4 outlets", "outlets: 4 or more"."""
    for words, names in scope.names.items():
        dimension = next((each for name in names if (each := f"number of {name}") in dimensions), "")
        for start in range(len(tokens) - len(words) + 1) if dimension else ():
            end = start + len(words)
            if tuple(token.stem for token in tokens[start:end]) != words:
                continue
            before, after = start - 1, end
            while before > 0 and tokens[before].text in _OR:
                before -= 1
            while after < len(tokens) - 1 and tokens[after].text in STEPS:
                after += 1
            for at in (before, after):
                number = read_number(tokens[at].text) if 0 <= at < len(tokens) and tokens[at].is_number else None
                if number is not None:
                    places = frozenset({at, *range(start, end)})
                    if at in used or (at >= end and taken >= set(range(start, end))):
                        # "Tomato seeds over 4.35" are dear ones.
                        break
                    yield Quantity(dimension, number, tokens[at].start, tokens[at].end), places
                    break


def _undone(tokens: Sequence[Token], scope: Scope, used: set[int]) -> list[Mention]:
    """Words that say what a thing is not, as "unsliced" where it comes sliced."""
    found = []
    for at, token in enumerate(tokens):
        for prefix in ("un", "non"):
            rest = token.text.removeprefix(prefix)
            if at in used or rest == token.text or len(rest) < 4 or (token.stem,) in scope.said:
                continue
            values = scope.said.get((stem(rest),), [])
            if values:
                found.append(Mention(frozenset({at}), token.text, tuple(values), is_excluded=True))
    return found


def _nearest(tokens: Sequence[Token], places: frozenset[int], values: Sequence[Value]) -> Value:
    return near(tokens, places, values)[0]


def _bound(text: str, wanted: Quantity) -> Callable[[Quantity], bool]:
    side, is_strict = side_of(text, wanted.start, wanted.end)
    if side == "least":
        return lambda has: has.magnitude > wanted.magnitude * (1.005 if is_strict else 0.995)
    if side == "most":
        return lambda has: has.magnitude < wanted.magnitude * (0.995 if is_strict else 1.005)
    return wanted.same


def _names(text: str, tokens: Sequence[Token], scope: Scope, used: set[int], told: Set[str]) -> list[Mention]:
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
            numbered = _numbered(text, tokens, start, length, used, scope, names)
            if numbered is not None:
                at, value = numbered
                used.add(at)
                found.append(mention_of(text, tokens, places | {at}, [value]))
                continue
            number = _odd_number(tokens, start, length, used, scope, names)
            if number is not None:
                used.add(number)
                found.append(Mention(places | {number}, tokens[number].text, absent=names[0]))
                continue
            odd = _odd_number_of_words(text, tokens, start, length, used, names)
            if odd is not None:
                used |= odd
                said = " ".join(tokens[at].text for at in sorted(odd))
                found.append(Mention(places | odd, said, absent=names[0]))
                continue
            none = tuple(value for value in scope.values if value.attribute in names and value.text.casefold() in NO)
            word = tokens[start - 1].text if start else ""
            before = tokens[start - 2].text if start > 1 else ""
            article = word in {"any", "a", "an", "the"}
            is_denied_here = word in DENY or (article and before in DENY)
            is_had = word in _HAVING or (article and before in _HAVING)
            if (
                none
                and told.isdisjoint(names)
                and (is_denied_here or is_had)
                and not any(v.text.casefold() in YES for v in scope.values if v.attribute in names)
            ):
                found.append(Mention(places, said, none, is_excluded=not is_denied_here))
            else:
                found.append(Mention(places, said, names=tuple(names)))
    return found


def _numbered(
    text: str, tokens: Sequence[Token], start: int, length: int, used: set[int], scope: Scope, names: Sequence[str]
) -> tuple[int, Value] | None:
    """A number beside an option's name that one of its values has, as "factor 50" where it comes in "SPF 50"."""
    for at in (start + length, start - 1):
        if 0 <= at < len(tokens) and at not in used and tokens[at].is_number:
            values = [v for v in _by_number(text, tokens[at], scope) if v.attribute in names]
            if len(values) == 1:
                return at, values[0]
    return None


def _bare_numbers(text: str, tokens: Sequence[Token], scope: Scope, used: set[int]) -> list[Mention]:
    """Long numbers without their unit that only one value has, as "drops 2000" where they come in "2000 IU"."""
    found = []
    for at, token in enumerate(tokens):
        if at in used or not token.text.isdigit() or len(token.text) < 3:
            continue
        values = _by_number(text, token, scope)
        if len(values) == 1:
            used.add(at)
            found.append(mention_of(text, tokens, frozenset({at}), values))
    return found


def _by_number(text: str, token: Token, scope: Scope) -> list[Value]:
    """Values that have a number; where it is said with a unit only those that have none: "2000 mg" is not "2000 IU"."""
    has_unit = any(each.start == token.start for each in quantities_of(text))
    values = [value for value in scope.values if re.findall(r"\d+(?:[.,]\d+)*", value.text) == [token.text]]
    return [value for value in values if value.is_number or not has_unit]


def _odd_number_of_words(
    text: str, tokens: Sequence[Token], start: int, length: int, used: set[int], names: Sequence[str]
) -> frozenset[int] | None:
    """Words that stand as a value after the name of the one option that has it, and are none: "with size 3/4".

    They begin with a number: "with drawer dividers" asks for something else beside the number of drawers.
    """
    if len(names) != 1 or start == 0 or tokens[start - 1].text not in {"with", "in", "of", "a", "an", "the"}:
        return None
    odd = []
    for at in range(start + length, min(start + length + 3, len(tokens))):
        before = text[tokens[at - 1].end : tokens[at].start]
        is_plain = tokens[at].text in STOP_WORDS or tokens[at].text in PLAIN_NAMES or tokens[at].text in SIZES
        if at in used or before.strip(" :/-") or is_plain:
            break
        is_last = at == len(tokens) - 1
        if not (tokens[at].is_number or tokens[at].stem not in SMALL_STEMS or is_last):
            break
        odd.append(at)
    return frozenset(odd) if odd and tokens[odd[0]].is_number else None


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
