"""Claims say what is asked for, in the order of importance, whoever asks: services or jobs."""

from dataclasses import replace

import numpy as np
import pytest

from tenfold.policy.budget import LEAST_KEPT, Tally
from tenfold.policy.claiming import Jobs, Services, Terms, claims_of
from tenfold.policy.fill import fill
from tenfold.policy.forecast import CHANCES_D, LEVELS_D

SERVICES = Services(
    demands_SD=np.array([30.0, 4.0])[:, None] * (0.5 + LEVELS_D),
    waiting_S=np.array([0.0, 60.0]),
    clear_s_S=np.array([1.0, 2.0]),
    slot_units_per_s_S=np.array([10.0, 10.0]),
    usd_per_unit_S=np.array([1.0, 2.0]),
    attains_S=np.full(2, np.nan),
    tally=Tally.none(2),
)
JOBS = Jobs(usd_per_s_J=np.array([5.0, 3.0]), most_J=np.array([6, 2]))


def terms(serves: tuple[bool, ...] = (False, True, True, False), dwell_s: float = 10.0) -> Terms:
    names = tuple("abcd")
    return Terms(
        names=names,
        serves_W=np.array(serves),
        wanted_W=np.array([False, True, False, False]),
        floor_W=np.array([2, 0, 0, 0]),
        ceiling_W=np.full(4, 8),
        least_W=np.ones(4, dtype=np.int64),
        held_W=np.zeros(4, dtype=np.int64),
        join_s_W=np.array([1.0, 2.0, 30.0, 0.0]),
        join_dwell_s_W=np.full(4, dwell_s),
        resize_s_W=np.array([5.0, 0.0, 0.0, 0.0]),
        resize_dwell_s_W=np.full(4, dwell_s),
    )


def worth(claims, workload: int, slots: int = 8) -> list[float]:
    return [claims.marginal_usd_per_s(workload, slot) for slot in range(slots)]


def test_services_and_jobs_claim_the_same_in_any_order():
    mixed = claims_of(SERVICES, JOBS, terms())
    sorted_ = claims_of(SERVICES, JOBS, terms((True, True, False, False)))
    mixed.require_concave()
    for there, here in ((1, 0), (2, 1), (0, 2), (3, 3)):
        assert worth(mixed, there) == worth(sorted_, here)
    assert worth(mixed, 0) == [5.0] * 6 + [0.0] * 2
    assert mixed.floor_W.tolist() == [2, 1, 0, 0]


def test_a_service_claims_what_clears_who_waits_though_little_is_forecast():
    # 60 units in 2 s fill three slots; the forecast alone fills less than one.
    assert worth(claims_of(SERVICES, JOBS, terms()), 2)[:4] == pytest.approx([20.0, 20.0, 20.0, 0.0])


def test_no_slot_of_anybody_is_valued_past_the_most():
    claims = claims_of(SERVICES, JOBS, terms(), most_slots=2)
    assert all(worth(claims, workload)[2:] == [0.0] * 6 for workload in range(4))
    assert all(worth(claims, workload)[0] > 0 for workload in range(4))


def test_a_change_costs_its_seconds_as_a_share_of_the_dwell_and_all_without_one():
    claims = claims_of(SERVICES, JOBS, terms())
    assert claims.join_cost_W.tolist() == [0.1, 0.2, 1.0, 0.0]
    assert claims.resize_cost_W.tolist() == [0.5, 0.0, 0.0, 0.0]
    held = claims_of(SERVICES, JOBS, terms(dwell_s=0.0))
    assert held.join_cost_W.tolist() == [1.0] * 4
    assert held.resize_cost_W.tolist() == [0.0] * 4


def test_the_rival_of_services_is_the_mean_of_what_jobs_make_of_their_slots():
    assert JOBS.rival_usd_per_s == pytest.approx((6 * 5.0 + 2 * 3.0) / 8)
    assert Jobs(np.zeros(0), np.zeros(0, dtype=np.int64)).rival_usd_per_s == 0.0


def test_services_put_together_claim_as_they_did_alone():
    names = ("demands_SD", "waiting_S", "clear_s_S", "slot_units_per_s_S", "usd_per_unit_S", "attains_S")
    parts = [
        replace(SERVICES, **{name: getattr(SERVICES, name)[[row]] for name in names}, tally=Tally.none(1))
        for row in range(2)
    ]
    alone, together = claims_of(SERVICES, JOBS, terms()), claims_of(Services.together(parts), JOBS, terms())
    assert together.usd_R.tolist() == alone.usd_R.tolist()
    assert len(Services.together([]).waiting_S) == 0


def surge_elsewhere(missed: float, slots: int) -> list[int]:
    """Slots of chat (5 to 15 needed), of better-paid ranking in a surge (30 to 90 needed), and of two jobs."""
    asked = 1e6
    services = Services(
        demands_SD=np.array([10.0, 60.0])[:, None] * (0.5 + LEVELS_D),
        waiting_S=np.zeros(2),
        clear_s_S=np.ones(2),
        slot_units_per_s_S=np.ones(2),
        usd_per_unit_S=np.array([12.0, 16.0]),
        attains_S=np.array([0.95, np.nan]),
        tally=Tally(np.full(2, asked), np.full(2, missed), np.full(2, missed), np.full(2, 86400.0)),
    )
    who = replace(
        terms((True, True, False, False)),
        wanted_W=np.zeros(4, dtype=bool),
        floor_W=np.zeros(4, dtype=np.int64),
        ceiling_W=np.full(4, 100),
        join_s_W=np.array([2.0, 2.0, 2.0, 2.0]),
        resize_s_W=np.zeros(4),
    )
    return fill(claims_of(services, JOBS, who), slots).tolist()


def test_who_has_budget_unspent_yields_to_a_surge_but_keeps_half_of_what_is_expected():
    expected = 10.0 * float((0.5 + LEVELS_D) @ CHANCES_D)
    unspent, overdrawn = surge_elsewhere(1e4, slots=66), surge_elsewhere(6e4, slots=66)
    assert unspent[0] == pytest.approx(LEAST_KEPT * expected)
    assert overdrawn[0] >= expected
    assert sum(unspent[:2]) == sum(overdrawn[:2]) == 66


def test_who_yields_to_services_yields_nothing_to_jobs():
    # 10 slots are used half of the time or more, and so pay more than any job; chat holds none and has to join.
    found = surge_elsewhere(1e4, slots=110)
    assert found[0] >= 10
    assert sum(found[2:]) > 0
