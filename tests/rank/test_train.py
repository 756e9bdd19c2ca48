import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from tenfold.core.errors import AssetError
from tenfold.rank.artifact import artifact_folder, describe, needs_training
from tenfold.rank.dataset import MovieLens
from tenfold.rank.evaluate import Query, evaluate, measure, queries_after_cut
from tenfold.rank.learn import Learning, learn
from tenfold.rank.ranker import load_ranker
from tenfold.rank.recipe import DATA, Recipe
from tenfold.rank.rivals import ease, item_knn, popularity
from tenfold.rank.stream import Events, split_in_time

TINY = Recipe(width=8, epochs=1)


def some_events(movielens: MovieLens) -> Events:
    return movielens.events.select(movielens.events.person_E < 100)


def asking(rows: list[int]) -> Query:
    return Query(0, Events.of([0] * len(rows), rows), None, np.zeros(0, np.int64), True)


def test_the_ranker_beats_its_rivals_on_what_came_after_the_cut(trained_cache: Path):
    """Two epochs of eight: twice popularity, and better than item-kNN and EASE by a tenth."""
    evaluation = describe(trained_cache).evaluation
    model = evaluation.row("model").ndcg_at_10
    assert model > 2 * evaluation.row("popularity").ndcg_at_10
    assert model > 1.1 * evaluation.row("item-kNN").ndcg_at_10
    assert model > 1.1 * evaluation.row("EASE").ndcg_at_10
    for users_kind in ("returning", "new"):
        rival = evaluation.row("popularity", users_kind)
        assert evaluation.row("model", users_kind).ndcg_low > rival.ndcg_high


def test_the_meta_explains_the_artifact(trained_cache: Path, movielens: MovieLens):
    meta = describe(trained_cache)
    assert meta.evaluation.latest_train_at < meta.evaluation.cut_at
    assert meta.evaluation.train_events + meta.evaluation.test_events == meta.data.events == 100_000
    assert (meta.data.sha256, meta.seed, meta.versions["torch"]) == (DATA.sha256, 0, str(torch.__version__))
    assert meta.tensor_bytes == (artifact_folder(trained_cache) / meta.tensor_file).stat().st_size
    assert {row.system for row in meta.evaluation.table} == {"model", "popularity", "item-kNN", "EASE"}


def test_a_query_sees_only_what_lies_strictly_before_it(movielens: MovieLens):
    events = some_events(movielens)
    split = split_in_time(events, 0.8)
    at = dict(zip(zip(events.person_E.tolist(), events.row_E.tolist(), strict=True), events.at_E.tolist(), strict=True))
    queries = queries_after_cut(split)
    assert sum(len(query.targets) for query in queries) == len(split.test)
    for query in queries:
        (asked_at,) = {at[query.person, int(row)] for row in query.targets}
        assert asked_at >= split.cut_at
        assert all(at[query.person, int(row)] < asked_at for row in query.history.row_E)


def test_metrics_equal_a_count_by_hand():
    events = Events.of([1, 1, 1, 2, 2], [0, 1, 2, 0, 3], [10, 20, 30, 10, 30])
    split = split_in_time(events, 0.5)
    assert split.cut_at == 20
    queries = queries_after_cut(split)
    assert [(query.person, query.history.row_E.tolist(), query.targets.tolist()) for query in queries] == [
        (1, [0], [1]),
        (1, [0, 1], [2]),
        (2, [0], [3]),
    ]
    # User 1 finds item 1 third (3, 2, 1), then item 2 second (3, 2); user 2 finds item 3 first.
    scores = np.array([9, 1, 2, 3, *[0] * 8], dtype=np.float32)
    rows = evaluate("model", lambda asked: np.tile(scores, (len(asked), 1)), queries)
    assert [row.users_kind for row in rows] == ["all", "returning"]
    row = rows[0]
    assert row.recall_at_10 == 1.0
    assert row.ndcg_at_10 == pytest.approx((1 / np.log2(4) + 1 / np.log2(3) + 1) / 3)
    assert (row.queries, row.users) == (3, 2)


def test_ease_never_explains_an_item_by_itself_and_solves_its_equations(movielens: MovieLens):
    """Closed form against its optimality condition: off the diagonal, the gradient of the ridge loss is zero."""
    generator = np.random.default_rng(0)
    users, items = np.nonzero(generator.random((30, 12)) < 0.4)
    events = Events.of(users, items)
    score = ease(events, 12, ridge=3.0)
    weight = score([asking([item]) for item in range(12)]).astype(np.float64)
    seen = np.zeros((30, 12))
    seen[users, items] = 1
    gradient = seen.T @ (seen @ weight - seen) + 3.0 * weight
    np.fill_diagonal(gradient, 0)
    assert np.abs(gradient).max() < 1e-4
    assert np.abs(np.diag(weight)).max() < 1e-6


def test_rivals_rank_by_popularity_when_nothing_is_known(movielens: MovieLens):
    events = some_events(movielens)
    nothing = [asking([])]
    items = len(movielens.catalog)
    popular = popularity(events, items)(nothing)[0]
    for rival in (item_knn(events, items, neighbours=20, shrink=20), ease(events, items, ridge=200)):
        best = np.argmax(rival(nothing)[0])
        assert popular[best] == popular.max()


@pytest.mark.slow
def test_training_twice_gives_the_same_tensors_and_another_seed_others(movielens: MovieLens):
    stream, events = movielens.stream(), some_events(movielens)
    made = [learn(stream, events, Learning(TINY, seed), lambda done: None) for seed in (0, 0, 1)]
    first, again, other = (snapshot.network.own.weight for snapshot in made)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_progress_rises_to_one_and_a_first_start_is_told_apart_from_a_second(fresh_cache: Path, training):
    assert needs_training(fresh_cache, recipe=training.recipe)
    done = [share for _, share in training.told]
    assert done == sorted(done) and done[0] == 0 and done[-1] == 1
    assert list(dict.fromkeys(stage for stage, _ in training.told)) == [
        "reading MovieLens-100K",
        "fitting",
        "evaluating",
        "writing",
    ]
    assert not needs_training(training.cache, recipe=training.recipe)
    assert needs_training(training.cache, seed=1, recipe=training.recipe)
    assert needs_training(training.cache)


def test_damage_is_explained(training, tmp_path: Path):
    cache = tmp_path / "cache"
    shutil.copytree(training.cache, cache)
    check_that_damage_is_explained(cache, training.recipe)


def check_that_damage_is_explained(cache: Path, recipe: Recipe) -> None:
    meta, folder = describe(cache), artifact_folder(cache)
    tensors = folder / meta.tensor_file
    good = tensors.read_bytes()

    tensors.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    with pytest.raises(AssetError, match="is corrupt: sha256 is") as caught:
        load_ranker(cache)
    assert str(folder) in caught.value.next_step
    assert needs_training(cache, recipe=recipe)

    tensors.unlink()
    with pytest.raises(AssetError, match="cannot be read: No such file"):
        load_ranker(cache)

    path = folder / "meta.json"
    table = json.loads(path.read_text())
    path.write_text(json.dumps({**table, "format": 1}))
    with pytest.raises(AssetError, match=f"cannot be used: format Input should be {meta.format}"):
        describe(cache)
    path.write_text("{")
    with pytest.raises(AssetError, match="cannot be used"):
        describe(cache)


def test_an_untrained_ranker_says_what_trains_it(fresh_cache: Path):
    with pytest.raises(AssetError, match="has not been trained") as caught:
        describe(fresh_cache)
    assert "tenfold up" in caught.value.next_step


def test_a_surface_ranks_its_own_items_and_each_asks_for_itself():
    events = Events.of([1, 1, 1], [0, 4, 1], [10, 20, 20], surface=[0, 1, 0])
    allowed = np.array([[True, True, True, False, False], [False, False, False, True, True]])
    queries = queries_after_cut(split_in_time(events, 0.5), by_surface=True)
    assert [(query.surface, query.targets.tolist()) for query in queries] == [(0, [1]), (1, [4])]
    # Item 4 is first of all and on its surface; item 1 is last of its surface's two that are left.
    scores = np.array([9, 1, 2, 3, 8], dtype=np.float32)
    recall, ndcg = measure(lambda asked: np.tile(scores, (len(asked), 1)), queries, allowed)
    assert recall.tolist() == [1.0, 1.0]
    assert ndcg == pytest.approx([1 / np.log2(3), 1.0])


def test_equal_scores_are_ranked_by_row():
    query = Query(0, Events.of([0], [0]), None, np.array([3, 12]), True)
    recall, ndcg = measure(lambda asked: np.zeros((len(asked), 20), np.float32), [query])
    assert recall.tolist() == [0.5]
    assert ndcg == pytest.approx([(1 / np.log2(4)) / (1 + 1 / np.log2(3))])
