"""A document cut into sentences, windows of two sentences that can be quoted, and chunks that are searched."""

import re
from dataclasses import dataclass
from datetime import date, datetime

from tenfold.catalog.passage import Passage

CHUNK_WORDS = 150
OVERLAP = 2
"""Sentences that a chunk shares with the one before."""

LONGEST_SENTENCE = 400
"""Characters; longer ones are cut at a comma or a space, since a claim is to be short."""

_END = re.compile(r"(?<=[.!?])[\"'\u201d\u2019)]?\s+(?=[\"'\u201c\u2018(]?[A-ZÀ-Þ0-9])")
_SHORT = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|Gen|Sen|Rep|Gov|Lt|Col|St|No|vs|Inc|Ltd|Co|Corp|Jr|Sr|Jan|Feb|Mar|Apr|Aug|Sept|Sep|Oct|"
    r"Nov|Dec|approx|etc|e\.g|i\.e|a\.m|p\.m)|\b[A-Z])\.$"
)
_BLOCK = re.compile(r"\n\s*\n|\n(?=\s*[*\u2022-] )")


@dataclass(frozen=True, slots=True)
class Document:
    """A passage, its sentences, and the day that it counts as written."""

    passage: Passage
    sentences: tuple[str, ...]

    @property
    def published(self) -> datetime:
        """When it was written; when it was read, if it does not say."""
        return self.passage.published or self.passage.fetched

    @property
    def day(self) -> date:
        """The day of that."""
        return self.published.date()


@dataclass(frozen=True, slots=True)
class Chunk:
    """Sentences ``first`` up to ``last`` (not included) of a document."""

    document: int
    first: int
    last: int


def sentences(text: str) -> tuple[str, ...]:
    """Cut a text into its sentences; a blank line and an item of a list end one, too."""
    found: list[str] = []
    for block in _BLOCK.split(text):
        flat = re.sub(r"\s+", " ", block).strip()
        begin = 0
        for match in _END.finditer(flat):
            if _SHORT.search(flat[: match.start()].rstrip("\"'\u201d\u2019)")):
                continue
            found.append(flat[begin : match.end()].strip())
            begin = match.end()
        found.append(flat[begin:].strip())
    return tuple(part for sentence in found if sentence for part in _cut(sentence))


def _cut(sentence: str) -> list[str]:
    parts = []
    while len(sentence) > LONGEST_SENTENCE:
        at = max(sentence.rfind(mark, LONGEST_SENTENCE // 2, LONGEST_SENTENCE) for mark in (", ", "; ", " "))
        at = at if at > 0 else LONGEST_SENTENCE
        parts.append(sentence[: at + 1].strip())
        sentence = sentence[at + 1 :].strip()
    return [*parts, sentence] if sentence else parts


def read_document(passage: Passage) -> Document:
    """Cut a passage."""
    return Document(passage, sentences(passage.text) or (passage.title,))


def chunks(document: Document, number: int) -> list[Chunk]:
    """Cut a document into chunks of about ``CHUNK_WORDS`` words that overlap by two sentences."""
    found: list[Chunk] = []
    first = 0
    total = len(document.sentences)
    while first < total:
        last, count = first, 0
        while last < total and (count < CHUNK_WORDS or last == first):
            count += document.sentences[last].count(" ") + 1
            last += 1
        found.append(Chunk(number, first, last))
        if last == total:
            break
        first = max(first + 1, last - OVERLAP)
    return found
