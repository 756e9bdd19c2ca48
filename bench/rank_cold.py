"""How well items are recommended that nobody has had yet.

A tenth of the items that are met after a cut in time is taken out of training; the model knows these by title and
attributes alone. Lists are asked for as serving makes them: after the cut, before each thing that somebody did, on the
surface where it was done. Recall@10 of those that were done with items taken out (cold), over recall@10 of those with
another tenth of the items, which was in training (warm). Every item of the surface that the person has not had
competes; ``kind``: only those of the same tenth do. The same without the lift that such items get (``rank/cold.py``),
and NDCG@10 of all that was done, with and without, which is what the lift costs.

MovieLens-100K by the served recipe, with titles read by MiniLM; Complete Journey (first purchases of 400 households) by
a smaller one. Seeds choose the items. The lift was chosen on other tenths of the same sets.

    python bench/rank_cold.py [--sets movielens journey] [--seeds 3]

Some four minutes of one quiet core. Last line: JSON with ``cold_share_of_warm`` of each set, and its parts.
"""

import argparse
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache

# Before torch and numpy are imported: one core.
os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from tenfold.core.assets import fetch
from tenfold.core.minilm import MINILM, MINILM_TOKENIZER, load_minilm
from tenfold.core.paths import cache_dir
from tenfold.rank.dataset import RECIPE, load_movielens
from tenfold.rank.evaluate import Query, measure, queries_after_cut
from tenfold.rank.features import Embed
from tenfold.rank.learn import Learning, learn
from tenfold.rank.ranker import Ranker
from tenfold.rank.recipe import DATA, Recipe
from tenfold.rank.stream import Rows, Stream, TimeSplit, split_in_time
from unified_sets import journey

KNOWN_SHARE, FOLDS, MOST = 0.9, 10, 3000
OF_JOURNEY = Recipe(width=64, length=150, negatives=1500, batch_events=400, epochs=3, dropout=0.4, own_dropout=0.4)
Figures = dict[str, float]


def movielens() -> tuple[Stream, Recipe]:
    fetch(DATA, cache_dir(), lambda _: None)
    return load_movielens(cache_dir()).stream(), RECIPE


SETS: dict[str, Callable[[], tuple[Stream, Recipe]]] = {
    "movielens": movielens,
    "journey": lambda: (journey().stream, OF_JOURNEY),
}


@lru_cache(maxsize=1)
def texts() -> Embed:
    """What reads titles; each title once, whatever the seed."""
    for asset in (MINILM, MINILM_TOKENIZER):
        fetch(asset, cache_dir(), lambda _: None)
    model, known = load_minilm(cache_dir()), {}

    def embed(words: Sequence[str]) -> np.ndarray:
        new = [text for text in dict.fromkeys(words) if text not in known]
        known.update(zip(new, model.embed(new), strict=True))
        return np.stack([known[text] for text in words])

    return embed


def judged(stream: Stream, recipe: Recipe, seed: int) -> Figures:
    """Take out a tenth of the items, train, and ask."""
    draw, split = np.random.default_rng(seed), split_in_time(stream.events, KNOWN_SHARE)
    met = np.flatnonzero(np.bincount(split.test.row_E, minlength=len(stream.items)) > 0)
    parts = np.array_split(draw.permutation(met), FOLDS)
    cold, warm = np.sort(parts[0]), np.sort(parts[1])
    train = split.train.select(~np.isin(split.train.row_E, cold))
    snapshot = learn(stream, train, Learning(recipe, seed, texts()), lambda _: None)
    queries = queries_after_cut(TimeSplit(split.cut_at, train, split.test), by_surface=True, wanted=stream.wanted())
    queries = [query for query in queries if len(query.targets)]
    everything = [queries[index] for index in np.sort(draw.permutation(len(queries))[:MOST])]
    allowed_SI = stream.items.allowed_SI(stream.surfaces)
    found: Figures = {}
    for name in ("lifted", "not lifted"):
        ranker = Ranker(snapshot.network, recipe)
        for kind, rows in (("cold", cold), ("warm", warm)):
            asked = about(queries, rows)
            found[f"{kind}, {name}"] = float(measure(ranker.answer, asked, allowed_SI)[0].mean())
            among_SI = allowed_SI & np.isin(np.arange(len(stream.items)), rows)
            found[f"{kind} among its kind, {name}"] = float(measure(ranker.answer, asked, among_SI)[0].mean())
        found[f"NDCG@10 of all, {name}"] = float(measure(ranker.answer, everything, allowed_SI)[1].mean())
        snapshot.network.cold_lift.zero_()
    return found


def about(queries: Sequence[Query], rows: Rows) -> list[Query]:
    """Those that have targets among ``rows``, with these alone."""
    fewer = (replace(query, targets=query.targets[np.isin(query.targets, rows)]) for query in queries)
    return [query for query in fewer if len(query.targets)]


def figures(name: str, seeds: Sequence[int]) -> Figures:
    """Means over seeds, and the shares of cold in warm."""
    stream, recipe = SETS[name]()
    each = [judged(stream, recipe, seed) for seed in seeds]
    means = {key: float(np.mean([one[key] for one in each])) for key in each[0]}
    for among in ("", " among its kind"):
        for lifted in ("lifted", "not lifted"):
            share = means[f"cold{among}, {lifted}"] / means[f"warm{among}, {lifted}"]
            means[f"cold_share_of_warm{among}, {lifted}"] = share
    return means


def cold_share(seeds: Sequence[int]) -> tuple[float, float]:
    """Recall@10 of cold and of warm films, as they are served."""
    means = figures("movielens", seeds)
    return means["cold, lifted"], means["warm, lifted"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    found = {name: figures(name, range(asked.seeds)) for name in asked.sets}
    table = Table("", *found, box=None)
    for key in next(iter(found.values())):
        table.add_row(key, *(f"{of[key]:.4f}" for of in found.values()))
    Console(stderr=True, width=120).print(table)
    shares = {name: round(of["cold_share_of_warm, lifted"], 3) for name, of in found.items()}
    print(json.dumps({"cold_share_of_warm": shares, "sets": found}))


if __name__ == "__main__":
    main()
