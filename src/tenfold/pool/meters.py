"""What the meters of all workloads say together: what the others make of slots, and what each claims."""

from collections.abc import Mapping, Sequence, Set

import numpy as np

from tenfold.policy.claiming import Jobs, Services, Terms, claims_of
from tenfold.policy.claims import Claims
from tenfold.pool.demand import DemandMeter


def look_around(meters: Sequence[DemandMeter], *, slots: int, held: Mapping[str, int]) -> None:
    """Tell every meter what the others make of slots, and whether it has all that it could have.

    A service can have every slot but those of other services; they are not taken from to make its misses good.

    Args:
        meters: of all workloads.
        slots: of the pool.
        held: slots that each has now.
    """
    services = sum(held[meter.plan.workload] for meter in meters if meter.plan.takes_requests)
    rival_usd_per_s = _jobs(meters, slots).rival_usd_per_s
    for meter in meters:
        mine = held[meter.plan.workload]
        meter.rival_usd_per_s = rival_usd_per_s
        meter.has_all = mine >= min(slots - (services - mine), meter.plan.ceiling or slots)


def measured_claims(
    meters: Sequence[DemandMeter],
    *,
    slots: int,
    held: Mapping[str, int],
    wanted: Set[str],
    wake_s: Mapping[str, float],
    dwell_s: float,
    resize_s: Mapping[str, float] | None = None,
) -> Claims:
    """What each workload asks for.

    Args:
        meters: of all workloads, most important first.
        slots: of the pool.
        held: slots that each has now.
        wanted: who keeps one slot, however little it earns.
        wake_s: seconds in which a slot that joins works for nobody, by workload.
        dwell_s: seconds that a change is expected to last; at 0 nobody asks for more than floors.
        resize_s: seconds in which all slots of a workload stand still when some join; not named: none do.
    """
    plans = [meter.plan for meter in meters]
    names = tuple(plan.workload for plan in plans)
    dwell_s_W = np.full(len(meters), dwell_s)
    terms = Terms(
        names=names,
        serves_W=np.array([plan.takes_requests for plan in plans], dtype=bool),
        wanted_W=np.array([name in wanted for name in names], dtype=bool),
        floor_W=np.array([meter.floor for meter in meters]),
        ceiling_W=np.array([min(slots, plan.ceiling or slots) for plan in plans]),
        least_W=np.ones(len(meters), dtype=np.int64),
        held_W=np.array([held[name] for name in names]),
        join_s_W=np.array([wake_s[name] for name in names]),
        join_dwell_s_W=dwell_s_W,
        resize_s_W=np.array([(resize_s or {}).get(name, 0.0) for name in names]),
        resize_dwell_s_W=dwell_s_W,
    )
    services = Services.together([meter.asks() for meter in meters if meter.plan.takes_requests])
    # One slot more than there is, so that it can be told who would get it; ceilings keep to what there is.
    return claims_of(services, _jobs(meters, slots), terms, most_slots=slots + 1)


def _jobs(meters: Sequence[DemandMeter], slots: int) -> Jobs:
    """Those that take no requests and have something to do; each could use a slot more than there are."""
    jobs = [meter for meter in meters if not meter.plan.takes_requests]
    most_J = np.array([slots + 1 if job.has_work else 0 for job in jobs], dtype=np.int64)
    return Jobs(np.array([job.slot_usd_per_s for job in jobs]), most_J)
