"""Whether a text tells what was asked: two sentences of it and their signs, weighed by a regression.

That a passage is near a question says little: "do you have student discounts?" is near what is written of discounts
for pensioners. What parts the two is whether each word of the question has its counterpart in the text, by itself, by
another word for it or by a word that is near in meaning, and whether the text holds the kind of fact that is asked for.
How the weights were found is in docs/log.md.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from math import exp, log

import numpy as np
from numpy.typing import NDArray

from tenfold.agents.describe import sayable, sentences_of
from tenfold.agents.reading.spelling import corrected
from tenfold.agents.reading.token import Token, plain, stem, stems_of, tokens_of
from tenfold.agents.reading.words import SAME_MATTER, SAME_POLICY, SAME_THING, SMALL, SMALL_STEMS
from tenfold.agents.shop import Shop
from tenfold.catalog.item import Item
from tenfold.catalog.passage import Passage
from tenfold.catalog.words import STOP_WORDS

NEAR, SAME = 0.40, 0.75
"""Cosines of two words by themselves: from nothing to do with one another to saying the same."""
BY_MEANING = 0.9
"""What a word of the same meaning counts, where the word itself counts 1."""
LITTLE = 0.3
"""What a small word counts, and one that names what is sold, where another counts 1."""
SEARCHED = 8
"""Passages of which windows are read."""
DESCRIBED = 12
"""Items whose descriptions are read beside."""
EMBEDDED = 16
"""Windows that are compared by meaning; chosen by words."""
SHORT = 60
"""Words up to which a passage is quoted whole."""


@dataclass(frozen=True, slots=True)
class Signs:
    """What speaks for a window telling what was asked.

    ``ahead``: by how much the cosine of question and window is more than the windows' on average; ``above``: the same
    for the nearest sentence of each. ``all_soft``: share of the question's words, but the smallest, that it has with
    its title, by themselves or in meaning, rare ones counting more.
    ``other``: share of those that name nothing that is sold; ``sold``: of those that do. ``kind``: 1 if it has a place,
    a number to call or an address to write to, where that is asked for, and -1 if not. ``is_whole``: it has all that
    says something beside what is sold, and that is a matter of policies, or how something is done.
    """

    ahead: float
    above: float
    all_soft: float
    other: float
    sold: float
    kind: float
    is_whole: bool = False


@dataclass(frozen=True, slots=True)
class Telling:
    """A window of a passage with its signs; ``sureness``, 0 to 1: that it tells what was asked."""

    window: str
    passage: Passage | Item
    signs: Signs
    sureness: float


SURE = 0.6
"""Sureness from which a window is quoted as what tells the answer."""
WEIGHTS = {"ahead": 5.2, "above": 11.6, "all_soft": 1.9, "other": 1.3, "kind": 1.7}
BIAS = -5.2
USUAL, COUNTED = 0.25, 3
"""Cosine of a question and a window that has nothing to do with it, and how many such are counted beside the others: so
that a single text is held against something too."""


def sureness(signs: Signs) -> float:
    """How probable it is that a window with such signs tells what was asked."""
    told = BIAS + sum(weight * getattr(signs, name) for name, weight in WEIGHTS.items())
    return max(1 / (1 + exp(-told)), SURE if signs.is_whole else 0.0)


def tellings(
    shop: Shop, question: str, embed: Callable[[], NDArray[np.floating]], items: Sequence[Item] = ()
) -> list[Telling]:
    """Windows of what the shop wrote, also of ``items``; the one that most probably tells what was asked first.

    ``embed``: gives the question's embedding, shape (384,).
    """
    found = shop.passage_index.search(in_its_words(shop, question), SEARCHED) if shop.passages else []
    windows: list[tuple[str, Passage | Item]] = [(text, each.what) for each in found for text in windows_of(each.what)]
    windows += [(text, item) for item in items[:DESCRIBED] for text in windows_in(sayable(item.description))]
    if not windows:
        return []
    asked = Asked.of(shop, question)
    for each in asked.tokens:
        # One by one: what is embedded together may be kept, and questions are not.
        shop.embedded([each.text])
    rough = [asked.covered(shop, _words(f"{_title_of(passage)} {window}")) for window, passage in windows]
    order = sorted(range(len(windows)), key=lambda at: -asked.share(rough[at], asked.weight))[:EMBEDDED]
    asked_D = embed()
    titled_W = shop.embedded([f"{_title_of(windows[at][1])}. {windows[at][0]}" for at in order]) @ asked_D
    bare_W = shop.embedded([windows[at][0] for at in order]) @ asked_D
    cosine_W = np.maximum(titled_W, bare_W)
    sentences = {at: sentences_of(windows[at][0]) for at in order}
    flat = list(dict.fromkeys(each for of in sentences.values() for each in of))
    near = dict(zip(flat, (shop.embedded(flat) @ asked_D).tolist(), strict=True))
    nearest = {at: max(near[each] for each in sentences[at]) for at in order}
    usual_sentence, usual = _usual(list(nearest.values())), _usual(cosine_W.tolist())
    told = []
    for at, cosine in zip(order, cosine_W, strict=True):
        window, passage = windows[at]
        # What a thing is called tells nothing of what its description says of it.
        bare = asked.without(passage.title) if isinstance(passage, Item) else asked
        kind = asked.kind_in(f"{passage.title} {window}")
        signs = Signs(
            ahead=float(cosine) - usual,
            above=nearest[at] - usual_sentence,
            all_soft=bare.share(rough[at], bare.full_weight),
            other=bare.share(rough[at], bare.other_weight),
            sold=asked.sold(rough[at]),
            kind=kind,
            is_whole=kind >= 0 and bare.is_whole(shop, rough[at]),
        )
        told.append(Telling(window, passage, signs, sureness(signs)))
    kept: list[Telling] = []
    for each in sorted(told, key=lambda each: -each.sureness):
        # Windows overlap by a sentence: of those that share one, the best.
        sentences = set(sentences_of(each.window))
        if not any(each.passage is one.passage and sentences & set(sentences_of(one.window)) for one in kept):
            kept.append(each)
    return kept


def _title_of(source: Passage | Item) -> str:
    return source.title if isinstance(source, Passage) else ""


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


def _usual(cosines: Sequence[float]) -> float:
    return (sum(cosines) + COUNTED * USUAL) / (len(cosines) + COUNTED)


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

    def share(self, covered: Sequence[float], weight: Sequence[float]) -> float:
        """Share of the question's words that is covered; a half where it has none that say something."""
        total = sum(weight)
        return sum(each * one for each, one in zip(weight, covered, strict=True)) / total if total else 0.5


def rarity(shop: Shop, stem: str) -> float:
    """How much a word of a text tells; a rare one more."""
    return log(1 + (1 + len(shop.passages)) / (1 + shop.passage_counts.get(stem, 0)))


def windows_of(passage: Passage) -> list[str]:
    """Two sentences after one another, all such of a passage; a short one whole."""
    return [passage.text] if len(passage.text.split()) <= SHORT else windows_in(sentences_of(passage.text))


def windows_in(sentences: Sequence[str]) -> list[str]:
    """Two sentences after one another, all such."""
    return [" ".join(sentences[at : at + 2]) for at in range(max(1, len(sentences) - 1))] if sentences else []


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
def _words(text: str) -> tuple[str, ...]:
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
