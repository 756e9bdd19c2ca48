"""Who gets each slot: water-filling on marginal value, floors first, moves only where they pay.

Pure functions of the pool, the values and the current allocation; the live controller and a replay call the same.
"""

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from tenfold.pool.claims import NotConcave

Allocation = Mapping[str, str | None]
"""The workload awake on each slot, by slot name."""


@dataclass(frozen=True, slots=True)
class SlotPlace:
    """A slot as the policy sees it; slots of one ``share`` (a core, a host) contend with each other."""

    slot: str
    kind: str
    share: str
    loaded: frozenset[str]


@dataclass(frozen=True, slots=True)
class Claim:
    """What a workload asks of the pool.

    ``marginal_usd_per_s``: value of its 1st, 2nd, ... slot, non-increasing. ``wake_s``: measured seconds in which a
    slot works for nobody when this workload gets it; while a donor drains, it still works for the donor.
    """

    workload: str
    marginal_usd_per_s: tuple[float, ...]
    floor: int
    ceiling: int
    kinds: frozenset[str]
    wake_s: float


@dataclass(frozen=True, slots=True)
class Change:
    """One slot changes hands. ``price_usd_per_s``: value that the receiver gains over what the donor loses."""

    slot: str
    source: str | None
    target: str
    price_usd_per_s: float
    because: str


def allocate(
    slots: Sequence[SlotPlace], claims: Sequence[Claim], current: Allocation, moving: Set[str], dwell_s: float
) -> list[Change]:
    """Find the changes that raise total value, each by more than it costs.

    From the current allocation, the pair with the best benefit changes hands until none is left: a receiver takes an
    idle slot or a donor's least valuable one. The benefit of a change over the expected dwell is ``gain x (dwell -
    wake) - loss x dwell``: a slot yields nothing while its receiver wakes. Without move costs this reaches the
    water-filling optimum from any start, because values are concave and separable (Fox 1966). Workloads below their
    floor come first, in the order of ``claims``, and no donor is taken below its own.

    Args:
        slots: every usable slot.
        claims: one per workload.
        current: workload awake on each slot; a slot not named is idle.
        moving: slots with a move under way; they count for their workload but do not change.
        dwell_s: seconds that a change is expected to last.
    Returns:
        Changes, at most one per slot, in the order to carry them out.
    Raises:
        NotConcave: a claim's marginal values rise.
    """
    for claim in claims:
        require_concave(claim.workload, claim.marginal_usd_per_s)
    plan = _Plan(slots, claims, current, moving)
    changes: list[Change] = []
    while (change := plan.best_change(dwell_s)) is not None:
        plan.apply(change)
        changes.append(change)
    return changes


class _Plan:
    """The allocation while it is being improved."""

    def __init__(
        self, slots: Sequence[SlotPlace], claims: Sequence[Claim], current: Allocation, moving: Set[str]
    ) -> None:
        self._claims = {claim.workload: claim for claim in claims}
        self._holder: dict[str, str | None] = {place.slot: current.get(place.slot) for place in slots}
        self._movable = {place.slot: place for place in slots if place.slot not in moving}
        self._share = {place.slot: place.share for place in slots}
        self._held = Counter(holder for holder in self._holder.values() if holder is not None)
        self._changed: set[str] = set()

    def best_change(self, dwell_s: float) -> Change | None:
        best: tuple[float, Change] | None = None
        for receiver in self._claims.values():
            held = self._held[receiver.workload]
            if held >= receiver.ceiling:
                continue
            below_floor = held < receiver.floor
            gain = receiver.marginal_usd_per_s[held] if held < len(receiver.marginal_usd_per_s) else 0.0
            for place in self._movable.values():
                change = self._offer(place, receiver, gain, below_floor)
                if change is None:
                    continue
                loss = gain - change.price_usd_per_s
                benefit = gain * max(0.0, dwell_s - receiver.wake_s) - loss * dwell_s
                if below_floor:
                    # Any floor outranks any value; among the slots for it, the one that costs least.
                    benefit = 1e9 - loss
                benefit -= 1e-12 * self._crowding(place, receiver.workload)
                if benefit > 1e-11 and (best is None or benefit > best[0]):
                    best = (benefit, change)
            if below_floor and best is not None:
                return best[1]
        return best[1] if best else None

    def _offer(self, place: SlotPlace, receiver: Claim, gain: float, below_floor: bool) -> Change | None:
        """Price the change of one slot to ``receiver``, or none if it may not have it."""
        holder = self._holder[place.slot]
        if holder == receiver.workload or place.slot in self._changed:
            return None
        if receiver.workload not in place.loaded or place.kind not in receiver.kinds:
            return None
        if holder is None:
            loss = 0.0
            because = "the slot was idle"
        else:
            donor = self._claims[holder]
            held = self._held[holder]
            if held <= donor.floor:
                return None
            loss = donor.marginal_usd_per_s[held - 1]
            because = f"worth {_micro(gain)} to {receiver.workload}, {_micro(loss)} to {holder}"
        if below_floor:
            because = f"{receiver.workload} is below its floor of {receiver.floor}"
        return Change(place.slot, holder, receiver.workload, gain - loss, because)

    def _crowding(self, place: SlotPlace, receiver: str) -> int:
        """Say how badly a change would crowd a share: a workload does better on many cores than on few.

        The receiver's slots there count against it, the donor's for it: what the donor keeps is spread as well.
        """
        holders = [holder for slot, holder in self._holder.items() if self._share[slot] == place.share]
        donor = self._holder[place.slot]
        return holders.count(receiver) - (holders.count(donor) if donor is not None else 0)

    def apply(self, change: Change) -> None:
        if change.source is not None:
            self._held[change.source] -= 1
        self._held[change.target] += 1
        self._holder[change.slot] = change.target
        self._changed.add(change.slot)


def _micro(usd_per_s: float) -> str:
    return f"{usd_per_s * 1e6:.3g} µ$/s"


def require_concave(workload: str, marginal_usd_per_s: Sequence[float]) -> None:
    """Raise ``NotConcave`` naming the workload if any marginal value exceeds the one before it."""
    for index in range(1, len(marginal_usd_per_s)):
        if marginal_usd_per_s[index] > marginal_usd_per_s[index - 1] * (1 + 1e-9):
            raise NotConcave(
                f"{workload}: slot {index + 1} is worth {marginal_usd_per_s[index]:.3g} USD/s, more than slot {index} "
                f"({marginal_usd_per_s[index - 1]:.3g})"
            )
