"""Words about a thing that neither its title nor its options explain: values not offered, riddles, something else."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rapidfuzz.distance import DamerauLevenshtein

from tenfold.agents.reading.find import Named, is_content
from tenfold.agents.reading.lexicon import NO
from tenfold.agents.reading.mentions import PLAIN_NAMES, is_denied
from tenfold.agents.reading.token import Token, tokens_of
from tenfold.agents.reading.words import COLOR_STEMS, MATERIAL_STEMS, OPINION, SIZES
from tenfold.agents.shop import Shop
from tenfold.catalog.item import Item

How = Literal["named", "alike", "thread", "all", "none"]
POINTS = {
    "first": 0,
    "1st": 0,
    "second": 1,
    "2nd": 1,
    "third": 2,
    "3rd": 2,
    "fourth": 3,
    "4th": 3,
    "fifth": 4,
    "5th": 4,
}


@dataclass(frozen=True, slots=True)
class Absent:
    """Said of an attribute that the items have, and not among its values."""

    said: str
    attribute: str


_BREAK = re.compile(r"[.;:!?,()]")
_TIGHT = frozenset(
    [
        "in",
        "with",
        "has",
        "have",
        "having",
        "of",
        "made",
        "from",
        "include",
        "includes",
        "including",
        "support",
        "supports",
        "by",
        "without",
    ]
)


def unexplained_in(
    shop: Shop,
    tokens: tuple[Token, ...],
    items: tuple[Item, ...],
    how: How,
    found: Named,
    explained: frozenset[int],
    text: str,
) -> tuple[tuple[Absent, ...], tuple[str, ...], tuple[str, ...]]:
    """Words about the thing that neither its title nor its options explain: values not offered, and riddles."""
    if how not in ("named", "alike", "thread"):
        return (), (), ()
    attributes = {value.attribute for item in items for value in shop.lexicon.values[item.id]}
    asks = re.match(r"\s*(is|are|was|does|do|can|could|will|has|have|did|why|when)\b", text) is not None
    absent, puzzling = [], []
    for at, token in enumerate(tokens):
        if at in explained or not is_content(token) or token.stem in OPINION:
            continue
        if _is_slip(token.text, items, tokens) or _is_beside(tokens, at, explained):
            continue
        kind = _kind_of(token.stem, shop, items)
        if kind and not is_denied(text, tokens, at):
            absent.append(Absent(token.text, kind))
            continue
        is_joined = at > 0 and not _BREAK.search(text[tokens[at - 1].end : token.start])
        after = is_joined and (at - 1 in found.places or (at - 1 in explained and not tokens[at - 1].is_number))
        before = at + 1 in found.places and not _BREAK.search(text[token.end : tokens[at + 1].start])
        led = _led_by(tokens, at) in _TIGHT
        says = (
            asks and bool(found.places or how == "thread") and at > max(found.places, default=0) and _ends(tokens, at)
        )
        if (after or before or led or says) and attributes is not None:
            puzzling.append(token.text)
    spare = [token.text for at, token in enumerate(tokens) if at not in explained and is_content(token)]
    told = {*puzzling, *(each.said for each in absent)}
    return tuple(dict.fromkeys(absent)), tuple(dict.fromkeys(puzzling)), tuple(w for w in spare if w not in told)


def _is_beside(tokens: Sequence[Token], at: int, explained: frozenset[int]) -> bool:
    """Whether a word only goes with what is explained beside it: "size" in "frame size M", "D" in "vitamin D drops"."""
    near = {at - 1, at + 1} & explained
    return bool(near) and (tokens[at].stem in PLAIN_NAMES or tokens[at].text in _HOLDERS or _is_letter(tokens[at]))


def _is_letter(token: Token) -> bool:
    return len(token.text) == 1 and token.text not in SIZES


_HOLDERS = frozenset(["bottle", "bottles", "box", "boxes", "tube", "tubes", "jar", "jars", "tin", "packet", "packets"])


def unread_in(tokens: Sequence[Token], items: tuple[Item, ...], how: How, explained: frozenset[int]) -> tuple[str, ...]:
    """Words of which neither the thing's title nor its options tell, and which say more than what it is wanted for."""
    if how not in ("named", "alike", "thread"):
        return ()
    found = []
    for at, token in enumerate(tokens):
        if at in explained or not is_content(token) or token.stem in OPINION or token.text in POINTS:
            continue
        if _is_slip(token.text, items, tokens) or _is_beside(tokens, at, explained) or _is_wanted_for(tokens, at):
            continue
        found.append(token.text)
    return tuple(dict.fromkeys(found))


def _is_wanted_for(tokens: Sequence[Token], at: int) -> bool:
    """Whether it says who or what something is for: "for my nephew"."""
    back = at - 1
    while back >= 0 and tokens[back].text in {"a", "an", "the", "my", "our", "his", "her", "their", "this", "next"}:
        back -= 1
    return back >= 0 and tokens[back].text in {"for", "as"}


def _is_slip(word: str, items: tuple[Item, ...], said: Sequence[Token]) -> bool:
    """Whether a word of the language is a slip for a word of the title, as "trial shoes" for "trail shoes".

    "Do you rent tents?" says the tents beside.
    """
    stems = {token.stem for token in said}
    title = {token.text for item in items[:5] for token in tokens_of(item.title) if token.stem not in stems}
    return len(word) > 3 and any(DamerauLevenshtein.distance(word, each, score_cutoff=1) <= 1 for each in title)


def _led_by(tokens: Sequence[Token], at: int) -> str:
    """The small word before a word, an article or opinion between them left out."""
    back = at - 1
    while back >= 0 and tokens[back].text in {"a", "an", "the", "any", "built", "some", "pure", "real"}:
        back -= 1
    return tokens[back].text if back >= 0 else ""


def _ends(tokens: Sequence[Token], at: int) -> bool:
    return all(not is_content(token) for token in tokens[at + 1 :])


def _kind_of(stem: str, shop: Shop, items: tuple[Item, ...]) -> str:
    """The attribute of the items of which a word is a value elsewhere, or in the language."""
    values = [value for item in items for value in shop.lexicon.values[item.id]]
    if not values:
        return ""
    for stems, word in ((COLOR_STEMS, "color"), (MATERIAL_STEMS, "material")):
        if stem in stems:
            named_so = [value.attribute for value in values if word in value.attribute or "colour" in value.attribute]
            if word == "material":
                named_so = [
                    value.attribute for value in values if "material" in value.attribute or "fabric" in value.attribute
                ]
            alike = [
                value.attribute for value in values if any(len(each) == 1 and each[0] in stems for each in value.said)
            ]
            return next(iter((*named_so, *alike)), "")
    names = {value.attribute for value in values}
    if stem in SIZES and (sized := [value.attribute for value in values if value.text.casefold() in SIZES]):
        return sized[0]
    shape = _shape(stem)
    for value in values:
        # "A4" among A5 and A6, "i3" among i5 and i7.
        if shape and _shape(value.text.casefold()) == shape:
            return value.attribute
    for others in shop.lexicon.values.values():
        for value in others:
            if value.attribute in names and (stem,) in value.said and value.text.casefold() not in NO:
                return value.attribute
    return ""


def _shape(word: str) -> str:
    """Letters, then one digit, as "a?": how sizes and grades are named; empty for other words."""
    return f"{word[:-1]}?" if re.fullmatch(r"[a-z]{1,2}\d", word) else ""
