"""Which slots change hands, when it is decided how many each workload gets.

Letters: N slots, W workloads.
"""

import numpy as np
from numpy.typing import NDArray

from tenfold.policy.claims import Ints

IDLE = -1
Bools = NDArray[np.bool_]


def place(
    holder_N: Ints, counts_W: Ints, share_N: Ints, movable_N: Bools, weak_share: Bools, patient_W: Bools
) -> tuple[Ints, Ints]:
    """Choose which of several equal slots change hands: as few as possible, each at most once, spread over cores.

    Slots of one core (or host) contend with each other and form a share. So donors give up slots in shares of which
    they have most and receivers least, and each receiver takes slots in shares where it has fewest. Weak shares come
    before that: a service takes slots there last and gives them up first, and who is patient gives them up last. The
    time this takes grows with the number of slots plus the number of changes, not with their product.

    Args:
        holder_N: who holds each slot, ``IDLE`` if nobody.
        counts_W: slots that each workload shall have.
        share_N: number of each slot's share, from 0; slots of one share contend with each other.
        movable_N: whether a slot may change hands now.
        weak_share: whether programs outside the pool take part of a share.
        patient_W: whether a workload is only slower on a weak share, as training is; a service is late there.
    Returns:
        The slots that change, and the workload that gets each. If too few may change, fewer than wanted.
    """
    workloads = len(counts_W)
    held_W = np.bincount(holder_N[holder_N != IDLE], minlength=workloads)
    missing_W, surplus_W = np.maximum(counts_W - held_W, 0), np.maximum(held_W - counts_W, 0)
    receivers = np.flatnonzero(missing_W)
    if not len(receivers):
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    waits_N = np.append(missing_W > 0, False)[holder_N]
    waiting_share = np.bincount(share_N[waits_N], minlength=int(share_N.max()) + 1)
    idle = np.flatnonzero(movable_N & (holder_N == IDLE))
    weak_N = weak_share[share_N]
    last_N = weak_N == np.append(patient_W, False)[holder_N]
    free = np.concatenate((idle, _released(holder_N, surplus_W, share_N, movable_N, last_N, waiting_share)))
    by_holder = _order(holder_N)
    begins, ends = (np.searchsorted(holder_N[by_holder], receivers, side=side) for side in ("left", "right"))
    # In the order of shares, so that slots of one share lie together; of equals the one that was free first goes first.
    by_share = _order(share_N[free])
    share_P, open_P = share_N[free[by_share]], np.ones(len(free), dtype=bool)
    slots, takers = [], []
    for receiver, begin, end in zip(receivers.tolist(), begins, ends, strict=True):
        mine_share = np.bincount(share_N[by_holder[begin:end]], minlength=len(waiting_share))
        fit = np.flatnonzero(open_P)
        share = share_P[fit]
        # The first slot taken of a share meets those that are there, the second one more, and so on.
        crowding = mine_share[share] + np.arange(len(share)) - np.searchsorted(share, share)
        crowding += len(holder_N) * (weak_share[share] & ~patient_W[receiver])
        picks = fit[_least(crowding * len(free) + by_share[fit], int(missing_W[receiver]))]
        open_P[picks] = False
        slots += free[by_share[picks]].tolist()
        takers += [receiver] * len(picks)
    return np.array(slots, dtype=np.int64), np.array(takers, dtype=np.int64)


def _released(
    holder_N: Ints, surplus_W: Ints, share_N: Ints, movable_N: Bools, last_N: Bools, waiting_share: Ints
) -> Ints:
    """Choose what donors give up: each donor gives first from the shares where it has most slots, ``last_N`` last."""
    gives_N = np.append(surplus_W > 0, False)[holder_N]
    given = np.flatnonzero(gives_N)
    pair = holder_N[given] * len(waiting_share) + share_N[given]
    _, which, together = np.unique(pair, return_inverse=True, return_counts=True)
    may = movable_N[given]
    given, which = given[may], which[may]
    # The first of a share goes while the donor has all of them there, the second when it has one less, and so on.
    nth = _nth(which)
    crowding = together[which] - nth - waiting_share[share_N[given]]
    order = np.lexsort((-crowding, last_N[given], holder_N[given]))
    donors = holder_N[given[order]]
    rank = np.arange(len(order)) - np.searchsorted(donors, donors)
    return given[order[rank < surplus_W[donors]]]


def _nth(group_P: Ints) -> Ints:
    """For each element, how many elements of the same group come before it."""
    order = _order(group_P)
    nth = np.empty(len(order), dtype=np.int64)
    nth[order] = np.arange(len(order)) - np.searchsorted(group_P[order], group_P[order])
    return nth


def _least(key_P: Ints, count: int) -> Ints:
    """Indices of the ``count`` smallest keys, ascending by key."""
    picks = np.argpartition(key_P, count - 1)[:count] if count < len(key_P) else np.arange(len(key_P))
    return picks[np.argsort(key_P[picks])]


def _order(number_P: Ints) -> Ints:
    """Stable order of integers; numpy sorts those of 16 bits by radix, many times as fast as wider ones."""
    fits = len(number_P) > 0 and number_P.max() < 2**15 and number_P.min() >= -(2**15)
    return np.argsort(number_P.astype(np.int16) if fits else number_P, kind="stable")
