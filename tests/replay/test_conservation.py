"""Nothing is lost or made up: slot-seconds, requests and work add up whatever a policy decides."""

from dataclasses import dataclass, fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small import job, service

from tenfold.replay.engine import replay
from tenfold.replay.rule import Decision, View
from tenfold.replay.rules import HpaLike, KueueLike, LyraLike, Priority, Static
from tenfold.replay.week import Kind, Times, Week


@dataclass(frozen=True)
class Whim:
    """Decides by chance, within what is allowed."""

    seed: int
    warm: bool = True
    name: str = "whim"

    def decide(self, view: View) -> Decision:
        rng = np.random.default_rng((self.seed, view.step))
        room_K = view.week.slots_K.copy()
        services_SK, jobs_AK = np.zeros_like(view.service_slots_SK), np.zeros_like(view.job_slots_AK)
        killed_A = (rng.random(len(view.jobs_A)) < 0.1) & view.job_slots_AK.any(axis=1)
        for row in rng.permutation(len(view.jobs_A)):
            one, kind = view.week.jobs[view.jobs_A[row]], rng.integers(len(room_K))
            wanted = rng.integers(0, one.most + 1)
            if not killed_A[row] and one.least <= wanted <= room_K[kind] and one.speed_K[kind] > 0:
                jobs_AK[row, kind] = wanted
                room_K[kind] -= wanted
        for kind in range(len(room_K)):
            for place in range(len(services_SK)):
                wanted = rng.integers(0, room_K[kind] + 1) if view.week.capacity_SK[place, kind] > 0 else 0
                services_SK[place, kind] = wanted
                room_K[kind] -= wanted
        return Decision(services_SK, jobs_AK, killed_A)


def busy_week(seed: int, steps: int = 40, kinds: int = 2) -> Week:
    rng = np.random.default_rng(seed)

    def times() -> Times:
        return Times(*(float(rng.choice([0.0, 3.0, 40.0, 170.0])) for _ in range(4)))

    made = tuple(Kind(f"kind-{k}", int(rng.integers(8, 40)), node_slots=4, rack_nodes=2) for k in range(kinds))
    services = [
        service(
            rng.uniform(0, 30, steps),
            name=f"service-{number}",
            family=("llm", "ranking")[number % 2],
            capacity_K=rng.uniform(0.5, 2.0, kinds) * (np.arange(kinds) >= rng.integers(0, kinds)),
            times=times(),
            queue_s=float(rng.choice([0.0, 5.0, 150.0])),
            floor=int(rng.integers(0, 2)),
        )
        for number in range(4)
    ]
    jobs = []
    for number in range(15):
        within = ("anywhere", "node", "rack")[number % 3]
        most = int(rng.integers(1, {"anywhere": 12, "node": 5, "rack": 9}[within]))
        jobs.append(
            job(
                name=f"job-{number}",
                arrival_s=float(rng.uniform(-10, steps * 60)),
                work=float(rng.choice([500.0, 5000.0, np.inf])),
                least=int(rng.integers(1, most + 1)),
                most=most,
                speed_K=rng.uniform(0.5, 2.0, kinds),
                times=times(),
                within=within,
                checkpoint_s=float(rng.choice([0.0, 10.0, 130.0])),
                checkpoint_every_s=float(rng.choice([50.0, 900.0])),
            )
        )
    return Week("busy", 100.0, made, tuple(services), tuple(jobs))


def rules(week: Week):
    return [
        Static(np.array([np.quantile(each.rates_T, 0.8) for each in week.services])),
        Priority(),
        Priority(warm=True, grace_s=0.0),
        KueueLike(),
        KueueLike(warm=True, grace_s=0.0),
        LyraLike(),
        LyraLike(warm=True),
        HpaLike(),
        HpaLike(warm=True),
    ]


def check(week: Week, outcome) -> None:
    seconds = week.steps * week.step_s
    assert outcome.slot_seconds.total == pytest.approx(week.slots_K.sum() * seconds)
    assert min(getattr(outcome.slot_seconds, each.name) for each in fields(outcome.slot_seconds)) >= -1e-6
    for each in outcome.services:
        waits = each.asked - each.answered - each.shed
        most = max(one.queue_s * one.rates_T.max() for one in week.services)
        assert -1e-6 <= waits <= most + 1e-6
    assert outcome.useful_training_h >= -1e-9
    done = np.isfinite(outcome.done_at_s_J)
    work_J = np.array([one.work for one in week.jobs])
    # Jobs that are done have done all their work, so that useful work is no less.
    assert outcome.useful_training_h * 3600 >= work_J[done].sum() - 1e-6


@pytest.mark.slow
@given(seed=st.integers(0, 10_000), warm=st.booleans())
def test_whatever_is_decided_all_adds_up(seed, warm):
    week = busy_week(seed)
    check(week, replay(week, Whim(seed, warm)))


@pytest.mark.parametrize("kinds", [1, 2])
@pytest.mark.parametrize("seed", range(3))
def test_all_adds_up_with_every_rule(seed, kinds):
    week = busy_week(seed, kinds=kinds)
    for rule in rules(week):
        check(week, replay(week, rule))


@pytest.mark.slow
def test_the_same_week_gives_the_same_result_bit_for_bit():
    week = busy_week(7)
    for rule in [Whim(3), *rules(week)]:
        first, second = replay(week, rule), replay(busy_week(7), rule)
        for each in fields(first):
            a, b = getattr(first, each.name), getattr(second, each.name)
            assert np.asarray(a).tobytes() == np.asarray(b).tobytes() if isinstance(a, np.ndarray) else a == b
