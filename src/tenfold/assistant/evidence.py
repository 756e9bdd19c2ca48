"""How well a window of two sentences answers a question, and whether it is about the same thing at all."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tenfold.assistant.question import Question, Wanted
from tenfold.assistant.sources import Sources
from tenfold.assistant.times import DAYS, MONTHS
from tenfold.assistant.windows import Chunk
from tenfold.assistant.words import NUMBER_WORDS, STOPPED, aliases, has_digit, is_same_name, stem, stems, words

ODD = 0.8
"""How rare a name's last word must be beside its rarest to stand for the whole."""

NEAR, SAME = 0.40, 0.75
"""Cosines of two words by themselves: below the first they have nothing to do with one another, from the second on one
says what the other does."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A window that may answer a question.

    ``names``, ``numbers``: share of the question's that its chunk has, by rarity. ``close``: that the window has with
    its title. ``titled``: of the numbers, that the title has. ``around``, ``within``: how far the question's words are
    covered by the chunk and by the window with its title. ``cosine``: of question and window. ``wanted``: it holds what
    kind of answer is wanted. ``score`` orders windows; ``sureness``, 0 to 1: that it is about what was asked.
    """

    chunk: Chunk
    first: int
    last: int
    names: float
    numbers: float
    close: float
    titled: float
    around: float
    within: float
    cosine: float
    wanted: float
    score: float = 0.0
    sureness: float = 0.0


class Meanings:
    """How alike single words are."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def cover(self, terms: Sequence[str], found: Sequence[set[str]]) -> np.ndarray:
        """How far each text covers each term, 0 to 1, shape (terms, texts); texts are given as sets of stems."""
        if not terms:
            return np.zeros((0, len(found)))
        alphabet = sorted({word for words in found for word in words if word.isalpha() and word not in STOPPED})
        exact = np.array([[float(term in words) for words in found] for term in terms])
        if not alphabet or exact.all():
            return exact
        likeness = self._sources.embedder.embed(list(terms)) @ self._sources.embedder.embed(alphabet).T
        soft = np.clip((likeness - NEAR) / (SAME - NEAR), 0, 1) * 0.9
        place = {word: n for n, word in enumerate(alphabet)}
        out = exact
        for column, words_ in enumerate(found):
            rows = [place[word] for word in words_ if word in place]
            if rows:
                out[:, column] = np.maximum(out[:, column], soft[:, rows].max(axis=1))
        return out


def names_covered(names: Sequence[tuple[str, ...]], text: set[str], rarity: Mapping[str, float]) -> float:
    """Share of names that a text has, by the rarest word of each; 1 if there are none.

    A name is there if its last word is, or its rarest: Joe Biden is Biden, and Mount Carrow is no Mount Balor.
    """
    total = sum(max(rarity[word] for word in name) for name in names)
    if not total:
        return 1.0
    got = 0.0
    for name in names:
        has = [has_name(word, text) for word in name]
        rarest = max(range(len(name)), key=lambda n: rarity[name[n]])
        part = 1.0 if has[-1] and (has[rarest] or sum(has) > 1) else 0.8 if has[rarest] else 0.0
        part = part or (0.6 if has[-1] and rarity[name[-1]] >= ODD * rarity[name[rarest]] else 0.15 * any(has))
        got += part * max(rarity[word] for word in name)
    return got / total


def numbers_covered(numbers: Sequence[str], text: set[str], rarity: Mapping[str, float]) -> float:
    """Share of numbers that a text has, by rarity; 1 if there are none."""
    total = sum(rarity[number] for number in numbers)
    return sum(rarity[number] for number in numbers if has_name(number, text)) / total if total else 1.0


def has_name(name: str, text: set[str]) -> bool:
    """Whether a text, given by its words, has a name or another of the same thing."""
    if name in text or any(each in text or set(each.split()) <= text for each in aliases(name)):
        return True
    return any(is_same_name(name, word) for word in text if word[:3] == name[:3])


_AMOUNT = re.compile(
    r"[$\u20ac\u00a3\u00a5]\s?\d|\b\d[\d.,]*\s?(?:[a-z]+illion|dollars|euros|pounds|crowns|francs|yen|cents|%|percent)\b",
    re.IGNORECASE,
)
_YEAR = re.compile(r"(?:19|20)\d\d(?:-\d\d-\d\d)?")
_BECAUSE = re.compile(r"\b(?:because|after|due|cause|blam|since|failed|over|as)\w*\b")
_PARTS = ("half", "third", "quarter", "twice")
_CAPITAL = re.compile(r"(?<![.!?] )(?<!^)\b[A-ZÀ-Þ][\w'\u2019-]+")


def holds(wanted: Wanted, window: str, question: Question) -> float:
    """Whether a window holds something of the wanted kind that the question does not say itself, 0 to 1."""
    asked = {*words(question.text), *stems(question.text)}
    new = [word for word in words(window) if word not in asked and stem(word) not in asked]
    if wanted is Wanted.NUMBER:
        return float(any(_is_number(word) for word in new))
    if wanted is Wanted.MONEY:
        return 1.0 if _AMOUNT.search(window) else 0.5 * any(_is_number(word) for word in new)
    if wanted is Wanted.TIME:
        is_dated = any(word in MONTHS or _YEAR.fullmatch(word) for word in new)
        return 1.0 if is_dated else 0.6 if any(word in DAYS for word in new) else 0.0
    if wanted is Wanted.NAME:
        return 1.0 if any(word.lower() not in asked for word in _CAPITAL.findall(window)) else 0.2
    if wanted is Wanted.REASON:
        return 1.0 if _BECAUSE.search(window) else 0.5
    return 1.0


def _is_number(word: str) -> bool:
    is_year = re.fullmatch(r"(?:19|20)\d\d", word) is not None
    return (has_digit(word) and not is_year) or word in NUMBER_WORDS or word in _PARTS
