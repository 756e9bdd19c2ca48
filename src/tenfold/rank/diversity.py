"""A list that is not the same thing ten times: each place weighs an item's value against what stands above it.

Maximal marginal relevance (Carbonell & Goldstein 1998) on item vectors, with a value that decays with each item of the
same author above, as X's home timeline does it.

Shapes: K candidates, D width.
"""

import numpy as np

from tenfold.rank.retrieve import Vectors
from tenfold.rank.stream import Rows
from tenfold.rank.surface import SurfaceSettings
from tenfold.rank.value import Values


class Standing:
    """What each candidate is worth at the next place of a list that grows.

    Values are scaled to 0 to 1 over the candidates, so that ``settings.diversity`` means the same on every surface.

    Args:
        value_K: what showing each is worth by itself.
        vector_KD: their vectors, of length 1.
        author_K: numbers of their authors; -1: unknown.
        settings: of the surface.
    """

    def __init__(self, value_K: Values, vector_KD: Vectors, author_K: Rows, settings: SurfaceSettings) -> None:
        self._settings = settings
        spread = float(np.ptp(value_K)) if len(value_K) else 0.0
        share_K = (value_K - value_K.min()) / spread if spread > 0 else np.ones(len(value_K))
        self._gain_K = (1.0 - settings.diversity) * share_K
        self._lost_K = np.zeros(len(value_K))
        """Weighed likeness to what stands above; infinite for those that can no longer stand anywhere."""
        self._like_KK = settings.diversity * (vector_KD @ vector_KD.T) if settings.diversity else None
        self._author_K = author_K.tolist()
        self._theirs: dict[int, list[int]] = {}
        for place, author in enumerate(self._author_K):
            self._theirs.setdefault(author, []).append(place)
        self._taken: dict[int, int] = {}

    def worth(self) -> Values:
        """Worth of each candidate at the next place, (K,); minus infinity for those that can no longer stand there."""
        return self._gain_K - self._lost_K

    def take(self, place: int) -> None:
        """Put a candidate into the list."""
        self._lost_K[place] = np.inf
        if self._like_KK is not None:
            np.maximum(self._lost_K, self._like_KK[place], out=self._lost_K)
        author = self._author_K[place]
        if author >= 0 and len(theirs := self._theirs[author]) > 1:
            count = self._taken[author] = self._taken.get(author, 0) + 1
            self._gain_K[theirs] *= self._settings.author_decay
            if self._settings.most_per_author is not None and count >= self._settings.most_per_author:
                self._lost_K[theirs] = np.inf
