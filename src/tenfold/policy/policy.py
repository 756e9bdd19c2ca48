"""Who gets each slot. Water-filling says how many; which ones is chosen so that few move and none is crowded.

Pure functions of the slots, the claims and the current allocation.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace

import numpy as np

from tenfold.policy.claims import Claims, Ints
from tenfold.policy.fill import fill
from tenfold.policy.kinds.mix import mix
from tenfold.policy.kinds.mixture import Bools, Mixture
from tenfold.policy.kinds.relaxation import Relaxation
from tenfold.policy.placement import IDLE, place

Allocation = Mapping[str, str | None]
"""The workload awake on each slot, by slot name."""


@dataclass(frozen=True, slots=True)
class SlotPlace:
    """A slot as the policy sees it; slots of one ``share`` (a core, a host) contend with each other.

    ``suits``: workloads that can run there and are loaded. ``is_weak``: other programs take part of the share.
    """

    slot: str
    share: str
    suits: frozenset[str]
    is_weak: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """One slot changes hands. ``gain_usd_per_s``: value that the receiver gains over what the donor loses."""

    slot: str
    donor: str | None
    receiver: str
    gain_usd_per_s: float
    because: str


def allocate(
    slots: Sequence[SlotPlace],
    claims: Claims,
    current: Allocation,
    moving: Set[str],
    patient: Set[str] = frozenset(),
) -> list[Change]:
    """Find the changes that raise total value, each by more than it costs.

    Args:
        slots: every usable slot.
        claims: of all workloads; what they hold is taken from ``current``.
        current: workload awake on each slot; a slot not named is idle.
        moving: slots with a move under way; they count for their workload but do not change.
        patient: workloads that are only slower on a weak share, as training is.
    Returns:
        Changes, at most one per slot.
    Raises:
        NotConcave: a claim's marginal values rise.
    """
    if not slots:
        return []
    index = {name: number for number, name in enumerate(claims.names)}
    holder_N = np.array([index.get(current.get(place.slot) or "", IDLE) for place in slots])
    movable_N = np.array([place.slot not in moving for place in slots])
    shares = {share: number for number, share in enumerate(dict.fromkeys(place.share for place in slots))}
    share_N = np.array([shares[place.share] for place in slots])
    classes = {suits: number for number, suits in enumerate(dict.fromkeys(place.suits for place in slots))}
    class_N = np.array([classes[place.suits] for place in slots])
    weak_share = np.zeros(len(shares), dtype=bool)
    weak_share[share_N[[place.is_weak for place in slots]]] = True
    patient_W = np.array([name in patient for name in claims.names])
    suits_WC = np.array([[name in suits for suits in classes] for name in claims.names])
    stuck_W = np.bincount(holder_N[(holder_N != IDLE) & ~movable_N], minlength=len(index))
    # A workload that can run nowhere gets no slot, and one whose slots are moving keeps them.
    claims = replace(
        claims,
        held_W=np.bincount(holder_N[holder_N != IDLE], minlength=len(index)),
        floor_W=np.maximum(claims.floor_W, stuck_W),
        ceiling_W=np.maximum(stuck_W, np.where(suits_WC.any(axis=1), claims.ceiling_W, 0)),
    )
    counts_WC = _counts(claims, holder_N, class_N, suits_WC)
    chosen, takers = [], []
    for number in range(len(classes)):
        here = np.flatnonzero(class_N == number)
        picks, who = place(holder_N[here], counts_WC[:, number], share_N[here], movable_N[here], weak_share, patient_W)
        chosen += here[picks].tolist()
        takers += who.tolist()
    return _changes(slots, claims, holder_N, chosen, takers)


def _counts(claims: Claims, holder_N: Ints, class_N: Ints, suits_WC: Bools) -> Ints:
    """Count the slots of each class that each workload shall have; on slots of one class the same workloads can run."""
    slots_C = np.bincount(class_N)
    if len(slots_C) == 1:
        return fill(claims, len(class_N))[:, None]
    held = holder_N * len(slots_C) + class_N
    held_WC = np.bincount(held[holder_N != IDLE], minlength=suits_WC.size).reshape(suits_WC.shape)
    mixture = Mixture(
        claims=claims,
        speed_WK=suits_WC.astype(np.float64),
        held_WK=held_WC,
        slots_K=slots_C,
        converts_W=np.zeros(len(claims.names), dtype=bool),
        conversion_K=slots_C,
    )
    return mix(mixture, Relaxation())


def _changes(
    slots: Sequence[SlotPlace], claims: Claims, holder_N: np.ndarray, chosen: Sequence[int], takers: Sequence[int]
) -> list[Change]:
    """Say of each change what it gains: the slot's worth to the receiver, less its worth to the donor."""
    held = claims.held_W.tolist()
    changes = []
    for slot, taker in zip(chosen, takers, strict=True):
        holder, receiver = int(holder_N[slot]), claims.names[taker]
        worth = claims.marginal_usd_per_s(taker, held[taker])
        loss, donor = 0.0, None
        because = "the slot was idle"
        if holder != IDLE:
            held[holder] -= 1
            loss, donor = claims.marginal_usd_per_s(holder, held[holder]), claims.names[holder]
            because = f"worth {_micro(worth)} to {receiver}, {_micro(loss)} to {donor}"
        if held[taker] < claims.floor_W[taker]:
            because = f"{receiver} is below its floor of {claims.floor_W[taker]}"
        held[taker] += 1
        changes.append(Change(slots[slot].slot, donor, receiver, worth - loss, because))
    return changes


def _micro(usd_per_s: float) -> str:
    return f"{usd_per_s * 1e6:.3g} µ$/s"
