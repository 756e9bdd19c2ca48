"""Simple systems beside the network: popularity, nearest neighbours of items, and EASE.

Shapes: Q queries, I items, P people, E events.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from scipy import linalg, sparse

from tenfold.rank.evaluate import Query, Scorer, Scores
from tenfold.rank.stream import Events, Rows

Worth = Callable[[Scorer], float]
"""How good a system is on validation queries."""

NEIGHBOURS = (50, 200)
SHRINK = (0.0, 20.0)
RIDGES = (50.0, 200.0, 1000.0)


def popularity(train: Events, items: int) -> Scorer:
    """Score of an item = times it was chosen before the cut."""
    count_I = _counts(train, items)
    return lambda queries: np.tile(count_I, (len(queries), 1))


def item_knn(train: Events, items: int, *, neighbours: int, shrink: float) -> Scorer:
    """Sum of shrunk cosine similarities to the history, over each item's nearest neighbours (Sarwar 2001)."""
    together_II = _together(train, items)
    count_I = together_II.diagonal()
    similar_II = together_II.tocoo()
    row, column = similar_II.row, similar_II.col
    similar = similar_II.data / (np.sqrt(count_I[row] * count_I[column]) + np.float32(shrink))
    keep = (row != column) & (_place_in_row(row, similar) < neighbours)
    weight_II = sparse.csr_matrix((similar[keep], (row[keep], column[keep])), shape=(items, items), dtype=np.float32)
    # An item's neighbours vote for it: the columns of the history's items.
    return _linear(weight_II.T.tocsr(), _counts(train, items))


def ease(train: Events, items: int, *, ridge: float) -> Scorer:
    """EASE, the closed-form linear auto-encoder with zero diagonal (Steck 2019)."""
    gram_II = _together(train, items).toarray()
    gram_II[np.diag_indices(items)] += ridge
    # In place, by Cholesky: a third of the time of a general inverse, and no second matrix.
    factor_II = linalg.cholesky(gram_II, lower=True, overwrite_a=True, check_finite=False)
    (invert,) = linalg.get_lapack_funcs(("potri",), (factor_II,))
    inverse_II, info = invert(factor_II, lower=True, overwrite_c=True)
    assert info == 0, f"a Gram matrix with a ridge of {ridge} can be inverted, LAPACK says {info}"
    inverse_II = np.tril(inverse_II)
    inverse_II += np.tril(inverse_II, -1).T
    inverse_II /= -np.diag(inverse_II).copy()
    np.fill_diagonal(inverse_II, 0)
    return _linear(inverse_II, _counts(train, items))


def best_item_knn(train: Events, items: int, worth: Worth) -> tuple[Scorer, str]:
    """Nearest neighbours by the settings of highest ``worth``, and these in words."""
    made = (
        (item_knn(train, items, neighbours=neighbours, shrink=shrink), f"{neighbours} neighbours, shrink {shrink:g}")
        for neighbours in NEIGHBOURS
        for shrink in SHRINK
    )
    return _best(made, worth)


def best_ease(train: Events, items: int, worth: Worth) -> tuple[Scorer, str]:
    """EASE by the ridge of highest ``worth``, and that in words."""
    return _best(((ease(train, items, ridge=ridge), f"ridge {ridge:g}") for ridge in RIDGES), worth)


def _best(made: Iterable[tuple[Scorer, str]], worth: Worth) -> tuple[Scorer, str]:
    best, highest = None, -np.inf
    for scorer, setting in made:
        if (value := worth(scorer)) > highest:
            best, highest = (scorer, setting), value
    assert best is not None, "there is a setting to choose"
    return best


def _counts(train: Events, items: int) -> Scores:
    return np.bincount(train.row_E, minlength=items).astype(np.float32)


def _together(train: Events, items: int) -> sparse.csr_matrix:
    """How many people have both of two items, (I, I)."""
    people = int(train.person_E.max()) + 1
    seen_PI = sparse.csr_matrix((np.ones(len(train), np.float32), (train.person_E, train.row_E)), shape=(people, items))
    seen_PI.data[:] = 1
    return (seen_PI.T @ seen_PI).tocsr()


def _place_in_row(row: Rows, value: Scores) -> Rows:
    """Place of each entry among its row's, the highest first; ``row`` is sorted."""
    order = np.lexsort((-value, row))
    begins = np.searchsorted(row, np.arange(int(row.max(initial=0)) + 1))
    place = np.empty(len(row), dtype=np.int64)
    place[order] = np.arange(len(row)) - begins[row[order]]
    return place


def _linear(weight_II: Scores | sparse.csr_matrix, count_I: Scores) -> Scorer:
    """Add up the rows of the history's items."""
    # An empty history scores everything 0; a vanishing share of popularity makes it popularity there.
    prior_I = count_I * np.float32(1e-9)

    def score(queries: Sequence[Query]) -> Scores:
        lengths = [len(query.history) for query in queries]
        owner = np.repeat(np.arange(len(queries)), lengths)
        row = np.concatenate([query.history.row_E for query in queries])
        shape = (len(queries), len(count_I))
        history_QI = sparse.csr_matrix((np.ones(len(row), np.float32), (owner, row)), shape=shape)
        found = history_QI @ weight_II
        return (found.toarray() if sparse.issparse(found) else found) + prior_I

    return score
