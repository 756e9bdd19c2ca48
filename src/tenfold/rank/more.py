"""Go on from a snapshot: new events, new items and new surfaces, without learning everything again.

Shapes: I items, D width.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tenfold.core.errors import UsageError
from tenfold.rank.cold import lift_cold
from tenfold.rank.fit import fit
from tenfold.rank.learn import Began, Learning, explained, prepared
from tenfold.rank.network import Network
from tenfold.rank.snapshot import Snapshot
from tenfold.rank.stream import Stream

_EPOCHS = 2
_RATE = 0.3
"""Of the recipe's learning rate: what was learned shall move, and not be forgotten."""


def learn_more(
    before: Snapshot,
    stream: Stream,
    how: Learning,
    progress: Callable[[float], None],
    *,
    replay: float = 1.0,
    keep: Path | None = None,
) -> Snapshot:
    """Learn what happened since ``before``, and ``replay`` times as many events from before, drawn at random.

    Args:
        before: what is known; of the same recipe, but for rates and epochs.
        stream: all items, and events of some time before the snapshot's latest (the replay buffer) and since.
        how: as for ``learn``; two epochs at 0.3 of its learning rate.
        progress: told the share of the work done.
        replay: old events per new one; without any, what is old is forgotten.
        keep: file that a run which was stopped goes on from.

    Raises:
        UsageError: nothing is new, or the snapshot's network is of another size.
    """
    if (before.meta.recipe.width, before.meta.recipe.blocks) != (how.recipe.width, how.recipe.blocks):
        message = f"the snapshot's width is {before.meta.recipe.width}, the recipe's {how.recipe.width}"
        raise UsageError(message, next_step="go on with the snapshot's own recipe, or learn anew")
    since = before.meta.latest_event_at
    new_E = stream.events.at_E > since
    if not new_E.any():
        raise UsageError("nothing happened since the snapshot", next_step="go on when there are new events")
    rates = {"epochs": _EPOCHS, "learning_rate": _RATE * how.recipe.learning_rate}
    how = replace(how, recipe=how.recipe.model_copy(update=rates))
    began = Began()
    first_new = float(stream.events.at_E[new_E].min())
    row_of, known_I = before.items.row_of(), before.network.known_I
    rows = [row_of.get(item.id) for item in stream.items]
    known_before_I = np.array([row is not None and bool(known_I[row]) for row in rows])
    network, lessons = prepared(
        stream, stream.events, how, since=first_new, replay=replay, known_before_I=known_before_I
    )
    with torch.no_grad():
        _take_over(network, stream, before)
    curve = fit(network, lessons, how.recipe, how.seed, progress, keep=keep)
    lift_cold(network, how.recipe, stream, stream.events, how.seed)
    return explained(network, stream, stream.events, how, curve, began)


def _take_over(network: Network, stream: Stream, before: Snapshot) -> None:
    """Copy what the snapshot knows into a network that may have more of everything."""
    meta, known = before.meta, before.network.state_dict()
    row_of = before.items.row_of()
    of_item = [row_of.get(item.id) for item in stream.items]
    attributes = _places(meta.attributes, stream.items.attributes())
    surfaces = _places(meta.surfaces, stream.surfaces)
    actions = _places(meta.actions, stream.actions)
    asked = [*surfaces, len(meta.surfaces)]
    row_was = {
        "own.weight": of_item,
        "of_attribute.weight": attributes,
        "on_surface.weight": surfaces,
        "next_on_surface.weight": asked,
        # One number where there is one surface; else the last is of anywhere.
        "mean_weight": [*surfaces, len(known["mean_weight"]) - 1][: len(network.mean_weight)],
        "acts.weight": actions,
        "acts.bias": actions,
    }
    table_was = {"latest_weight": (asked, asked), "mean_bias": (asked, surfaces)}
    network.own.weight[:] = known["unseen"]  # Where a new item begins.
    for name, tensor in network.state_dict().items():
        old = known.get(name)
        if old is None or name in {"attribute", "attribute_start_I", "content_IC", "known_I", "cold_lift"}:
            continue
        if name in row_was:
            _copy_rows(tensor, old, row_was[name])
        elif name in table_was:
            _copy_table(tensor, old, *table_was[name])
        elif name == "surface_bias":
            for head, old_head in zip(tensor, old, strict=True):
                _copy_table(head, old_head, asked, surfaces)
        elif name == "did.weight":
            _copy_rows(tensor.T, old.T, actions)
        else:
            tensor.copy_(old)


def _places(before: Sequence[str], now: Sequence[str]) -> list[int | None]:
    """Where each of ``now`` was in ``before``."""
    place = {name: index for index, name in enumerate(before)}
    return [place.get(name) for name in now]


def _copy_rows(new: Tensor, old: Tensor, was: Sequence[int | None]) -> None:
    pairs = [(row, place) for row, place in enumerate(was) if place is not None]
    if pairs:
        rows, places = zip(*pairs, strict=True)
        new[list(rows)] = old[list(places)]


def _copy_table(new: Tensor, old: Tensor, row_was: Sequence[int | None], column_was: Sequence[int | None]) -> None:
    for row, was in enumerate(row_was):
        if was is not None:
            _copy_rows(new[row], old[was], column_was)
