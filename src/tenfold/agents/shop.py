"""A business as its agent knows it: what it sells and what it wrote, in memory, with the indexes to find it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tenfold.agents.reading.lexicon import Lexicon, learn
from tenfold.agents.reading.token import stem, stems_of, tokens_of
from tenfold.catalog.item import Item, Variant
from tenfold.catalog.passage import Passage
from tenfold.catalog.search import ItemIndex, PassageIndex
from tenfold.reply.fill import OfferOf

Vectors = NDArray[np.float32]


MOST_PARTS = 20_000
"""Parts of passages whose embeddings a shop keeps at hand: 30 MB."""


MOST_WORDS = 1_000
"""Single words of passages that are embedded ahead, those of most passages first: about three seconds' work."""


class Embedder(Protocol):
    """What ``core/minilm.py`` gives."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Embed texts, shape (N, 384), each of length 1."""
        ...

    def count_tokens(self, text: str) -> int:
        """Tokens of a text, both marks included."""
        ...


@dataclass(frozen=True)
class Shop:
    """One business. Built once; what changes by the minute, its offers, is asked of ``offer_of`` each time.

    ``as_of``: when its sources were read. ``human_topics``: words on which the business wants a human at once.
    ``at_once``: of a larger shop only what a question finds by words is embedded; none: all is.
    """

    business: str
    items: Mapping[str, Item]
    passages: tuple[Passage, ...]
    model: Embedder
    lexicon: Lexicon
    offer_of: OfferOf
    as_of: datetime
    human_topics: tuple[str, ...] = ()
    at_once: int | None = None

    @classmethod
    def of(
        cls,
        business: str,
        items: Sequence[Item],
        passages: Sequence[Passage],
        model: Embedder,
        as_of: datetime,
        *,
        offer_of: OfferOf | None = None,
        human_topics: Sequence[str] = (),
        at_once: int | None = None,
    ) -> "Shop":
        """Learn the shop's words; items and passages are embedded when first asked for, or by ``warm``."""
        by_id = {item.id: item for item in items}
        variants = {variant.id: variant for item in items for variant in item.variants}
        offer_of = offer_of or (lambda variant: variants[variant].offer)
        return cls(
            business, by_id, tuple(passages), model, learn(items), offer_of, as_of,
            tuple(human_topics), at_once,
        )  # fmt: skip

    @cached_property
    def variants(self) -> Mapping[str, Variant]:
        """Variants by id, with the offers that they had when the shop was read."""
        return {variant.id: variant for item in self.items.values() for variant in item.variants}

    @cached_property
    def item_of(self) -> Mapping[str, Item]:
        """Items by the ids of their variants."""
        return {variant.id: item for item in self.items.values() for variant in item.variants}

    @cached_property
    def item_index(self) -> ItemIndex:
        """Items by words and meaning."""
        return ItemIndex(self.items.values(), self.model, at_once=self.at_once)

    @cached_property
    def passage_index(self) -> PassageIndex:
        """Passages by words and meaning."""
        return PassageIndex(self.passages, self.model, at_once=self.at_once)

    @cached_property
    def word_stems(self) -> frozenset[str]:
        """Every word of the catalog, in stems."""
        return frozenset(map(stem, self.lexicon.words))

    @cached_property
    def passage_stems(self) -> frozenset[str]:
        """Every word of the passages, in stems."""
        return frozenset(each for passage in self.passages for each in stems_of(f"{passage.title} {passage.text}"))

    @cached_property
    def passage_words(self) -> frozenset[str]:
        """Words of the passages as they are written, which a misspelt one may have been."""
        texts = (f"{passage.title} {passage.text}" for passage in self.passages)
        return frozenset(token.text for text in texts for token in tokens_of(text) if token.text.isalpha())

    @cached_property
    def passage_counts(self) -> Mapping[str, int]:
        """In how many passages each of their words is."""
        texts = (f"{passage.title} {passage.text}" for passage in self.passages)
        return Counter(each for text in texts for each in set(stems_of(text)))

    @cached_property
    def title_runs(self) -> frozenset[tuple[str, ...]]:
        """Titles in stems."""
        return frozenset(title.stems for title in self.lexicon.titles.values())

    @cached_property
    def title_vectors_ID(self) -> Vectors:
        """Embedding of each item's title, shape (item I, 384)."""
        titles = [item.title for item in self.items.values()]
        return self.model.embed(titles) if titles else np.zeros((0, 384), np.float32)

    @cached_property
    def option_stems(self) -> frozenset[str]:
        """Every word of an option's name or value."""
        values = {value for each in self.lexicon.values.values() for value in each}
        said = {each for value in values for words in (*value.said, *value.loose) for each in words}
        return frozenset(said | {each for value in values for each in stems_of(value.attribute)})

    def embedded(self, texts: Sequence[str]) -> Vectors:
        """Embed parts of the passages, shape (N, 384), each once for as long as there is room."""
        if len(self._parts) + len(texts) > MOST_PARTS:
            self._parts.clear()
        if not texts:
            return np.zeros((0, 384), np.float32)
        # Another thread may make room meanwhile.
        known = {text: vector for text in texts if (vector := self._parts.get(text)) is not None}
        new = [text for text in dict.fromkeys(texts) if text not in known]
        if new:
            known.update(zip(new, self.model.embed(new), strict=True))
            self._parts.update(known)
        return np.stack([known[text] for text in texts])

    @cached_property
    def _parts(self) -> dict[str, Vectors]:
        return {}

    def warm(self) -> None:
        """Embed all that questions are compared with, so that the first one need not wait for it."""
        _ = self.item_index, self.passage_index, self.title_vectors_ID, self.help_vectors_ID
        if self.at_once is None:
            often = sorted(self.passage_words, key=lambda word: (-self.passage_counts[stem(word)], word))
            self.embedded(often[:MOST_WORDS])

    @cached_property
    def help_vectors_ID(self) -> Vectors:
        """Embedding of each item as what helps, which is nearer to a need than its bare title, shape (item I, 384)."""
        titles = [f"A {item.title} would help." for item in self.items.values()]
        return self.model.embed(titles) if titles else np.zeros((0, 384), np.float32)

    @property
    def currency(self) -> str:
        """Of its prices; none where it sells nothing."""
        return next((variant.offer.price.currency for variant in self.variants.values()), "")

    def now(self, item: Item) -> Item:
        """The item with the offers of this moment."""
        fresh = tuple(replace(variant, offer=self.offer_of(variant.id)) for variant in item.variants)
        return replace(item, variants=fresh)

    def is_word(self, word: str) -> bool:
        """Whether it is a word of the language by itself, so that it is hardly another one misspelt."""
        return self.model.count_tokens(word) == 3
