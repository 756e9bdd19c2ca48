"""Jobs that need one node or one rack have all their slots there, whatever comes and goes around them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small import Told, job, service, week

from tenfold.replay.engine import replay
from tenfold.replay.floorplan import Floorplan
from tenfold.replay.rule import Decision
from tenfold.replay.rules import KueueLike
from tenfold.replay.tenfold import Tenfold
from tenfold.replay.week import Kind, Week


def fleet(jobs, slots: int = 16, node_slots: int = 4, rack_nodes: int = 2) -> Week:
    kind = Kind("a", slots, node_slots=node_slots, rack_nodes=rack_nodes)
    return Week("places", 100.0, (kind,), (service([0.0]),), tuple(jobs))


def place(plan: Floorplan, crowd: int, held: list[int], wanted: list[int]) -> tuple[list[int], int]:
    placed = plan.place(
        np.array([[crowd]]), np.arange(len(held)), np.array(held)[:, None], np.array(wanted, dtype=np.int64)[:, None]
    )
    return placed.job_slots_AK[:, 0].tolist(), int(placed.refused_K[0])


def test_jobs_are_packed_so_that_whole_nodes_stay_free():
    plan = Floorplan(fleet([job(within="node", least=2, most=2) for _ in range(4)] + [job(within="node", least=4)]))
    assert place(plan, 4, [0, 0, 0, 0, 0], [2, 2, 2, 0, 0]) == ([2, 2, 2, 0, 0], 0)
    assert place(plan, 4, [2, 2, 2, 0, 0], [2, 2, 2, 2, 4]) == ([2, 2, 2, 2, 4], 0)


def test_who_fits_by_number_only_waits():
    jobs = [job(within="node", least=3, most=3) for _ in range(4)] + [job(within="node", least=4, most=4)]
    plan = Floorplan(fleet(jobs))
    assert place(plan, 0, [0] * 5, [3, 3, 3, 3, 4]) == ([3, 3, 3, 3, 0], 4)
    # One of the small ones ends: there is a node again.
    assert place(plan, 0, [3, 3, 3, 3, 0], [0, 3, 3, 3, 4]) == ([0, 3, 3, 3, 4], 0)


def test_the_crowd_makes_room_where_it_is_needed():
    plan = Floorplan(fleet([job(within="rack", least=8, most=8)]))
    assert place(plan, 16, [0], [0]) == ([0], 0)
    assert place(plan, 8, [0], [8]) == ([8], 0)


def test_a_job_gets_what_its_rack_has_if_that_is_enough():
    jobs = [job(within="rack", least=2, most=8), job(within="rack", least=6, most=6), job(within="rack", least=5)]
    plan = Floorplan(fleet(jobs))
    assert place(plan, 0, [0, 0, 0], [5, 6, 0]) == ([5, 6, 0], 0)
    assert place(plan, 0, [5, 6, 0], [10, 6, 0]) == ([8, 6, 0], 2)


def test_slots_that_idle_while_a_job_waits_for_a_place_are_counted():
    jobs = [job(name=str(number), within="node", least=3, most=3) for number in range(4)]
    jobs.append(job(name="whole", within="node", least=4, most=4))
    made = week([service([0.0] * 2)], jobs, slots=16, node_slots=4)
    outcome = replay(made, Told([[0, 3, 3, 3, 3, 4]]))
    # Counted in the step in which it was tried; in the next one it is not shown, and its slots may go to others.
    assert outcome.fragmentation == pytest.approx(4 / 16 / 2)
    assert outcome.training_slots_T.tolist() == [12, 12]


def test_a_job_that_finds_no_place_is_tried_ever_more_rarely():
    jobs = [job(name=str(number), within="node", least=3, most=3) for number in range(4)]
    jobs.append(job(name="whole", within="node", least=4, most=4))
    outcome = replay(week([service([0.0] * 50)], jobs, slots=16, node_slots=4), Told([[0, 3, 3, 3, 3, 4]]))
    # After 0, 10, 30 and 70 minutes.
    assert outcome.fragmentation == pytest.approx(4 / 16 * 4 / 50)


@pytest.mark.parametrize("rule", [Tenfold(), KueueLike()])
def test_no_slots_of_two_kinds_are_kept_for_a_job_that_must_have_them_in_one_node(rule):
    kinds = (Kind("a", 8, node_slots=8), Kind("b", 8, node_slots=4))
    both = {"speed_K": np.array([1.0, 0.9]), "work": np.inf}
    jobs = (
        job(name="first", least=3, most=3, **both),
        job(name="whole", within="node", least=6, most=8, arrival_s=600.0, **both),
        job(name="small", within="node", least=4, most=4, arrival_s=600.0, **both),
        job(name="rest", least=1, most=9, arrival_s=600.0, usd_per_s=0.5, **both),
    )
    quiet = service([0.0] * 12, capacity_K=np.ones(2))
    outcome = replay(Week("kinds", 600.0, kinds, (quiet,), jobs), rule)
    assert outcome.training_slots_T.tolist() == [3] + 11 * [16]
    assert outcome.waited_s_J[2] == 0.0
    assert outcome.moves <= 20


@pytest.mark.parametrize("count", [2, 3, 4, 5, 7])
def test_a_job_that_was_given_slots_of_several_kinds_is_shown_each_kind_in_turn(count):
    shown = []

    class Splits(Told):
        def decide(self, view):
            if len(view.jobs_A):
                shown.append(np.flatnonzero(view.speed_AK[0]).tolist())
            both = np.array([[1, 1] + [0] * (count - 2)] * len(view.jobs_A), dtype=np.int64).reshape(-1, count)
            return Decision(np.zeros((1, count), dtype=np.int64), both, np.zeros(len(view.jobs_A), dtype=bool))

    kinds = tuple(Kind(name, 4, node_slots=4) for name in "abcdefg"[:count])
    # Tried again after 10, 20, 40, and then every 80 minutes.
    asks = service([0.0] * 50 * count, capacity_K=np.ones(count))
    replay(
        Week("kinds", 100.0, kinds, (asks,), (job(within="node", least=2, most=2, speed_K=np.ones(count)),)), Splits([])
    )
    tries = [each[0] for each in shown[1:]]
    assert all(len(each) == 1 for each in shown[1:])
    assert len(tries) > count
    assert tries[:count] == [(tries[0] + at) % count for at in range(count)]


def test_a_job_that_gets_nothing_of_one_kind_is_shown_the_next():
    """Without a grant there is no refusal either; the kinds change all the same."""
    shown = []

    class SplitsOnce(Told):
        def decide(self, view):
            if len(view.jobs_A):
                shown.append(int(np.flatnonzero(view.speed_AK[0])[-1]))
            wants = [1, 1] if view.step == 0 else [0, 0]
            jobs_AK = np.array([wants] * len(view.jobs_A), dtype=np.int64).reshape(-1, 2)
            return Decision(np.zeros((1, 2), dtype=np.int64), jobs_AK, np.zeros(len(view.jobs_A), dtype=bool))

    kinds = (Kind("a", 4, node_slots=4), Kind("b", 4, node_slots=4))
    asks = service([0.0] * 30, capacity_K=np.ones(2))
    replay(
        Week("kinds", 100.0, kinds, (asks,), (job(within="node", least=2, most=2, speed_K=np.ones(2)),)), SplitsOnce([])
    )
    assert shown[1:13] == [1] * 6 + [0] * 6


def test_a_job_that_needs_a_place_is_shown_the_kinds_on_which_it_can_have_one():
    kinds = (Kind("a", 8, node_slots=8), Kind("b", 8, node_slots=4))
    jobs = [job(within="node", least=least, most=8, speed_K=np.array([1.0, 0.9])) for least in (6, 4, 4)]
    plan = Floorplan(Week("kinds", 600.0, kinds, (service([0.0], capacity_K=np.ones(2)),), tuple(jobs)))
    every, none, runs = np.arange(3), np.zeros(2, dtype=np.int64), np.array([0, 4])
    shown_AK = plan.speed_AK(every, np.array([none, none, runs]), np.zeros(3, dtype=np.int64))
    assert shown_AK.tolist() == [[1.0, 0.0], [1.0, 0.9], [0.0, 0.9]]
    # Slots of two kinds have no place together; from then on it tries one kind after the other.
    placed = plan.place(
        np.zeros((1, 2), dtype=np.int64), every[:2], np.zeros((2, 2), dtype=np.int64), np.array([[0, 0], [2, 2]])
    )
    assert not placed.job_slots_AK.any()
    assert [plan.speed_AK(every[1:2], none[None], np.array([turn])).tolist() for turn in range(3)] == [
        [[1.0, 0.0]],
        [[0.0, 0.9]],
        [[1.0, 0.0]],
    ]


@given(seed=st.integers(0, 10**6))
def test_places_hold_through_any_course(seed):
    rng = np.random.default_rng(seed)
    within = [("node", "rack", "anywhere")[number % 3] for number in range(9)]
    most = {"node": 4, "rack": 8, "anywhere": 10}
    jobs = [job(within=place, least=int(rng.integers(1, 4)), most=most[place]) for place in within]
    plan = Floorplan(fleet(jobs, slots=22))
    held = np.zeros(9, dtype=np.int64)
    for _ in range(30):
        room, wanted = 22, np.zeros(9, dtype=np.int64)
        for number in rng.permutation(9):
            slots = int(rng.integers(0, jobs[number].most + 1))
            wanted[number] = slots if jobs[number].least <= slots <= room else 0
            room -= wanted[number]
        crowd = int(rng.integers(0, room + 1))
        placed = plan.place(np.array([[crowd]]), np.arange(9), held[:, None], wanted[:, None])
        held = placed.job_slots_AK[:, 0]
        floor = plan._floors[0]
        anywhere = sum(int(held[number]) for number in range(9) if within[number] == "anywhere")
        taken_N = sum(floor._places.values(), np.zeros(6, dtype=np.int64))
        assert (floor._free_N >= 0).all() and (floor._crowd_N >= 0).all()
        assert (floor._free_N + floor._crowd_N + taken_N).tolist() == [4, 4, 4, 4, 4, 2]
        assert floor._crowd_N.sum() == crowd + anywhere
        assert int(placed.refused_K[0]) == int((wanted - held).sum())
        for number, place_N in floor._places.items():
            assert place_N.sum() == held[number]
            areas = np.flatnonzero(place_N) // (1 if within[number] == "node" else 2)
            assert len(set(areas.tolist())) == 1
            assert held[number] == 0 or held[number] >= jobs[number].least
