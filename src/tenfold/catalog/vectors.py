"""Embeddings that are kept, so that only what is new is embedded: in the user's cache, by the hash of the text.

The hash also covers the model, so that another model's vectors are never taken for this one's. Those that nobody has
asked for in 90 days are forgotten.
"""

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from tenfold.catalog.search import Embedder
from tenfold.core.store import Store, open_store

MIGRATIONS = Path(__file__).parent / "migrations"
KEPT_DAYS = 90
AT_ONCE = 256
"""Texts that are embedded before they are written: what an interruption costs."""

vectors = sa.Table(
    "vectors",
    sa.MetaData(),
    sa.Column("hash", sa.LargeBinary, primary_key=True),
    sa.Column("vector", sa.LargeBinary, nullable=False),
    sa.Column("day", sa.Integer, nullable=False),
)

Progress = Callable[[int, int], None]
"""Told how many texts of how many are embedded."""


def open_vectors(cache: Path) -> Store:
    """Open the embeddings that are kept in a cache folder."""
    cache.mkdir(parents=True, exist_ok=True)
    return open_store(f"sqlite:///{cache / 'vectors.db'}", MIGRATIONS, durable=False)


class Kept:
    """An embedder that looks first whether it has embedded a text before.

    Args:
        embedder: makes the vectors that are missing.
        model: its name.
        store: as ``open_vectors`` gives it.
        progress: told while many are missing.
        now: the time, for forgetting.
    """

    def __init__(
        self,
        embedder: Embedder,
        model: str,
        store: Store,
        *,
        progress: Progress = lambda _done, _all: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._embedder = embedder
        self._model = model
        self._store = store
        self._progress = progress
        self._now = now

    def embed(self, texts: Sequence[str], /) -> NDArray[np.float32]:
        """Embed each text, shape (N, width); one text alone is a query, and is not kept."""
        if len(texts) <= 1:
            return self._embedder.embed(texts)
        hashes = [hashlib.sha256(f"{self._model}\n{text}".encode()).digest() for text in texts]
        known = self._find(hashes)
        missing = {each: text for each, text in zip(hashes, texts, strict=True) if each not in known}
        todo = list(missing)
        for start in range(0, len(todo), AT_ONCE):
            some = todo[start : start + AT_ONCE]
            fresh_ND = self._embedder.embed([missing[each] for each in some]).astype(np.float16)
            known |= dict(zip(some, (vector.tobytes() for vector in fresh_ND), strict=True))
            self._write({each: known[each] for each in some})
            self._progress(start + len(some), len(todo))
        rows = [np.frombuffer(known[each], np.float16) for each in hashes]
        return np.stack(rows).astype(np.float32)

    def _find(self, hashes: Sequence[bytes]) -> dict[bytes, bytes]:
        known: dict[bytes, bytes] = {}
        seen_today = True
        today = self._today()
        with self._store.reading() as connection:
            for start in range(0, len(hashes), 500):
                some = vectors.c.hash.in_(hashes[start : start + 500])
                for row in connection.execute(sa.select(vectors).where(some)):
                    known[row.hash] = row.vector
                    seen_today = seen_today and row.day == today
        if not seen_today:
            with self._store.writing() as connection:
                for start in range(0, len(hashes), 500):
                    some = vectors.c.hash.in_(hashes[start : start + 500])
                    connection.execute(vectors.update().where(some).values(day=today))
                connection.execute(vectors.delete().where(vectors.c.day < today - KEPT_DAYS))
        return known

    def _write(self, found: dict[bytes, bytes]) -> None:
        with self._store.writing() as connection:
            chosen = sa.select(vectors.c.hash).where(vectors.c.hash.in_(list(found)))
            present = set(connection.execute(chosen).scalars())
            rows = [
                {"hash": each, "vector": vector, "day": self._today()}
                for each, vector in found.items()
                if each not in present
            ]
            if rows:
                connection.execute(vectors.insert(), rows)

    def _today(self) -> int:
        return self._now().toordinal()
