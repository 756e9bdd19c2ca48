"""Lift items that nobody has had, so that they get their share of lists.

Such an item is known by its content alone, which says what it is and little of how many will like it. So what is
expected of it lies near the middle, below whatever many people chose, and it hardly ever comes into the first ten. By
adding the same to the scores of all of them, they get so many of the first ten places as are meant for them; which of
them a person sees, and how high, is still by the person's own score.

The lift is a vector along what is expected of people on average, so that serving adds nothing up at a request.

Shapes: Q people asked for, I items, D width.
"""

import numpy as np
import numpy.typing as npt
import torch

from tenfold.rank.evaluate import TOP
from tenfold.rank.network import Network
from tenfold.rank.ranker import Ranker
from tenfold.rank.recipe import Recipe
from tenfold.rank.stream import Events, Stream, comes_back

_MOST = 0.2
"""Of the first ten places, for all new items together."""
_LATEST = 0.1
"""Part of the events, the last in time, before which lists are asked for."""
_LISTS = 400
_CHUNK = 64
_HALVINGS = 24

Scores = npt.NDArray[np.float32]


def lift_cold(network: Network, recipe: Recipe, stream: Stream, train: Events, seed: int) -> None:
    """Set ``network.cold_lift`` so that items without events have their share of the first ten places.

    Each gets ``recipe.cold_places`` times the places of an average item, all together a fifth at most. That is met on
    average over lists that people would have got before some of the latest events, on the surfaces of these.
    Items that have more of the places by themselves are not pushed down.

    Args:
        network: done learning.
        recipe: it was learned by.
        stream: items and surfaces.
        train: what was learned from.
        seed: of the people.
    """
    network.cold_lift.zero_()
    new_I = ~network.known_I.numpy()
    share = min(_MOST, recipe.cold_places * float(new_I.mean()))
    if not share:
        return
    late_E = np.flatnonzero(train.at_E >= np.quantile(train.at_E, 1 - _LATEST))
    places = np.random.default_rng(seed).permutation(late_E)[:_LISTS]
    begins = np.searchsorted(train.person_E, train.person_E[places])
    histories = [train.select(slice(begin, place)) for begin, place in zip(begins, places, strict=True)]
    surface_Q = train.surface_E[places].tolist()
    ranker = Ranker(network, recipe)
    query_QD = ranker.queries(histories, surface_Q if len(stream.surfaces) > 1 else None)
    mean_D = query_QD.mean(axis=0)
    direction_D = mean_D / np.float32(mean_D @ mean_D)
    allowed_SI, seen_again = stream.items.allowed_SI(stream.surfaces), comes_back(train)
    best_old, best_new = [], []
    for start in range(0, len(histories), _CHUNK):
        part = slice(start, start + _CHUNK)
        score_QI = query_QD[part] @ ranker.vector_ID.T
        for score_I, history, surface in zip(score_QI, histories[part], surface_Q[part], strict=True):
            score_I[~allowed_SI[surface]] = -np.inf
            if not seen_again:
                score_I[history.row_E] = -np.inf
        best_old.append(_best(score_QI[:, ~new_I]))
        best_new.append(_best(score_QI[:, new_I]))
    lift = _lift(np.concatenate(best_old), np.concatenate(best_new), query_QD @ direction_D, share)
    network.cold_lift.copy_(torch.from_numpy(lift * direction_D))


def _best(score_QN: Scores) -> Scores:
    """The ten highest of each row, or all."""
    count = score_QN.shape[1]
    return score_QN if count <= TOP else np.partition(score_QN, count - TOP, axis=1)[:, -TOP:]


def _lift(old_QN: Scores, new_QN: Scores, weight_Q: Scores, share: float) -> np.float32:
    """The least that, added ``weight_Q`` times to the scores of the new, gives them their share of places."""
    is_new_N = np.arange(old_QN.shape[1] + new_QN.shape[1]) >= old_QN.shape[1]

    def places(lift: float) -> float:
        score_QN = np.concatenate([old_QN, new_QN + np.float32(lift) * weight_Q[:, None]], axis=1)
        best_QN = np.argsort(-score_QN, axis=1, kind="stable")[:, :TOP]
        return float((is_new_N[best_QN] & np.isfinite(np.take_along_axis(score_QN, best_QN, axis=1))).mean())

    low, high = 0.0, 2.0  # Scores are cosines.
    if places(low) >= share:
        return np.float32(0)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if places(middle) >= share else (middle, high)
    return np.float32(high)
