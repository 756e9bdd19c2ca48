"""Search by words: BM25 over stems, where a misspelt word counts for the words that it may have been.

Robertson and Zaragoza 2009, with the document frequencies of Lucene: never negative.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import OSA

from tenfold.catalog.words import terms

Scores = NDArray[np.float32]

K1 = 1.2
B = 0.75
GUESS = 0.7
"""What a word counts that a misspelt one is taken for."""


class BM25:
    """An index of texts, each given as the weight of each of its terms. N texts."""

    def __init__(self, texts: Sequence[Mapping[str, float]], *, k1: float = K1, b: float = B) -> None:
        length_N = np.array([sum(text.values()) for text in texts], np.float32)
        norm_N = k1 * (1 - b + b * length_N / max(float(length_N.mean()), 1e-9)) if len(texts) else length_N
        postings: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for place, text in enumerate(texts):
            for term, weight in text.items():
                postings[term].append((place, weight))
        self.size = len(texts)
        self.idf = {term: math.log(1 + (self.size - len(at) + 0.5) / (len(at) + 0.5)) for term, at in postings.items()}
        self._postings: dict[str, tuple[NDArray[np.int32], Scores]] = {}
        for term, at in postings.items():
            places = np.array([place for place, _ in at], np.int32)
            weight = np.array([weight for _, weight in at], np.float32)
            impact = self.idf[term] * weight * (k1 + 1) / (weight + norm_N[places])
            self._postings[term] = places, impact.astype(np.float32)
        self._by_length: dict[int, list[str]] = defaultdict(list)
        for term in postings:
            self._by_length[len(term)].append(term)

    def query(self, text: str) -> dict[str, float]:
        """Give the terms of a query with their weights; one that no text has becomes those that it may have been."""
        found: dict[str, float] = {}
        for term, count in Counter(terms(text)).items():
            for known, weight in self.meant(term).items():
                found[known] = max(found.get(known, 0.0), weight * count)
        return found

    def meant(self, term: str) -> dict[str, float]:
        """Terms of the index that ``term`` stands for: itself, or what is one slip away, two where it is long."""
        if term in self._postings or len(term) < 4 or any(letter.isdigit() for letter in term):
            return {term: 1.0}
        slips = 1 if len(term) < 8 else 2
        near = [each for length in range(len(term) - slips, len(term) + slips + 1) for each in self._by_length[length]]
        distances = [(OSA.distance(term, known, score_cutoff=slips), known) for known in near if known[0] == term[0]]
        best = min((distance for distance, _ in distances), default=slips + 1)
        alike = [known for distance, known in distances if distance == best <= slips]
        return {known: GUESS for known in alike[:4]} or {term: 1.0}

    def scores(self, query: Mapping[str, float]) -> Scores:
        """Score all texts for a query, shape (N,); 0 for those that share no term with it."""
        scores_N = np.zeros(self.size, np.float32)
        for term, weight in query.items():
            if term in self._postings:
                places, impact = self._postings[term]
                scores_N[places] += weight * impact
        return scores_N

    def coverage(self, query: Mapping[str, float]) -> Scores:
        """Share of the query that each text has, by how rare its terms are, shape (N,): 1 for all of it.

        A term that no text has counts as much as the rarest.
        """
        unknown = math.log(1 + (self.size + 0.5) / 0.5)
        has_N = np.zeros(self.size, np.float32)
        total = 0.0
        for term in query:
            total += self.idf.get(term, unknown)
            if term in self._postings:
                has_N[self._postings[term][0]] += self.idf[term]
        return has_N / total if total else has_N
