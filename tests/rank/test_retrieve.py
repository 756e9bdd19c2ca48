"""What is found is what comparing everything would find, and nothing that is not allowed."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tenfold.rank.retrieve import EXACT_UP_TO, CodedRetriever, ExactRetriever, Vectors, retriever

ITEMS, WIDTH = 60, 8


def unit(vectors: Vectors) -> Vectors:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


VECTORS = unit(np.random.default_rng(0).normal(size=(ITEMS, WIDTH)))


@given(st.sets(st.integers(0, ITEMS - 1)), st.sets(st.integers(0, ITEMS - 1)), st.integers(1, ITEMS), st.integers(0, 9))
def test_the_best_of_the_allowed_items_of_a_surface_are_found(surface, refused, count: int, seed: int):
    query = unit(np.random.default_rng(seed).normal(size=WIDTH))
    allowed = np.ones(ITEMS, dtype=np.bool_)
    allowed[list(refused)] = False
    found = ExactRetriever(VECTORS, np.array(sorted(surface), dtype=np.int64)).best(query, count, allowed)
    score = VECTORS @ query
    assert found.rows.tolist() == sorted(surface - refused, key=lambda row: -score[row])[:count]
    np.testing.assert_allclose(found.scores, score[found.rows], rtol=1e-5, atol=1e-6)


def test_equal_scores_come_in_order_of_row():
    same = np.repeat(VECTORS[:1], 9, axis=0)
    found = ExactRetriever(same, np.arange(9)).best(same[0], 4, np.ones(9, dtype=np.bool_))
    assert found.rows.tolist() == [0, 1, 2, 3]


def test_what_has_no_score_comes_last_and_none_are_found_where_none_are_wanted():
    vectors = VECTORS[:9].copy()
    vectors[[2, 5]] = np.nan
    exact, allowed = ExactRetriever(vectors, np.arange(9)), np.ones(9, dtype=np.bool_)
    assert not {2, 5} & set(exact.best(VECTORS[0], 7, allowed).rows.tolist())
    assert exact.best(VECTORS[0], 9, allowed).rows.tolist()[-2:] == [2, 5]
    assert exact.best(VECTORS[0], 8, allowed).rows.tolist()[-1] == 2
    assert len(exact.best(VECTORS[0], 0, allowed).rows) == 0


def test_short_codes_find_nearly_all_that_comparing_everything_finds():
    draw = np.random.default_rng(1)
    items, width = EXACT_UP_TO + 5_000, 32
    centres = draw.normal(size=(300, width))
    vectors = unit(centres[draw.integers(300, size=items)] + draw.normal(size=(items, width)))
    coded, exact = retriever(vectors, np.arange(items)), ExactRetriever(vectors, np.arange(items))
    assert isinstance(coded, CodedRetriever)
    allowed = np.ones(items, dtype=np.bool_)
    allowed[::7] = False
    found = 0
    for _ in range(20):
        query = unit(vectors[draw.integers(items)] + 0.1 * draw.normal(size=width))
        got, wanted = coded.best(query, 50, allowed), exact.best(query, 50, allowed)
        assert allowed[got.rows].all() and np.all(np.diff(got.scores) <= 0)
        found += len(set(got.rows.tolist()) & set(wanted.rows.tolist()))
    assert found >= 0.95 * 20 * 50
    assert len(coded.best(vectors[0], 0, allowed).rows) == 0
    # Of few that are allowed none is missed.
    allowed[:] = False
    allowed[[3, 77, 4000]] = True
    assert sorted(coded.best(query, 50, allowed).rows.tolist()) == [3, 77, 4000]
