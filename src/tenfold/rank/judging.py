"""Train with validation, and judge what comes of it on events that it has not seen, with rivals beside it."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np

from tenfold.core.errors import UsageError
from tenfold.rank.artifact import Evaluation, MetricsRow
from tenfold.rank.evaluate import (
    PROTOCOL,
    PROTOCOL_LAST,
    Query,
    Scorer,
    System,
    evaluate,
    measure,
    queries_after_cut,
    queries_last,
)
from tenfold.rank.learn import Learning, learn
from tenfold.rank.network import Network
from tenfold.rank.ranker import Ranker
from tenfold.rank.rivals import best_ease, best_item_knn, popularity
from tenfold.rank.snapshot import Snapshot
from tenfold.rank.stream import Events, Stream, comes_back, split_in_time, split_last

VALIDATING = 2000
"""People whose last event is kept from training to choose by."""
TEST_SHARE = 0.1
_FITTED = 0.9
_MOST_ITEMS_EASE = 20_000
"""Of more, the matrix that EASE inverts does not fit into a few gigabytes."""


def learn_validated(
    stream: Stream, train: Events, how: Learning, progress: Callable[[float], None], *, keep: Path | None = None
) -> Snapshot:
    """Train on ``train`` less the last event of some people, and keep the epoch that finds these best.

    Raises:
        UsageError: nobody took a second item, so that there is nothing to foresee.
    """
    has_past_E = np.diff(train.person_E, prepend=np.int64(-1)) == 0
    if len(stream.items) < 2 or not (has_past_E & ((train.actions_E & stream.wanted()) != 0)).any():
        raise UsageError(
            f"there is nothing to learn in {len(train)} events of {len(stream.items)} items: "
            "nobody took an item after another",
            next_step="give more events of each person",
        )
    rest, queries = held_out(stream, train, how.seed)
    worth = _worth(stream, rest, queries)

    def validate(network: Network) -> float:
        return worth(Ranker(network, how.recipe).answer)

    return learn(stream, rest, how, progress, validate=validate if queries else None, keep=keep)


def held_out(stream: Stream, train: Events, seed: int) -> tuple[Events, list[Query]]:
    """``train`` less the last event of up to 2,000 people who have others, and these as queries."""
    _, last = split_last(train)
    counts = np.bincount(train.person_E)
    people = last.person_E[((last.actions_E & stream.wanted()) != 0) & (counts[last.person_E] > 1)]
    draw = np.random.default_rng(seed)
    chosen = np.sort(draw.choice(people, min(VALIDATING, len(people) // 2), replace=False))
    is_last_E = np.diff(train.person_E, append=np.int64(-1)) != 0
    out_E = is_last_E & np.isin(train.person_E, chosen)
    rest = train.select(~out_E)
    return rest, queries_last(rest, train.select(out_E), by_surface=len(stream.surfaces) > 1)


def evaluation_of(
    stream: Stream, how: Learning, split: Literal["time", "last"], progress: Callable[[float], None]
) -> Evaluation:
    """Train on one part of the events and judge on the other, per surface where there are several."""
    by_surface = len(stream.surfaces) > 1
    if split == "time":
        parts = split_in_time(stream.events, 1 - TEST_SHARE)
        train, test, cut_at = parts.train, parts.test, parts.cut_at
        queries = queries_after_cut(parts, by_surface=by_surface, wanted=stream.wanted())
    else:
        train, last = split_last(stream.events)
        test = last.select((last.actions_E & stream.wanted()) != 0)
        queries, cut_at = queries_last(train, test, by_surface=by_surface), float("inf")
    snapshot = learn_validated(stream, train, how, lambda done: progress(_FITTED * done))
    systems = rivals(stream, train, how.seed) | {"model": Ranker(snapshot.network, how.recipe).answer}
    table = [row for system in ("model", *(name for name in systems if name != "model"))
             for row in _rows(stream, train, system, systems[system], queries)]  # fmt: skip
    progress(1.0)
    return Evaluation(
        protocol=PROTOCOL if split == "time" else PROTOCOL_LAST,
        cut_at=cut_at,
        latest_train_at=float(train.at_E.max()),
        train_events=len(train),
        test_events=len(test),
        table=tuple(table),
    )


def rivals(stream: Stream, train: Events, seed: int) -> dict[System, Scorer]:
    """Popularity, item-kNN and EASE, their settings chosen on the same validation events as the epoch."""
    rest, queries = held_out(stream, train, seed)
    items, worth = len(stream.items), _worth(stream, rest, queries)
    systems: dict[System, Scorer] = {"popularity": popularity(rest, items)}
    systems["item-kNN"] = best_item_knn(rest, items, worth)[0]
    if items <= _MOST_ITEMS_EASE:
        systems["EASE"] = best_ease(rest, items, worth)[0]
    return systems


def _worth(stream: Stream, train: Events, queries: list[Query]) -> Callable[[Scorer], float]:
    allowed_SI, seen_again = stream.items.allowed_SI(stream.surfaces), comes_back(train)
    return lambda scorer: float(measure(scorer, queries, allowed_SI, seen_again=seen_again)[1].mean())


def _rows(stream: Stream, train: Events, system: System, scorer: Scorer, queries: list[Query]) -> list[MetricsRow]:
    """Of all queries, of the returning and the new, of each surface, and of targets that nobody had in training."""
    allowed_SI, seen_again = stream.items.allowed_SI(stream.surfaces), comes_back(train)
    known_I = np.bincount(train.row_E, minlength=len(stream.items)) > 0
    rows = evaluate(system, scorer, queries, allowed_SI=allowed_SI, seen_again=seen_again)
    slices = {
        name: [query for query in queries if query.surface == index] for index, name in enumerate(stream.surfaces)
    }
    slices = slices if len(slices) > 1 else {}
    slices["cold items"] = [query for query in queries if not known_I[query.targets].any()]
    for name, part in slices.items():
        if part:
            row = evaluate(system, scorer, part, allowed_SI=allowed_SI, seen_again=seen_again)[0]
            rows.append(row.model_copy(update={"users_kind": name}))
    return rows
