"""Train the served ranker from MovieLens-100K, and measure how good it is."""

import fcntl
from collections.abc import Callable
from pathlib import Path

import torch

from tenfold.core.assets import AssetStatus, check, fetch
from tenfold.core.sound import set_aside
from tenfold.rank.artifact import NAME, Evaluation, artifact_folder, damage_of, needs_training
from tenfold.rank.dataset import RECIPE, load_movielens
from tenfold.rank.evaluate import PROTOCOL, Scorer, System, evaluate, queries_after_cut
from tenfold.rank.learn import Learning, evaluated, learn
from tenfold.rank.ranker import Ranker
from tenfold.rank.recipe import DATA, Recipe
from tenfold.rank.rivals import ease, item_knn, popularity
from tenfold.rank.snapshot import save_snapshot
from tenfold.rank.stream import Stream, TimeSplit, split_in_time

Progress = Callable[[str, float], None]
"""Told what is being done and the share of all work done, 0 to 1."""

_SERVED_FROM = "the events before the cut: what is served is what was evaluated"
_FITTED = 0.85
"""Share of the work that is done when the network is fitted; the rest is evaluation."""


def train(cache: Path, progress: Progress, threads: int = 1, seed: int = 0, recipe: Recipe | None = None) -> Path:
    """Fit on the events before the cut, evaluate after it, and write what was evaluated; about 25 CPU seconds.

    Sets torch's thread count for this process. One thread is best: a step is some 5 ms of small tensors, and on a
    busy 2-core machine two threads took 3 times the CPU and 3 times as long (28-39 s against 11 s for two epochs).

    Returns:
        The artifact's folder, ``cache/rank/movielens-100k-5``.

    Raises:
        AssetError: MovieLens-100K is missing from ``cache`` or corrupt.
    """
    torch.set_num_threads(threads)
    progress("reading MovieLens-100K", 0.0)
    data = load_movielens(cache)
    split = split_in_time(data.events, 1 - (recipe or RECIPE).test_share)
    stream = data.stream()
    how = Learning(recipe or RECIPE, seed, name=NAME, sha256=DATA.sha256)
    snapshot = learn(stream, split.train, how, lambda done: progress("fitting", _FITTED * done))
    progress("evaluating", _FITTED)
    ranker = Ranker(snapshot.network, snapshot.meta.recipe, snapshot.surface_I())
    snapshot = evaluated(snapshot, _evaluate(ranker.answer, split, stream), _SERVED_FROM)
    progress("writing", 1.0)
    folder = artifact_folder(cache)
    save_snapshot(folder, snapshot)
    return folder


def prepare_ranker(cache: Path, progress: Progress) -> Path:
    """Train the ranker unless a sound one is there; a damaged one is set aside first. Processes wait for one another.

    Raises:
        AssetError: MovieLens-100K is missing from ``cache`` or damaged.
    """
    folder = artifact_folder(cache)
    if needs_training(cache):
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ".train.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if needs_training(cache):
                if (damage := damage_of(cache)) is not None:
                    set_aside(damage.path, damage.cause, "the ranker is trained again")
                train(cache, progress)
    return folder


def mend(cache: Path) -> bool:
    """Fetch MovieLens-100K again and train again, as far as they are damaged; says whether anything was.

    Raises:
        AssetError: the data cannot be fetched.
    """
    damaged = check(DATA, cache) is AssetStatus.CORRUPT
    if damaged:
        fetch(DATA, cache, lambda _: None)
    if damage_of(cache) is not None:
        prepare_ranker(cache, lambda _stage, _done: None)
        return True
    return damaged


def _evaluate(model: Scorer, split: TimeSplit, stream: Stream) -> Evaluation:
    """Put the model beside its rivals, whose settings were chosen on the same slice as its recipe."""
    queries = queries_after_cut(split)
    items = len(stream.items)
    systems: dict[System, Scorer] = {
        "model": model,
        "popularity": popularity(split.train, items),
        "item-kNN": item_knn(split.train, items, neighbours=200, shrink=20),
        "EASE": ease(split.train, items, ridge=200),
    }
    table = [row for name, score in systems.items() for row in evaluate(name, score, queries)]
    return Evaluation(
        protocol=PROTOCOL,
        cut_at=split.cut_at,
        latest_train_at=float(split.train.at_E.max()),
        train_events=len(split.train),
        test_events=len(split.test),
        table=tuple(table),
    )
