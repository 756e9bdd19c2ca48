"""Fit the network to events: shuffled windows of histories, sampled softmax, AdamW.

Shapes: B windows, L positions, T targets of a batch, N negatives, I items, E events, D width.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from tenfold.rank.dataset import Events, Rows
from tenfold.rank.model import SequenceRanker
from tenfold.rank.ranker import pad
from tenfold.rank.recipe import Recipe

_WARM_UP_STEPS = 50
_LAST_RATE = 0.02
_NEVER = np.iinfo(np.int16).max


@dataclass(frozen=True, slots=True)
class Window:
    """Part of a user's history that is learned in one go: ``rows[start:end]``."""

    rows: Rows
    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start


def fit(
    events: Events,
    genre_share_IG: Tensor,
    recipe: Recipe,
    seed: int,
    progress: Callable[[float], None],
) -> tuple[SequenceRanker, float]:
    """Train a network on ``events``; same events, recipe, seed and thread count give the same tensors.

    Returns:
        The network, and the mean loss of its last epoch in nats per event.
    """
    generator = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = SequenceRanker(recipe, genre_share_IG).train()
        optimizer = torch.optim.AdamW(
            network.parameters(), recipe.learning_rate, (0.9, 0.98), weight_decay=recipe.weight_decay, fused=True
        )
        losses: list[float] = []
        for epoch in range(recipe.epochs):
            batches = list(_batches(_windows(events, recipe.length, generator), recipe.batch_events, generator))
            losses = []
            for index, batch in enumerate(batches):
                done = (epoch + index / len(batches)) / recipe.epochs
                for group in optimizer.param_groups:
                    group["lr"] = recipe.learning_rate * _rate(epoch * len(batches) + index, done)
                loss = _loss(network, batch, recipe.negatives)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
                progress(done)
    progress(1.0)
    return network, float(np.mean(losses))


def _rate(step: int, done: float) -> float:
    """Share of the peak learning rate: linear warm-up, then a cosine."""
    return min(1.0, (step + 1) / _WARM_UP_STEPS) * max(_LAST_RATE, (1 + math.cos(math.pi * done)) / 2)


def _windows(events: Events, length: int, generator: np.random.Generator) -> list[Window]:
    """Cut each history into windows, at places that differ every epoch, so that every event is learned once.

    Events of one second have no known order: they are shuffled anew every epoch.
    """
    order_E = np.lexsort((generator.random(len(events)), events.at_E, events.user_E))
    row_E = events.row_E[order_E]
    windows = []
    for _, part in events.by_user():
        rows = row_E[part]
        first_end = min(len(rows), int(generator.integers(1, length + 1))) if len(rows) > length else len(rows)
        edges = [0, *range(first_end, len(rows), length), len(rows)]
        windows += [Window(rows, start, end) for start, end in pairwise(edges)]
    return windows


def _batches(windows: list[Window], batch_events: int, generator: np.random.Generator) -> Iterator[list[Window]]:
    """Group windows of about equal length, so that little is padding, and give the groups in random order."""
    jitter = generator.random(len(windows)) * 8
    by_length = sorted(range(len(windows)), key=lambda index: len(windows[index]) + jitter[index])
    groups: list[list[Window]] = [[]]
    for index in by_length:
        group = groups[-1]
        longest = max(len(window) for window in [*group, windows[index]])
        if group and (len(group) + 1) * longest > batch_events:
            groups.append([])
        groups[-1].append(windows[index])
    for index in generator.permutation(len(groups)):
        yield groups[index]


def _loss(network: SequenceRanker, batch: list[Window], negatives: int) -> Tensor:
    """Sampled softmax: each target against the batch's negatives, less those its user has already seen.

    Served lists leave out what was seen, so learning to push it down would be work lost: with it NDCG@10 is .111,
    without .096 (8 epochs, full softmax). Negatives are uniform; each stands for I / N items (Jean 2015).
    """
    row_BL, count_B = pad([window.rows[window.start : window.end] for window in batch])
    longest = row_BL.shape[1]
    real_BL = torch.arange(longest) < count_B[:, None]
    items_ID = network.items_ID()
    items = len(items_ID)
    hidden_TD = network(row_BL[:, :-1], items_ID)[real_BL]
    target_T = row_BL[real_BL]
    negative_N = torch.randperm(items)[:negatives]

    stands_for = math.log(items / len(negative_N))
    negative_TN = torch.addmm(network.item_bias[negative_N] + stands_for, hidden_TD, items_ID[negative_N].T)
    window_T, place_T = real_BL.nonzero(as_tuple=True)
    seen_at_BN = _first_seen(batch, items)[:, negative_N]
    # At its own place an item is the target, which must not be its own negative either.
    negative_TN = negative_TN.masked_fill(seen_at_BN[window_T] <= place_T[:, None], float("-inf"))
    target_score_T = (hidden_TD * items_ID[target_T]).sum(dim=-1) + network.item_bias[target_T]
    everything_TN = torch.cat([target_score_T[:, None], negative_TN], dim=1)
    return (torch.logsumexp(everything_TN, dim=1) - target_score_T).mean()


def _first_seen(batch: list[Window], items: int) -> Tensor:
    """Place in the window at which its user saw each item, negative before the window, shape (B, I), int16."""
    seen_at_BI = np.full((len(batch), items), _NEVER, dtype=np.int16)
    for index, window in enumerate(batch):
        seen_at_BI[index, window.rows[: window.end]] = np.arange(-window.start, window.end - window.start)
    return torch.from_numpy(seen_at_BI)
