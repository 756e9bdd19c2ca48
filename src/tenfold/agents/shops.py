"""The businesses in this process's memory: what each sells and wrote, with its indexes, made anew when it changes."""

import datetime as dt
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tenfold.agents import tables
from tenfold.agents.business_settings import BusinessSettings
from tenfold.agents.shop import Shop
from tenfold.catalog.item import Offer
from tenfold.catalog.shelf import Shelf
from tenfold.catalog.vectors import Kept, open_vectors
from tenfold.core.minilm import MODEL, MiniLM, load_minilm
from tenfold.core.store import Store

log = logging.getLogger(__name__)

MOST_SHOPS = 100
"""In memory at once; the one that was asked longest ago is read again when it is next asked."""


class Embedding:
    """The embedder of all shops: what was embedded once, by whichever process, is read from the cache.

    Args:
        cache: folder of fetched models, and of vectors.
        progress: told how many texts of how many are embedded, while many are missing.
    """

    def __init__(self, cache: Path, progress: Callable[[int, int], None] = lambda _done, _all: None) -> None:
        self._cache = cache
        self._progress = progress
        self._lock = threading.Lock()

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts, shape (N, 384)."""
        return self._kept.embed(texts)

    def count_tokens(self, text: str) -> int:
        """Tokens of a text, both marks included."""
        return self._model.count_tokens(text)

    @property
    def _model(self) -> MiniLM:
        with self._lock:
            return self._loaded[0]

    @property
    def _kept(self) -> Kept:
        with self._lock:
            return self._loaded[1]

    @cached_property
    def _loaded(self) -> tuple[MiniLM, Kept]:
        model = load_minilm(self._cache)
        return model, Kept(model, MODEL, open_vectors(self._cache), progress=self._progress)


class LiveOffers:
    """Offers of one shop as of the last ``refresh``; of what is no longer sold, that it cannot be had."""

    def __init__(self, shelf: Shelf, business: str) -> None:
        self._shelf = shelf
        self._business = business
        self._now: dict[str, Offer] = {}
        self._before: dict[str, Offer] = {}
        self._mark: tuple[object, ...] | None = None

    def refresh(self) -> None:
        """Read them as they are now, if one may have changed."""
        mark = self._shelf.mark_of_offers(self._business)
        if mark != self._mark:
            self._now = self._shelf.all_offers(self._business)
            self._before = self._before | self._now
            self._mark = mark

    def doubt(self) -> None:
        """Read them anew at the next ``refresh``: one has changed that was not noticed."""
        self._mark = None

    def __call__(self, variant: str) -> Offer:
        """Give the offer of a variant."""
        found = self._now.get(variant)
        return found if found is not None else gone(self._before[variant])


def gone(offer: Offer) -> Offer:
    """Give the offer of what is no longer sold: it cannot be had."""
    return replace(offer, available=False, stock=0 if offer.stock is not None else None)


@dataclass(frozen=True, slots=True)
class Held:
    """A shop in memory. ``made_from``: the revision and settings that it was made from."""

    shop: Shop
    offers: LiveOffers
    made_from: tuple[int, str]

    def title_of(self, variant: str) -> str:
        """Name a variant, with its options."""
        found = self.shop.variants.get(variant)
        if found is None:
            return variant
        options = ", ".join(found.options.values())
        title = self.shop.items[found.item].title
        return f"{title} ({options})" if options else title


class Shops:
    """Reads shops from the database; its methods may be called from any thread, and take seconds for a large one."""

    def __init__(self, store: Store, shelf: Shelf, cache: Path) -> None:
        self._store = store
        self._shelf = shelf
        self._model = Embedding(cache)
        self._held: OrderedDict[str, Held] = OrderedDict()
        self._lock = threading.Lock()
        self._making: dict[str, threading.Lock] = {}

    def get(self, business: str) -> Held | None:
        """Give a shop as it is now, with the offers of this moment; none where there is no such business."""
        with self._lock:
            making = self._making.setdefault(business, threading.Lock())
            held = self._held.get(business)
        # While it is made anew, by whichever thread was first, the others go on with what they have.
        if making.acquire(blocking=held is None):
            try:
                held = self._made(business)
            finally:
                making.release()
        if held is not None:
            held.offers.refresh()
        return held

    def _made(self, business: str) -> Held | None:
        """Give a shop as the database has it; read anew where it has changed."""
        with self._store.reading() as connection:
            known = tables.read_business(connection, business)
        if known is None:
            return None
        made_from = self._shelf.revision(business), f"{known.name} {known.settings}"
        with self._lock:
            held = self._held.get(business)
        if held is None or held.made_from != made_from:
            held = self._make(known, made_from)
        with self._lock:
            self._held[business] = held
            self._held.move_to_end(business)
            while len(self._held) > MOST_SHOPS:
                self._held.popitem(last=False)
        return held

    def _make(self, business: tables.Business, made_from: tuple[int, str]) -> Held:
        items, passages = self._shelf.items(business.id), self._shelf.passages(business.id)
        read = [source.read_at for source in self._shelf.sources(business.id)]
        as_of = max(read, default=dt.datetime.fromtimestamp(business.since, dt.UTC))
        offers = LiveOffers(self._shelf, business.id)
        offers.refresh()
        topics = BusinessSettings.model_validate(business.settings).human_topics
        shop = Shop.of(business.name, items, passages, self._model, as_of, offer_of=offers, human_topics=topics)
        shop.warm()
        log.info("%s: %d items, %d passages", business.id, len(items), len(passages))
        return Held(shop, offers, made_from)
