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
        spread = float(np.ptp(value_K)) if len(value_K) else 0.0
        self._share_K = (value_K - value_K.min()) / spread if spread > 0 else np.ones(len(value_K))
        self._vector_KD, self._author_K, self._settings = vector_KD, author_K, settings
        self._decayed_K = np.ones(len(value_K))
        self._likeness_K = np.zeros(len(value_K))
        self._open_K = np.ones(len(value_K), dtype=np.bool_)
        self._of_author: dict[int, int] = {}

    def worth(self) -> Values:
        """Worth of each candidate at the next place, (K,); minus infinity for those that can no longer stand there."""
        weight = self._settings.diversity
        worth_K = (1.0 - weight) * self._share_K * self._decayed_K - weight * self._likeness_K
        return np.where(self._open_K, worth_K, -np.inf)

    def take(self, place: int) -> None:
        """Put a candidate into the list."""
        self._open_K[place] = False
        if self._settings.diversity:
            np.maximum(self._likeness_K, self._vector_KD @ self._vector_KD[place], out=self._likeness_K)
        author = int(self._author_K[place])
        if author >= 0:
            count = self._of_author[author] = self._of_author.get(author, 0) + 1
            theirs_K = self._author_K == author
            self._decayed_K[theirs_K] *= self._settings.author_decay
            if self._settings.most_per_author is not None and count >= self._settings.most_per_author:
                self._open_K &= ~theirs_K
