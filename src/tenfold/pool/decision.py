"""From what the controller holds to what the policy is asked: pure functions, called once a tick."""

from collections.abc import Mapping, Set
from dataclasses import replace

import numpy as np

from tenfold.policy.claims import Claims
from tenfold.policy.policy import SlotPlace
from tenfold.pool.demand import DemandMeter
from tenfold.pool.meters import measured_claims
from tenfold.pool.occupancy import Occupancy


def places(occupancy: Occupancy, meters: Mapping[str, DemandMeter]) -> list[SlotPlace]:
    """All slots on which it is known who is awake, each with the workloads that can run there and are loaded."""
    return [
        SlotPlace(
            slot.slot,
            f"{slot.node}/{slot.cores or slot.gpu}",
            frozenset(
                workload
                for workload, meter in meters.items()
                if slot.kind in meter.plan.kinds and occupancy.address(f"{workload}@{slot.slot}") is not None
            ),
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
        wanted={name for name, meter in meters.items() if name not in served or meter.idle_s < idle_s},
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
