"""How many slots each workload gets where all slots are alike: water-filling, with the cost of moves in the curves.

Letters: W workloads, R runs of slots of equal value.
"""

from dataclasses import replace

import numpy as np

from tenfold.policy.claims import Claims, Floats, Ints

_HELD_FIRST = 1e-9
"""A slot is worth more to its holder by this share, so that it does not move between equals."""

_GANG_FIRST = 1e-9
"""A slot that a gang cannot work without is worth more by this share than one by which another gang could grow."""


def fill(claims: Claims, slots: int) -> Ints:
    """Give slots where they are worth most, less what moving them costs.

    A slot that joins works for nobody while it wakes, so it is worth only ``1 - join_cost`` of its value there: the
    curve has a kink at what is held. It stays concave, so water-filling on sorted marginal values is optimal (Fox
    1966), and no slot moves unless that pays. Floors come first. Slots that are worth nothing to anybody stay with
    their holder.

    Two things are not concave and are mended afterwards. A gang that would get fewer slots than it can work on gives up
    all of them, the last such gang first. A workload whose new slots would not repay the time for which all its slots
    stand still keeps what it has.

    Args:
        claims: of everybody.
        slots: how many there are.
    Returns:
        Slots of each, shape (W,); sums to at most ``slots``.
    Raises:
        NotConcave: a claim's marginal values rise.
    """
    claims.require_concave()
    claims, counts_W = _pour_whole_gangs(claims, slots)
    gained_W = counts_W - claims.held_W
    hasty_W = (gained_W > 0) & (claims.held_W > 0) & (claims.resize_cost_W * counts_W > gained_W)
    if hasty_W.any():
        # A floor is met however long that makes a workload stand still.
        keeps_W = np.minimum(np.maximum(claims.held_W, claims.floor_W), claims.ceiling_W)
        patient = replace(claims, ceiling_W=np.where(hasty_W, keeps_W, claims.ceiling_W))
        _, counts_W = _pour_whole_gangs(patient, slots)
    return counts_W


def _pour_whole_gangs(claims: Claims, slots: int) -> tuple[Claims, Ints]:
    """Water-fill so that no gang has less than it can work on; in the claims returned, gangs that gave up end at 0."""
    while True:
        counts_W = _pour(claims, slots)
        cut = np.flatnonzero((counts_W > 0) & (counts_W < claims.least_W))
        if not len(cut):
            return claims, counts_W
        # What the last one gives up is too little for every larger waiting gang, too.
        spare = counts_W[cut[-1]] + slots - counts_W.sum()
        gives_up_W = (counts_W == 0) & (claims.held_W == 0) & (claims.least_W > max(1, spare))
        gives_up_W[cut[-1]] = True
        claims = replace(claims, ceiling_W=np.where(gives_up_W, 0, claims.ceiling_W))


def _pour(claims: Claims, slots: int) -> Ints:
    """Water-fill: floors in order, then runs by value; slots that nobody wants stay with their holder."""
    floor_W = np.minimum(claims.floor_W, claims.ceiling_W)
    floor_W = np.clip(slots - (np.cumsum(floor_W) - floor_W), 0, floor_W)
    counts_W = floor_W.copy()

    start_R = claims.start_R()
    end_R = np.minimum(start_R + claims.slots_R, claims.ceiling_W[claims.owner_R])
    held_R, least_R = claims.held_W[claims.owner_R], claims.least_W[claims.owner_R]
    kept_R = np.maximum(0.0, 1.0 - claims.join_cost_W)[claims.owner_R]
    low_R = np.maximum(start_R, floor_W[claims.owner_R])
    # Each run in parts: slots that a gang cannot work without (held and new), other held slots, other new slots.
    pieces: list[tuple[Ints, Ints, Floats]] = []
    for since_R, until_R, worth_R in (
        (low_R, np.minimum(least_R, held_R), 1.0 + _HELD_FIRST + _GANG_FIRST),
        (np.maximum(low_R, np.minimum(least_R, held_R)), held_R, 1.0 + _HELD_FIRST),
        (np.maximum(low_R, held_R), np.maximum(least_R, held_R), kept_R * (1.0 + _GANG_FIRST)),
        (np.maximum(low_R, np.maximum(least_R, held_R)), end_R, kept_R),
    ):
        width_R = np.minimum(until_R, end_R) - since_R
        some = np.flatnonzero(width_R > 0)
        pieces.append((claims.owner_R[some], width_R[some], (claims.usd_R * worth_R)[some]))
    owner, width, usd = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
    order = np.argsort(-usd, kind="stable")
    order = order[usd[order] > 0]
    left = slots - int(counts_W.sum())
    before = np.cumsum(width[order]) - width[order]
    taken = np.clip(left - before, 0, width[order])
    counts_W += np.bincount(owner[order], taken, len(counts_W)).astype(np.int64)

    back_W = np.maximum(0, np.minimum(claims.held_W, claims.ceiling_W) - counts_W)
    left = slots - int(counts_W.sum())
    return counts_W + np.clip(left - (np.cumsum(back_W) - back_W), 0, back_W)
