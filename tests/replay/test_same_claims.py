"""The live pool and a replay claim the same when the same is asked of them."""

from dataclasses import fields, replace

import numpy as np
import pytest
from small import job, service, week

from tenfold.policy.budget import Tally
from tenfold.policy.claims import Claims
from tenfold.pool.demand import DemandMeter, GatewayTotals, WorkloadPlan
from tenfold.pool.meters import look_around, measured_claims
from tenfold.pool.resident import Counters
from tenfold.replay.rule import View
from tenfold.replay.tenfold import Tenfold
from tenfold.replay.week import Times

SLOTS = 40
DWELL_S, IDLE_S = 20.0, 5.0
WAKE_S = {"rank": 0.2, "serve": 0.7, "train": 0.4, "fit": 0.1}
RESIZE_S = {"train": 1.5}
ATTAINS = {"rank": 0.95, "serve": None}
HELD = {"rank": 9, "serve": 4, "train": 20, "fit": 3}


def measured(seed: int) -> list[DemandMeter]:
    """Two services that were asked for something for ten minutes, and two jobs."""
    random = np.random.default_rng(seed)
    meters = []
    for name, floor, usd, capacity in (("rank", 1, 3e-5, 40.0), ("serve", 0, 2e-6, 900.0), ("train", 2, 1e-6, 700.0),
                                       ("fit", 0, 1e-6, 500.0)):  # fmt: skip
        serves = name in ATTAINS
        meters.append(
            DemandMeter(
                WorkloadPlan(
                    workload=name,
                    unit="unit",
                    kinds=frozenset({"cpu"}),
                    floor=floor,
                    ceiling=None,
                    value_per_unit_usd=usd,
                    latency_target_s=2.0 if serves else None,
                    assumed_capacity=capacity,
                    takes_requests=serves,
                    probe=None,
                    attains=ATTAINS.get(name),
                )
            )
        )
    for meter, per_s, units in zip(meters[:2], (150.0, 20.0), (1.0, 60.0), strict=True):
        arrived = in_time = 0
        meter.observe_gateway(GatewayTotals(), 1.0)
        for second in range(1, 601):
            arrived += int(random.poisson(per_s * (1.0 + 0.3 * np.sin(second / 60.0))))
            in_time = max(in_time, int(arrived * random.uniform(0.9, 1.0)))
            totals = GatewayTotals(arrived=arrived, answered=arrived, in_time=in_time, waiting=int(random.integers(30)))
            meter.observe_gateway(totals, 1.0)
            done = Counters(units=units * arrived, requests=arrived, busy_s=0.8 * HELD[meter.plan.workload] * second)
            meter.observe_residents({f"{meter.plan.workload}@s#1": done}, 1.0)
    look_around(meters, slots=SLOTS, held=HELD)
    return meters


def live(meters: list[DemandMeter]) -> Claims:
    return measured_claims(
        meters,
        slots=SLOTS,
        held=HELD,
        wanted={meter.plan.workload for meter in meters if meter.idle_s < IDLE_S},
        wake_s=WAKE_S,
        dwell_s=DWELL_S,
        resize_s=RESIZE_S,
    )


def replayed(meters: list[DemandMeter]) -> Claims:
    """What a replay's policy claims where a view shows what the meters know; its services count in requests."""
    services, jobs = meters[:2], meters[2:]
    asks = [meter.asks() for meter in services]

    def times(meter: DemandMeter) -> Times:
        name = meter.plan.workload
        return Times(start_s=99.0, wake_s=WAKE_S[name], sleep_s=0.0, resize_s=RESIZE_S.get(name, 0.0))

    made = week(
        [
            service(
                [1.0],
                name=meter.plan.workload,
                family=meter.plan.workload,
                capacity_K=ask.slot_units_per_s_S / meter.units_per_request,
                usd_per_request=meter.plan.value_per_unit_usd * meter.units_per_request,
                times=times(meter),
                queue_s=float(ask.clear_s_S[0]),
                floor=meter.plan.floor,
            )
            for meter, ask in zip(services, asks, strict=True)
        ],
        [job(name=meter.plan.workload, usd_per_s=meter.slot_usd_per_s, times=times(meter)) for meter in jobs],
        slots=SLOTS,
        step_s=1.0,
    )
    held_WK = np.array([[HELD[meter.plan.workload]] for meter in meters])
    view = View(
        week=made,
        step=0,
        rates_HS=np.array([[meter.idle_s < IDLE_S for meter in services]], dtype=np.float64),
        demands_SD=np.concatenate([meter.forecast.demands_SD() for meter in services]),
        waiting_S=np.array([float(meter.totals.waiting) for meter in services]),
        tally=Tally.together([meter.tally for meter in services]),
        service_slots_SK=held_WK[:2],
        jobs_A=np.array([0, 1]),
        job_slots_AK=held_WK[2:],
        speed_AK=np.ones((2, 1)),
        remaining_A=np.full(2, np.inf),
        since_checkpoint_A=np.zeros(2),
        most_A=np.full(2, SLOTS + 1),
        settled_s_A=np.full(2, DWELL_S),
        started_A=np.ones(2, dtype=bool),
    )
    attains = tuple((name, share) for name, share in ATTAINS.items() if share is not None)
    rule = Tenfold(attains, dwell_s=DWELL_S, joined_dwell_s=DWELL_S, idle_s=IDLE_S)
    claims = rule.claims(view)
    # A replay's jobs have no floors, and may ask for more than there is.
    floor_W = np.maximum(claims.floor_W, [0, 0, *(meter.plan.floor for meter in jobs)])
    return replace(claims, floor_W=floor_W, ceiling_W=np.minimum(claims.ceiling_W, SLOTS))


@pytest.mark.parametrize("seed", range(5))
def test_a_replay_and_the_live_pool_claim_the_same_for_the_same_inputs(seed):
    meters = measured(seed)
    here, there = live(meters), replayed(meters)
    assert here.names == there.names
    assert len(here.owner_R) > 10
    for field in fields(Claims)[1:]:
        assert getattr(here, field.name) == pytest.approx(getattr(there, field.name), rel=1e-12), field.name
