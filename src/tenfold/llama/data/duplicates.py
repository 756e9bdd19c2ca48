"""Which documents say again what one before them said: with the same words, or with nearly the same.

Nearly: by MinHash (Broder 1997) of runs of five words, 64 hashes in 16 bands of 4. A pair that shares a band counts as
near where at least ``NEAR`` of the hashes agree, which estimates the share of runs that both have.

Letters: H hashes of a signature.
"""

import hashlib
import re
import zlib
from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

HASHES, BAND = 64, 4
RUN_WORDS = 5
NEAR = 0.8
PRIME = (1 << 31) - 1

_WORDS = re.compile(r"\w+")
_random = np.random.default_rng(64)
_FACTOR_H = _random.integers(1, PRIME, HASHES, dtype=np.int64)
_SHIFT_H = _random.integers(0, PRIME, HASHES, dtype=np.int64)
_CHUNK = 4096

Verdict = Literal["new", "exact", "near"]


class Duplicates:
    """Remembers the documents that were new; ``near``: whether nearly the same words count too."""

    def __init__(self, *, near: bool = True) -> None:
        self._near = near
        self._seen: set[bytes] = set()
        self._signatures: list[NDArray[np.int64]] = []
        self._bands: dict[bytes, list[int]] = {}

    def judge(self, text: str) -> Verdict:
        """Whether a document is new, and remember it if so; case, space and punctuation do not count."""
        words = _WORDS.findall(text.lower())
        digest = digest_of_words(text, words)
        if digest in self._seen:
            return "exact"
        if self._near and len(words) >= RUN_WORDS:
            signature_H = _signature(words)
            bands = [
                start.to_bytes(1, "little") + signature_H[start : start + BAND].tobytes()
                for start in range(0, HASHES, BAND)
            ]
            alike = {place for band in bands for place in self._bands.get(band, ())}
            if any((self._signatures[place] == signature_H).mean() >= NEAR for place in alike):
                return "near"
            for band in bands:
                self._bands.setdefault(band, []).append(len(self._signatures))
            self._signatures.append(signature_H)
        self._seen.add(digest)
        return "new"


def digest_of_words(text: str, words: list[str] | None = None) -> bytes:
    """16 bytes that stand for a document's words, whatever their case and what is between them.

    What has no words (tables of signs) is taken as it is.
    """
    words = _WORDS.findall(text.lower()) if words is None else words
    return hashlib.blake2b((" ".join(words) or text).encode(), digest_size=16).digest()


def _signature(words: list[str]) -> NDArray[np.int64]:
    """The least of each of H hashes over all runs of words, shape (H,)."""
    known: Mapping[str, int] = {word: zlib.crc32(word.encode()) % PRIME for word in set(words)}
    hashed = np.array([known[word] for word in words], dtype=np.int64)
    runs = np.zeros(len(words) - RUN_WORDS + 1, dtype=np.int64)
    for place in range(RUN_WORDS):
        runs = (runs * 69_069 + hashed[place : place + len(runs)]) % PRIME
    runs = np.unique(runs)
    least_H = np.full(HASHES, PRIME, dtype=np.int64)
    for start in range(0, len(runs), _CHUNK):
        mixed = (runs[start : start + _CHUNK, None] * _FACTOR_H + _SHIFT_H) % PRIME
        least_H = np.minimum(least_H, mixed.min(axis=0))
    return least_H
