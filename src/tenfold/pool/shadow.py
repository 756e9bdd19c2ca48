"""What the policy would have done with slots that others hold, and what that would have been worth.

A shadow decides like the live controller, from the same measurements, on an allocation of its own that nobody carries
out. How a cautious team starts.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from tenfold.pool.claims import Claims
from tenfold.pool.policy import Allocation, Change, SlotPlace, allocate
from tenfold.pool.state import ShadowView


class Shadow:
    """Holds the allocation that would be."""

    def __init__(self) -> None:
        self._holder: dict[str, str | None] = {}
        self._seconds = 0.0
        self._moves = 0
        self._real_usd = 0.0
        self._shadow_usd = 0.0

    def decide(
        self, places: Sequence[SlotPlace], claims: Claims, real: Allocation, wake_s: Mapping[str, float], seconds: float
    ) -> list[Change]:
        """Decide one tick.

        Args:
            places: all slots.
            claims: as the policy would make them; what they hold is replaced by what the shadow holds.
            real: who holds each slot.
            wake_s: seconds that a slot takes to wake, by workload.
            seconds: since the last tick.
        Returns:
            Changes that a live pool would carry out now.
        """
        names = {place.slot for place in places}
        # The shadow starts from what is, and forgets slots that left.
        self._holder = {slot: self._holder.get(slot, real.get(slot)) for slot in names}
        self._seconds += seconds
        self._real_usd += _usd_per_s(claims, [real.get(slot) for slot in names]) * seconds
        self._shadow_usd += _usd_per_s(claims, list(self._holder.values())) * seconds
        changes = allocate(places, claims, self._holder, frozenset())
        for change in changes:
            self._holder[change.slot] = change.target
            index = claims.names.index(change.target)
            held = sum(holder == change.target for holder in self._holder.values())
            self._shadow_usd -= claims.marginal_usd_per_s(index, held - 1) * wake_s[change.target]
        self._moves += len(changes)
        return changes

    def view(self) -> ShadowView:
        """Show it."""
        held = Counter(holder for holder in self._holder.values() if holder is not None)
        return ShadowView(
            seconds=self._seconds,
            slots=dict(held),
            moves=self._moves,
            real_usd=self._real_usd,
            shadow_usd=self._shadow_usd,
        )


def _usd_per_s(claims: Claims, holders: Sequence[str | None]) -> float:
    held = Counter(holders)
    return sum(
        claims.marginal_usd_per_s(index, slot)
        for index, name in enumerate(claims.names)
        for slot in range(held.get(name, 0))
    )
