"""Where people and campaigns lie, so that who is near to what can be predicted: by rank's embeddings, and by words.

An embedding has two parts. Rank's: a campaign's is that of its content, and a person's is the middle of those of the
items that rank chose for this very page. Words: genres, interests and words of the copy, each a fixed direction. People
who are held out from rank, or want no personal ads, have only the words of what they look at; so has everybody while
rank gives no embeddings.

Embeddings of one snapshot of rank are of no use beside those of another: with a new one all are asked for again.
"""

import hashlib
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tenfold.product.calls import Late
from tenfold.product.pool_client import PoolClient

log = logging.getLogger(__name__)

Singles = NDArray[np.float32]

WORDS, RANKED = 32, 64
WIDTH = WORDS + RANKED

ASK_S = 5.0
MOST_ITEMS, MOST_CONTENTS = 100, 50
_ITEM_MEMORY = 100_000


@lru_cache(maxsize=50_000)
def _direction(word: str) -> Singles:
    digest = hashlib.blake2b(word.encode(), digest_size=WORDS // 8).digest()
    signs = np.unpackbits(np.frombuffer(digest, dtype=np.uint8)).astype(np.float32)
    return (2.0 * signs - 1.0) / np.float32(np.sqrt(WORDS))


def of_words(words: Iterable[str]) -> Singles:
    """The middle of some words, of length 1; nothing for none."""
    total = np.zeros(WORDS, dtype=np.float32)
    for word in words:
        total += _direction(word.casefold())
    return _unit(total)


def words_of(text: str) -> list[str]:
    """Words of a text that may say what it is about."""
    return [word for word in re.findall(r"[^\W\d_]+", text.casefold()) if len(word) > 3]


class Vectors:
    """Keeps rank's embeddings of items and of campaigns, all of one snapshot."""

    def __init__(self, pool: PoolClient) -> None:
        self._pool = pool
        self.snapshot = ""
        self._items: dict[int | str, Singles] = {}
        self._contents: dict[str, Singles] = {}
        self._wanted: dict[int | str, None] = {}

    @property
    def contents(self) -> int:
        """Campaigns whose embedding is known."""
        return len(self._contents)

    def person(self, items: Sequence[int | str], words: Iterable[str], *, by_rank: bool) -> Singles:
        """Where a person is.

        Args:
            items: that rank chose for them on this page.
            words: genres of these.
            by_rank: whether rank's embeddings may be used.
        """
        found = np.zeros(WIDTH, dtype=np.float32)
        found[:WORDS] = of_words(words)
        if by_rank:
            known = [self._items[item] for item in items if item in self._items]
            if known:
                found[WORDS:] = _unit(np.sum(known, axis=0))
            if len(self._wanted) < _ITEM_MEMORY:
                self._wanted.update(dict.fromkeys(item for item in items if item not in self._items))
        return found

    def campaign(self, id: str, words: Iterable[str]) -> Singles:
        """Where a campaign is, by its content."""
        found = np.zeros(WIDTH, dtype=np.float32)
        found[:WORDS] = of_words(words)
        ranked = self._contents.get(id)
        if ranked is not None:
            found[WORDS:] = ranked
        return found

    async def fetch(self, contents: Mapping[str, tuple[str, str]]) -> bool:
        """Ask rank for what is missing; whether anything changed.

        Args:
            contents: title and text of each campaign.
        """
        new = [id for id in contents if id not in self._contents][:MOST_CONTENTS]
        items = list(self._wanted)[:MOST_ITEMS]
        if not (new or items):
            return False
        body: dict[str, object] = {"history": [], "k": MOST_ITEMS, "exclude_seen": False, "embeddings": True}
        body["contents"] = [{"title": contents[id][0][:1000], "text": contents[id][1][:10_000]} for id in new]
        if items:
            body["candidates"] = items
        answer = await self._pool.rank(body, deadline_s=ASK_S)
        if isinstance(answer, Late):
            log.debug("without rank's embeddings: %s", answer.detail)
            for item in items if answer.reason == "refused" else ():
                self._wanted.pop(item, None)
            return False
        told = answer.get("embeddings")
        if not isinstance(told, dict):
            return False
        snapshot = str(answer.get("snapshot", ""))
        if snapshot != self.snapshot:
            self.snapshot = snapshot
            self._items.clear()
            self._contents.clear()
        rows = answer["items"]
        assert isinstance(rows, list)
        for row, vector in zip(rows, told["items"], strict=True):
            self._items[row["item"]] = _fit(vector)
        for id, vector in zip(new, told["contents"], strict=True):
            self._contents[id] = _fit(vector)
        for item in items:
            self._wanted.pop(item, None)
        return True


def _fit(vector: Sequence[float]) -> Singles:
    """Rank's vector at the width kept here: what a wider one has beyond is left out."""
    found = np.zeros(RANKED, dtype=np.float32)
    given = np.asarray(vector[:RANKED], dtype=np.float32)
    found[: len(given)] = given
    return _unit(found)


def _unit(vector: Singles) -> Singles:
    length = float(np.linalg.norm(vector))
    return (vector / length).astype(np.float32) if length > 0 else vector
