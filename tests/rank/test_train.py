import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from tenfold.core.errors import AssetError
from tenfold.rank.artifact import artifact_folder, describe, needs_training
from tenfold.rank.dataset import Events, MovieLens, split_in_time
from tenfold.rank.evaluate import ease, evaluate, item_knn, popularity, queries_after_cut
from tenfold.rank.fit import fit
from tenfold.rank.ranker import load_ranker
from tenfold.rank.recipe import DATA, Recipe

TINY = Recipe(width=8, epochs=1)


def some_events(movielens: MovieLens) -> Events:
    return movielens.events.select(movielens.events.user_E <= 100)


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
    at = dict(zip(zip(events.user_E.tolist(), events.row_E.tolist(), strict=True), events.at_E.tolist(), strict=True))
    queries = queries_after_cut(split)
    assert sum(len(query.targets) for query in queries) == len(split.test)
    for query in queries:
        (asked_at,) = {at[query.user, int(row)] for row in query.targets}
        assert asked_at >= split.cut_at
        assert all(at[query.user, int(row)] < asked_at for row in query.history)


def test_metrics_equal_a_count_by_hand():
    events = Events(np.array([1, 1, 1, 2, 2]), np.array([0, 1, 2, 0, 3]), np.array([10, 20, 30, 10, 30]))
    split = split_in_time(events, 0.5)
    assert split.cut_at == 20
    queries = queries_after_cut(split)
    assert [(query.user, query.history.tolist(), query.targets.tolist()) for query in queries] == [
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
    events = Events(users, items, np.arange(len(users)))
    score = ease(events, 12, ridge=3.0)
    weight = score([np.array([item]) for item in range(12)]).astype(np.float64)
    seen = np.zeros((30, 12))
    seen[users, items] = 1
    gradient = seen.T @ (seen @ weight - seen) + 3.0 * weight
    np.fill_diagonal(gradient, 0)
    assert np.abs(gradient).max() < 1e-4
    assert np.abs(np.diag(weight)).max() < 1e-6


def test_rivals_rank_by_popularity_when_nothing_is_known(movielens: MovieLens):
    events = some_events(movielens)
    nothing = [np.zeros(0, dtype=np.int64)]
    items = len(movielens.catalog)
    popular = popularity(events, items)(nothing)[0]
    for rival in (item_knn(events, items, neighbours=20, shrink=20), ease(events, items, ridge=200)):
        best = np.argmax(rival(nothing)[0])
        assert popular[best] == popular.max()


@pytest.mark.slow
def test_training_twice_gives_the_same_tensors_and_another_seed_others(movielens: MovieLens):
    share = torch.from_numpy(movielens.catalog.genre_share_IG())
    networks = [fit(some_events(movielens), share, TINY, seed, lambda done: None)[0] for seed in (0, 0, 1)]
    first, again, other = (network.item.weight for network in networks)
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
    path.write_text(json.dumps({**table, "format": 2}))
    with pytest.raises(AssetError, match="cannot be used: format Input should be 1"):
        describe(cache)
    path.write_text("{")
    with pytest.raises(AssetError, match="cannot be used"):
        describe(cache)


def test_an_untrained_ranker_says_what_trains_it(fresh_cache: Path):
    with pytest.raises(AssetError, match="has not been trained") as caught:
        describe(fresh_cache)
    assert "tenfold up" in caught.value.next_step
