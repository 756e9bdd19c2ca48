"""From a stream to a trained snapshot: shape, lessons, fit, and what explains the result."""

import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import safetensors
import torch

from tenfold.rank.artifact import DataRecord, Epoch, Evaluation, Meta
from tenfold.rank.cold import lift_cold
from tenfold.rank.features import Embed, features_of
from tenfold.rank.fit import Curve, fit
from tenfold.rank.lessons import Lessons
from tenfold.rank.network import Network
from tenfold.rank.recipe import Recipe, Shape
from tenfold.rank.snapshot import Snapshot
from tenfold.rank.stream import Events, Mask, Stream, comes_back

CONTENT = 384
"""Numbers of a text as MiniLM embeds it."""


@dataclass(frozen=True, slots=True)
class Learning:
    """How a snapshot is learned; ``embed``: how texts of items are read, none: they are not."""

    recipe: Recipe
    seed: int = 0
    embed: Embed | None = None
    name: str = "ranker"
    sha256: str = ""


def shape_of(stream: Stream, events: Events, content: int) -> Shape:
    """What the data has."""
    return Shape(
        items=len(stream.items),
        attributes=len(stream.items.attributes()),
        content=content,
        surfaces=len(stream.surfaces),
        actions=len(stream.actions),
        timed=stream.timed,
        judged=len(np.unique(events.actions_E)) > 1,
        watched=bool(np.isfinite(events.watched_E).any()),
    )


def learn(
    stream: Stream,
    train: Events,
    how: Learning,
    progress: Callable[[float], None],
    *,
    validate: Callable[[Network], float] | None = None,
    keep: Path | None = None,
) -> Snapshot:
    """Train a network on ``train``, events of ``stream``; deterministic but for the number of threads.

    Args:
        stream: items, surfaces, actions.
        train: what is learned from.
        how: recipe and seed.
        progress: told the share of the work done.
        validate: how good the network is, by which the best epoch is chosen; by default the last is kept.
        keep: file that a stopped run goes on from.
    """
    began = Began()
    network, lessons = prepared(stream, train, how)
    curve = fit(network, lessons, how.recipe, how.seed, progress, validate=validate, keep=keep)
    lift_cold(network, how.recipe, stream, train, how.seed)
    return explained(network, stream, train, how, curve, began)


def prepared(
    stream: Stream,
    train: Events,
    how: Learning,
    *,
    since: float | None = None,
    replay: float = 1.0,
    known_before_I: Mask | None = None,
) -> tuple[Network, Lessons]:
    """A network that has learned nothing yet, and what it will learn; arguments as for ``Lessons``.

    Items that nobody has had are no negatives: they would only be pushed down, and with them every item that comes
    later and is known by its content alone. ``known_before_I``: those that were known without ``train``.
    """
    has_text = how.embed is not None and any(item.words() for item in stream.items)
    shape = shape_of(stream, train, CONTENT if has_text else 0)
    known_I = np.bincount(train.row_E, minlength=len(stream.items)) > 0
    if known_before_I is not None:
        known_I |= known_before_I
    features = features_of(stream.items.all, stream.items.attributes(), shape.content, how.embed, known_I)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(how.seed)
        network = Network(how.recipe, shape, features)
    allowed_SI, seen_again = stream.items.allowed_SI(stream.surfaces) & known_I, comes_back(train)
    lessons = Lessons(
        train,
        allowed_SI,
        how.recipe,
        seen_again=seen_again,
        wanted=stream.wanted(),
        since=since,
        replay=replay,
    )
    return network, lessons


@dataclass(frozen=True, slots=True)
class Began:
    """When a training began: by the clock and by this process's CPU time, seconds."""

    wall: float = field(default_factory=time.monotonic)
    cpu: float = field(default_factory=time.process_time)


def explained(network: Network, stream: Stream, train: Events, how: Learning, curve: Curve, began: Began) -> Snapshot:
    """A trained network with all that explains it."""
    meta = Meta(
        format=5,
        model=f"{how.name}-sequence",
        recipe=how.recipe,
        shape=network.shape,
        surfaces=stream.surfaces,
        actions=stream.actions,
        attributes=stream.items.attributes(),
        timed=stream.timed,
        seen_again=comes_back(train),
        latest_event_at=float(train.at_E.max()),
        seed=how.seed,
        threads=torch.get_num_threads(),
        data=DataRecord(
            name=how.name,
            sha256=how.sha256,
            people=len(stream.people),
            items=len(stream.items),
            events=len(stream.events),
        ),
        evaluation=None,
        epochs=_epochs(curve),
        best_epoch=curve.best_epoch,
        served_from="all events that were given",
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        train_wall_s=time.monotonic() - began.wall,
        train_cpu_s=time.process_time() - began.cpu,
        trained_at=time.time(),
        versions={
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
            "safetensors": safetensors.__version__,
        },
    )
    return Snapshot(meta, network, stream.items)


def evaluated(snapshot: Snapshot, evaluation: Evaluation, served_from: str) -> Snapshot:
    """The snapshot with what was measured of it."""
    meta = snapshot.meta.model_copy(update={"evaluation": evaluation, "served_from": served_from})
    return Snapshot(meta, snapshot.network, snapshot.items)


def _epochs(curve: Curve) -> tuple[Epoch, ...]:
    asked = curve.validation or [-np.inf] * len(curve.losses)
    return tuple(
        Epoch(loss=loss, validation=float(value) if np.isfinite(value) else None)
        for loss, value in zip(curve.losses, asked, strict=True)
    )
