"""Find what was meant: passages and items, by words (BM25) and by meaning (embeddings), in memory.

Both ways give an order of chunks; their ranks are fused, so that no score of one needs to be comparable with the
other's. Without an embedder words alone decide.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from tenfold.catalog.bm25 import BM25
from tenfold.catalog.chunk import Chunk, chunks_of
from tenfold.catalog.item import Item
from tenfold.catalog.passage import Passage
from tenfold.catalog.words import terms

FUSED_AT = 20
"""Rank at which a find counts half of what the first counts, in each order that is fused."""
LOOKED_AT = 100
"""Chunks of each order that are fused."""
FRESH_FOR = timedelta(days=30)
"""Age at which being new counts half."""
FRESH = 0.5
"""What being published now adds to a score, as a share of it, where the time of asking is given."""
TITLE_WEIGHT = 2.0
"""What a word of a title counts, where one of the text counts 1."""


class Embedder(Protocol):
    """Makes vectors of texts, as ``core.minilm.MiniLM`` does."""

    def embed(self, texts: Sequence[str], /) -> NDArray[np.float32]:
        """Embed N texts, shape (N, width), each of length 1."""
        ...


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """Something found. ``text``: the part of it that fits best.

    ``score``: orders the finds of one query and says nothing beside. ``cosine``: how alike in meaning, up to 1; 0
    without an embedder. ``coverage``: share of the query's words that the part has, rare words counting more.
    """

    what: T
    score: float
    text: str
    cosine: float
    coverage: float


@dataclass(frozen=True, slots=True)
class FoundDocument:
    """A document found: its id, and the best of its passages."""

    document: str
    score: float
    best: Found[Passage]


class _Index(Generic[T]):
    """Chunks of things, each thing found by its best chunk."""

    def __init__(self, things: Sequence[T], chunked: Callable[[T], Iterable[Chunk]], embedder: Embedder | None) -> None:
        self.things = tuple(things)
        pairs = [(place, chunk) for place, thing in enumerate(self.things) for chunk in chunked(thing)]
        self._chunks = [chunk for _, chunk in pairs]
        self._thing_C = np.array([place for place, _ in pairs], np.int64)
        self._bm25 = BM25([_weights(chunk) for chunk in self._chunks])
        self._embedder = embedder
        self._vectors_CD = embedder.embed([chunk.titled for chunk in self._chunks]) if embedder and pairs else None

    def search(self, query: str, boost: Callable[[T], float]) -> list[Found[T]]:
        asked = self._bm25.query(query)
        words_C = self._bm25.scores(asked)
        covered_C = self._bm25.coverage(asked)
        orders = [_best(words_C, LOOKED_AT)]
        cosine_C = np.zeros(len(self._chunks), np.float32)
        if self._embedder is not None and self._vectors_CD is not None:
            cosine_C = self._vectors_CD @ self._embedder.embed([query])[0]
            orders.append(_best(cosine_C, LOOKED_AT))
        fused: dict[int, float] = defaultdict(float)
        for order in orders:
            for rank, chunk in enumerate(order):
                fused[int(chunk)] += FUSED_AT / (FUSED_AT + rank)
        found: dict[int, Found[T]] = {}
        for chunk in sorted(fused, key=lambda chunk: (-fused[chunk], chunk)):
            place = int(self._thing_C[chunk])
            if place not in found:
                thing = self.things[place]
                cosine, coverage = float(cosine_C[chunk]), float(covered_C[chunk])
                score = fused[chunk] * boost(thing)
                if score > 0:
                    found[place] = Found(thing, score, self._chunks[chunk].text, cosine, coverage)
        return sorted(found.values(), key=lambda each: -each.score)


class PassageIndex:
    """Passages by what they say. Making it takes 0.15 CPU-seconds per 200 words that the embedder has not seen."""

    def __init__(self, passages: Iterable[Passage], embedder: Embedder | None = None) -> None:
        self._index = _Index(tuple(passages), lambda passage: chunks_of(passage.title, passage.text), embedder)

    @property
    def passages(self) -> Sequence[Passage]:
        """All that it holds."""
        return self._index.things

    def search(self, query: str, k: int, *, now: datetime | None = None) -> list[Found[Passage]]:
        """Give the ``k`` best passages, best first. With ``now`` new ones count more, and later ones are not there."""
        return self._index.search(query, lambda passage: _freshness(passage, now))[:k]

    def documents(self, query: str, k: int, *, now: datetime | None = None) -> list[FoundDocument]:
        """Give the ``k`` documents whose best passages fit best."""
        best: dict[str, FoundDocument] = {}
        for found in self._index.search(query, lambda passage: _freshness(passage, now)):
            document = found.what.document
            best.setdefault(document, FoundDocument(document, found.score, found))
        return list(best.values())[:k]


class ItemIndex:
    """Items by title, brand, category, options, attributes and description."""

    def __init__(self, items: Iterable[Item], embedder: Embedder | None = None) -> None:
        self._index = _Index(tuple(items), _item_chunks, embedder)

    @property
    def items(self) -> Sequence[Item]:
        """All that it holds."""
        return self._index.things

    def search(self, query: str, k: int) -> list[Found[Item]]:
        """Give the ``k`` best items, best first."""
        return self._index.search(query, lambda _: 1.0)[:k]


def _item_chunks(item: Item) -> Iterable[Chunk]:
    options: dict[str, dict[str, None]] = {}
    for variant in item.variants:
        for name, value in variant.options.items():
            options.setdefault(name, {})[value] = None
    facts = [item.brand, item.category, *(f"{name}: {value}" for name, value in item.attributes.items())]
    facts += [f"{name}: {', '.join(values)}" for name, values in options.items()]
    text = "\n".join((*(fact for fact in facts if fact), item.description))
    return chunks_of(item.title, text)


def _weights(chunk: Chunk) -> dict[str, float]:
    weights: dict[str, float] = {term: float(count) for term, count in Counter(terms(chunk.text)).items()}
    for term in terms(chunk.title):
        weights[term] = weights.get(term, 0.0) + TITLE_WEIGHT
    return weights


def _best(scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Places of the ``k`` highest scores above 0, highest first."""
    order = np.argsort(-scores, kind="stable")[:k]
    return order[scores[order] > 0]


def _freshness(passage: Passage, now: datetime | None) -> float:
    if now is None:
        return 1.0
    if passage.published is None:
        return 1.0
    if passage.published > now:
        return 0.0
    return 1.0 + FRESH * 0.5 ** ((now - passage.published) / FRESH_FOR)
