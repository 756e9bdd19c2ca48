"""The embedding model with all vectors kept on disk, so that putting the same questions again embeds nothing."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tenfold.catalog.vectors import Kept, open_vectors
from tenfold.core.minilm import MODEL, WIDTH, MiniLM


class AllKept:
    """An embedder that also keeps texts which come alone, as questions do; a shop's never does.

    Args:
        model: embeds what is new.
        folder: where the vectors lie.
    """

    def __init__(self, model: MiniLM, folder: Path) -> None:
        self._model = model
        self._kept = Kept(model, MODEL, open_vectors(folder))

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts, shape (N, 384)."""
        # A text alone is taken for a question, so each is asked for beside another.
        return self._kept.embed([*texts, "."])[:-1] if texts else np.zeros((0, WIDTH), np.float32)

    def count_tokens(self, text: str) -> int:
        """Tokens of a text, both marks included."""
        return self._model.count_tokens(text)
