"""What the policy would have done with slots that others hold, and what that would have been worth.

A shadow decides like the live controller and from the same measurements, but nobody carries out its allocation. So a
cautious team can watch it first.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tenfold.policy.claims import Claims, Ints
from tenfold.policy.policy import Allocation, Change, SlotPlace, allocate


@dataclass(frozen=True, slots=True)
class ShadowSums:
    """What a shadow has come to: the slots that each would hold now, and values in USD since it began."""

    seconds: float
    slots: Mapping[str, int]
    moves: int
    real_usd: float
    shadow_usd: float


class Shadow:
    """Holds the allocation that would be."""

    def __init__(self) -> None:
        self._holder: dict[str, str | None] = {}
        self._seconds = 0.0
        self._moves = 0
        self._real_usd = 0.0
        self._shadow_usd = 0.0

    def decide(
        self,
        places: Sequence[SlotPlace],
        claims: Claims,
        real: Allocation,
        wake_s: Mapping[str, float],
        seconds: float,
        resize_s: Mapping[str, float] | None = None,
    ) -> list[Change]:
        """Decide one tick.

        Args:
            places: all slots.
            claims: as the policy would make them; what they hold is replaced by what the shadow holds.
            real: who holds each slot.
            wake_s: seconds that a slot takes to wake, by workload.
            seconds: since the last tick.
            resize_s: seconds that all slots of a workload stand still when some of them join or leave; not named: none.
        Returns:
            Changes that a live pool would carry out now.
        """
        names = {place.slot for place in places}
        # The shadow starts from what is, and forgets slots that left and workloads that ended.
        before = {slot: self._holder.get(slot, real.get(slot)) for slot in names}
        self._holder = {slot: holder if holder in claims.names else None for slot, holder in before.items()}
        self._seconds += seconds
        held = _count(claims, self._holder)
        self._real_usd += claims.usd_per_s(_count(claims, {slot: real.get(slot) for slot in names})) * seconds
        self._shadow_usd += claims.usd_per_s(held) * seconds
        changes = allocate(places, claims, self._holder, frozenset())
        self._holder.update({change.slot: change.receiver for change in changes})
        for change in changes:
            receiver = claims.names.index(change.receiver)
            self._shadow_usd -= claims.marginal_usd_per_s(receiver, int(held[receiver])) * wake_s[change.receiver]
            held[receiver] += 1
        self._shadow_usd -= _standstill_usd(claims, changes, _count(claims, self._holder), resize_s or {})
        self._moves += len(changes)
        return changes

    def sums(self) -> ShadowSums:
        """Sum up what it would have done so far."""
        held = Counter(holder for holder in self._holder.values() if holder is not None)
        return ShadowSums(
            seconds=self._seconds,
            slots=held,
            moves=self._moves,
            real_usd=self._real_usd,
            shadow_usd=self._shadow_usd,
        )


def change_body(change: Change) -> Mapping[str, object]:
    """What the ledger keeps of a change that nobody carries out."""
    return {
        "donor": change.donor,
        "receiver": change.receiver,
        "reason": change.because,
        "gain_usd_per_s": change.gain_usd_per_s,
    }


def _standstill_usd(claims: Claims, changes: Sequence[Change], held_W: Ints, resize_s: Mapping[str, float]) -> float:
    """What workloads whose slots changed do not earn while they stand still; each counts once."""
    resized = {name for change in changes for name in (change.donor, change.receiver)}
    own_WW = np.diag(held_W)
    return sum(
        claims.usd_per_s(own_WW[index]) * resize_s.get(name, 0.0)
        for index, name in enumerate(claims.names)
        if name in resized
    )


def _count(claims: Claims, holders: Allocation) -> Ints:
    """Slots that each workload holds."""
    held = Counter(holders.values())
    return np.array([held[name] for name in claims.names], dtype=np.int64)
