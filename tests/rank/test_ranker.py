import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tenfold.rank.dataset import MovieLens, Rows
from tenfold.rank.model import SequenceRanker
from tenfold.rank.ranker import Ranker
from tenfold.rank.recipe import Recipe

ITEMS, LENGTH = 40, 6
RECIPE = Recipe(width=8, length=LENGTH)


def small_ranker() -> Ranker:
    generator = torch.Generator().manual_seed(1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network = SequenceRanker(RECIPE, torch.rand(ITEMS, 3, generator=generator))
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.5)
    return Ranker(network, RECIPE)


untimed = settings(max_examples=50, deadline=None)
SMALL = small_ranker()
HISTORIES = st.lists(st.integers(0, ITEMS - 1), max_size=3 * LENGTH)
CANDIDATES = st.none() | st.lists(st.integers(0, ITEMS - 1), min_size=1, max_size=2 * ITEMS)


def rows(items: list[int]) -> Rows:
    return np.array(items, dtype=np.int64)


@untimed
@given(HISTORIES, CANDIDATES, st.integers(1, ITEMS + 5), st.booleans(), HISTORIES)
def test_the_list_is_what_sorting_the_whole_catalog_gives(
    history: list[int], candidates: list[int] | None, k: int, exclude_seen: bool, exclude: list[int]
):
    got = SMALL.rank(
        rows(history),
        k,
        exclude_seen=exclude_seen,
        candidates=None if candidates is None else rows(candidates),
        exclude=rows(exclude),
    )
    score = SMALL.score([rows(history)])[0]
    wanted = (set(range(ITEMS)) if candidates is None else set(candidates)) - set(exclude)
    allowed = wanted - set(history) if exclude_seen else wanted
    assert got.rows.tolist() == sorted(allowed, key=lambda row: (-score[row], row))[:k]
    assert got.scores.tolist() == [score[row] for row in got.rows]
    assert got.seen_excluded == len(wanted) - len(allowed)


@untimed
@given(HISTORIES)
def test_nothing_seen_is_ever_returned(history: list[int]):
    assert not set(SMALL.rank(rows(history), ITEMS).rows.tolist()) & set(history)


@untimed
@given(HISTORIES, st.permutations(range(12)))
def test_the_order_and_repetition_of_candidates_do_not_matter(history: list[int], order: list[int]):
    one = SMALL.rank(rows(history), 5, candidates=rows(list(range(12))))
    other = SMALL.rank(rows(history), 5, candidates=rows(order + order[:3]))
    assert one.rows.tolist() == other.rows.tolist()
    assert one.scores.tolist() == other.scores.tolist()


@untimed
@given(st.lists(HISTORIES, min_size=1, max_size=80))
def test_a_history_scores_the_same_alone_and_among_others(histories: list[list[int]]):
    together = SMALL.score([rows(history) for history in histories])
    for history, score in zip(histories, together, strict=True):
        np.testing.assert_allclose(SMALL.score([rows(history)])[0], score, rtol=1e-4, atol=1e-4)


@untimed
@given(HISTORIES)
def test_only_the_latest_items_are_read(history: list[int]):
    np.testing.assert_array_equal(SMALL.score([rows(history)]), SMALL.score([rows(history[-LENGTH:])]))


def test_the_future_does_not_leak_into_a_prefix():
    network = SequenceRanker(RECIPE, torch.eye(ITEMS, 3)).eval()
    items_ID = network.items_ID()
    one, other = torch.tensor([[1, 2, 3, 4]]), torch.tensor([[1, 2, 9, 8]])
    torch.testing.assert_close(network(one, items_ID)[:, :3], network(other, items_ID)[:, :3])


def test_the_same_request_gives_the_same_list(ranker: Ranker, movielens: MovieLens):
    history = movielens.events.histories()[196]
    first, second = ranker.rank(history, 100), ranker.rank(history, 100)
    assert first.rows.tolist() == second.rows.tolist()
    assert first.scores.tolist() == second.scores.tolist()


def test_what_a_person_watches_changes_their_list(ranker: Ranker, movielens: MovieLens):
    row_of = movielens.catalog.row_of()
    items = movielens.catalog.items
    children = rows([row_of[item] for item in (1, 71, 95, 99, 588)])  # Toy Story to Beauty and the Beast
    horror = rows([row_of[item] for item in (183, 200, 219, 234, 559)])  # Alien to Interview with the Vampire
    share = {
        name: sum("Horror" in items[row].genres for row in ranker.rank(history, 20).rows)
        for name, history in (("children", children), ("horror", horror))
    }
    assert share["horror"] > share["children"]
    assert ranker.rank(children, 10).rows.tolist() != ranker.rank(rows([]), 10).rows.tolist()
