"""What a workload needs and what a slot does is measured, and a process that restarts does not falsify it."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.pool.demand import DemandMeter, GatewayTotals, Requests, WorkloadPlan
from tenfold.pool.meters import look_around, measured_claims
from tenfold.pool.resident import Counters
from tenfold.pool.views import workload_view


def meter(
    *,
    takes_requests: bool = True,
    target_s: float | None = 1.0,
    attains: float | None = None,
    name: str = "serve",
    ceiling: int | None = None,
) -> DemandMeter:
    return DemandMeter(
        WorkloadPlan(
            workload=name,
            unit="token",
            kinds=frozenset({"cpu"}),
            floor=0,
            ceiling=ceiling,
            value_per_unit_usd=1e-6,
            latency_target_s=target_s,
            assumed_capacity=20.0,
            takes_requests=takes_requests,
            probe=None,
            attains=attains,
        )
    )


def worth(found: DemandMeter, slots: int) -> list[float]:
    """USD per second of the 1st, 2nd, ... slot to it, in a pool of its own."""
    name = found.plan.workload
    claims = measured_claims([found], slots=slots, held={name: 0}, wanted=set(), wake_s={name: 1.0}, dwell_s=10.0)
    return [claims.marginal_usd_per_s(0, slot) for slot in range(slots)]


def work(units: float, requests: int, busy_s: float) -> Counters:
    return Counters(units=units, requests=requests, busy_s=busy_s)


def test_capacity_is_assumed_until_measured_and_then_what_a_busy_slot_does():
    found = meter()
    assert found.capacity == 20.0
    for second in range(1, 61):
        # Busy half of the time, 40 tokens in that half second, 10 tokens a request.
        found.observe_residents({"serve@s0#1": work(40.0 * second, 4 * second, 0.5 * second)}, 1.0)
    assert found.capacity == pytest.approx(80.0, rel=0.01)
    assert found.units_per_request == pytest.approx(10.0, rel=0.01)
    assert found.units_per_s == pytest.approx(40.0, rel=0.01)


def test_an_idle_slot_does_not_lower_the_capacity():
    found = meter()
    found.observe_residents({"serve@s0#1": work(100.0, 10, 1.0)}, 1.0)
    before = found.capacity
    for _ in range(100):
        found.observe_residents({"serve@s0#1": work(100.0, 10, 1.0)}, 1.0)
    assert found.capacity == before


def test_a_slot_that_gets_half_of_its_core_is_said_to_do_half_within_a_second_and_all_again_after():
    found = meter()
    units = busy_s = wanted_s = 0.0

    def second(had_s: float) -> None:
        nonlocal units, busy_s, wanted_s
        for _ in range(2):
            units, busy_s, wanted_s = units + 20.0 * had_s, busy_s + 0.5 * had_s, wanted_s + 0.5
            counters = Counters(units=units, requests=int(units), busy_s=busy_s, wanted_s=wanted_s)
            found.observe_residents({"serve@s0#1": counters}, 0.5)

    for _ in range(5):
        second(had_s=1.0)
    assert found.capacity == pytest.approx(40.0, rel=0.01)
    second(had_s=0.5)
    assert found.capacity < 30.0
    second(had_s=0.5)
    second(had_s=0.5)
    assert found.capacity == pytest.approx(20.0, rel=0.1)
    for _ in range(4):
        second(had_s=1.0)
    assert found.capacity > 37.0


def test_what_a_core_gave_long_ago_says_nothing_of_what_a_slot_will_do():
    found = meter()
    counters = {"serve@s0#1": Counters(units=10.0, requests=1, busy_s=0.5, wanted_s=2.0)}
    found.observe_residents(counters, 1.0)
    assert found.supply == pytest.approx(0.25)
    # What is shown, and what a day of load is sized by, is what a slot does with its whole share.
    shown = workload_view(found, slots=4, held=1, awake=1, worth=(0.0, 0.0))
    assert (shown.capacity_per_slot, shown.core_share) == (found.sure_capacity, found.supply)
    for _ in range(120):
        found.observe_residents(counters, 1.0)
    assert found.supply > 0.99


def test_more_of_a_core_than_a_slot_is_sure_of_makes_up_for_nothing():
    found = meter()
    found.observe_residents(
        {
            "serve@s0#1": Counters(units=40.0, requests=4, busy_s=2.0, wanted_s=1.0),
            "serve@s1#2": Counters(units=10.0, requests=1, busy_s=0.5, wanted_s=1.0),
        },
        1.0,
    )
    assert found.supply == pytest.approx(0.75)


@given(st.lists(st.tuples(st.floats(0, 1e3), st.integers(0, 100)), min_size=1, max_size=20), st.integers(0, 19))
def test_totals_are_the_sum_of_all_work_though_a_resident_is_reborn_at_zero(pieces, death):
    found = meter()
    pid, units, requests = 1, 0.0, 0
    for index, (more_units, more_requests) in enumerate(pieces):
        if index == death:
            pid, units, requests = 2, 0.0, 0
        units, requests = units + more_units, requests + more_requests
        found.observe_residents({f"serve@s0#{pid}": work(units, requests, 0.0)}, 0.5)
    assert found.units_total == pytest.approx(sum(units for units, _ in pieces))
    assert found.requests_total == sum(requests for _, requests in pieces)


def test_what_was_done_before_the_controller_restarted_is_counted_but_is_not_work_of_now():
    found = meter()
    found.adopt("serve@s0#1", work(1e6, 5000, 900.0))
    found.observe_residents({"serve@s0#1": work(1e6, 5000, 900.0)}, 0.5)
    assert (found.units_total, found.requests_total) == (1e6, 5000)
    assert found.units_per_s == 0.0
    assert found.capacity == 20.0


def test_what_had_arrived_before_the_first_report_is_not_demand_of_now():
    found = meter()
    found.observe_gateway(GatewayTotals(arrived=100_000), 0.5)
    assert found.demand_units_per_s() == 0.0
    for arrived in range(100_001, 100_101):
        found.observe_gateway(GatewayTotals(arrived=arrived), 0.5)
    assert found.arrival_per_s == pytest.approx(2.0, rel=0.01)


def test_a_gateway_that_restarts_at_zero_is_no_negative_demand():
    found = meter()
    for arrived in range(0, 100, 5):
        found.observe_gateway(GatewayTotals(arrived=arrived), 0.5)
    before = found.arrival_per_s
    found.observe_gateway(GatewayTotals(arrived=5), 0.5)
    assert found.arrival_per_s == pytest.approx(before, rel=0.05)


def test_requests_since_the_last_report_are_counted_once():
    found = meter()
    found.observe_gateway(GatewayTotals(arrived=100, in_time=90, shed=5), 0.5)
    assert found.recent == Requests()
    found.observe_gateway(GatewayTotals(arrived=107, in_time=96, shed=6), 0.5)
    assert found.recent == Requests(asked=7, in_time=6, shed=1)
    found.observe_gateway(GatewayTotals(arrived=107, in_time=96, shed=6), 0.5)
    assert found.recent == Requests()
    # A gateway that restarted counts from zero.
    found.observe_gateway(GatewayTotals(arrived=3, in_time=2), 0.5)
    assert found.recent == Requests(asked=3, in_time=2, shed=0)


def test_waiting_requests_are_demand_before_any_forecast_knows():
    found = meter(target_s=4.0)
    found.observe_gateway(GatewayTotals(arrived=0, waiting=12), 0.5)
    # Twelve requests of one unit, to be cleared within the target.
    assert found.demand_units_per_s() == pytest.approx(3.0)
    assert worth(found, slots=2)[0] > 0


def test_idle_time_runs_from_the_last_request_answered_or_waiting():
    found = meter()
    assert found.idle_s == math.inf
    found.observe_gateway(GatewayTotals(arrived=1, waiting=1), 0.5)
    assert found.idle_s == 0.0
    found.observe_gateway(GatewayTotals(arrived=1, waiting=1), 7.0)
    assert found.idle_s == 0.0
    found.observe_gateway(GatewayTotals(arrived=1), 0.5)
    found.observe_gateway(GatewayTotals(arrived=1), 0.5)
    assert found.idle_s == pytest.approx(1.0)


def test_training_is_worth_the_same_on_every_slot_however_few_ask():
    found = meter(takes_requests=False, target_s=None)
    assert worth(found, slots=4) == [20.0 * 1e-6] * 4
    assert worth(meter(), slots=4) == [0.0] * 4


def test_a_service_that_missed_too_many_bids_more_and_one_that_missed_none_bids_for_less():
    def steered(attained: int, attains: float | None, slots: int = 10) -> list[float]:
        found = meter(attains=attains)
        found.observe_gateway(GatewayTotals(), 0.5)
        for hour in range(1, 25):
            asked = 100 * 3600 * hour
            totals = GatewayTotals(arrived=asked, answered=asked, in_time=attained * 3600 * hour)
            found.observe_gateway(totals, 3600.0)
        return worth(found, slots)

    fair = steered(attained=100, attains=None)
    assert steered(attained=80, attains=None) == fair
    assert steered(attained=80, attains=0.9)[0] > 2 * fair[0]
    # All of a hundred requests a second fill seven slots; six tenths of that fill more than four.
    assert steered(attained=100, attains=0.9)[:3] == pytest.approx(fair[:3], rel=0.02)
    assert steered(attained=100, attains=0.9)[6] < 0.1 * fair[6]
    # The share is of demand, also where the pool has less: six tenths fill all three.
    assert steered(attained=100, attains=0.9, slots=3) == pytest.approx(
        steered(attained=100, attains=None, slots=3), rel=0.02
    )


def owed_after(burst: int, *, has_all: bool = False, again: int = 1) -> float:
    """Requests owed by a meter that saw 50 a second, and then bursts of which only 50 a second were answered."""
    found = meter(attains=0.99)
    found.has_all = has_all
    asked = attained = 0
    for second in range(400):
        bursts = second >= 300 and second % 10 == 0 and second < 300 + 10 * again
        asked += burst if bursts else 50
        attained += 50
        found.observe_gateway(GatewayTotals(arrived=asked, answered=asked, in_time=attained), 1.0)
    return float(found.tally.owed_W[0])


def test_a_burst_that_nobody_could_foresee_is_not_owed_and_the_next_one_is():
    assert owed_after(500) < 0.2 * 450
    assert owed_after(500, again=3) > 0.5 * 2 * 450


def test_while_a_service_has_all_that_it_could_have_nothing_is_owed():
    assert owed_after(500, has_all=True, again=3) == 0.0


def test_a_service_could_have_every_slot_but_those_of_other_services():
    def has_all(rank: int, other: int, train: int, ceiling: int | None = None) -> bool:
        known = [meter(name="rank", ceiling=ceiling), meter(name="serve"), meter(name="train", takes_requests=False)]
        look_around(known, slots=6, held={"rank": rank, "serve": other, "train": train})
        assert known[0].rival_usd_per_s == pytest.approx(20.0 * 1e-6)
        return known[0].has_all

    assert has_all(4, 2, 0)
    assert not has_all(3, 2, 1)
    assert not has_all(3, 2, 0)
    assert has_all(3, 2, 1, ceiling=3)
