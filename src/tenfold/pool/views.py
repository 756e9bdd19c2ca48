"""From what the controller holds to what others see of it: pure functions to ``pool.state``."""

from collections import Counter
from collections.abc import Iterable, Mapping

from tenfold.policy.account import Account
from tenfold.policy.claims import Claims
from tenfold.pool.demand import DemandMeter
from tenfold.pool.host import ResidentStatus, Slot
from tenfold.pool.knowledge import Knowledge
from tenfold.pool.moves import Address
from tenfold.pool.state import (
    AccountView,
    HistoryPoint,
    MoveView,
    PoolState,
    ResidentPhase,
    ResidentView,
    ShadowView,
    SlotView,
    WorkloadView,
)


def pool_state(
    known: Knowledge, claims: Claims, *, running: bool, history: Iterable[HistoryPoint], shadow: ShadowView | None
) -> PoolState:
    """Show the pool now.

    Args:
        known: what the controller knows.
        claims: what each workload asks for now.
        running: whether hosts have reported, so that there is a pool to show.
        history: the last minutes, oldest first.
        shadow: what the policy would have done, where it only watches.
    """
    held, slots, occupancy = known.held(), known.occupancy.slots, known.occupancy
    awake = Counter(occupancy.holder[slot] for slot in occupancy.awake)
    return PoolState(
        at=known.clock(),
        epoch=known.epoch,
        policy=known.settings.policy,
        controller="running" if running else "starting",
        ready=known.ready,
        served=known.ready,
        alarms=known.alarms.texts,
        slots=tuple(
            slot_view(slot, occupancy.living_on(name), occupancy.awake.get(name), known.moves.on(name))
            for name, slot in slots.items()
        ),
        workloads=tuple(
            workload_view(
                meter,
                slots=len(slots),
                held=held[workload],
                awake=awake[workload],
                worth=claims.last_and_next_usd_per_s(index, held[workload]),
            )
            for index, (workload, meter) in enumerate(known.meters.items())
        ),
        moves=known.moves.views(),
        history=tuple(history),
        loss=(),
        account=account_views(known.account, known.meters),
        idle_s=known.account.idle_s,
        shadow=shadow,
        totals=known.totals.view(
            recorded=known.ledger.recorded, dropped=known.ledger.dropped, unrecorded=known.ledger.unrecorded
        ),
    )


def slot_view(
    slot: Slot, residents: Iterable[ResidentStatus], awake: Address | None, moving: MoveView | None
) -> SlotView:
    """Show a slot and its residents.

    Args:
        slot: the slot.
        residents: all residents that live on it.
        awake: the one that is awake.
        moving: the move under way on it.
    """
    views = tuple(
        ResidentView(
            resident=resident.name,
            workload=resident.workload,
            phase=_phase(resident, awake, moving),
            pid=resident.pid,
            url=resident.url,
            restarts=resident.restarts,
        )
        for resident in residents
    )
    awake_here = next((view.workload for view in views if view.phase == "awake"), None)
    return SlotView(slot=slot.slot, kind=slot.kind, node=slot.node, cores=slot.cores, awake=awake_here, residents=views)


def _phase(resident: ResidentStatus, awake: Address | None, moving: MoveView | None) -> ResidentPhase:
    if resident.pid is None:
        return "dead"
    if resident.url is None:
        return "loading"
    if moving is not None and moving.donor == resident.workload:
        return "draining"
    if moving is not None and moving.receiver == resident.workload:
        return "waking"
    return "awake" if awake is not None and awake.name == resident.name else "asleep"


def workload_view(meter: DemandMeter, *, slots: int, held: int, awake: int, worth: tuple[float, float]) -> WorkloadView:
    """Show a workload that holds ``held`` of the pool's ``slots``, ``awake`` of them awake already.

    ``worth``: USD per second of the last slot that it holds, and of one more.
    """
    plan, totals = meter.plan, meter.totals
    return WorkloadView(
        workload=plan.workload,
        unit=plan.unit,
        slots=awake,
        held=held,
        floor=meter.floor,
        ceiling=min(slots, plan.ceiling or slots),
        arrival_per_s=meter.arrival_per_s if plan.takes_requests else None,
        forecast_per_s=meter.forecast_per_s if plan.takes_requests else None,
        capacity_per_slot=meter.sure_capacity,
        core_share=meter.supply,
        units_per_s=meter.units_per_s,
        units_total=meter.units_total,
        waiting=totals.waiting,
        requests_total=totals.answered if plan.takes_requests else meter.requests_total,
        shed_total=totals.shed,
        failed_total=totals.failed,
        latency_p50_s=totals.latency_p50_s,
        latency_p95_s=totals.latency_p95_s,
        latency_target_s=plan.latency_target_s,
        in_time_share=totals.in_time_share,
        value_last_slot_usd_per_s=worth[0],
        value_next_slot_usd_per_s=worth[1],
        price=meter.price,
        facts=meter.facts,
        ended=meter.ended,
    )


def account_views(account: Account, workloads: Iterable[str]) -> tuple[AccountView, ...]:
    """Show the running sums."""
    return tuple(
        AccountView(
            workload=workload,
            asked=int(account.asked_W[place]),
            in_time=int(account.in_time_W[place]),
            shed=int(account.shed_W[place]),
            working_s=float(account.working_s_W[place]),
            starting_s=float(account.starting_s_W[place]),
            joined=int(account.joined_W[place]),
        )
        for place, workload in enumerate(workloads)
    )


def history_point(
    meters: Mapping[str, DemandMeter], claims: Claims, held: Mapping[str, int], at: float
) -> HistoryPoint:
    """Show the pool at one moment, for charts; ``claims`` are in the order of ``meters``."""
    services = {workload: meter for workload, meter in meters.items() if meter.plan.takes_requests}
    latencies = {workload: meter.totals.latency_p95_s for workload, meter in services.items()}
    return HistoryPoint(
        at=at,
        slots=dict(held),
        demand={workload: meter.arrival_per_s for workload, meter in services.items()},
        latency_p95_s={workload: latency for workload, latency in latencies.items() if latency is not None},
        value_next_slot={w: claims.marginal_usd_per_s(index, held[w]) for index, w in enumerate(meters)},
        units_per_s={workload: meter.units_per_s for workload, meter in meters.items()},
    )
