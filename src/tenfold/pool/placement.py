"""Which slots change hands, once it is known how many each workload gets.

Letters: N slots, W workloads.
"""

import numpy as np
from numpy.typing import NDArray

from tenfold.pool.claims import Ints

IDLE = -1
Bools = NDArray[np.bool_]


def place(holder_N: Ints, counts_W: Ints, share_N: Ints, movable_N: Bools) -> tuple[Ints, Ints]:
    """Choose among alike slots those that change hands: as few as possible, each at most once, spread over shares.

    A workload does better on many cores than on few, so donors give up slots where they have most of a share and those
    who wait for slots have least; then each receiver takes what crowds it least. Work grows with the slots once and
    with the changes, not with their product.

    Args:
        holder_N: who holds each slot, ``IDLE`` if nobody.
        counts_W: slots that each workload shall have.
        share_N: which slots contend with each other, numbered from 0.
        movable_N: whether a slot may change hands now.
    Returns:
        The slots that change, and who gets each. Fewer than wanted if too few may change; never more.
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
    free = np.concatenate((idle, _released(holder_N, surplus_W, share_N, movable_N, waiting_share)))
    by_holder = np.argsort(holder_N.astype(np.int32), kind="stable")
    begins, ends = (np.searchsorted(holder_N[by_holder], receivers, side=side) for side in ("left", "right"))
    open_P = np.ones(len(free), dtype=bool)
    slots, takers = [], []
    for receiver, begin, end in zip(receivers.tolist(), begins, ends, strict=True):
        mine_share = np.bincount(share_N[by_holder[begin:end]], minlength=len(waiting_share))
        for _ in range(int(missing_W[receiver])):
            fit = np.flatnonzero(open_P)
            if not len(fit):
                break
            pick = fit[np.argmin(mine_share[share_N[free[fit]]])]
            open_P[pick] = False
            mine_share[share_N[free[pick]]] += 1
            slots.append(int(free[pick]))
            takers.append(receiver)
    return np.array(slots, dtype=np.int64), np.array(takers, dtype=np.int64)


def _released(holder_N: Ints, surplus_W: Ints, share_N: Ints, movable_N: Bools, waiting_share: Ints) -> Ints:
    """Choose what donors give up: from each first the shares where it has most."""
    gives_N = np.append(surplus_W > 0, False)[holder_N]
    given = np.flatnonzero(gives_N)
    pair = holder_N[given] * len(waiting_share) + share_N[given]
    _, which, together = np.unique(pair, return_inverse=True, return_counts=True)
    may = movable_N[given]
    given, which = given[may], which[may]
    # The first of a share goes while the donor has all of them there, the second when it has one less, and so on.
    order = np.argsort(which, kind="stable")
    nth = np.empty(len(order), dtype=np.int64)
    nth[order] = np.arange(len(order)) - np.searchsorted(which[order], which[order])
    crowding = together[which] - nth - waiting_share[share_N[given]]
    order = np.lexsort((-crowding, holder_N[given]))
    donors = holder_N[given[order]]
    rank = np.arange(len(order)) - np.searchsorted(donors, donors)
    return given[order[rank < surplus_W[donors]]]
