"""How many slots of each kind each workload gets, improved slot by slot from what is held or from a linear program.

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
"""Most trades per workload: from what is held (more would take longer than the program), and from the program."""


def mix(mixture: Mixture, relaxation: Relaxation) -> Ints:
    """Give slots of several kinds where they are worth most, less what moving them costs.

    Starting from what is held, slots change hands one at a time while a slot is worth more to somebody else. For one
    kind that ends at the optimum (Fox 1966), for several a little below the bound that a linear program proves. If it
    ends further below that bound than the program's last solution did, the program is solved again, its counts are
    rounded down, and slots change hands from there. Floors, gangs and resize costs are as in ``fill``, which is used
    directly where there is one kind of speed 1.

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
    """Do as ``mix`` does, but without the short cut for one kind."""
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
    """Put what counts are worth per second before them."""
    return float(worth.net_W(counts_WK).sum()), counts_WK


def _fits(mixture: Mixture, counts_WK: Ints) -> bool:
    """Whether no slot is granted twice, and ceilings and conversion are kept to."""
    return bool(
        (counts_WK.sum(axis=0) <= mixture.slots_K).all()
        and (counts_WK[mixture.converts_W].sum(axis=0) <= mixture.conversion_K).all()
        and (counts_WK.sum(axis=1) <= mixture.claims.ceiling_W).all()
        and not counts_WK[mixture.speed_WK == 0].any()
    )
