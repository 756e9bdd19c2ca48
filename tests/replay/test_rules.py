"""Each rule does on a tiny week what it is known for."""

import numpy as np
import pytest
from small import job, service, week

from tenfold.policy.budget import Tally
from tenfold.replay.engine import replay
from tenfold.replay.queueing import evict, share_out
from tenfold.replay.rule import Decision, View
from tenfold.replay.rules import HpaLike, KueueLike, LyraLike, Priority, Static
from tenfold.replay.scaling import cover, hpa_capacity_S
from tenfold.replay.week import Kind, Times, Week

PRICE = (("llm", 1.0),)


def view_of(made: Week, rates_HS, slots_SK, job_slots_AK=(), settled_s_A=(), step: int = 1) -> View:
    jobs = len(made.jobs)
    return View(
        week=made,
        step=step,
        rates_HS=np.array(rates_HS, dtype=float),
        demands_SD=np.zeros((len(made.services), 1)),
        waiting_S=np.zeros(len(made.services)),
        tally=Tally.none(len(made.services)),
        service_slots_SK=np.array(slots_SK),
        jobs_A=np.arange(jobs),
        job_slots_AK=np.array(job_slots_AK, dtype=np.int64).reshape(jobs, len(made.kinds)),
        speed_AK=made.speed_JK,
        remaining_A=np.array([one.work for one in made.jobs]),
        since_checkpoint_A=np.zeros(jobs),
        most_A=np.array([one.most for one in made.jobs], dtype=np.int64),
        settled_s_A=np.array(settled_s_A, dtype=float),
        started_A=np.ones(jobs, dtype=bool),
    )


class Recorded:
    """Passes a rule's decisions on and keeps them."""

    def __init__(self, rule) -> None:
        self.rule, self.name, self.warm = rule, rule.name, rule.warm
        self.decisions: list[Decision] = []

    def decide(self, view: View) -> Decision:
        self.decisions.append(self.rule.decide(view))
        return self.decisions[-1]


def test_the_hpa_does_nothing_within_its_tolerance_and_grows_at_once_beyond():
    made = week([service([1.0])], slots=100)
    half = np.array([0.5])
    assert hpa_capacity_S(view_of(made, [[5.4]], [[10]]), half) == [10.0]
    assert hpa_capacity_S(view_of(made, [[5.6]], [[10]]), half) == [11.2]


def test_the_hpa_shrinks_to_the_most_of_the_last_five_minutes():
    made = week([service([1.0])], slots=100, step_s=100.0)
    one = np.array([1.0])
    assert hpa_capacity_S(view_of(made, [[40.0], [30.0], [5.0], [5.0]], [[40]]), one) == [30.0]
    assert hpa_capacity_S(view_of(made, [[40.0], [5.0], [6.0], [5.0]], [[40]]), one) == [6.0]


def test_the_hpa_holds_what_it_has_where_nothing_was_measured():
    made = week([service([1.0])], slots=100)
    assert hpa_capacity_S(view_of(made, [[np.nan]], [[7]]), np.array([1.0])) == [7.0]


def test_services_that_are_worth_more_are_covered_first():
    cheap, dear = service([1.0], name="cheap"), service([1.0], name="dear", usd_per_request=5.0)
    made = week([cheap, dear], slots=10)
    covered_SK = cover(view_of(made, [[8.0, 8.0]], [[0], [0]]), np.array([8.0, 8.0]), made.slots_K)
    assert covered_SK.tolist() == [[2], [8]]


def test_a_service_likes_the_kind_on_which_it_is_better_than_others():
    kinds = (Kind("new", 10), Kind("old", 10))
    llm = service([1.0], name="llm", capacity_K=np.array([10.0, 2.0]))
    ranking = service([1.0], name="ranking", capacity_K=np.array([10.0, 9.0]))
    made = Week("two kinds", 100.0, kinds, (llm, ranking), ())
    covered_SK = cover(view_of(made, [[50.0, 50.0]], [[0, 0], [0, 0]]), np.array([50.0, 45.0]), made.slots_K)
    assert covered_SK.tolist() == [[5, 0], [0, 5]]


def test_services_that_need_conversion_get_no_more_than_there_is():
    made = week([service([1.0], converts=True)], slots=10, conversion=3)
    assert cover(view_of(made, [[8.0]], [[0]]), np.array([8.0]), made.slots_K).tolist() == [[3]]


def test_jobs_are_evicted_newest_first_and_those_not_needed_are_put_back():
    jobs = [job(name=name, work=1e9) for name in ("old", "small", "large")]
    made = week([service([1.0])], jobs, slots=20)
    seen = view_of(made, [[1.0]], [[0]], [[8], [2], [8]], [900.0, 200.0, 300.0])
    assert evict(seen, np.array([12]), add_back=False).tolist() == [False, True, True]
    assert evict(seen, np.array([12]), add_back=True).tolist() == [False, False, True]
    assert evict(seen, np.array([18]), add_back=True).tolist() == [False, False, False]


def test_work_without_an_end_is_evicted_before_newer_jobs():
    made = week([service([1.0])], [job(name="endless"), job(name="new", work=1e6)], slots=20)
    seen = view_of(made, [[1.0]], [[0]], [[8], [8]], [900.0, 100.0])
    assert evict(seen, np.array([10]), add_back=True).tolist() == [True, False]


def test_elastic_jobs_share_what_is_left_in_the_order_of_arrival_and_none_is_below_its_least():
    jobs = [job(name=str(number), work=1e9, least=4, most=8) for number in range(3)]
    made = week([service([1.0])], jobs, slots=20)
    seen = view_of(made, [[1.0]], [[0]], [[0], [0], [0]], [0.0, 0.0, 0.0])
    assert share_out(seen, np.array([18])).tolist() == [[8], [8], [0]]
    assert share_out(seen, np.array([20])).tolist() == [[8], [8], [4]]


def test_a_static_fleet_never_changes():
    outcome = replay(week([service([1.0, 9.0, 4.0])], [job()]), Static(np.array([4.0])))
    assert outcome.service_slots_TS[:, 0].tolist() == [4, 4, 4]
    assert outcome.training_slots_T.tolist() == [6, 6, 6]


@pytest.mark.parametrize("rule", [Priority(PRICE), KueueLike(PRICE)])
def test_who_cannot_save_in_time_is_killed_and_loses_its_work(rule):
    slow = job(work=1e9, least=8, most=8, checkpoint_s=40.0, checkpoint_every_s=1e6)
    outcome = replay(week([service([1.0, 1.0, 6.0, 6.0, 6.0])], [slow]), rule)
    assert outcome.kills == 1
    assert outcome.useful_training_h == 0.0
    quick = replay(week([service([1.0, 1.0, 6.0, 6.0, 6.0])], [job(work=1e9, least=8, most=8)]), rule)
    assert quick.kills == 0
    assert quick.lost_to_kills_h == 0.0
    assert quick.useful_training_h > 0


def test_kueue_admits_with_what_there_is_and_does_not_grow():
    outcome = replay(
        week([service([6.0, 6.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0])], [job(arrival_s=150.0, work=1e9, least=2, most=9)]),
        KueueLike(PRICE),
    )
    assert outcome.training_slots_T.tolist() == [0, 0, 4, 4, 4, 4, 4, 4]
    assert outcome.service_slots_TS[-1, 0] == 2


def test_priority_runs_a_job_whole_or_not_at_all():
    outcome = replay(
        week([service([6.0] * 4 + [2.0] * 6)], [job(arrival_s=150.0, work=1e9, least=6, most=6)]), Priority(PRICE)
    )
    assert set(outcome.training_slots_T.tolist()) == {0, 6}
    assert outcome.training_slots_T[4] == 0


def test_lyra_loans_whole_servers_and_shrinks_elastic_jobs_before_it_stops_any():
    jobs = [job(name="rigid", work=1e7, least=8, most=8), job(name="elastic", work=1e9, least=2, most=16)]
    made = week([service([3.0] * 10 + [11.0] * 10)], jobs, slots=32, step_s=300.0)
    rule = Recorded(LyraLike(PRICE))
    outcome = replay(made, rule)
    before, after = rule.decisions[8].job_slots_AK[:, 0], rule.decisions[-1].job_slots_AK[:, 0]
    assert before.tolist() == [8, 16]
    assert after.tolist() == [8, 8]
    assert outcome.kills == 0


def test_lyra_leaves_jobs_alone_between_its_rounds():
    made = week([service([3.0, 3.0, 9.0, 3.0, 9.0, 3.0])], [job(work=1e9, most=16)], slots=24, step_s=100.0)
    slots_T = replay(made, LyraLike(PRICE)).training_slots_T
    assert len(set(slots_T[:3].tolist())) == 1
    assert len(set(slots_T[3:].tolist())) == 1


def test_hpa_like_training_shrinks_at_once_and_grows_when_it_has_settled():
    made = week([service([2.0, 6.0, 6.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0])], [job()], step_s=100.0)
    outcome = replay(made, HpaLike(PRICE))
    # Step 2 is the first that knows of the 6; step 7 the first whose last five minutes do not.
    assert outcome.training_slots_T.tolist()[2:8] == [4, 4, 4, 4, 8, 8]


def test_names_tell_the_variants_apart():
    rules = [KueueLike(), KueueLike(warm=True), KueueLike(grace_s=0.0), Priority(), LyraLike(), HpaLike(warm=True)]
    assert [rule.name for rule in rules] == [
        "kueue-like",
        "kueue-like, warm",
        "kueue-like, hard kills",
        "priority",
        "lyra-like",
        "hpa-like, warm",
    ]


def test_a_warm_peer_loses_less_to_moves_than_a_cold_one():
    times = Times(start_s=60.0, wake_s=1.0, sleep_s=0.0, resize_s=1.0)
    rates = ([2.0] * 6 + [7.0] * 6) * 4
    made = week([service(rates, times=times)], [job(times=times, checkpoint_s=10.0)])
    cold, warm = replay(made, HpaLike(PRICE)), replay(made, HpaLike(PRICE, warm=True))
    assert warm.lost_to_moves_h < cold.lost_to_moves_h / 4
    assert warm.attainment("llm") > cold.attainment("llm")
