"""A decision can be told afterwards: who has what, what more would be worth, and who is next."""

from dataclasses import replace

import numpy as np

from tenfold.policy.claims import Claims
from tenfold.pool.demand import DemandMeter, GatewayTotals, WorkloadPlan
from tenfold.pool.standing import standings


def meter(workload: str, takes_requests: bool, attains: float | None = None) -> DemandMeter:
    return DemandMeter(
        WorkloadPlan(
            workload=workload,
            unit="request" if takes_requests else "token",
            kinds=frozenset({"cpu"}),
            floor=0,
            ceiling=None,
            value_per_unit_usd=1e-6,
            latency_target_s=1.0 if takes_requests else None,
            assumed_capacity=20.0,
            takes_requests=takes_requests,
            probe=None,
            attains=attains,
        )
    )


def claims(rank_usd, train_ceiling: int) -> Claims:
    return Claims(
        names=("rank", "train"),
        owner_R=np.array([0, 0, 1]),
        usd_R=np.array([*rank_usd, 2.0]),
        slots_R=np.array([1, 1, 4]),
        floor_W=np.array([1, 0]),
        ceiling_W=np.array([4, train_ceiling]),
        least_W=np.array([1, 1]),
        held_W=np.array([0, 0]),
        join_cost_W=np.zeros(2),
        resize_cost_W=np.zeros(2),
    )


def test_it_names_what_the_last_and_the_next_slot_are_worth_and_who_gets_the_next():
    meters = [meter("rank", True), meter("train", False)]
    found = standings(claims((5.0, 1.0), 4), meters, np.array([1, 3]), 4, epoch=7)
    rank, train = found.workloads
    assert (rank.held, rank.last_slot_usd_per_s, rank.next_slot_usd_per_s) == (1, 5.0, 1.0)
    assert (train.held, train.last_slot_usd_per_s, train.demand_units_per_s) == (3, 2.0, None)
    assert (found.epoch, found.slots, found.next_slot_to) == (7, 4, "train")


def test_nobody_is_next_when_all_have_what_they_may_have():
    meters = [meter("rank", True), meter("train", False)]
    assert standings(claims((5.0, 0.0), 3), meters, np.array([1, 3]), 4, epoch=1).next_slot_to is None


def test_who_has_every_slot_gets_the_one_that_joins():
    meters = [meter("rank", True), meter("train", False)]
    asked = claims((0.0, 0.0), 4)
    asked = replace(asked, floor_W=np.array([0, 0]), slots_R=np.array([1, 1, 5]))
    assert standings(asked, meters, np.array([0, 4]), 4, epoch=1).next_slot_to == "train"


def test_it_tells_what_a_workload_is_steered_to():
    steered = meter("rank", True, attains=0.9)
    for answered in (0, 1000):
        steered.observe_gateway(GatewayTotals(arrived=answered, answered=answered, in_time=answered), 86_400.0)
    rank, train = standings(claims((5.0, 0.0), 4), [steered, meter("train", False)], np.array([1, 3]), 4, 1).workloads
    assert train.aim is None
    assert rank.aim is not None
    assert (rank.aim.attains, rank.aim.attained, rank.aim.worth) == (0.9, 1.0, 1.0)
    assert 0.6 <= rank.aim.provided < 1.0
