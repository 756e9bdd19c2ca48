"""What a network learns in one epoch: windows of histories, grouped by length into batches of tensors.

Shapes: E events, W windows, B windows of a batch, L places, T targets, N negatives, U unique items of a batch, I items.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tenfold.rank.network import Tokens
from tenfold.rank.person import token_columns
from tenfold.rank.recipe import Recipe
from tenfold.rank.stream import Events, Mask, Rows

Generator = np.random.Generator

_JITTER = 0.5
"""Lengths are sorted with so much noise, so that windows of one length meet others every epoch."""


@dataclass(frozen=True, slots=True)
class Windows:
    """Parts of histories as places among the events, all (W,): read from ``first`` on, learn ``target`` to ``end``.

    ``origin`` is where the person's history begins: what lies before the window was seen all the same.
    """

    origin: Rows
    first: Rows
    target: Rows
    end: Rows

    def __len__(self) -> int:
        return len(self.end)

    def select(self, keep: Mask | Rows) -> "Windows":
        """The windows that ``keep`` marks, or has the places of."""
        return Windows(self.origin[keep], self.first[keep], self.target[keep], self.end[keep])


@dataclass(frozen=True, slots=True)
class Rivals:
    """What the targets of one pool of items compete with.

    ``target_T``: their places among all places of the batch; ``negative_N``: places in ``Batch.unique_U``;
    ``masked``: pairs of target and negative that do not count; ``stands_for``: items of the pool per negative.
    """

    target_T: Tensor
    negative_N: Tensor
    masked: tuple[Tensor, Tensor]
    stands_for: float


_LEAST_BATCHES = 40
_LEAST_BATCH_EVENTS = 100
"""Where there are few events, batches are smaller, so that an epoch still has some forty: on 4,000 events of 600 people
NDCG@10 was .142 with two batches an epoch and .284 with forty (docs/log.md)."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Windows side by side, padded at the end.

    ``unique_U`` are item rows; ``item_BL`` places in it of each window's events, of which the trunk reads all but the
    last; so are surfaces, actions and shares watched (``is_real_BL`` where there is an event at all).
    """

    unique_U: Tensor
    item_BL: Tensor
    tokens: Tokens
    surface_BL: Tensor
    actions_BL: Tensor
    watched_BL: Tensor
    is_real_BL: Tensor
    rivals: tuple[Rivals, ...]
    events: int


class Lessons:
    """Events as a network learns from them.

    Args:
        events: to learn from.
        allowed_SI: which item may be shown on which surface, and is a negative there.
        recipe: sizes of windows and batches.
        seen_again: whether people come back to items; if not, what was seen is no negative, since lists leave it out.
        wanted: bits of the actions of which one makes an event a target.
        since: learn only what happened from then on (Unix seconds), and replay ``replay`` times as much of the past.
    """

    def __init__(
        self,
        events: Events,
        allowed_SI: Mask,
        recipe: Recipe,
        *,
        seen_again: bool = False,
        wanted: int = -1,
        since: float | None = None,
        replay: float = 1.0,
    ) -> None:
        self._events, self._recipe, self._seen_again = events, recipe, seen_again
        self._columns = tuple(np.asarray(column) for column in token_columns(events))
        self._since, self._replay = since, replay
        self._surfaces, self._items = allowed_SI.shape
        if self._surfaces > 1 and recipe.anywhere:
            # Surface S is "anywhere", where whatever is shown on any may be.
            allowed_SI = np.concatenate([allowed_SI, allowed_SI.any(axis=0, keepdims=True)])
        pool_PI, pool_of_surface = np.unique(allowed_SI, axis=0, return_inverse=True)
        self._pools, self._pool_of_surface = [np.flatnonzero(pool_I) for pool_I in pool_PI], pool_of_surface.ravel()
        self._targets = (events.actions_E & wanted) != 0
        fewer = max(_LEAST_BATCH_EVENTS, len(events) // _LEAST_BATCHES)
        self._batch_events = min(recipe.batch_events, fewer)

    def epoch(self, generator: Generator) -> Iterator[Batch]:
        """Batches of one pass over all that is to be learned, in random order."""
        windows = self._windows(generator)
        for group in _groups(windows, self._batch_events, generator):
            yield self._batch(windows.select(group), generator)

    def digest(self) -> str:
        """Tells these lessons from others."""
        content = hashlib.sha256(f"{self._since} {self._replay} {self._seen_again}".encode())
        content.update(self._targets.tobytes())
        for column in (self._events.person_E, self._events.row_E, self._events.at_E, *self._columns, *self._pools):
            content.update(np.ascontiguousarray(column).tobytes())
        return content.hexdigest()

    def steps(self) -> int:
        """About how many batches an epoch has."""
        windows = self._windows(np.random.default_rng(0))
        return len(_groups(windows, self._batch_events, np.random.default_rng(0)))

    def _windows(self, generator: Generator) -> Windows:
        windows = windows_of(self._events, self._recipe.length, self._recipe.context, generator)
        if self._since is None:
            return windows
        return _recent(windows, self._events, self._since, self._replay, generator)

    def _batch(self, windows: Windows, generator: Generator) -> Batch:
        events = self._events
        length_B = windows.end - windows.first
        place_BL = windows.first[:, None] + np.arange(length_B.max())[None, :]
        real_BL = place_BL < windows.end[:, None]
        place_BL = np.minimum(place_BL, len(events) - 1)
        row_BL = np.where(real_BL, events.row_E[place_BL], events.row_E[windows.first][:, None])
        is_target_BL = real_BL & (place_BL >= windows.target[:, None]) & self._targets[place_BL]

        surface_BL, actions_BL, watched_BL, gap_BL = (np.where(real_BL, of[place_BL], 0) for of in self._columns)
        asked_BL = surface_BL
        if self._surfaces > 1:
            anywhere_BL = generator.random(surface_BL.shape) < self._recipe.anywhere
            asked_BL = np.where(anywhere_BL, self._surfaces, surface_BL)
        pool_BL = self._pool_of_surface[asked_BL]
        negatives = [self._negatives(pool, generator) for pool in range(len(self._pools))]
        place_of_I = np.zeros(self._items, dtype=np.int64)
        place_of_I[row_BL] = 1
        for row_N in negatives:
            place_of_I[row_N] = 1
        unique_U = np.flatnonzero(place_of_I)
        place_of_I[unique_U] = np.arange(len(unique_U))

        rivals = []
        for pool, row_N in enumerate(negatives):
            target_BL = is_target_BL & (pool_BL == pool)
            if target_BL.any() and len(row_N):
                masked = self._masked(windows, target_BL, row_N, place_BL)
                target_T = np.flatnonzero(target_BL)
                stands_for = len(self._pools[pool]) / len(row_N)
                rivals.append(Rivals(_long(target_T), _long(place_of_I[row_N]), masked, stands_for))
        tokens = Tokens(
            _long(surface_BL[:, :-1]), _long(actions_BL[:, :-1]), _long(watched_BL[:, :-1]), _long(gap_BL[:, :-1]),
            _long(asked_BL),
        )  # fmt: skip
        return Batch(
            _long(unique_U),
            _long(place_of_I[row_BL]),
            tokens,
            _long(surface_BL),
            _long(actions_BL),
            torch.from_numpy(np.where(real_BL, events.watched_E[place_BL], np.float32(np.nan))),
            torch.from_numpy(real_BL),
            tuple(rivals),
            int(is_target_BL.sum()),
        )

    def _negatives(self, pool: int, generator: Generator) -> Rows:
        """Items of a pool, drawn without repetition; pools share the recipe's number by their sizes."""
        rows = self._pools[pool]
        share = len(rows) / sum(len(other) for other in self._pools)
        wanted = min(len(rows), max(1, round(self._recipe.negatives * share)))
        return rows if wanted == len(rows) else generator.choice(rows, wanted, replace=False, shuffle=False)

    def _masked(self, windows: Windows, target_BL: Mask, row_N: Rows, place_BL: Rows) -> tuple[Tensor, Tensor]:
        """Pairs of target and negative that do not count, in order of target.

        A target is no negative of its own. Served lists leave out what was seen, so learning to push it down would be
        work lost: with it NDCG@10 on MovieLens was .111, without .096 (8 epochs, full softmax).
        """
        events = self._events
        column_I = np.full(self._items, -1, dtype=np.int64)
        column_I[row_N] = np.arange(len(row_N))
        number_BL = np.cumsum(target_BL).reshape(target_BL.shape) - 1
        own_T = column_I[events.row_E[place_BL[target_BL]]]
        target_T = np.flatnonzero(own_T >= 0)
        if self._seen_again:
            return _long(target_T), _long(own_T[target_T])
        count_B = windows.end - windows.origin
        owner = np.repeat(np.arange(len(windows)), count_B)
        seen = np.arange(len(owner)) - np.repeat(np.cumsum(count_B) - count_B - windows.origin, count_B)
        column = column_I[events.row_E[seen]]
        owner, seen, column = owner[column >= 0], seen[column >= 0], column[column >= 0]
        # Targets of one window have numbers that follow each other: from the first at or after what was seen.
        before_BL = number_BL - target_BL + 1  # how many targets of the batch lie before each place
        first = before_BL[owner, np.maximum(seen - windows.first[owner], 0)]
        last_B = number_BL[:, -1] + 1
        repeat = last_B[owner] - first
        number = np.arange(int(repeat.sum())) - np.repeat(np.cumsum(repeat) - repeat - first, repeat)
        column = np.repeat(column, repeat)
        order = np.argsort(number, kind="stable")
        return _long(number[order]), _long(column[order])


def windows_of(events: Events, length: int, context: int, generator: Generator) -> Windows:
    """Cut each history into windows, at places that differ each time, so that every event is a target once.

    Args:
        events: of all people.
        length: most events that a window learns or reads.
        context: of these, how many of those before its first target a window reads.
        generator: of the places.
    """
    origin_P = np.flatnonzero(np.diff(events.person_E, prepend=np.int64(-1)))
    count_P = np.diff(origin_P, append=len(events))
    stride = length - context
    first_P = np.where(count_P > length, generator.integers(1, length + 1, size=len(origin_P)), count_P)
    windows_P = 1 - (first_P - count_P) // stride
    owner_W = np.repeat(np.arange(len(origin_P)), windows_P)
    number_W = np.arange(len(owner_W)) - np.repeat(np.cumsum(windows_P) - windows_P, windows_P)
    end_W = np.minimum(first_P[owner_W] + number_W * stride, count_P[owner_W])
    target_W = np.where(number_W == 0, 0, first_P[owner_W] + (number_W - 1) * stride)
    origin_W = origin_P[owner_W]
    first_W = np.maximum(target_W - context, 0)
    return Windows(origin_W, origin_W + first_W, origin_W + target_W, origin_W + end_W)


def _recent(windows: Windows, events: Events, since: float, replay: float, generator: Generator) -> Windows:
    """Windows that hold what is new, learning only that; and some of the others, drawn at random."""
    new_before_E = np.concatenate([[0], np.cumsum(events.at_E >= since)])
    # Events of a person are sorted by time, so what is new of a window is its end.
    new_W = new_before_E[windows.end] - new_before_E[windows.target]
    is_new_W = new_W > 0
    fresh = Windows(windows.origin, windows.first, windows.end - new_W, windows.end).select(is_new_W)
    old = windows.select(~is_new_W)
    chosen = generator.permutation(len(old))
    learned = np.cumsum((old.end - old.target)[chosen])
    old = old.select(chosen[: int(np.searchsorted(learned, replay * new_W.sum()))])
    pairs = zip(
        (fresh.origin, fresh.first, fresh.target, fresh.end), (old.origin, old.first, old.target, old.end), strict=True
    )
    return Windows(*(np.concatenate(pair) for pair in pairs))


def _groups(windows: Windows, batch_events: int, generator: Generator) -> list[Rows]:
    """Group windows of about equal length, so that little is padding; the groups in random order."""
    length_W = windows.end - windows.first
    order_W = np.argsort(length_W + _JITTER * length_W**0.5 * generator.random(len(windows)))
    groups, start, longest = [], 0, 0
    for index, length in enumerate(length_W[order_W].tolist()):
        longest = max(longest, length)
        if index > start and (index + 1 - start) * longest > batch_events:
            groups.append(order_W[start:index])
            start, longest = index, length
    groups.append(order_W[start:])
    return [groups[index] for index in generator.permutation(len(groups))]


def _long(values: Rows) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.int64))
