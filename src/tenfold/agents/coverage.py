"""How far a text covers the words of a question: by themselves, by words for the same, or by words near in meaning."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from math import log

import numpy as np

from tenfold.agents.reading.spelling import corrected
from tenfold.agents.reading.token import Token, plain, stem, stems_of, tokens_of
from tenfold.agents.reading.words import SAME_MATTER, SAME_POLICY, SAME_THING, SMALL, SMALL_STEMS
from tenfold.agents.shop import Shop
from tenfold.catalog.words import STOP_WORDS

NEAR, SAME = 0.40, 0.75
"""Cosines of two words by themselves: from nothing to do with one another to saying the same."""
BY_MEANING = 0.9
"""What a word of the same meaning counts, where the word itself counts 1."""
LITTLE = 0.3
"""What a small word counts, and one that names what is sold, where another counts 1."""

_RULES = frozenset(stems_of("policy policies rule rules terms conditions"))
"""Words that stand for any text of a business."""
_POLICY_STEMS = frozenset(stem(word) for group in SAME_POLICY for each in group for word in each.split())
_HOW = re.compile(r"\W*(who|where|when|how (do|does|should|can|could|must|to|often|long|soon|early|late))\b")
_KINDS = (
    (
        re.compile(r"\b(opening|hours|open|closing|closed?)\b"),
        re.compile(r"\d ?(am|pm|h)\b|\d[.:]\d\d|\b(from|to|until|at) \d|\bclosed\b", re.IGNORECASE),
    ),
    (
        re.compile(r"\bwhy\b"),
        re.compile(r"\b(because|since|so that|therefore|reason|due to|in order to|need|otherwise)\b", re.IGNORECASE),
    ),
    (re.compile(r"\b(phone|telephone|number can i)\b"), re.compile(r"\d[\d ()/-]{5,}\d")),
    (re.compile(r"\be-?mail\b"), re.compile(r"@|\be-?mail", re.IGNORECASE)),
    (
        re.compile(
            r"\bwhere('s| is| are) (you|your|the) ?(shop|store|office|located|based)?\b|\baddress\b|\bfind you\b"
        ),
        re.compile(r"\d+[a-z]?,? [A-Z]\w+|[A-Z]\w+ \d+\b|\b(street|avenue|road|lane) \d", re.IGNORECASE),
    ),
)
"""What some questions ask for, and what it looks like."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as it is held against texts: its words, and how rare they are; ``weight``: none of small words."""

    tokens: tuple[Token, ...]
    weight: tuple[float, ...]
    full_weight: tuple[float, ...]
    other_weight: tuple[float, ...]
    kind: re.Pattern[str] | None
    is_how: bool

    @classmethod
    def of(cls, shop: Shop, question: str) -> "Asked":
        """Of a question to a shop."""
        said = _phrased(plain(question))
        tokens: dict[str, Token] = {}
        for token in corrected(shop, tokens_of(plain(in_its_words(shop, question)))):
            is_word = token.text[0].isalpha() and token.text not in STOP_WORDS and len(token.text) > 1
            if is_word and token.stem not in said and token.stem not in _RULES:
                tokens.setdefault(token.stem, token)
        weight, full_weight, other_weight = [], [], []
        for each in tokens.values():
            rare = rarity(shop, each.stem)
            is_small = each.text in SMALL or each.stem in SMALL_STEMS
            # What is true of all that is sold names none of it.
            is_sold = each.stem in shop.lexicon.items_by_stem
            weight.append(0.0 if is_small else rare)
            full_weight.append(rare * (LITTLE if is_small or is_sold else 1.0))
            other_weight.append(0.0 if is_small or is_sold else rare)
        kind = next((looks for asks, looks in _KINDS if asks.search(plain(question))), None)
        is_how = _HOW.match(plain(question)) is not None
        return cls(tuple(tokens.values()), tuple(weight), tuple(full_weight), tuple(other_weight), kind, is_how)

    def without(self, title: str) -> "Asked":
        """The same, where words of a title count nothing."""
        own = set(stems_of(title))
        is_kept = [each.stem not in own for each in self.tokens]
        cut = [
            tuple(each if kept else 0.0 for each, kept in zip(weight, is_kept, strict=True))
            for weight in (self.weight, self.full_weight, self.other_weight)
        ]
        return replace(self, weight=cut[0], full_weight=cut[1], other_weight=cut[2])

    def kind_in(self, text: str) -> float:
        """Whether a text has the kind of fact that is asked for: 1 or -1, and 0 where any will do."""
        return 0.0 if self.kind is None else 1.0 if self.kind.search(text) else -1.0

    def covered(self, shop: Shop, words: Sequence[str]) -> list[float]:
        """How far words have each of the question's: 1 for the word itself, less for one of like meaning."""
        stems = {stem(word) for word in words}
        soft = [1.0 if each.stem in stems else BY_MEANING * _is_same(each.stem, stems) for each in self.tokens]
        open_ = [at for at, each in enumerate(soft) if not each]
        if open_ and words:
            near = shop.embedded([self.tokens[at].text for at in open_]) @ shop.embedded(words).T
            for at, cosine in zip(open_, near.max(axis=1), strict=True):
                soft[at] = BY_MEANING * float(np.clip((cosine - NEAR) / (SAME - NEAR), 0, 1))
        return soft

    def is_whole(self, shop: Shop, covered: Sequence[float]) -> bool:
        """Whether all is covered that says something beside what is sold, and some of it is what texts are about."""
        told = [
            (each, has)
            for each, has, weight in zip(self.tokens, covered, self.weight, strict=True)
            if weight and each.stem not in shop.lexicon.items_by_stem
        ]
        if any(each.stem in _POLICY_STEMS for each, _ in told):
            return all(has >= BY_MEANING for _, has in told)
        return self.is_how and bool(told) and all(has == 1.0 for _, has in told)

    def sold(self, covered: Sequence[float]) -> float:
        """Share of the words that name what is sold that is covered; all where there are none."""
        weight = [a - b for a, b in zip(self.weight, self.other_weight, strict=True)]
        return self.share(covered, weight) if sum(weight) else 1.0

    def matched(self, covered: Sequence[float]) -> float:
        """How much is covered: a sum over the words, by how rare each is."""
        return sum(each * one for each, one in zip(self.full_weight, covered, strict=True))

    def share(self, covered: Sequence[float], weight: Sequence[float]) -> float:
        """Share of the question's words that is covered; a half where it has none that say something."""
        total = sum(weight)
        return sum(each * one for each, one in zip(weight, covered, strict=True)) / total if total else 0.5


def rarity(shop: Shop, stem: str) -> float:
    """How much a word of a text tells; a rare one more."""
    return log(1 + (1 + len(shop.passages)) / (1 + shop.passage_counts.get(stem, 0)))


def in_its_words(shop: Shop, question: str) -> str:
    """The question, and the shop's own words for what it calls otherwise: "deliver" where it never says "ship"."""
    text = plain(question)
    phrases = _phrases(text)
    # "Take it back" is not "take" as in "do you take cards?".
    stems = set(stems_of(question)) - _phrased(text)
    added = []
    for group in SAME_POLICY:
        own = [each for each in group if stem(each) in shop.passage_stems]
        said = [each for each in group if each in phrases or stem(each) in stems]
        if not set(said) & set(own):
            added += own[:1] if said else []
    return " ".join([question, *added])


def _phrases(text: str) -> set[str]:
    """Verbs with their particles that are said, of those that mean a policy's word."""
    return {each for group in SAME_POLICY for each in group if " " in each and _is_said(each, text)}


def _phrased(text: str) -> set[str]:
    """Stems of the words of such phrases."""
    return {stem(word) for each in _phrases(text) for word in each.split()}


def _is_said(phrase: str, text: str) -> bool:
    """Whether a verb with its particle is said, also around what it is about: "send the red mug back"."""
    verb, particle = phrase.split()
    return re.search(rf"\b{verb} (\w+ ){{0,4}}{particle}\b", text) is not None


@lru_cache(maxsize=20_000)
def words_of(text: str) -> tuple[str, ...]:
    """Words of a text that say something."""
    found = (token.text for token in tokens_of(text))
    return tuple(
        dict.fromkeys(each for each in found if each[0].isalpha() and len(each) > 1 and each not in STOP_WORDS)
    )


@cache
def _groups_by_stem() -> Mapping[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for group in (*SAME_POLICY, *SAME_MATTER, *SAME_THING):
        stems = {stem(word) for phrase in group for word in phrase.split() if " " not in phrase}
        for each in stems:
            found.setdefault(each, set()).update(stems)
    return {each: frozenset(others) for each, others in found.items()}


def _is_same(asked: str, stems: set[str]) -> bool:
    """Whether one of the words says the same as the one asked."""
    return bool(_groups_by_stem().get(asked, frozenset()) & stems)
