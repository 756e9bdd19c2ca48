"""How well the recommender finds each person's last item, beside popularity, item-kNN and EASE.

Each person's last event is the target, the one before it chooses epoch and settings, all others are learned from; all
items that the person has not had are ranked. One recipe for all data sets, nothing chosen on a target.

    python bench/rank_quality.py [--data DIR] [--seeds 3] [--jobs 2]

DIR holds data sets as S3-Rec has them (``Beauty.txt`` and ``Beauty_item2attributes.json``), or one of RecBole's, or a
table (see ``tenfold rank fit --help``). By default MovieLens-100K, five minutes of one quiet core. The last line is one
JSON object: NDCG@10 and recall@10 (means over seeds, then data sets), and the core-minutes of one training, validation
included; the same for each data set under its name, with each seed's figures.
"""

import argparse
import json
import os
import platform
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path

# Before torch and numpy are imported: core-minutes are those of one thread.
os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from tenfold.core.assets import fetch
from tenfold.core.errors import TenfoldError, UsageError
from tenfold.core.paths import cache_dir
from tenfold.rank.evaluate import Query, Scorer, measure, queries_last
from tenfold.rank.learn import Learning, learn
from tenfold.rank.network import Network
from tenfold.rank.ranker import Ranker
from tenfold.rank.read.folder import read_folder
from tenfold.rank.read.s3_rec import names_in
from tenfold.rank.recipe import DATA, Recipe
from tenfold.rank.rivals import best_ease, best_item_knn, popularity
from tenfold.rank.stream import Events, Stream, split_last

VALIDATING = 6000
"""People, drawn once per seed, whose last item but one chooses the epoch: an epoch's answer in a second or two."""
MOST_ITEMS_EASE = 20_000
LEAST_EVENTS = 3
talk = Console(stderr=True, width=140)


@dataclass(frozen=True)
class Score:
    """Of one system on one data set, by one seed."""

    ndcg10: float
    recall10: float
    core_minutes: float
    how: str


def sets_in(folder: Path | None) -> dict[str, Path]:
    """Name and place of each data set."""
    if folder is None:
        return {DATA.name: fetch(DATA, cache_dir(), lambda _: None)}
    names = names_in(folder) if folder.is_dir() else []
    return {name: folder / f"{name}.txt" for name in names} or {folder.resolve().stem: folder}


def usable(path: Path) -> Stream:
    """A data set, with its rows that cannot be used told.

    Raises:
        UsageError: it cannot be read, or nobody has three events: one to be found, one to choose by, one to learn from.
    """
    stream, complaints = read_folder(path, skip_bad_rows=True)
    if complaints.count:
        talk.print(f"left out {complaints.count} rows\n{complaints.told()}", markup=False)
    if np.bincount(stream.events.person_E).max() < LEAST_EVENTS:
        raise UsageError(f"{path}: nobody has {LEAST_EVENTS} events", next_step="give more events of each person")
    return stream


def order_only(stream: Stream) -> Stream:
    """The stream as published tables use it: who took what, in which order."""
    events = stream.events
    plain = Events.of(events.person_E, events.row_E, events.at_E)
    return Stream(("all",), ("chosen",), stream.people, stream.items, plain, stream.timed)


def judged(path: Path, system: str, seed: int) -> Score:
    """Train one system and judge it."""
    torch.set_num_threads(1)
    stream = order_only(read_folder(path, skip_bad_rows=True)[0])
    known, test = split_last(stream.events)
    train, validation = split_last(known)
    asked = queries_last(train, validation)
    draw = np.random.default_rng(seed)
    chosen = np.sort(draw.choice(len(asked), min(VALIDATING, len(asked)), replace=False))
    validating = [asked[index] for index in chosen]
    began = time.process_time()
    scorer, how = trained(stream, train, validating, system, seed)
    core_minutes = (time.process_time() - began) / 60
    recall, ndcg = measure(scorer, queries_last(known, test))
    return Score(float(ndcg.mean()), float(recall.mean()), core_minutes, how)


def trained(stream: Stream, train: Events, validating: list[Query], system: str, seed: int) -> tuple[Scorer, str]:
    """A system and its settings, chosen on ``validating``."""
    items = len(stream.items)

    def worth(scorer: Scorer) -> float:
        return float(measure(scorer, validating)[1].mean())

    if system == "popularity":
        return popularity(train, items), ""
    if system == "item-kNN":
        return best_item_knn(train, items, worth)
    if system == "EASE":
        return best_ease(train, items, worth)
    recipe = Recipe()

    def validate(network: Network) -> float:
        return worth(Ranker(network, recipe).answer)

    snapshot = learn(stream, train, Learning(recipe, seed), lambda _: None, validate=validate)
    return Ranker(snapshot.network, recipe).answer, f"epoch {snapshot.meta.best_epoch} of {recipe.epochs}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with data sets")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), help="trainings at a time")
    arguments = parser.parse_args()
    try:
        # Read once before anything is trained, so that a file which cannot be is told of in a second.
        found = sets_in(arguments.data)
        items = {name: len(usable(path).items) for name, path in found.items()}
    except TenfoldError as error:
        parser.exit(error.exit_code, f"{error}\n{error.next_step}\n")
    told: dict[str, object] = {}
    table = Table("data set", "system", "NDCG@10", "recall@10", "core-minutes", "settings", box=None)
    # Spawned: polars has threads of its own, which a forked process would wait for in vain.
    with ProcessPoolExecutor(arguments.jobs, get_context("spawn")) as pool:
        jobs = {
            name: {
                "tenfold": [pool.submit(judged, path, "tenfold", seed) for seed in range(arguments.seeds)],
                "popularity": [pool.submit(judged, path, "popularity", 0)],
                "item-kNN": [pool.submit(judged, path, "item-kNN", 0)],
            }
            | ({"EASE": [pool.submit(judged, path, "EASE", 0)]} if items[name] <= MOST_ITEMS_EASE else {})
            for name, path in found.items()
        }
        for name, systems in jobs.items():
            rows = {system: [job.result() for job in submitted] for system, submitted in systems.items()}
            for system, scores in rows.items():
                table.add_row(name, system, *_means(scores), "; ".join(score.how for score in scores))
            told[name] = {
                "ndcg10": _mean(rows["tenfold"], "ndcg10"),
                "recall10": _mean(rows["tenfold"], "recall10"),
                "core_minutes": _mean(rows["tenfold"], "core_minutes"),
                "seeds": [score.ndcg10 for score in rows["tenfold"]],
                "rivals": {system: scores[0].ndcg10 for system, scores in rows.items() if system != "tenfold"},
            }
            talk.print(f"{name}: {told[name]}", style="dim")
    talk.print(table)
    means = {key: float(np.mean([told[name][key] for name in found])) for key in ("ndcg10", "recall10", "core_minutes")}
    versions = {"python": platform.python_version(), "torch": version("torch"), "numpy": version("numpy")}
    print(json.dumps({**means, **told, "versions": versions}))


def _mean(scores: list[Score], key: str) -> float:
    return float(np.mean([getattr(score, key) for score in scores]))


def _means(scores: list[Score]) -> tuple[str, str, str]:
    ndcg, recall, minutes = (_mean(scores, key) for key in ("ndcg10", "recall10", "core_minutes"))
    return f"{ndcg:.4f}", f"{recall:.4f}", f"{minutes:.2f}"


if __name__ == "__main__":
    main()
