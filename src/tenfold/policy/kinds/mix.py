"""How many slots of each kind each workload gets: what is held, or the best divisible mix, improved slot by slot.

Letters: W workloads, K kinds.
"""

from dataclasses import replace
from operator import itemgetter

import numpy as np

from tenfold.policy.claims import Ints
from tenfold.policy.fill import fill
from tenfold.policy.kinds.exchange import Exchange
from tenfold.policy.kinds.mixture import Mixture, Worth
from tenfold.policy.kinds.relaxation import Relaxation

_FEW_TRADES, _MOST_TRADES = 0.5, 100
"""Trades per workload at most: from what is held (the program is faster than more of them), and from the program."""


def mix(mixture: Mixture, relaxation: Relaxation) -> Ints:
    """Give slots of several kinds where they are worth most, less what moving them costs.

    Slots change hands one at a time while one is worth more to another: for one kind that is the optimum (Fox 1966),
    for several it falls short of a linear program's bound by little. It starts from what is held. If that ends further
    below the bound, at the prices of the program's last solution, than that solution did, the program is solved again,
    and its fractions are rounded down and improved in the same way. Floors, gangs and pauses are as in ``fill``; one
    kind of speed 1 goes there directly.

    Args:
        mixture: what is asked.
        relaxation: the program, kept from tick to tick.
    Returns:
        Slots of each, shape (W, K); never more than there are, nor more converted than can be.
    Raises:
        NotConcave: a claim's marginal values rise.
        MixFailed: the solver gave up.
    """
    claims = mixture.claims
    claims.require_concave()
    if not claims.names:
        return np.zeros_like(mixture.held_WK)
    if len(mixture.slots_K) == 1 and bool((mixture.speed_WK == 1.0).all()):
        # Without the limit on conversion, water-filling is the optimum; if it keeps to the limit, it still is.
        counts_WK = fill(replace(claims, held_W=mixture.held_WK[:, 0]), int(mixture.slots_K[0]))[:, None]
        if counts_WK[mixture.converts_W].sum() <= mixture.conversion_K[0]:
            return counts_WK
    return mix_by_program(mixture, relaxation)


def mix_by_program(mixture: Mixture, relaxation: Relaxation) -> Ints:
    """Do as ``mix`` does, for one kind too."""
    worth, workloads = Worth(mixture), len(mixture.held_WK)
    found = []
    enough_usd_per_s = relaxation.enough(mixture)
    if np.isfinite(enough_usd_per_s) and _fits(mixture, mixture.held_WK):
        exchange = Exchange(mixture, worth, mixture.held_WK, int(_FEW_TRADES * workloads))
        if exchange.settle():
            found.append(_valued(worth, exchange.counts_WK()))
    if not found or found[0][0] < enough_usd_per_s:
        whole_WK = np.floor(relaxation.solve(mixture).counts_WK + 1e-6).astype(np.int64)
        exchange = Exchange(mixture, worth, whole_WK, _MOST_TRADES * workloads)
        exchange.settle()
        found.append(_valued(worth, exchange.counts_WK()))
        relaxation.reached(max(usd_per_s for usd_per_s, _ in found))
    _, counts_WK = max(found, key=itemgetter(0))
    assert _fits(mixture, counts_WK)
    return counts_WK


def _valued(worth: Worth, counts_WK: Ints) -> tuple[float, Ints]:
    """What counts are worth per second, and they."""
    return float(worth.net_W(counts_WK).sum()), counts_WK


def _fits(mixture: Mixture, counts_WK: Ints) -> bool:
    """Whether nothing is granted twice, nor against ceilings and conversion."""
    return bool(
        (counts_WK.sum(axis=0) <= mixture.slots_K).all()
        and (counts_WK[mixture.converts_W].sum(axis=0) <= mixture.conversion_K).all()
        and (counts_WK.sum(axis=1) <= mixture.claims.ceiling_W).all()
        and not counts_WK[mixture.speed_WK == 0].any()
    )
