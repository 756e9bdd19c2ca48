"""Words about a thing that neither its title nor its options explain: values not offered, riddles, something else."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rapidfuzz.distance import DamerauLevenshtein

from tenfold.agents.reading.denied import is_denied
from tenfold.agents.reading.find import Named, is_content
from tenfold.agents.reading.lexicon import NO, Value
from tenfold.agents.reading.mention import PLAIN_NAMES
from tenfold.agents.reading.token import Token, stems_of, tokens_of
from tenfold.agents.reading.words import CLASSES, COLOR_STEMS, INCIDENTAL, MATERIAL_STEMS, OPINION, SIZES
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
    puzzling: list[str] = []
    absent, runs = _elsewhere(shop, tokens, items, explained, text)
    for at, token in enumerate(tokens):
        if at in explained or at in runs or token.stem in OPINION:
            continue
        if not is_content(token):
            # "With grind fine": a small word after an option's name, where others have it as a value of that option.
            others = shop.lexicon.said.get((token.stem,), ()) if at - 1 in explained else ()
            named = [each.attribute for each in others if each.attribute in attributes]
            if named and tokens[at - 1].stem in stems_of(named[0]) and not is_denied(text, tokens, at):
                absent.append(Absent(token.text, named[0]))
            elif token.text in INCIDENTAL and _led_by(tokens, at) in _WITH:
                puzzling.append(token.text)
            continue
        elsewhere = [
            each.attribute for each in shop.lexicon.said.get((token.stem,), ()) if each.attribute in attributes
        ]
        if elsewhere and at - 1 in explained and tokens[at - 1].stem in stems_of(elsewhere[0]):
            absent.append(Absent(token.text, elsewhere[0]))
            continue
        if _is_slip(token.text, items, tokens) or _is_beside(tokens, at, explained):
            continue
        lead = _led_by(tokens, at)
        kind = _kind_of(token.stem, shop, items)
        kind = kind or (_like(token.text, shop, items, lead) if lead in _TIGHT | _FOR else "")
        if kind and lead != "by" and not is_denied(text, tokens, at):
            absent.append(Absent(token.text, kind))
            continue
        is_joined = at > 0 and not _BREAK.search(text[tokens[at - 1].end : token.start])
        after = is_joined and (at - 1 in found.places or (at - 1 in explained and not tokens[at - 1].is_number))
        before = at + 1 in found.places and not _BREAK.search(text[token.end : tokens[at + 1].start])
        led = lead in _TIGHT
        says = (
            asks and bool(found.places or how == "thread") and at > max(found.places, default=0) and _ends(tokens, at)
        )
        if (after or before or led or says) and attributes is not None:
            puzzling.append(token.text)
    spare = [token.text for at, token in enumerate(tokens) if at not in explained and is_content(token)]
    told = {*puzzling, *(each.said for each in absent)}
    return tuple(dict.fromkeys(absent)), tuple(dict.fromkeys(puzzling)), tuple(w for w in spare if w not in told)


_WITH = frozenset(["with", "include", "includes", "including", "contain", "contains"])


def _elsewhere(
    shop: Shop, tokens: Sequence[Token], items: tuple[Item, ...], explained: frozenset[int], text: str
) -> tuple[list[Absent], frozenset[int]]:
    """Values of several words that other items have for an option of these, as "matte black"; with their places."""
    names = {value.attribute for item in items for value in shop.lexicon.values[item.id]}
    found: list[Absent] = []
    places: set[int] = set()
    for length in range(min(len(tokens), shop.lexicon.longest), 1, -1):
        for start in range(len(tokens) - length + 1):
            run = frozenset(range(start, start + length))
            values = shop.lexicon.said.get(tuple(token.stem for token in tokens[start : start + length]), ())
            attribute = next((value.attribute for value in values if value.attribute in names), "")
            if not attribute or run & (explained | places):
                continue
            if all(not is_content(tokens[at]) for at in run) or is_denied(text, tokens, start):
                continue
            places |= run
            found.append(Absent(text[tokens[start].start : tokens[start + length - 1].end], attribute))
    return found, frozenset(places)


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
    while back >= 0 and tokens[back].text in {"a", "an", "the", "any", "built", "some", "pure", "real", "free"}:
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
            return _of_class(values, stems, word)
    for members in CLASSES:
        if stem in members and (told := _of_class(values, members, "")):
            return told
    return _among(stem, shop, values)


_FOR = frozenset(["for"])
_LOOKS = re.compile("colou?r|material|fabric|finish")
LIKE = 0.5
"""Cosine from which a word is taken to be of the kind of an option's values: "flute" and "violin" .56, "strawberry" and
"raspberry" .50, "parrot" and "cat" .44, "balcony" and "street" .41, "zip" and "wool" .39."""
TOO_LIKE = 0.6
"""From here on it may be another word for the value: "decaf" and "decaffeinated" .84, "baking" and "cooking" .63."""
MOST_LIKE = 40
"""Values that a word is compared with; of more, it is not."""


def _like(word: str, shop: Shop, items: tuple[Item, ...], lead: str) -> str:
    """The attribute whose values are of a kind with a word: "sheet music for flute" where it is for piano or violin."""
    values = list(dict.fromkeys(value for item in items for value in shop.lexicon.values[item.id]))
    values = [value for value in values if value.text.isalpha()]
    if lead in _FOR:
        # "A mug for coffee" asks for none in "espresso".
        values = [value for value in values if not _LOOKS.search(value.attribute)]
    if not values or len(values) > MOST_LIKE:
        return ""
    near = shop.embedded([value.text.casefold() for value in values]) @ shop.embedded([word])[0]
    best = int(near.argmax())
    return values[best].attribute if LIKE <= near[best] < TOO_LIKE else ""


def _of_class(values: Sequence[Value], stems: frozenset[str], word: str) -> str:
    """The attribute that is named as the class is, or has values of it."""
    spelled = {"color": ("color", "colour"), "material": ("material", "fabric")}.get(word, ())
    named_so = [value.attribute for value in values if any(each in value.attribute for each in spelled)]
    alike = [value.attribute for value in values if any(len(each) == 1 and each[0] in stems for each in value.said)]
    # Of a day or a month, also where a value has more: "12 December".
    parts = [] if word else [value.attribute for value in values if set(stems_of(value.text)) & stems]
    return next(iter((*named_so, *alike, *parts)), "")


def _among(stem: str, shop: Shop, values: Sequence[Value]) -> str:
    """The attribute whose values look like a word, or have it elsewhere in the catalog."""
    names = {value.attribute for value in values}
    if stem in SIZES and (sized := [value.attribute for value in values if value.text.casefold() in SIZES]):
        return sized[0]
    shape = _shape(stem)
    for value in values:
        # "A4" among A5 and A6, "i3" among i5 and i7.
        if shape and _shape(value.text.casefold()) == shape:
            return value.attribute
    others = [each for each in shop.lexicon.said.get((stem,), ()) if each.attribute in names]
    return next((each.attribute for each in others if each.text.casefold() not in NO), "")


def _shape(word: str) -> str:
    """Letters, then one digit, as "a?": how sizes and grades are named; empty for other words."""
    return f"{word[:-1]}?" if re.fullmatch(r"[a-z]{1,2}\d", word) else ""
