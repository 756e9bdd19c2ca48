"""One model for all surfaces against a model for each, at the same compute and the same parameters.

Both are the same network and recipe. The unified model reads what a person did on all surfaces, and is told which
surface is asked for. The others read and learn what was done on their own surface. At one width they would be the
larger, having a trunk for every surface; so the unified model is wider, and has no more parameters than they have
together. They learn as many events, in as many steps an epoch (smaller batches). Parameters and CPU seconds of both
are printed. Both choose their epoch on the validation events.

Real data: MovieLens-100K, a film's surface being the group of its genres; Complete Journey (the purchases of 400
households in a year), a product's surface being its department. Three parts in time: models learn from the first 80% of
the events, choose by the next 10%, and are judged on the last 10%: each person's every instant on a surface (at most
so many of each) is a query, all that went before is the history, all items of the surface that the person has not had
are ranked. The figure is NDCG@10.

The world (`tenfold world`) at five correlations between what people like on one surface and another. Models choose and
learn as above; the figure is the truth: how many of the ten items that stand first for each person on each surface,
among those that are there when the log ends, the person would open.

    python bench/rank_unified.py [--sets movielens journey world-0 ...] [--seeds 2] [--jobs 2]

Values are means over seeds; intervals are of a paired bootstrap over people (95%). Last line: JSON with `gain`
(relative, of all queries) and `low` (its interval's lower end) of the real set where it is lower, `worst_surface_low`
(the lowest lower end of any surface, real or of a world with correlation), `zero_correlation_gain`; and each set's
own figures.
"""

import argparse
import json
import os
import platform
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context

# Before torch and numpy are imported: two trainings at a time have a core each.
os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console

from tenfold.rank.evaluate import TOP, Query, Scorer, measure
from tenfold.rank.learn import Learning, learn
from tenfold.rank.network import Network
from tenfold.rank.ranker import Ranker, top_rows
from tenfold.rank.recipe import Recipe
from tenfold.rank.stream import Events, Items, Stream, joined
from unified_sets import DIAL, KNOWN_SHARE, REAL, SETS, Compared

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RECIPE = Recipe(
    width=64,
    length=150,
    dropout=0.4,
    own_dropout=0.4,
    anywhere=0.0,
    negatives=1500,
    batch_events=400,
    epochs=10,
    learning_rate=0.001,
)
UNIFIED_WIDTH = 104
LEAST_BATCH = 64
VALIDATED, JUDGED = 1, 6
"""Instants of a person on a surface that are asked for, at most."""
VALIDATING = 800
"""Queries that choose the epoch, at most."""
ROUNDS = 4000
UNIFIED, OWN = "unified", "own"
talk = Console(stderr=True, width=140)


@dataclass(frozen=True)
class Parts:
    """A set cut in time, and what is asked of models."""

    train: Events
    validation: list[Query]
    queries: list[Query]


@dataclass(frozen=True)
class Result:
    """Of one system, set and seed: the figure of each query (Q,), and what it took."""

    value_Q: Floats
    cpu_s: float
    parameters: int
    epochs: tuple[int, ...]


def parts_of(compared: Compared) -> Parts:
    events = compared.stream.events
    ordered = np.sort(events.at_E)
    first, second = (ordered[int(share * len(events))] for share in (KNOWN_SHARE, (1 + KNOWN_SHARE) / 2))
    train = events.select(events.at_E < first)
    between = events.select((events.at_E >= first) & (events.at_E < second))
    if compared.chance_SPI is not None:
        validation = some(queries_of(train, events.select(events.at_E >= first), VALIDATED, 1))
        return Parts(train, validation, final_queries(compared))
    last = events.select(events.at_E >= second)
    validation = some(queries_of(train, between, VALIDATED, 1))
    return Parts(train, validation, queries_of(joined([train, between]), last, JUDGED, 2))


def queries_of(known: Events, asked: Events, most: int, seed: int) -> list[Query]:
    """Instants of ``asked``, drawn at random, on each surface; what went before, ``known`` too, is the history."""
    random = np.random.default_rng(seed)
    everything = joined([known, asked])
    part_of, returning = dict(everything.by_person()), set(known.person_E.tolist())
    found = []
    for person, part in asked.by_person():
        mine, whole = asked.select(part), everything.select(part_of[person])
        for surface in np.unique(mine.surface_E).tolist():
            on_E = mine.surface_E == surface
            for at in random.permutation(np.unique(mine.at_E[on_E]))[:most]:
                history = whole.select(slice(0, int(np.searchsorted(whole.at_E, at))))
                found.append(Query(person, history, surface, mine.row_E[on_E & (mine.at_E == at)], person in returning))
    return found


def some(queries: list[Query]) -> list[Query]:
    """At most so many, drawn at random, as validate."""
    chosen = np.random.default_rng(3).permutation(len(queries))[:VALIDATING]
    return [queries[index] for index in np.sort(chosen)]


def final_queries(compared: Compared) -> list[Query]:
    """Each person on each surface when the log has ended."""
    events, nobody = compared.stream.events, Events.none()
    part_of = dict(events.by_person())
    return [
        Query(
            person,
            events.select(part_of[person]) if person in part_of else nobody,
            surface,
            np.zeros(0, np.int64),
            True,
        )
        for person in range(len(compared.stream.people))
        for surface in range(len(compared.stream.surfaces))
    ]


def judge(compared: Compared, scorer: Scorer, queries: Sequence[Query], rows: Ints | None = None) -> Floats:
    """The figure of each query. ``rows``: of the items that the scorer knows, where they are not all of the set's."""
    stream = compared.stream
    if compared.chance_SPI is None:
        names = stream.surfaces if rows is None else (stream.surfaces[0],)
        allowed_SI = stream.items.allowed_SI(names) if rows is None else np.ones((1, len(rows)), np.bool_)
        return measure(scorer, queries, allowed_SI)[1]
    value_Q = np.zeros(len(queries))
    for start in range(0, len(queries), 500):
        part = queries[start : start + 500]
        for index, (query, score_I) in enumerate(zip(part, scorer(part), strict=True), start=start):
            assert query.surface is not None
            chance_I = compared.chance_SPI[query.surface, query.person]
            score_I[query.history.row_E] = -np.inf
            score_I[chance_I == 0] = -np.inf
            value_Q[index] = chance_I[top_rows(score_I, TOP)].mean()
    return value_Q


def train(
    stream: Stream, events: Events, recipe: Recipe, seed: int, validation: Sequence[Query]
) -> tuple[Ranker, Result]:
    """Train a model; its epoch is the best on ``validation``."""
    allowed_SI = stream.items.allowed_SI(stream.surfaces)

    def validate(network: Network) -> float:
        return float(measure(Ranker(network, recipe).answer, validation, allowed_SI)[1].mean())

    began = time.process_time()
    snapshot = learn(stream, events, Learning(recipe, seed), lambda _: None, validate=validate)
    took = Result(np.zeros(0), time.process_time() - began, snapshot.meta.parameters, (snapshot.meta.best_epoch,))
    return Ranker(snapshot.network, recipe), took


def unified(compared: Compared, parts: Parts, recipe: Recipe, seed: int) -> Result:
    recipe = recipe.model_copy(update={"width": UNIFIED_WIDTH})
    ranker, took = train(compared.stream, parts.train, recipe, seed, parts.validation)
    return replace(took, value_Q=judge(compared, ranker.answer, parts.queries))


def own(compared: Compared, parts: Parts, recipe: Recipe, seed: int) -> Result:
    """A model for each surface, put together."""
    value_Q = np.zeros(len(parts.queries))
    surface_Q = np.array([query.surface for query in parts.queries])
    cpu_s, parameters, epochs = 0.0, 0, ()
    for surface, name in enumerate(compared.stream.surfaces):
        alone, part = on_surface(compared, parts, surface)
        share = len(part.train) / len(parts.train)
        batch = max(LEAST_BATCH, round(recipe.batch_events * share))
        mine = recipe.model_copy(update={"batch_events": batch})
        assert alone.stream.surfaces == (name,)
        ranker, took = train(alone.stream, part.train, mine, seed, part.validation)
        value_Q[surface_Q == surface] = judge(alone, ranker.answer, part.queries)
        cpu_s, parameters, epochs = cpu_s + took.cpu_s, parameters + took.parameters, epochs + took.epochs
    return Result(value_Q, cpu_s, parameters, epochs)


def on_surface(compared: Compared, parts: Parts, surface: int) -> tuple[Compared, Parts]:
    """What a model for one surface alone has: its items, its events, the queries there."""
    stream = compared.stream
    rows = np.flatnonzero(stream.items.allowed_SI(stream.surfaces)[surface])
    row_of_I = np.full(len(stream.items), -1)
    row_of_I[rows] = np.arange(len(rows))

    def events(all_events: Events) -> Events:
        there = all_events.select(all_events.surface_E == surface)
        return replace(there, row_E=row_of_I[there.row_E], surface_E=np.zeros_like(there.surface_E))

    def queries(all_queries: Sequence[Query]) -> list[Query]:
        return [
            replace(query, history=events(query.history), surface=0, targets=row_of_I[query.targets])
            for query in all_queries
            if query.surface == surface
        ]

    items = Items(tuple(stream.items[row] for row in rows))
    alone = replace(stream, surfaces=(stream.surfaces[surface],), items=items, events=events(stream.events))
    chance_SPI = None if compared.chance_SPI is None else compared.chance_SPI[surface : surface + 1, :, rows]
    part = Parts(events(parts.train), queries(parts.validation), queries(parts.queries))
    return Compared(compared.name, alone, chance_SPI), part


def run(name: str, system: str, seed: int) -> Result:
    torch.set_num_threads(1)
    compared = SETS[name]()
    return (unified if system == UNIFIED else own)(compared, parts_of(compared), RECIPE, seed)


@dataclass(frozen=True)
class Gain:
    """How much higher the unified model's mean is, relative, with the ends of its interval."""

    gain: float
    low: float
    high: float


def gain_of(unified_Q: Floats, own_Q: Floats, person_Q: Ints) -> Gain:
    """Paired bootstrap over people."""
    _, index_Q = np.unique(person_Q, return_inverse=True)
    unified_P, own_P = np.bincount(index_Q, unified_Q), np.bincount(index_Q, own_Q)
    draw = np.random.default_rng(0).integers(len(own_P), size=(ROUNDS, len(own_P)))
    gains = unified_P[draw].sum(axis=1) / own_P[draw].sum(axis=1) - 1
    low, high = np.quantile(gains, (0.025, 0.975))
    return Gain(float(unified_Q.mean() / own_Q.mean() - 1), float(low), float(high))


def report(name: str, of: dict[str, list[Result]]) -> tuple[Gain, dict[str, Gain]]:
    """Print a set's figures, and give its gain and that of each surface."""
    compared = SETS[name]()
    queries, surfaces = parts_of(compared).queries, compared.stream.surfaces
    person_Q, surface_Q = (np.array([getattr(query, field) for query in queries]) for field in ("person", "surface"))
    unified_Q, own_Q = (np.mean([result.value_Q for result in of[system]], axis=0) for system in (UNIFIED, OWN))
    cpu = {system: sum(result.cpu_s for result in of[system]) / len(of[system]) for system in of}
    by_seed = [f"{a.value_Q.mean() / b.value_Q.mean() - 1:+.1%}" for a, b in zip(of[UNIFIED], of[OWN], strict=True)]
    print(
        f"\n{compared.name}: {len(compared.stream.events):,} events of {len(compared.stream.people):,} people, "
        f"{len(compared.stream.items):,} items; {len(queries):,} queries. CPU {cpu[UNIFIED]:.0f} | {cpu[OWN]:.0f} s, "
        f"parameters {of[UNIFIED][0].parameters:,} | {of[OWN][0].parameters:,}; by seed {', '.join(by_seed)}; "
        f"epochs {[r.epochs for r in of[UNIFIED]]} | {[r.epochs for r in of[OWN]]}"
    )
    everywhere = gain_of(unified_Q, own_Q, person_Q)
    line("all", own_Q, unified_Q, everywhere, len(queries))
    by_surface = {}
    for surface, title in enumerate(surfaces):
        on_Q = surface_Q == surface
        by_surface[title] = gain_of(unified_Q[on_Q], own_Q[on_Q], person_Q[on_Q])
        line(title, own_Q[on_Q], unified_Q[on_Q], by_surface[title], int(on_Q.sum()))
    return everywhere, by_surface


def line(title: str, own_Q: Floats, unified_Q: Floats, gain: Gain, count: int) -> None:
    figures = f"{own_Q.mean():.4f} {unified_Q.mean():.4f}  {gain.gain:+7.1%} [{gain.low:+.1%}, {gain.high:+.1%}]"
    print(f"  {title:<12} {figures}  {count:,} queries")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), help="trainings at a time")
    options = vars(parser.parse_args())
    for name in options["sets"]:
        SETS[name]()  # Fetched once, before several would at the same time.
    print(f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}; per surface | own, unified, gain")
    found, began = {}, time.monotonic()
    # Spawned: polars has threads of its own, which a forked process would wait for in vain.
    with ProcessPoolExecutor(options["jobs"], get_context("spawn")) as pool:
        jobs = {
            name: {
                system: [pool.submit(run, name, system, seed) for seed in range(options["seeds"])]
                for system in (OWN, UNIFIED)
            }
            for name in options["sets"]
        }
        for name, systems in jobs.items():
            found[name] = report(
                name, {system: [job.result() for job in waiting] for system, waiting in systems.items()}
            )
            talk.print(f"{name} after {time.monotonic() - began:.0f} s")
    print(json.dumps(summary(found)))


def summary(found: dict[str, tuple[Gain, dict[str, Gain]]]) -> dict[str, object]:
    real = [found[name][0] for name in REAL if name in found]
    related = [name for name in found if name != f"world-{DIAL[0]:g}"]
    lower = min(real, key=lambda gain: gain.gain, default=None)
    nothing = found.get(f"world-{DIAL[0]:g}")
    return {
        "gain": None if lower is None else round(lower.gain, 4),
        "low": None if lower is None else round(lower.low, 4),
        "worst_surface_low": round(min(gain.low for name in related for gain in found[name][1].values()), 4)
        if related
        else None,
        "zero_correlation_gain": None if nothing is None else round(nothing[0].gain, 4),
        "sets": {
            name: [round(value, 4) for value in (all_.gain, all_.low, all_.high)] for name, (all_, _) in found.items()
        },
    }


if __name__ == "__main__":
    main()
