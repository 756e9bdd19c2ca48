"""How well chunks, and groups of them, fit what somebody wrote: by words and by meaning.

A group is a passage, an item or a document. Its score is a weighted sum of standard scores over all groups: BM25 of the
whole group, BM25 of its best chunk, cosine of its best chunk. A longer text is also asked part by part, since people
tell several things at once; a part counts by how near the nearest chunk is, so that "I am in a hurry" finds
little. What was tried is in docs/log.md#search. Shapes: C chunks, G groups, P parts of a query.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tenfold.catalog.bm25 import BM25
from tenfold.catalog.chunk import Chunk
from tenfold.catalog.words import sentences, terms

WORDS = 0.3
"""Weight of words; the rest is of meaning."""
PARTS = 0.5
"""Weight of a query's best sentence for a group, where it has several; the rest is of the whole query."""
LEAST_TERMS = 2
"""A sentence with fewer words that say something belongs to its neighbour."""
LONG_WORDS = 14
"""A sentence of so many words is also asked clause by clause."""
CLAUSE_TERMS = 3
MOST_PARTS = 16
_CONJUNCTION = re.compile(
    r"[;,]?\s+(?:and|but|because|since|although|though|while|so that|or)\s+|;\s+|,\s+(?=\w+\s+\w+\s+\w+)", re.IGNORECASE
)
TITLE_WEIGHT = 2.0
"""What a word of a title counts, where one of the text counts 1."""

Scores = NDArray[np.floating]


NEAR_BY_WORDS = 40
"""Chunks that a query is compared with by meaning, where not all are embedded."""


class Embedder(Protocol):
    """Makes vectors of texts, as ``core.minilm.MiniLM`` does."""

    def embed(self, texts: Sequence[str], /) -> NDArray[np.float32]:
        """Embed N texts, shape (N, width), each of length 1."""
        ...


class Groups:
    """Which chunk belongs to which group, and the words of each group as a whole.

    Args:
        group_C: the group of each chunk, from 0.
        texts: titles and text of each group.
    """

    def __init__(self, group_C: Sequence[int], texts: Sequence[tuple[Sequence[str], str]]) -> None:
        self.group_C = np.array(group_C, np.int64)
        self.size = len(texts)
        self.words = BM25([weights_of(titles, text) for titles, text in texts])

    def best(self, scores_C: Scores) -> Scores:
        """Give each group the score of its best chunk, shape (G,)."""
        best_G = np.full(self.size, -np.inf, np.float32)
        np.maximum.at(best_G, self.group_C, scores_C)
        return best_G


@dataclass(frozen=True, slots=True)
class Scored:
    """How a query fits: ``score_G`` of groups; of chunks ``fit_C``, ``cosine_C``, ``coverage_C``."""

    score_G: Scores
    fit_C: Scores
    cosine_C: Scores
    coverage_C: Scores


class Chunks:
    """Chunks with their words and vectors.

    Args:
        chunks: what is searched.
        embedder: makes vectors; none: words alone decide.
        at_once: chunks up to which all are embedded now. Of more, only those are that a query finds by words, when it
            does: the first answer then takes seconds and not minutes; what shares no word with a query is not found.
    """

    def __init__(self, chunks: Sequence[Chunk], embedder: Embedder | None, at_once: int | None = None) -> None:
        self.chunks = tuple(chunks)
        self._words = BM25([weights_of([chunk.title], chunk.text) for chunk in chunks])
        self._embedder = embedder
        self._is_late = at_once is not None and len(chunks) > at_once
        self._late: dict[int, Scores] = {}
        is_now = embedder is not None and chunks and not self._is_late
        self._vectors_CD = embedder.embed([chunk.titled for chunk in chunks]) if embedder and is_now else None

    def score(self, query: str, groups: Groups) -> Scored:
        """Score all chunks and groups for a query."""
        parts = parts_of(query)
        texts = [query, *parts] if len(parts) > 1 else [query]
        asked = self._words.query(query)
        words_C = self._words.scores(asked)
        cosine_PC = self._cosines(texts, words_C)
        fit_PG = np.stack([self._fit(text, cosine_C, groups) for text, cosine_C in zip(texts, cosine_PC, strict=True)])
        score_G = _standard(fit_PG[0])
        if len(texts) > 1:
            near_P = cosine_PC[1:].max(axis=1, keepdims=True) if self._embedder is not None else 1.0
            score_G = (1 - PARTS) * score_G + PARTS * _standard((fit_PG[1:] * near_P).max(axis=0))
        fit_C = WORDS * _standard(words_C) + (1 - WORDS) * _standard(cosine_PC[0])
        return Scored(score_G, fit_C, cosine_PC[0], self._words.coverage(asked))

    def _fit(self, text: str, cosine_C: Scores, groups: Groups) -> Scores:
        words_C = self._words.scores(self._words.query(text))
        words_G = groups.words.scores(groups.words.query(text))
        by_words_G = (_standard(words_G) + _standard(groups.best(words_C))) / 2
        return WORDS * by_words_G + (1 - WORDS) * _standard(groups.best(cosine_C))

    def _cosines(self, texts: Sequence[str], words_C: Scores) -> Scores:
        cosine_PC = np.zeros((len(texts), len(self.chunks)), np.float32)
        if self._embedder is None or not self.chunks:
            return cosine_PC
        # One by one: what is embedded together may be kept, and questions are not.
        vectors_PD = np.concatenate([self._embedder.embed([text]) for text in texts])
        if self._vectors_CD is not None:
            return vectors_PD @ self._vectors_CD.T
        near = [int(place) for place in np.argsort(-words_C, kind="stable")[:NEAR_BY_WORDS] if words_C[place] > 0]
        if near:
            cosine_PC[:, near] = vectors_PD @ self._embedded(near).T
        return cosine_PC

    def _embedded(self, places: Sequence[int]) -> Scores:
        """Vectors of some chunks, shape (places, width); those that no query has needed before are made now."""
        assert self._embedder is not None
        new = [place for place in places if place not in self._late]
        if new:
            vectors = self._embedder.embed([self.chunks[place].titled for place in new])
            self._late.update(zip(new, vectors, strict=True))
        return np.stack([self._late[place] for place in places])


def parts_of(query: str) -> list[str]:
    """Split what somebody wrote into sentences that say something, and long ones into clauses beside."""
    parts: list[str] = []
    for sentence in _joined(sentences(query), LEAST_TERMS):
        parts.append(sentence)
        if len(sentence.split()) >= LONG_WORDS:
            clauses = _joined(_CONJUNCTION.split(sentence), CLAUSE_TERMS)
            parts += clauses if len(clauses) > 1 else []
    return parts[:MOST_PARTS]


def _joined(parts: Sequence[str], least: int) -> list[str]:
    """Join parts until each has ``least`` words that say something, if there are so many."""
    found: list[str] = []
    for part in parts:
        if found and min(len(terms(part)), len(terms(found[-1]))) < least:
            found[-1] = f"{found[-1]} {part}"
        else:
            found.append(part)
    return found


def weights_of(titles: Sequence[str], text: str) -> Mapping[str, float]:
    """Give the weight of each term of a text; one of a title counts once for all titles."""
    weights = {term: float(count) for term, count in Counter(terms(text)).items()}
    for term in {term for title in titles for term in terms(title)}:
        weights[term] = weights.get(term, 0.0) + TITLE_WEIGHT
    return weights


def _standard(scores: Scores) -> Scores:
    """Standard scores: how many deviations above the mean of all."""
    if not scores.size:
        return scores
    return ((scores - scores.mean()) / (scores.std() + 1e-6)).astype(np.float32)
