"""Train the served ranker from MovieLens-100K, and measure how good it is."""

import fcntl
import platform
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import safetensors
import torch
from safetensors.torch import save as save_tensors

from tenfold.core.assets import AssetStatus, check, fetch
from tenfold.core.sound import set_aside
from tenfold.rank.artifact import (
    NAME,
    DataRecord,
    Evaluation,
    Meta,
    artifact_folder,
    damage_of,
    needs_training,
    tensor_file_name,
    write_artifact,
)
from tenfold.rank.dataset import Catalog, MovieLens, TimeSplit, load_movielens, split_in_time
from tenfold.rank.evaluate import (
    PROTOCOL,
    Scorer,
    System,
    ease,
    evaluate,
    item_knn,
    popularity,
    queries_after_cut,
)
from tenfold.rank.fit import fit
from tenfold.rank.ranker import Ranker
from tenfold.rank.recipe import DATA, Recipe

Progress = Callable[[str, float], None]
"""Told what is being done and the share of all work done, 0 to 1."""

_FITTED = 0.85
"""Share of the work that is done when the network is fitted; the rest is evaluation."""


def train(cache: Path, progress: Progress, threads: int = 1, seed: int = 0, recipe: Recipe | None = None) -> Path:
    """Fit on the events before the cut, evaluate after it, and write what was evaluated; about 25 CPU seconds.

    Sets torch's thread count for this process. One thread is best: a step is some 5 ms of small tensors, and on a
    busy 2-core machine two threads took 3 times the CPU and 3 times as long (28-39 s against 11 s for two epochs).

    Returns:
        The artifact's folder, ``cache/rank/movielens-100k``.

    Raises:
        AssetError: MovieLens-100K is missing from ``cache`` or corrupt.
    """
    recipe = recipe or Recipe()
    wall, cpu = time.monotonic(), time.process_time()
    torch.set_num_threads(threads)
    progress("reading MovieLens-100K", 0.0)
    data = load_movielens(cache)
    split = split_in_time(data.events, 1 - recipe.test_share)
    genre_share_IG = torch.from_numpy(data.catalog.genre_share_IG())
    network, loss = fit(split.train, genre_share_IG, recipe, seed, lambda done: progress("fitting", _FITTED * done))
    progress("evaluating", _FITTED)
    evaluation = _evaluate(Ranker(network, recipe).score, split, data.catalog)
    progress("writing", 1.0)
    tensors = save_tensors(network.state_dict())
    tensor_file, sha256 = tensor_file_name(tensors)
    meta = Meta(
        format=1,
        model=f"{NAME}-sequence",
        recipe=recipe,
        seed=seed,
        threads=threads,
        data=_data_record(data),
        evaluation=evaluation,
        served_from="the events before the cut: what is served is what was evaluated",
        final_loss=loss,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        tensor_file=tensor_file,
        tensor_bytes=len(tensors),
        tensor_sha256=sha256,
        train_wall_s=time.monotonic() - wall,
        train_cpu_s=time.process_time() - cpu,
        trained_at=time.time(),
        versions={
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
            "safetensors": safetensors.__version__,
        },
    )
    return write_artifact(cache, tensors, meta)


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


def _data_record(data: MovieLens) -> DataRecord:
    return DataRecord(
        package=DATA.package,
        version=DATA.version,
        sha256=DATA.sha256,
        users=len(np.unique(data.events.user_E)),
        items=len(data.catalog),
        events=len(data.events),
    )


def _evaluate(model: Scorer, split: TimeSplit, catalog: Catalog) -> Evaluation:
    """Put the model beside its rivals, whose settings were chosen on the same slice as its recipe."""
    queries = queries_after_cut(split)
    items = len(catalog)
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
        latest_train_at=int(split.train.at_E.max()),
        train_events=len(split.train),
        test_events=len(split.test),
        table=tuple(table),
    )
