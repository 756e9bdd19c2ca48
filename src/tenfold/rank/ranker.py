"""Score all items for histories, exactly, with a trained network.

Shapes: Q histories, L positions, D width, I items.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from tenfold.rank.artifact import Meta, artifact_folder
from tenfold.rank.evaluate import Query, Scores
from tenfold.rank.network import Network, Tokens
from tenfold.rank.person import Vectors, token_columns
from tenfold.rank.recipe import Recipe
from tenfold.rank.snapshot import load_snapshot
from tenfold.rank.stream import Events, Rows

_CHUNK = 128


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
        surface_I: surface of each item, for histories of which no more is known than items.
    """

    def __init__(self, network: Network, recipe: Recipe, surface_I: Rows | None = None) -> None:
        self._network, self._recipe = network.eval(), recipe
        self._surface_I = np.zeros(network.shape.items, dtype=np.int64) if surface_I is None else surface_I
        self._scale = np.float32(1 / recipe.temperature)
        self.vector_ID = vectors_of(network)
        self._compared_ID = lifted(network, self.vector_ID)

    @property
    def items(self) -> int:
        """Size of the catalog."""
        return len(self.vector_ID)

    def of_rows(self, row_L: Rows) -> Events:
        """A history of which no more is known than items, oldest first."""
        never = np.full(len(row_L), np.nan)
        return Events.of(np.zeros(len(row_L)), row_L, never, surface=self._surface_I[row_L])

    def answer(self, queries: Sequence[Query]) -> Scores:
        """Score of every item for each query, shape (Q, I)."""
        return self.score([query.history for query in queries], [query.surface for query in queries])

    def score(self, histories: Sequence[Events], surfaces: Sequence[int | None] | None = None) -> Scores:
        """Score of every item after each history, shape (Q, I): a logit.

        Args:
            histories: each of one person, oldest first; only the latest ``recipe.length`` events are read.
            surfaces: where each is asked for; none: anywhere.
        """
        return self.queries(histories, surfaces) @ self._compared_ID.T * self._scale

    def queries(self, histories: Sequence[Events], surfaces: Sequence[int | None] | None = None) -> Vectors:
        """What is expected after each history, (Q, D), of length 1; arguments as for ``score``."""
        surfaces = surfaces or [None] * len(histories)
        query_QD = np.empty((len(histories), self.vector_ID.shape[1]), dtype=np.float32)
        by_length = sorted(range(len(histories)), key=lambda index: len(histories[index]))
        for start in range(0, len(by_length), _CHUNK):
            part = by_length[start : start + _CHUNK]
            query_QD[part] = self._queries([histories[index] for index in part], [surfaces[index] for index in part])
        return query_QD

    @torch.inference_mode()
    def _queries(self, histories: Sequence[Events], surfaces: Sequence[int | None]) -> Vectors:
        network, length = self._network, self._recipe.length
        count_Q = [min(length, len(history)) for history in histories]
        row_QL = np.zeros((len(histories), max(count_Q)), dtype=np.int64)
        columns = np.zeros((4, *row_QL.shape), dtype=np.int64)
        next_QL = np.zeros((len(histories), max(count_Q) + 1), dtype=np.int64)
        for index, (history, count) in enumerate(zip(histories, count_Q, strict=True)):
            first = len(history) - count
            row_QL[index, :count] = history.row_E[first:]
            # One event more, from which the first that is read has its time since.
            recent = history.select(slice(max(0, first - 1), None))
            for column, value_E in zip(columns, token_columns(recent), strict=True):
                column[index, :count] = value_E[len(recent) - count :]
            surface = surfaces[index]
            next_QL[index, :count] = history.surface_E[first:]
            next_QL[index, count] = network.shape.surfaces if surface is None else surface
        surface, actions, watched, gap = torch.from_numpy(columns)
        tokens = Tokens(surface, actions, watched, gap, torch.from_numpy(next_QL))
        vector_QLD = torch.from_numpy(self.vector_ID)[torch.from_numpy(row_QL)]
        hidden_QLD, _ = network(vector_QLD, tokens)
        return hidden_QLD[torch.arange(len(histories)), torch.tensor(count_Q)].numpy()

    def rank(
        self,
        history: Events,
        k: int,
        *,
        exclude_seen: bool = True,
        candidates: Rows | None = None,
        exclude: Rows | None = None,
    ) -> Ranked:
        """Find the ``k`` best items for one history; fewer where fewer are left.

        Args:
            history: oldest first; may be empty.
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
            allowed_I[history.row_E] = False
        left = int(allowed_I.sum())
        score_I[~allowed_I] = -np.inf
        rows = top_rows(score_I, min(k, left))
        return Ranked(rows, score_I[rows], before - left)


@torch.inference_mode()
def vectors_of(network: Network) -> Vectors:
    """Vectors of all items, (I, D), of length 1."""
    return network.eval().item_vectors(torch.arange(network.shape.items)).numpy()


def lifted(network: Network, vector_ID: Vectors) -> Vectors:
    """What queries are compared with, (I, D): items' vectors, and those that nobody has had with their lift.

    The lift, several times as long as a vector, is for scores alone: it says nothing of what an item is like.
    """
    if not network.cold_lift.any():
        return vector_ID
    return np.where(network.known_I.numpy()[:, None], vector_ID, vector_ID + network.cold_lift.numpy())


def top_rows(score_I: Scores, k: int) -> Rows:
    """Rows of the ``k`` highest scores, best first; equal scores in order of row."""
    return np.argsort(-score_I, kind="stable")[:k]


def load_ranker(cache: Path) -> tuple[Ranker, Meta]:
    """Load the trained ranker from the user's cache.

    Raises:
        AssetError: it has not been trained, or is corrupt.
    """
    snapshot = load_snapshot(artifact_folder(cache))
    return Ranker(snapshot.network, snapshot.meta.recipe, snapshot.surface_I()), snapshot.meta
