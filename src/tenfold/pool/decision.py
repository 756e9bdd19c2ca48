"""Once a tick the policy is asked who shall have each slot, and what it said is recorded."""

import time
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace

import numpy as np

from tenfold.policy.claims import Claims
from tenfold.policy.policy import Change, SlotPlace, allocate
from tenfold.policy.shadow import Shadow, change_body
from tenfold.pool.demand import DemandMeter
from tenfold.pool.knowledge import Knowledge
from tenfold.pool.meters import measured_claims
from tenfold.pool.occupancy import Occupancy
from tenfold.pool.standing import standings
from tenfold.pool.state import ShadowView

TELL_S = 10.0
"""How often standings are recorded while nothing changes."""


class Decisions:
    """Decides, and records how all stand and what a shadow would do."""

    def __init__(self, known: Knowledge) -> None:
        self._known = known
        self._shadow = Shadow() if known.settings.policy == "shadow" else None
        self._shadow_told_at = self._told_at = known.clock()

    def claims(self, hold: str = "") -> Claims:
        """Find what each workload asks for; ``hold`` is why it asks for no more than floors, or nothing."""
        known = self._known
        return claims_now(
            known.occupancy,
            known.meters,
            known.served,
            known.moves.wake_s,
            dwell_s=0.0 if hold else known.settings.dwell_s,
            idle_s=known.settings.idle_s,
        )

    def decide(self, seconds: float, hold: str) -> tuple[Claims, list[Change]]:
        """Find what each workload asks for, and the changes that are worth more than they cost.

        Args:
            seconds: since the last tick.
            hold: why the allocation must not change by value, or nothing.
        """
        known = self._known
        began = time.monotonic()
        slots, holder, wake_s = places(known), known.occupancy.holder, known.moves.wake_s
        claims = self.claims(hold)
        if self._shadow is not None and known.ready:
            self._note_shadow(self._shadow.decide(slots, claims, holder, wake_s, seconds), self._shadow)
        if known.settings.policy != "tenfold":
            claims = fixed(claims, known.meters, known.served, len(slots))
        patient = {name for name, meter in known.meters.items() if not meter.plan.takes_requests}
        changes = allocate(slots, claims, holder, known.moves.slots, patient)
        known.totals.decision.add(time.monotonic() - began)
        return claims, changes

    def tell(self, claims: Claims, at_once: bool) -> None:
        """Record how all stand, at every change and every while; the orders have gone out and do not wait for it."""
        known = self._known
        if not at_once and known.clock() - self._told_at < TELL_S:
            return
        self._told_at = known.clock()
        held = known.held()
        held_W = np.array([held[workload] for workload in known.meters])
        found = standings(claims, list(known.meters.values()), held_W, len(known.occupancy.slots), known.epoch)
        known.ledger.append("standings", "pool", found.model_dump())

    def _note_shadow(self, changes: Sequence[Change], shadow: Shadow) -> None:
        """Record what the policy would have done, and every while what that has been worth."""
        known = self._known
        for change in changes:
            told = replace(change, because=known.meters[change.receiver].reason(change.because))
            known.ledger.append("shadow_move", change.slot, change_body(told))
        if known.clock() - self._shadow_told_at >= TELL_S:
            self._shadow_told_at = known.clock()
            known.ledger.append("shadow", "pool", ShadowView.of(shadow.sums()).model_dump())

    def shadow_view(self) -> ShadowView | None:
        """What the policy would have done, where it only watches."""
        return None if self._shadow is None else ShadowView.of(self._shadow.sums())


def places(known: Knowledge) -> list[SlotPlace]:
    """All slots on which it is known who is awake, each with the workloads that can run there and are loaded."""
    occupancy = known.occupancy
    return [
        SlotPlace(
            slot.slot,
            slot.core,
            frozenset(
                workload
                for workload, meter in known.meters.items()
                if slot.kind in meter.plan.kinds and occupancy.address(f"{workload}@{slot.slot}") is not None
            ),
            known.supply.is_weak(slot.core),
        )
        for slot in occupancy.slots.values()
        if slot.slot not in occupancy.unasked
    ]


def claims_now(
    occupancy: Occupancy,
    meters: Mapping[str, DemandMeter],
    served: Set[str],
    wake_s: Mapping[str, float],
    *,
    dwell_s: float,
    idle_s: float,
) -> Claims:
    """What each workload asks for.

    A workload with requests waiting or just served keeps one slot, however little they earn: a service that answers
    nobody is broken, not thrifty. So does one that has not served yet, so that ``healthz`` can tell.

    Args:
        occupancy: who holds what.
        meters: of all workloads, most important first.
        served: workloads that have served.
        wake_s: seconds that a slot takes to wake, by workload.
        dwell_s: seconds that a change is expected to last; at 0 nobody asks for more than floors.
        idle_s: seconds after its last request in which a service keeps a slot.
    """
    return measured_claims(
        list(meters.values()),
        slots=len(occupancy.slots),
        held=occupancy.held(meters),
        wanted={
            name for name, meter in meters.items() if meter.idle_s < idle_s or (name not in served and not meter.ended)
        },
        wake_s=wake_s,
        dwell_s=dwell_s,
    )


def fixed(claims: Claims, meters: Mapping[str, DemandMeter], served: Set[str], slots: int) -> Claims:
    """Give each its floor and nothing else; where no floors are set, even parts of the pool."""
    floor_W = np.array([meter.plan.floor for meter in meters.values()])
    if not floor_W.any():
        floor_W = slots * (np.arange(len(floor_W)) + 1) // len(floor_W)
        floor_W = np.diff(floor_W, prepend=0)
    served_W = np.array([workload in served for workload in meters])
    floor_W = np.maximum(floor_W, ~served_W)
    return replace(claims, floor_W=floor_W, ceiling_W=floor_W)
