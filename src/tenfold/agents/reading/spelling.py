"""Misspelt words read as the catalog's own, and words written together or apart as its titles write them."""

from collections.abc import Iterable

from rapidfuzz.distance import DamerauLevenshtein

from tenfold.agents.reading.token import Token, stem
from tenfold.agents.reading.words import COLORS, MATERIALS, SMALL, SMALL_STEMS
from tenfold.agents.shop import Shop

_CUES = """
cheapest expensive available price stock color colour size material return refund shipping delivery warranty largest
smallest highest lowest difference compare between human person order cancel opening hours payment discount large medium
small does have cost much many which under without available options
"""
CUES = frozenset(_CUES.split())
"""What customers often ask, and misspell."""
_USUAL = CUES | COLORS | MATERIALS
_USUAL_STEMS = frozenset(map(stem, _USUAL))


def corrected(shop: Shop, tokens: Iterable[Token]) -> tuple[Token, ...]:
    """The tokens with misspelt ones read as what the catalog, or a customer's usual words, come closest to."""
    words, stems = shop.lexicon.words, shop.word_stems
    found: list[Token] = []
    for token in _apart(tokens, shop):
        word = token.text
        is_known = (
            token.stem in shop.passage_stems
            or word in SMALL
            or token.stem in SMALL_STEMS
            or token.stem in stems
            or token.stem in _USUAL_STEMS
            or word in words
            or word in _USUAL
        )
        if is_known or len(word) < 3 or not word.isalpha() or (len(word) > 4 and shop.is_word(word)):
            found.append(token)
            continue
        best = _closest(word, words | _USUAL, is_word=shop.is_word(word))
        best = best or _closest(word, shop.passage_words, is_word=shop.is_word(word))
        found.append(token if best is None else Token(best, stem(best), token.start, token.end))
    return _together(found, shop)


def _closest(word: str, known: Iterable[str], *, is_word: bool) -> str | None:
    allowed = 1 if len(word) <= 6 else 2
    known = [each for each in known if len(each) > 3]
    if is_word:
        return None
    if len(word) < 4:
        # Too short to tell a slip from another word, but for a letter that is missing.
        longer = [each for each in known if len(each) == len(word) + 1]
        known = [each for each in longer if each.startswith(word) or (each[0], each[-1]) == (word[0], word[-1])]
    close = [
        (each, slips)
        for each in known
        if abs(len(each) - len(word)) <= allowed
        and (slips := DamerauLevenshtein.distance(word, each, score_cutoff=allowed)) <= allowed
    ]
    ranked = sorted(close, key=lambda each: (each[1], each[0][0] != word[0], abs(len(each[0]) - len(word)), each[0]))
    if not ranked or (ranked[0][0][0] != word[0] and ranked[0][1] > 1):
        return None
    return ranked[0][0]


def _apart(tokens: Iterable[Token], shop: Shop) -> Iterable[Token]:
    """Part "tshirt" where titles write "t shirt"."""
    for token in tokens:
        parts = shop.lexicon.joined.get(token.text) or shop.lexicon.joined.get(token.text.removesuffix("s"))
        if parts is None or token.text in shop.lexicon.words:
            yield token
            continue
        middle = token.start + len(parts[0])
        yield Token(parts[0], stem(parts[0]), token.start, middle)
        yield Token(parts[1], stem(parts[1]), middle, token.end)


def _together(tokens: list[Token], shop: Shop) -> tuple[Token, ...]:
    """Join "back pack" where titles write "backpack"."""
    stems = shop.word_stems
    found: list[Token] = []
    at = 0
    while at < len(tokens):
        token = tokens[at]
        if at + 1 < len(tokens):
            both = token.text + tokens[at + 1].text
            if len(both) > 5 and stem(both) in stems and not (token.stem in stems and tokens[at + 1].stem in stems):
                found.append(Token(both, stem(both), token.start, tokens[at + 1].end))
                at += 2
                continue
        found.append(token)
        at += 1
    return tuple(found)
