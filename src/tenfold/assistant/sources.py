"""What the assistant can read, made ready to be searched: by words (BM25) and by meaning (MiniLM), fused.

``catalog.search`` embeds every chunk, which takes 0.15 CPU-seconds per 200 words. A week of news is read again each
week, and asked little of what it says, so here only the beginning of each document is embedded ahead, and of what a
question finds the windows that may answer it.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from math import log

import numpy as np
from numpy.typing import NDArray

from tenfold.assistant.question import Question
from tenfold.assistant.windows import Chunk, Document, chunks, read_document
from tenfold.assistant.words import aliases, is_same_name, stem, stems
from tenfold.catalog.bm25 import BM25
from tenfold.catalog.passage import Passage
from tenfold.catalog.search import Embedder

RRF = 20.0
"""Rank at which a find counts half of what the first counts, in each order that is fused."""
LEAD_SENTENCES = 2
"""A document's title and its first sentences say what it is about; they alone are searched by meaning."""


class Memo:
    """An embedder that remembers what it has embedded, up to ``most`` texts."""

    def __init__(self, embedder: Embedder, most: int = 50_000) -> None:
        self._embedder = embedder
        self._most = most
        self._known: dict[str, NDArray[np.float32]] = {}

    def embed(self, texts: Sequence[str], /) -> NDArray[np.float32]:
        """One row of length 1 per text."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            if len(self._known) + len(new) > self._most:
                self._known.clear()
                new = list(dict.fromkeys(texts))
            for text, row in zip(new, self._embedder.embed(new), strict=True):
                self._known[text] = row
        return np.array([self._known[text] for text in texts])


class Sources:
    """Passages that can be searched.

    Args:
        passages: in any order.
        embedder: places texts by meaning.
    """

    def __init__(self, passages: Sequence[Passage], embedder: Embedder) -> None:
        self.embedder = embedder if isinstance(embedder, Memo) else Memo(embedder)
        self.documents: list[Document] = [read_document(each) for each in passages]
        self.chunks: list[Chunk] = [
            chunk for number, document in enumerate(self.documents) for chunk in chunks(document, number)
        ]
        counted = [Counter(stems(self.text(chunk))) for chunk in self.chunks]
        self._bm25 = BM25(counted)
        self._within = Counter(word for each in counted for word in each)
        self._by_beginning: dict[str, list[str]] = defaultdict(list)
        for word in self._within:
            self._by_beginning[word[:4]].append(word)
        leads = [f"{each.passage.title}. {' '.join(each.sentences[:LEAD_SENTENCES])}" for each in self.documents]
        self._leads = self.embedder.embed(leads) if leads else np.zeros((0, 1))
        self._of_document: dict[int, list[int]] = defaultdict(list)
        for number, chunk in enumerate(self.chunks):
            self._of_document[chunk.document].append(number)

    def text(self, chunk: Chunk) -> str:
        """A chunk with its document's title."""
        document = self.documents[chunk.document]
        return f"{document.passage.title}. {' '.join(document.sentences[chunk.first : chunk.last])}"

    def rarity(self, word: str) -> float:
        """How much a stem tells, 0 to 1: that of a word which no source has is 1."""
        total = max(2, len(self.chunks))
        return log(1 + total / (1 + self._within.get(word, 0))) / log(1 + total)

    def search(self, question: Question, k: int, allowed: Sequence[bool]) -> list[int]:
        """Chunks that may hold the answer, best first.

        Args:
            question: as it was read.
            k: chunks wanted.
            allowed: which documents count, by number.
        """
        if not self.chunks:
            return []
        lexical = self._lexical(question)
        dense = self._leads @ self.embedder.embed([question.text])[0]
        place: dict[int, float] = defaultdict(float)
        by_words = [
            n for n in np.argsort(-lexical, kind="stable") if lexical[n] > 0 and allowed[self.chunks[n].document]
        ]
        for rank, number in enumerate(by_words[: 3 * k]):
            place[int(number)] += 1 / (RRF + rank)
        by_meaning = [n for n in np.argsort(-dense, kind="stable") if allowed[n]]
        for rank, document in enumerate(by_meaning[:k]):
            # The chunk of the document that shares most words stands for it.
            best = max(self._of_document[int(document)], key=lambda n: lexical[n])
            place[best] += 1 / (RRF + rank)
        return sorted(place, key=lambda n: -place[n])[:k]

    def _lexical(self, question: Question) -> NDArray[np.float32]:
        asked: dict[str, float] = {}
        for term in {*question.terms, *(stem(word) for name in question.names for word in name), *question.numbers}:
            for word in self._alike(term):
                asked[word] = max(asked.get(word, 0.0), 1.0 if word == term else 0.8)
        return self._bm25.scores(asked)

    def _alike(self, term: str) -> list[str]:
        """Words of the sources that stand for a term."""
        others = [stem(each) for each in aliases(term) if " " not in each]
        near = [word for word in self._by_beginning.get(term[:4], ()) if is_same_name(term, word)]
        meant = self._bm25.meant(term) if term not in self._within and not near else {}
        return [word for word in dict.fromkeys([term, *others, *near, *meant]) if word in self._within]
