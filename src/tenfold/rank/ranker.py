"""Score the whole catalog for histories, exactly, with a trained network.

Shapes: Q histories, L positions, D width, I items.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load as load_tensors
from torch import Tensor

from tenfold.rank.artifact import Meta, describe, read_tensors
from tenfold.rank.dataset import Rows
from tenfold.rank.model import SequenceRanker
from tenfold.rank.recipe import Recipe

Scores = npt.NDArray[np.float32]
_CHUNK = 64


@dataclass(frozen=True, slots=True)
class Ranked:
    """Rows of the best items, best first, with their scores; and how many were left out because they were seen."""

    rows: Rows
    scores: Scores
    seen_excluded: int


class Ranker:
    """A network that is done learning, and the vectors of all items computed once.

    Args:
        network: trained; put into evaluation mode.
        recipe: what it was built from.
    """

    def __init__(self, network: SequenceRanker, recipe: Recipe) -> None:
        self._network = network.eval()
        self._length = recipe.length
        with torch.inference_mode():
            self._items_ID = network.items_ID().clone()
            self._bias_I = network.item_bias.detach().clone()

    @property
    def items(self) -> int:
        """Size of the catalog."""
        return len(self._bias_I)

    def score(self, histories: Sequence[Rows]) -> Scores:
        """Score of every item after each history, shape (Q, I); only the latest ``recipe.length`` items are read."""
        score_QI = np.empty((len(histories), self.items), dtype=np.float32)
        recent = [history[-self._length :] for history in histories]
        by_length = sorted(range(len(recent)), key=lambda index: len(recent[index]))
        for start in range(0, len(by_length), _CHUNK):
            part = by_length[start : start + _CHUNK]
            score_QI[part] = self._score_chunk([recent[index] for index in part])
        return score_QI

    def _score_chunk(self, recent: Sequence[Rows]) -> Scores:
        row_QL, count_Q = pad(recent)
        with torch.inference_mode():
            hidden_QLD = self._network(row_QL, self._items_ID)
            hidden_QD = hidden_QLD[torch.arange(len(recent)), count_Q]
            return torch.addmm(self._bias_I, hidden_QD, self._items_ID.T).numpy()

    def rank(
        self,
        history: Rows,
        k: int,
        *,
        exclude_seen: bool = True,
        candidates: Rows | None = None,
        exclude: Rows | None = None,
    ) -> Ranked:
        """Find the ``k`` best items for one history; fewer where fewer are left.

        Args:
            history: catalog rows, oldest first; may be empty.
            k: how many to return.
            exclude_seen: leave out what is in the history.
            candidates: the only rows to choose from; their order and repetitions do not matter. Default: all.
            exclude: rows to leave out.
        """
        score_I = self.score([history])[0]
        allowed_I = np.zeros(self.items, dtype=np.bool_)
        allowed_I[slice(None) if candidates is None else candidates] = True
        if exclude is not None:
            allowed_I[exclude] = False
        before = int(allowed_I.sum())
        if exclude_seen:
            allowed_I[history] = False
        left = int(allowed_I.sum())
        score_I[~allowed_I] = -np.inf
        rows = top_rows(score_I, min(k, left))
        return Ranked(rows, score_I[rows], before - left)


def pad(histories: Sequence[Rows]) -> tuple[Tensor, Tensor]:
    """Fill histories up at the end with row 0; returns rows, shape (Q, L), and lengths, shape (Q,)."""
    count = [len(history) for history in histories]
    row_QL = np.zeros((len(histories), max(count)), dtype=np.int64)
    for index, history in enumerate(histories):
        row_QL[index, : count[index]] = history
    return torch.from_numpy(row_QL), torch.tensor(count)


def top_rows(score_I: Scores, k: int) -> Rows:
    """Rows of the ``k`` highest scores, best first; equal scores in order of row."""
    return np.argsort(-score_I, kind="stable")[:k]


def load_ranker(cache: Path) -> tuple[Ranker, Meta]:
    """Load the trained ranker from the user's cache.

    Raises:
        AssetError: it has not been trained, or is corrupt.
    """
    meta = describe(cache)
    tensors = load_tensors(read_tensors(cache, meta))
    network = SequenceRanker(meta.recipe, tensors["genre_share_IG"])
    network.load_state_dict(tensors)
    return Ranker(network, meta.recipe), meta
