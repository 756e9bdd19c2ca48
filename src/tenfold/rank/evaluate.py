"""Honest offline evaluation: one cut in time, every unseen item ranked, simple rivals beside the model.

A query is one user at one instant after the cut: what they rated strictly before it is the history (parameters stay
frozen at the cut, histories grow), what they rated at that instant is the target set. Three quarters of the events
share their second with another, so that an order inside a second would be invented.

Shapes: Q queries, I catalog items, U users.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from tenfold.rank.artifact import MetricsRow
from tenfold.rank.dataset import Events, Rows, TimeSplit
from tenfold.rank.ranker import Scores, top_rows

PROTOCOL = (
    "one cut in time for all users; after it, each user's every instant is a query with all that went before as its "
    "history; full ranking of all items not in the history"
)
TOP = 10
_CHUNK = 512

System = Literal["model", "popularity", "item-kNN", "EASE"]
UsersKind = Literal["all", "returning", "new"]
PerQuery = npt.NDArray[np.float64]
Scorer = Callable[[Sequence[Rows]], Scores]
"""Histories (Q of them) to the score of every item, a new array of shape (Q, I)."""


@dataclass(frozen=True, slots=True)
class Query:
    """One user at one instant: rank the catalog after ``history``, hoping for ``targets``."""

    user: int
    history: Rows
    targets: Rows
    returning: bool
    """The user has events before the cut."""


def queries_after_cut(split: TimeSplit) -> list[Query]:
    """Every (user, instant) of the test side, with all that the user did strictly before it as history."""
    before = split.train.histories()
    nothing: Rows = np.zeros(0, dtype=np.int64)
    queries = []
    for user, part in split.test.by_user():
        known = before.get(user, nothing)
        row_E, at_E = split.test.row_E[part], split.test.at_E[part]
        starts = np.flatnonzero(np.diff(at_E, prepend=np.int64(-1)))
        for start, end in zip(starts, [*starts[1:], len(at_E)], strict=True):
            history = np.concatenate([known, row_E[:start]])
            queries.append(Query(user, history, row_E[start:end], len(known) > 0))
    return queries


def evaluate(system: System, score: Scorer, queries: Sequence[Query], *, seed: int = 0) -> list[MetricsRow]:
    """Rank the whole catalog less the history for each query; rows for all users, the returning, and the new.

    Recall@10 = hits / min(10, targets); NDCG@10 has the ideal DCG of min(10, targets) hits; both are means over
    queries. Targets that nobody rated before the cut count as misses like any other.
    """
    recall_Q, ndcg_Q = _measure(score, queries)
    user_Q = np.array([query.user for query in queries])
    returning_Q = np.array([query.returning for query in queries])
    slices: dict[UsersKind, npt.NDArray[np.bool_]] = {
        "all": np.ones_like(returning_Q),
        "returning": returning_Q,
        "new": ~returning_Q,
    }
    rows = []
    for users_kind, keep_Q in slices.items():
        if not keep_Q.any():
            continue
        low, high = _bootstrap_over_users(ndcg_Q[keep_Q], user_Q[keep_Q], seed)
        rows.append(
            MetricsRow(
                system=system,
                users_kind=users_kind,
                recall_at_10=float(recall_Q[keep_Q].mean()),
                ndcg_at_10=float(ndcg_Q[keep_Q].mean()),
                ndcg_low=low,
                ndcg_high=high,
                queries=int(keep_Q.sum()),
                users=len(np.unique(user_Q[keep_Q])),
            )
        )
    return rows


def _measure(score: Scorer, queries: Sequence[Query]) -> tuple[PerQuery, PerQuery]:
    recall_Q, ndcg_Q = np.zeros(len(queries)), np.zeros(len(queries))
    discount = 1 / np.log2(np.arange(2, TOP + 2))
    for start in range(0, len(queries), _CHUNK):
        part = queries[start : start + _CHUNK]
        score_QI = score([query.history for query in part])
        for index, (query, score_I) in enumerate(zip(part, score_QI, strict=True), start=start):
            score_I[query.history] = -np.inf
            hit = np.isin(top_rows(score_I, TOP), query.targets)
            most = min(TOP, len(query.targets))
            recall_Q[index] = hit.sum() / most
            ndcg_Q[index] = (hit * discount).sum() / discount[:most].sum()
    return recall_Q, ndcg_Q


def _bootstrap_over_users(
    value_Q: PerQuery, user_Q: npt.NDArray[np.int64], seed: int, rounds: int = 1000
) -> tuple[float, float]:
    user_U, index_Q = np.unique(user_Q, return_inverse=True)
    sum_U = np.bincount(index_Q, weights=value_Q)
    count_U = np.bincount(index_Q)
    draw = np.random.default_rng(seed).integers(len(user_U), size=(rounds, len(user_U)))
    mean = sum_U[draw].sum(axis=1) / count_U[draw].sum(axis=1)
    low, high = np.quantile(mean, [0.025, 0.975])
    return float(low), float(high)


def popularity(train: Events, items: int) -> Scorer:
    """Score of an item = times it was rated before the cut."""
    count_I = np.bincount(train.row_E, minlength=items).astype(np.float32)
    return lambda histories: np.tile(count_I, (len(histories), 1))


def item_knn(train: Events, items: int, *, neighbours: int, shrink: float) -> Scorer:
    """Sum of shrunk cosine similarities to the history, over each item's nearest neighbours (Sarwar 2001)."""
    seen_UI = _seen_matrix(train, items)
    together_II = seen_UI.T @ seen_UI
    count_I = np.diag(together_II).copy()
    # At least 1, for items that nobody rated: 0 / 1 is their similarity.
    norm_II = np.maximum(np.sqrt(np.outer(count_I, count_I)) + np.float32(shrink), np.float32(1))
    similar_II = (together_II / norm_II).astype(np.float32)
    np.fill_diagonal(similar_II, 0)
    floor_I = np.partition(similar_II, -neighbours, axis=1)[:, -neighbours]
    similar_II[similar_II < floor_I[:, None]] = 0
    return _linear(similar_II, count_I)


def ease(train: Events, items: int, *, ridge: float) -> Scorer:
    """EASE, the closed-form linear auto-encoder with zero diagonal (Steck 2019)."""
    seen_UI = _seen_matrix(train, items).astype(np.float64)
    gram_II = seen_UI.T @ seen_UI
    count_I = np.diag(gram_II).astype(np.float32)
    precision_II = np.linalg.inv(gram_II + ridge * np.eye(items))
    weight_II = -precision_II / np.diag(precision_II)
    np.fill_diagonal(weight_II, 0)
    return _linear(weight_II.astype(np.float32), count_I)


def _seen_matrix(train: Events, items: int) -> Scores:
    _, index_E = np.unique(train.user_E, return_inverse=True)
    seen_UI = np.zeros((index_E.max() + 1, items), dtype=np.float32)
    seen_UI[index_E, train.row_E] = 1
    return seen_UI


def _linear(weight_II: Scores, count_I: Scores) -> Scorer:
    # An empty history scores everything 0; a vanishing share of popularity makes it popularity there.
    prior_I = count_I * np.float32(1e-9)

    def score(histories: Sequence[Rows]) -> Scores:
        return np.stack([weight_II[history].sum(axis=0) for history in histories]) + prior_I

    return score
