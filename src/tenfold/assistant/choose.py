"""Which of the windows found are said, and in what order: newer ones before older ones, no sentence twice."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date

from tenfold.assistant.evidence import Finding
from tenfold.assistant.question import Question

CLAIMS = 3

ALIKE = 0.5
"""Difference of two scores within which two windows are about the same, so that the newer counts more."""
NEWER, CURRENT = 0.15, 0.4
"""What the newest of them gets; the second where the question is about what holds now."""
LONG_AGO_DAYS, LONG_AGO = 180, 0.35
"""What is so much older than the newest of them loses: it may well be of an event that comes every year."""
AGAIN = 0.15
"""What a second window of one document must be better by than the best of another."""

_NOW = re.compile(r"\b(?:still|now|latest|current|currently|newest|recent|most recent|so far)\b", re.IGNORECASE)


def newer_first(question: Question, found: Sequence[Finding], day: Callable[[Finding], date]) -> list[Finding]:
    """Order findings by score, where the newer of those that are near the best get more."""
    best = max((each.score for each in found), default=0.0)
    near = sorted({day(each) for each in found if each.score > best - ALIKE})
    gain = CURRENT if _NOW.search(question.text) else NEWER
    more = {when: gain * (place + 1) / len(near) for place, when in enumerate(near)}
    for when in near:
        if (near[-1] - when).days > LONG_AGO_DAYS:
            more[when] -= LONG_AGO
    scored = [replace(each, score=each.score + more.get(day(each), 0.0)) for each in found]
    return sorted(scored, key=lambda each: (-each.score, each.chunk.document, each.first))


def chosen(found: Sequence[Finding]) -> list[Finding]:
    """At most three, best first, that share no sentence, rather of several documents than of one."""
    kept: list[Finding] = []
    left = list(found)
    while left and len(kept) < CLAIMS:
        used = [each.chunk.document for each in kept]
        best = max(left, key=lambda each: each.score - AGAIN * used.count(each.chunk.document))
        kept.append(best)
        left = [each for each in left if not _overlap(each, best)]
    return kept


def _overlap(one: Finding, other: Finding) -> bool:
    return one.chunk.document == other.chunk.document and one.first < other.last and other.first < one.last
