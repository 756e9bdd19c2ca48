"""The gate of ads: a text goes out only if it is made of the advertiser's facts and of words that assert nothing.

A text is read from left to right as phrases of claims, word for word, and ``PLAIN_WORDS`` between them. So a number, a
price, a date, a superlative or a name that no claim has cannot be there, in whatever letters or digits, and neither can
half of a claim: "free" out of "free over 60 GBP". Facts other than names, materials and descriptions stand alone
between marks, so that words beside them cannot bend them. It is stricter than ``reply.gate``, which lets the words of
evidence be put together anew: an answer is read beside its question, an ad by people who never asked.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from tenfold.ads.categories import banned
from tenfold.ads.claim import SOFT, Claim, FactSheet
from tenfold.ads.plain_words import PLAIN_WORDS
from tenfold.ads.sentences import Sentence, claims_in

HEADLINE_LENGTH = 60
BODY_LENGTH = 160
CALLS = (
    "Learn more",
    "Shop now",
    "See details",
    "See the collection",
    "Sign up",
    "Find out more",
    "Contact us",
    "Visit us",
)
"""What the button may say."""

_TOKEN = re.compile(r"[^\W_]+(?:['.,:/-][^\W_]+)*|\S")
_ENDS = frozenset(".!?")
_MARKS = frozenset(".,:;!?'\"()-&…")
_LIKE = {"\u2019": "'", "\u2018": "'", "\u201c": '"', "\u201d": '"', "\u2013": "-", "\u2014": "-", "\u2212": "-"}
_BEFORE_PRICE = frozenset({"for", "at"})
_PRICED = frozenset({"price", "was", "discount"})
_FAULTS_TOLD = 5


@dataclass(frozen=True, slots=True)
class Use:
    """A claim that a text makes. ``start``, ``end``: characters of the text."""

    claim: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Checked:
    """A text as it may go out, the claims that it makes, and its faults; without any it may go out."""

    text: str
    uses: tuple[Use, ...]
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    folded: str
    start: int
    end: int
    is_glued: bool

    @property
    def is_word(self) -> bool:
        return self.text[0].isalnum()


@dataclass(frozen=True, slots=True)
class _Part:
    """Tokens ``start`` to ``end`` that are a phrase of a claim, or one plain word, mark or fault without one."""

    start: int
    end: int
    claim: Claim | None
    fault: str = ""


class CopyGate:
    """What may be said about one subject at a time, made ready to read many texts."""

    def __init__(self, sheet: FactSheet, subject: str, now: datetime) -> None:
        self._name = next((each for each in sheet.subjects if each.id == subject), None)
        self._phrases: dict[str, list[tuple[tuple[str, ...], Claim]]] = defaultdict(list)
        self._runs: dict[str, list[tuple[tuple[str, ...], Claim]]] = defaultdict(list)
        for claim in sheet.about(subject, now):
            for says in claim.says:
                words = tuple(token.folded for token in _tokens(plain(says)))
                self._phrases[words[0]].append((words, claim))
            if _may_be_cut(claim):
                for start, word in enumerate(words):
                    self._runs[word].append((words[start:], claim))

    def check(self, text: str, *, is_headline: bool = False) -> Checked:
        """Read a text, for its claims and its faults."""
        cleaned = plain(text)
        tokens = _tokens(cleaned)
        if not any(token.is_word for token in tokens):
            return Checked(cleaned, (), ("it says nothing",))
        parts = self._tiled(tokens)
        found = [part.fault for part in parts if part.fault]
        found += _whole_faults(cleaned, is_headline)
        found += _sentence_faults(tokens, parts)
        found += [] if is_headline else _capitals(tokens, parts)
        uses = [Use(part.claim.id, tokens[part.start].start, tokens[part.end - 1].end) for part in parts if part.claim]
        return Checked(cleaned, tuple(uses), tuple(dict.fromkeys(found))[:_FAULTS_TOLD])

    def faults(self, headline: str, body: str, call: str) -> tuple[str, ...]:
        """Say what is wrong with an ad; nothing if it may go out."""
        if self._name is None:
            return ("what it is about is no longer offered",)
        head, rest = self.check(headline, is_headline=True), self.check(body)
        found = [f"headline: {fault}" for fault in head.faults] + [f"body: {fault}" for fault in rest.faults]
        if call not in CALLS:
            found.append(f"the button says {call!r}; it may say {', '.join(CALLS)}")
        used = {use.claim.partition(":")[0] for use in (*head.uses, *rest.uses)}
        if not found and "name" not in used:
            found.append(f"it does not name what it is about, {self._name.name!r}")
        return tuple(found)

    def _tiled(self, tokens: Sequence[_Token]) -> list[_Part]:
        """The reading with the fewest faults, and of those the one with the longest phrases."""
        count = len(tokens)
        best: list[tuple[int, int, _Part | None]] = [(0, 0, None)] * (count + 1)
        for at in reversed(range(count)):
            options = []
            for part in self._parts_at(tokens, at):
                faults, parts, _ = best[part.end]
                options.append((faults + bool(part.fault), parts + 1, part))
            best[at] = min(options, key=lambda option: option[:2])
        found: list[_Part] = []
        at = 0
        while at < count:
            part = best[at][2]
            assert part is not None
            found.append(part)
            at = part.end
        return found

    def _parts_at(self, tokens: Sequence[_Token], at: int) -> Iterator[_Part]:
        token = tokens[at]
        folded = [each.folded for each in tokens[at : at + 40]]
        for words, claim in self._phrases.get(token.folded, ()):
            end = at + len(words)
            if tuple(folded[: len(words)]) == words and _stands(tokens, at, end, claim):
                yield _Part(at, end, claim)
        for words, claim in self._runs.get(token.folded, ()):
            length = _common(folded, words)
            yield from (
                _Part(at, at + each, claim) for each in range(2, length + 1) if not _is_inside(tokens, at + each)
            )
        yield _Part(at, at + 1, None, _word_fault(tokens, at))


def plain(text: str) -> str:
    """A text in one spelling of each letter and mark, with single spaces: what is checked is what goes out."""
    for curly, straight in _LIKE.items():
        text = text.replace(curly, straight)
    return " ".join(unicodedata.normalize("NFKC", text).split())


def _tokens(text: str) -> list[_Token]:
    found, before = [], 0
    for match in _TOKEN.finditer(text):
        start, end = match.span()
        found.append(_Token(match.group(), match.group().casefold(), start, end, start == before and before > 0))
        before = end
    return found


def _may_be_cut(claim: Claim) -> bool:
    """Whether parts of a claim are as true as the whole."""
    if claim.kind != "detail":
        return False
    told = list(claims_in(claim.says[0], about_item=True))
    return len(told) == 1 and isinstance(told[0], Sentence) and told[0].is_neutral


def _common(folded: Sequence[str], words: Sequence[str]) -> int:
    length = 0
    for one, other in zip(folded, words, strict=False):
        if one != other:
            break
        length += 1
    return length


def _stands(tokens: Sequence[_Token], at: int, end: int, claim: Claim) -> bool:
    """Whether a claim's phrase stands where nothing bends it."""
    before = tokens[at - 1] if at else None
    if tokens[at].is_glued and before is not None and before.text not in "(\"'":
        return False
    if _is_inside(tokens, end):
        return False
    if claim.kind in SOFT:
        return True
    after = tokens[end] if end < len(tokens) else None
    if after is not None and (after.is_word or after.text not in _MARKS):
        return False
    opens = before is None or before.text in _MARKS - {"&"}
    return opens or (claim.kind == "price" and before is not None and before.folded in _BEFORE_PRICE)


def _is_inside(tokens: Sequence[_Token], end: int) -> bool:
    """Whether a phrase ends in the middle of something written as one, as before ``%``."""
    return end < len(tokens) and tokens[end].is_glued and (tokens[end].is_word or tokens[end].text not in _MARKS)


def _word_fault(tokens: Sequence[_Token], at: int) -> str:
    """What is wrong with a token that no claim has; empty if it is a plain word or a mark."""
    token = tokens[at]
    if not token.is_word:
        after = tokens[at + 1] if at + 1 < len(tokens) else None
        if token.text not in _MARKS:
            return f"sign {token.text!r} that no fact has"
        if after is not None and after.is_glued and after.is_word and token.text not in "('\"":
            return f"no space behind {token.text!r}"
        return ""
    if token.folded not in PLAIN_WORDS or not token.text.isascii():
        return f"no fact says {token.text!r}"
    if len(token.text) > 1 and token.text.isupper():
        return f"{token.text!r} in capitals"
    return ""


def _whole_faults(text: str, is_headline: bool) -> Iterator[str]:
    limit = HEADLINE_LENGTH if is_headline else BODY_LENGTH
    if len(text) > limit:
        yield f"{len(text)} characters; {limit} at most"
    if text.count("!") > 1:
        yield "more than one exclamation mark"
    hidden = next((letter for letter in text if unicodedata.category(letter)[0] == "C"), None)
    if hidden is not None:
        yield f"hidden character U+{ord(hidden):04X}"
    category = banned(text)
    if category:
        yield f"{category} may not be advertised"


def _sentence_faults(tokens: Sequence[_Token], parts: Sequence[_Part]) -> Iterator[str]:
    """In the sentence of a price nothing is named but what it is the price of."""
    for sentence in _sentences(tokens, parts):
        claims = [part.claim for part in sentence if part.claim is not None]
        kinds = {claim.kind for claim in claims}
        if kinds & _PRICED and kinds & (SOFT - {"name"}) and "name" not in kinds:
            yield "a price beside something else than what it is the price of"


def _capitals(tokens: Sequence[_Token], parts: Sequence[_Part]) -> Iterator[str]:
    for sentence in _sentences(tokens, parts):
        words = [part for part in sentence if tokens[part.start].is_word]
        for part in words[1:]:
            text = tokens[part.start].text
            if part.claim is None and text[0].isupper() and text != "I" and not text.startswith("I'"):
                yield f"{text!r} is written like a name"


def _sentences(tokens: Sequence[_Token], parts: Sequence[_Part]) -> Iterator[list[_Part]]:
    held: list[_Part] = []
    for part in parts:
        held.append(part)
        if part.claim is None and tokens[part.start].text in _ENDS:
            yield held
            held = []
    if held:
        yield held
