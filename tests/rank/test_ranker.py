import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from tenfold.rank.dataset import MovieLens
from tenfold.rank.network import Features, Network, Tokens
from tenfold.rank.ranker import Ranker
from tenfold.rank.recipe import Recipe, Shape
from tenfold.rank.stream import Events, Rows

ITEMS, LENGTH = 40, 6
RECIPE = Recipe(width=8, length=LENGTH)


def small_network() -> Network:
    shape = Shape(items=ITEMS, attributes=3)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        features = Features(
            torch.randint(3, (2 * ITEMS,)), torch.arange(ITEMS + 1) * 2, torch.zeros(ITEMS, 0), torch.ones(ITEMS) > 0
        )
        network = Network(RECIPE, shape, features)
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.5)
    return network.eval()


def small_ranker() -> Ranker:
    return Ranker(small_network(), RECIPE)


SMALL = small_ranker()
HISTORIES = st.lists(st.integers(0, ITEMS - 1), max_size=3 * LENGTH)
CANDIDATES = st.none() | st.lists(st.integers(0, ITEMS - 1), min_size=1, max_size=2 * ITEMS)


def rows(items: list[int]) -> Rows:
    return np.array(items, dtype=np.int64)


def seen(items: list[int]) -> Events:
    return SMALL.of_rows(rows(items))


@given(HISTORIES, CANDIDATES, st.integers(1, ITEMS + 5), st.booleans(), HISTORIES)
def test_the_list_is_what_sorting_the_whole_catalog_gives(
    history: list[int], candidates: list[int] | None, k: int, exclude_seen: bool, exclude: list[int]
):
    got = SMALL.rank(
        seen(history),
        k,
        exclude_seen=exclude_seen,
        candidates=None if candidates is None else rows(candidates),
        exclude=rows(exclude),
    )
    score = SMALL.score([seen(history)])[0]
    wanted = (set(range(ITEMS)) if candidates is None else set(candidates)) - set(exclude)
    allowed = wanted - set(history) if exclude_seen else wanted
    assert got.rows.tolist() == sorted(allowed, key=lambda row: (-score[row], row))[:k]
    assert got.scores.tolist() == [score[row] for row in got.rows]
    assert got.seen_excluded == len(wanted) - len(allowed)


@given(HISTORIES)
def test_nothing_seen_is_ever_returned(history: list[int]):
    assert not set(SMALL.rank(seen(history), ITEMS).rows.tolist()) & set(history)


@given(HISTORIES, st.permutations(range(12)))
def test_the_order_and_repetition_of_candidates_do_not_matter(history: list[int], order: list[int]):
    one = SMALL.rank(seen(history), 5, candidates=rows(list(range(12))))
    other = SMALL.rank(seen(history), 5, candidates=rows(order + order[:3]))
    assert one.rows.tolist() == other.rows.tolist()
    assert one.scores.tolist() == other.scores.tolist()


@given(st.lists(HISTORIES, min_size=1, max_size=80))
def test_a_history_scores_the_same_alone_and_among_others(histories: list[list[int]]):
    together = SMALL.score([seen(history) for history in histories])
    for history, score in zip(histories, together, strict=True):
        np.testing.assert_allclose(SMALL.score([seen(history)])[0], score, rtol=1e-4, atol=1e-4)


@given(HISTORIES)
def test_only_the_latest_items_are_read(history: list[int]):
    np.testing.assert_array_equal(SMALL.score([seen(history)]), SMALL.score([seen(history[-LENGTH:])]))


def test_the_future_does_not_leak_into_a_prefix():
    network, nothing = small_network(), torch.zeros(1, 4, dtype=torch.int64)

    def expected(items: list[int]) -> torch.Tensor:
        tokens = Tokens(nothing, nothing, nothing, nothing, torch.zeros(1, 5, dtype=torch.int64))
        return network(network.item_vectors(torch.tensor(items))[None], tokens)[0]

    torch.testing.assert_close(expected([1, 2, 3, 4])[:, :3], expected([1, 2, 9, 8])[:, :3])


def test_the_same_request_gives_the_same_list(ranker: Ranker, movielens: MovieLens):
    history = movielens.events_of(196)
    assert history is not None
    first, second = ranker.rank(history, 100), ranker.rank(history, 100)
    assert first.rows.tolist() == second.rows.tolist()
    assert first.scores.tolist() == second.scores.tolist()


def test_what_a_person_watches_changes_their_list(ranker: Ranker, movielens: MovieLens):
    row_of = movielens.catalog.row_of()
    items = movielens.catalog.items
    children = rows([row_of[item] for item in (1, 71, 95, 99, 588)])  # Toy Story to Beauty and the Beast
    horror = rows([row_of[item] for item in (183, 200, 219, 234, 559)])  # Alien to Interview with the Vampire
    share = {
        name: sum("Horror" in items[row].genres for row in ranker.rank(ranker.of_rows(history), 20).rows)
        for name, history in (("children", children), ("horror", horror))
    }
    assert share["horror"] > share["children"]
    assert ranker.rank(ranker.of_rows(children), 10).rows.tolist() != ranker.rank(Events.none(), 10).rows.tolist()
