"""Honest offline evaluation: one cut in time, every unseen item ranked, simple rivals beside the model.

A query is one person at one instant after the cut: what they did strictly before it is the history (parameters stay
frozen at the cut, histories grow), what they chose at that instant is the target set. Three quarters of the events
share their second with another, so that an order inside a second would be invented.

Shapes: Q queries, I catalog items, U users.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from tenfold.rank.artifact import MetricsRow
from tenfold.rank.stream import Events, Mask, Rows, TimeSplit, joined

PROTOCOL = (
    "one cut in time for all users; after it, each user's every instant is a query with all that went before as its "
    "history; full ranking of all items not in the history"
)
PROTOCOL_LAST = (
    "the last event of each person is the target, all others are their history; full ranking of all items not in the "
    "history; only for comparison with published tables, since others' later events are learned from"
)
TOP = 10
_CHUNK = 512

System = Literal["model", "popularity", "item-kNN", "EASE"]
UsersKind = Literal["all", "returning", "new"]
PerQuery = npt.NDArray[np.float64]
Scores = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Query:
    """One person at one instant: rank what a surface (or all: none) may show after ``history``, for ``targets``."""

    person: int
    history: Events
    surface: int | None
    targets: Rows
    returning: bool
    """The person has events before the cut."""


Scorer = Callable[[Sequence[Query]], Scores]
"""Queries (Q of them) to the score of every item, a new array of shape (Q, I)."""


def queries_after_cut(split: TimeSplit, *, by_surface: bool = False, wanted: int = -1) -> list[Query]:
    """Every (person, instant) of the test side, with all that the person did strictly before it as history.

    ``wanted``: bits of actions; an event with none of them is no target. ``by_surface``: one query for each surface on
    which the person did something at that instant, instead of one for all.
    """
    everything = joined([split.train, split.test])
    queries = []
    for person, part in everything.by_person():
        at_E = everything.at_E[part]
        first_test = int(np.searchsorted(at_E, split.cut_at))
        starts = np.flatnonzero(np.diff(at_E, prepend=np.nan) != 0)
        for start, end in zip(starts, [*starts[1:], len(at_E)], strict=True):
            if start < first_test:
                continue
            history = everything.select(slice(part.start, part.start + int(start)))
            asked = everything.select(slice(part.start + int(start), part.start + int(end)))
            asked = asked.select((asked.actions_E & wanted) != 0)
            for surface in sorted(set(asked.surface_E.tolist())) if by_surface else [None][: len(asked)]:
                row_E = asked.row_E if surface is None else asked.row_E[asked.surface_E == surface]
                queries.append(Query(person, history, surface, row_E, first_test > 0))
    return queries


def queries_last(before: Events, last: Events, *, by_surface: bool = False) -> list[Query]:
    """Each person's last event, after all others; ``before`` and ``last`` as ``split_last`` gives them."""
    part_of = dict(before.by_person())
    return [
        Query(
            person,
            before.select(part_of[person]),
            int(last.surface_E[part.start]) if by_surface else None,
            last.row_E[part],
            True,
        )
        for person, part in last.by_person()
        if person in part_of
    ]


def evaluate(
    system: System,
    score: Scorer,
    queries: Sequence[Query],
    *,
    allowed_SI: Mask | None = None,
    seen_again: bool = False,
    seed: int = 0,
) -> list[MetricsRow]:
    """Rank all items (of the surface asked for) less the history; rows for all people, the returning, and the new.

    Where people come back to items (``seen_again``) the history is ranked too.

    Recall@10 = hits / min(10, targets); NDCG@10 has the ideal DCG of min(10, targets) hits; both are means over
    queries. Targets that nobody rated before the cut count as misses like any other.
    """
    recall_Q, ndcg_Q = measure(score, queries, allowed_SI, seen_again=seen_again)
    user_Q = np.array([query.person for query in queries])
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


def measure(
    score: Scorer, queries: Sequence[Query], allowed_SI: Mask | None = None, *, seen_again: bool = False
) -> tuple[PerQuery, PerQuery]:
    """Recall@10 and NDCG@10 of each query, (Q,) each; see ``evaluate``."""
    recall_Q, ndcg_Q = np.zeros(len(queries)), np.zeros(len(queries))
    discount = np.append(1 / np.log2(np.arange(2, TOP + 2)), 0)
    ideal = np.cumsum(discount)
    for start in range(0, len(queries), _CHUNK):
        part = queries[start : start + _CHUNK]
        score_QI = score(part)
        for index, query in enumerate(part):
            if not seen_again:
                score_QI[index, query.history.row_E] = -np.inf
            if allowed_SI is not None and query.surface is not None:
                score_QI[index, ~allowed_SI[query.surface]] = -np.inf
        asked_T = np.repeat(np.arange(len(part)), [len(query.targets) for query in part])
        target_T = np.concatenate([query.targets for query in part])
        place_T = np.minimum(_places(score_QI, asked_T, target_T), TOP)
        most_Q = np.minimum(TOP, np.bincount(asked_T, minlength=len(part)))
        found = slice(start, start + len(part))
        recall_Q[found] = np.bincount(asked_T, weights=place_T < TOP, minlength=len(part)) / most_Q
        ndcg_Q[found] = np.bincount(asked_T, weights=discount[place_T], minlength=len(part)) / ideal[most_Q - 1]
    return recall_Q, ndcg_Q


def _places(score_QI: Scores, asked_T: Rows, target_T: Rows) -> Rows:
    """Place of each target in its query's list, from 0; of equal scores the lower row comes first."""
    place_T = np.empty(len(target_T), dtype=np.int64)
    for start in range(0, len(target_T), _CHUNK):
        part = slice(start, start + _CHUNK)
        score_TI, row_T = score_QI[asked_T[part]], target_T[part]
        own_T1 = np.take_along_axis(score_TI, row_T[:, None], axis=1)
        place_T[part] = (score_TI > own_T1).sum(axis=1)
        # Ties are few, but for popularity.
        tied_T, tied_I = np.nonzero(score_TI == own_T1)
        place_T[part] += np.bincount(tied_T, weights=tied_I < row_T[tied_T], minlength=len(row_T)).astype(np.int64)
    return place_T


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
