"""Find the windows of the sources that may answer a question, best first."""

from dataclasses import replace
from datetime import date, datetime
from math import exp

import numpy as np
from numpy.typing import NDArray

from tenfold.assistant.choose import newer_first
from tenfold.assistant.evidence import Finding, Meanings, holds, names_covered, numbers_covered
from tenfold.assistant.question import Question
from tenfold.assistant.sources import Sources
from tenfold.assistant.times import says_date, says_span
from tenfold.assistant.words import stem, stems, words

SEARCHED = 30
"""Chunks that are read for a question."""

READ = 48
"""Windows that are compared by meaning."""

WITH_NAMES = 3
"""First sentences of a document, which name in full who is only called by a part of it later."""

MOST = 0.9
"""Share of a question's numbers, by rarity, that are all of them but for a part."""


def find(sources: Sources, question: Question, now: datetime) -> list[Finding]:
    """Windows that may answer, best first; none that was published after ``now``, or of other days than asked for."""
    allowed = [_counts(question, each.day, each.published, now) for each in sources.documents]
    numbers = sources.search(question, SEARCHED, allowed)
    if not numbers:
        return []
    reader = _Reader(sources, question, numbers)
    found = [each for each in reader.findings() if _agrees(sources, question, each)]
    if question.span is not None and question.span.is_day:
        # A source that names the day tells of it; one of the days after may.
        found = [each for each in found if _names_day(sources, question.span.first, each)] or found
    return newer_first(question, found, lambda each: sources.documents[each.chunk.document].day)


class _Reader:
    """What the chunks found say. T terms of the question, W windows."""

    def __init__(self, sources: Sources, question: Question, numbers: list[int]) -> None:
        self._sources = sources
        self._question = question
        self._numbers = numbers
        self._rarity = {name: sources.rarity(stem(name)) for name in _named(question)}
        self._weight_T = np.array([sources.rarity(term) for term in question.terms])
        self._texts = [sources.text(sources.chunks[number]) for number in numbers]
        self._windows: list[tuple[int, int, int]] = []
        for row, number in enumerate(numbers):
            chunk = sources.chunks[number]
            for first in range(chunk.first, max(chunk.first + 1, chunk.last - 1)):
                self._windows.append((row, first, min(first + 2, chunk.last)))
        # Chunks overlap, so a window may be in two: the chunk found first counts.
        seen: dict[tuple[int, int], tuple[int, int, int]] = {}
        for row, first, last in self._windows:
            seen.setdefault((sources.chunks[numbers[row]].document, first), (row, first, last))
        self._windows = list(seen.values())

    def findings(self) -> list[Finding]:
        """Weigh each window that shares enough with the question."""
        question, sources = self._question, self._sources
        meanings = Meanings(sources)
        quotes = [self._quote(*window) for window in self._windows]
        titled = [f"{self._title(row)}. {quote}" for (row, _, _), quote in zip(self._windows, quotes, strict=True)]
        around = self._share(meanings.cover(question.terms, [set(stems(text)) for text in self._texts]))
        within = self._share(meanings.cover(question.terms, [set(stems(text)) for text in titled]))
        wanted = [holds(question.wanted, quote, question) for quote in quotes]
        close = [self._close(text) for text in titled]
        rough = [
            (float(within[n]) if len(self._weight_T) else 0.5) + close[n] + 0.5 * wanted[n] for n in range(len(quotes))
        ]
        kept = sorted(range(len(quotes)), key=lambda n: -rough[n])[:READ]
        asked = sources.embedder.embed([question.text])[0]
        # A title may be of something else, as that of release notes is, or be what the window goes on from.
        cosines = np.maximum(
            sources.embedder.embed([titled[n] for n in kept]) @ asked,
            sources.embedder.embed([quotes[n] for n in kept]) @ asked,
        )
        found = []
        for n, cosine in zip(kept, cosines, strict=True):
            row, first, last = self._windows[n]
            names, numbers = self._named(row)
            weighed = Finding(
                sources.chunks[self._numbers[row]],
                first,
                last,
                names=names,
                numbers=numbers,
                close=close[n],
                titled=self._titled(row),
                around=float(around[row]),
                within=float(within[n]),
                cosine=float(cosine),
                wanted=wanted[n],
            )
            found.append(replace(weighed, score=score(weighed), sureness=sureness(weighed, bool(question.numbers))))
        return found

    def _share(self, covered_TX: NDArray[np.float64]) -> NDArray[np.float64]:
        """Share of the question's terms that is covered, by rarity; all of them where there are none."""
        total = float(self._weight_T.sum())
        return self._weight_T @ covered_TX / total if total else np.ones(covered_TX.shape[1])

    def _named(self, row: int) -> tuple[float, float]:
        document = self._sources.documents[self._sources.chunks[self._numbers[row]].document]
        bag = {*words(self._texts[row]), *words(" ".join(document.sentences[:WITH_NAMES]))}
        dated = bag | set(words(document.day.isoformat()))
        names = names_covered(self._question.names, bag, self._rarity)
        return names, numbers_covered(self._question.numbers, dated, self._rarity)

    def _close(self, text: str) -> float:
        """Share of names and numbers that a window has with its title."""
        bag = set(words(text))
        names = names_covered(self._question.names, bag, self._rarity)
        return (names + numbers_covered(self._question.numbers, bag, self._rarity)) / 2

    def _titled(self, row: int) -> float:
        """Share of the question's numbers that a title has; none where it has no numbers."""
        numbers = self._question.numbers
        return numbers_covered(numbers, set(words(self._title(row))), self._rarity) if numbers else 0.0

    def _title(self, row: int) -> str:
        return self._sources.documents[self._sources.chunks[self._numbers[row]].document].passage.title

    def _quote(self, row: int, first: int, last: int) -> str:
        document = self._sources.documents[self._sources.chunks[self._numbers[row]].document]
        return " ".join(document.sentences[first:last])


def _named(question: Question) -> list[str]:
    return [*(word for name in question.names for word in name), *question.numbers]


def score(found: Finding) -> float:
    """What makes a window better than another."""
    about = found.cosine + 0.8 * found.within + 0.4 * found.around + 0.25 * found.wanted
    return about + found.names + found.numbers + 1.5 * found.close + 0.5 * found.titled


def sureness(found: Finding, has_numbers: bool) -> float:
    """How probable it is that a window is about what was asked: a logistic regression, see docs/log.md."""
    told = 4.9 * found.cosine + 5.1 * found.names + 6.3 * found.numbers + 2.5 * found.around + 1.7 * found.within
    # A number that is found, such as a version, tells more than no number to be found.
    found_it = 1.8 if has_numbers and found.numbers > MOST else 0.0
    return 1 / (1 + exp(15.2 - told - found_it))


def _counts(question: Question, day: date, published: datetime, now: datetime) -> bool:
    """Whether a document may answer: none is from the future, and where the question counts from now, none is older."""
    if published > now:
        return False
    span = question.span
    return span is None or span.is_written or span.covers(day)


def _agrees(sources: Sources, question: Question, found: Finding) -> bool:
    """Whether a window is of the date that the question wrote out, or its chunk or document of the month or year."""
    span = question.span
    if span is None or not span.is_written:
        return True
    if span.covers(sources.documents[found.chunk.document].day):
        return True
    if span.is_day:
        return _names_day(sources, span.first, found)
    return says_span(span, sources.text(found.chunk))


def _names_day(sources: Sources, day: date, found: Finding) -> bool:
    document = sources.documents[found.chunk.document]
    return says_date(day, f"{document.passage.title}. {' '.join(document.sentences[found.first : found.last])}")
