"""Which items a question names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tenfold.agents.reading.lexicon import Title
from tenfold.agents.reading.token import Token, stems_of
from tenfold.agents.reading.words import COLOR_STEMS, GENERIC, MATERIAL_STEMS, SMALL_STEMS
from tenfold.agents.shop import Shop
from tenfold.catalog.item import Item

SAME_THING = 0.72
"""Cosine from which two names are taken to mean the same: "couch" and "sofa" .86, "snowboard" and "skateboard" .63."""


@dataclass(frozen=True, slots=True)
class Named:
    """Items that a question names, and the places of the tokens that name them.

    ``is_weak``: by words of the title that do not name the thing, as "French" of "French Evening Course".
    """

    items: tuple[Item, ...]
    places: frozenset[int]
    is_weak: bool = False


NOTHING = Named((), frozenset())


def named(
    shop: Shop, tokens: Sequence[Token], taken: frozenset[int] = frozenset(), denied: frozenset[int] = frozenset()
) -> Named:
    """Find the items that the tokens name by their title, brand or category, or by a usual other word for it.

    ``taken``: places of tokens that mean something else. ``denied``: of those that say what is not wanted.
    """
    found = _by_title(shop, tokens, taken | denied)
    if found.items:
        others = {at: shop.lexicon.items_by_stem.get(tokens[at].stem, ()) for at in denied}
        barred = frozenset(item for items in others.values() for item in items)
        again = _by_title(shop, tokens, taken | denied, barred=barred) if barred else NOTHING
        if again.items:
            meant = {at for at, items in others.items() if {item.id for item in found.items} & set(items)}
            return Named(again.items, again.places | meant)
        return found
    for start in range(len(tokens)):
        for end in range(min(start + 3, len(tokens)), start, -1):
            others = shop.lexicon.same.get(tuple(token.stem for token in tokens[start:end]), ())
            for other in others:
                swapped = [*tokens[:start], *(Token(each, each, -1, -1) for each in other), *tokens[end:]]
                places = range(start, start + len(other))
                found = _by_title(shop, swapped, frozenset(), must=frozenset(places))
                if found.items:
                    shift = len(other) - (end - start)
                    kept = {p if p < start else p - shift for p in found.places if p not in places}
                    return Named(found.items, frozenset(kept | set(range(start, end))))
    return NOTHING


def alike(shop: Shop, phrase: str, least: float = SAME_THING) -> tuple[Item, ...]:
    """Items whose title means much the same as a phrase."""
    if not shop.items or not phrase:
        return ()
    near_I = shop.title_vectors_ID @ shop.model.embed([phrase])[0]
    items = list(shop.items.values())
    return tuple(items[at] for at in np.argsort(-near_I)[:3] if near_I[at] >= max(least, near_I.max() - 0.03))


def by_modifier(shop: Shop, tokens: Sequence[Token], taken: frozenset[int]) -> Named:
    """Find the items whose titles have most of the words that are said, though none of these names the thing."""
    weight: dict[str, float] = {}
    places: set[int] = set()
    for place, token in enumerate(tokens):
        items = shop.lexicon.items_by_stem.get(token.stem, ())
        if place in taken or not items or not is_content(token) or token.stem in GENERIC:
            continue
        places.add(place)
        for item in items:
            weight[item] = weight.get(item, 0.0) + shop.lexicon.rarity(token.stem)
    most = max(weight.values(), default=0.0)
    kept = tuple(item for item in shop.items.values() if weight.get(item.id, 0.0) >= most - 1e-6 and most)
    ids = {item.id for item in kept}
    own = frozenset(at for at in places if not ids.isdisjoint(shop.lexicon.items_by_stem[tokens[at].stem]))
    return Named(kept, own, is_weak=True) if kept else NOTHING


def _by_title(
    shop: Shop,
    tokens: Sequence[Token],
    taken: frozenset[int],
    must: frozenset[int] = frozenset(),
    barred: frozenset[str] = frozenset(),
) -> Named:
    lexicon = shop.lexicon
    places: dict[str, list[int]] = {}
    for place, token in enumerate(tokens):
        if place not in taken and (token.stem not in SMALL_STEMS or token.stem in lexicon.items_by_stem):
            places.setdefault(token.stem, []).append(place)
    candidates = {
        item for each in places if each not in GENERIC for item in lexicon.items_by_stem.get(each, ())
    } - barred
    scored: list[tuple[float, bool, str, frozenset[int]]] = []
    for item in candidates:
        title = lexicon.titles[item]
        used = _beside({each: places[each] for each in {*title.stems, *lexicon.around[item]} if each in places})
        strength = _strength(title, set(places), lexicon.around[item]) or _is_model(shop, title, tokens, places)
        strength = strength or _is_run(title, places)
        if strength and must <= used:
            weight = sum(lexicon.rarity(tokens[place].stem) for place in used if tokens[place].stem not in SMALL_STEMS)
            scored.append((weight, strength == 2, item, used))
    if not scored:
        return NOTHING
    # The whole title, said as it is written, beats what else the words may mean.
    whole = [each for each in scored if each[1]]
    best = max(score + (1.0 if is_whole else 0.0) for score, is_whole, *_ in scored)
    kept = [each for each in scored if each[0] + (1.0 if each[1] else 0.0) >= best - 1e-6]
    if whole and not any(each[1] for each in kept):
        kept = [each for each in scored if each[0] >= max(score for score, *_ in scored) - 1e-6]
    if len({used for *_, used in kept}) > 1:
        # "Backpack with a laptop compartment" names two things, and one of them explains the other's name.
        explained = {item: _explained(shop, item, tokens) | used for *_, item, used in kept}
        most = max(map(len, explained.values()))
        kept = [each for each in kept if len(explained[each[2]]) == most]
    order = {item: at for at, item in enumerate(shop.items)}
    kept.sort(key=lambda each: order[each[2]])
    used_all = frozenset(place for *_, used in kept for place in used)
    return Named(tuple(shop.items[item] for *_, item, _ in kept), used_all)


def _beside(places: Mapping[str, Sequence[int]]) -> frozenset[int]:
    """Where a title is said: of a word said twice, as in "tomato seeds with 10 seeds", where it is beside another."""
    at = {p for found in places.values() for p in found}
    kept: set[int] = set()
    for found in places.values():
        own = [p for p in found if {p - 1, p + 1} & (at - set(found))]
        kept.update(own or found)
    return frozenset(kept)


def _strength(title: Title, said: set[str], around: frozenset[str]) -> int:
    """2: the whole title was said. 1: what names the thing, or its brand or category. 0: a word beside it only."""
    if all(title.stems[at] in said for at in title.core):
        return 2
    if any(title.stems[at] in said for at in title.heads):
        return 1
    if around and (around & said) - SMALL_STEMS - MATERIAL_STEMS:
        return 1
    return 0


def _is_run(title: Title, places: Mapping[str, Sequence[int]]) -> int:
    """1 where two words of the title were said side by side, as "meeting room" of "Meeting Room Pilot"; else 0."""
    said = [(places.get(a, ()), places.get(b, ())) for a, b in pairwise(title.stems)]
    return int(any(before + 1 in afters for befores, afters in said for before in befores))


def _is_model(shop: Shop, title: Title, tokens: Sequence[Token], places: Mapping[str, Sequence[int]]) -> int:
    """1 where a word was said that only this title has and no language, as a model's name; else 0."""
    own = [
        each for each in title.stems if each in places and len(shop.lexicon.items_by_stem[each]) == 1 and len(each) > 3
    ]
    return int(any(not shop.is_word(tokens[places[each][0]].text) for each in own))


def _explained(shop: Shop, item: str, tokens: Sequence[Token]) -> frozenset[int]:
    """Places of tokens that are values of an item's options, or their names."""
    said = {each for value in shop.lexicon.values[item] for words in (*value.said, *value.loose) for each in words}
    said |= {each for value in shop.lexicon.values[item] for each in stems_of(value.attribute)}
    return frozenset(at for at, token in enumerate(tokens) if token.stem in said and token.stem not in SMALL_STEMS)


def is_content(token: Token) -> bool:
    """Whether a word names a thing or what it is like, as far as no catalog has to tell."""
    return token.stem not in SMALL_STEMS and token.text not in SMALL_STEMS and not token.is_number


def is_color_or_material(each: str) -> bool:
    """Whether a stem is a colour's or a material's."""
    return each in COLOR_STEMS or each in MATERIAL_STEMS
