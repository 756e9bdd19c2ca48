"""Tenfold's policy provides for as many requests as it is asked to, and the rest of the slots train."""

import numpy as np
import pytest
from small import Told, job, service, week

from bursts import SOURCES, with_burst
from synthetic_week import synthetic_week
from tenfold.policy.budget import BURN
from tenfold.replay.compare import compare
from tenfold.replay.engine import replay
from tenfold.replay.rule import Decision, View
from tenfold.replay.summary import notes, summary
from tenfold.replay.tenfold import Tenfold
from tenfold.replay.week import Kind, Times, Week

pytestmark = pytest.mark.slow

STEADY = [10.0] * 600
TARGET = (("llm", 0.9),)


def test_a_family_is_steered_to_its_target_and_the_rest_trains():
    made = week([service(STEADY, usd_per_request=10.0)], [job()], slots=20)
    full, thrifty = (replay(made, Tenfold(attains)) for attains in ((), TARGET))
    assert full.attainment("llm") > 0.99
    assert thrifty.attainment("llm") == pytest.approx(0.9, abs=0.02)
    assert thrifty.useful_training_h > full.useful_training_h


def test_an_answer_that_is_worth_little_is_provided_for_all_the_same():
    made = week([service(STEADY, usd_per_request=0.5)], [job()], slots=20)
    assert replay(made, Tenfold()).attainment("llm") < 0.1
    # It comes up to the target from below, and takes its time.
    long = week([service([10.0] * 1000, usd_per_request=0.5)], [job()], slots=20)
    assert replay(long, Tenfold(TARGET)).attainment("llm") == pytest.approx(0.9, abs=0.02)


def test_what_is_not_provided_for_gets_slots_that_would_be_idle():
    made = week([service(STEADY, usd_per_request=10.0)], [job(most=6)], slots=20)
    assert replay(made, Tenfold(TARGET)).attainment("llm") > 0.99


def test_of_two_families_one_can_be_provided_for_less():
    made = week([service(STEADY), service(STEADY, name="feed", family="ranking")], [job(usd_per_s=0.1)], slots=30)
    outcome = replay(made, Tenfold(TARGET))
    assert outcome.attainment("ranking") > 0.99
    assert outcome.attainment("llm") < 0.92


def test_services_of_a_family_share_its_budget_and_however_much_is_unspent_most_is_provided_for():
    made = week(
        [service(STEADY, usd_per_request=10.0), service([1.0] * 500 + [10.0] * 100, name="late", usd_per_request=10.0)],
        [job(most=9), job(name="late job", arrival_s=50_000.0, most=20)],
        slots=20,
    )
    outcome = replay(made, Tenfold(TARGET))
    served_T = outcome.service_slots_TS.sum(axis=1)[505:]
    assert np.median(served_T) >= 20 * (1.0 - BURN * 0.1)


def test_who_yields_to_services_outbids_jobs_also_on_accelerators_that_jobs_do_better_on():
    chat, train = (
        service([10.0] * 60, usd_per_request=10.0, capacity_K=np.array([1.0, 0.5])),
        job(speed_K=np.array([1.0, 1.0])),
    )
    made = Week("two kinds", 100.0, (Kind("a", 4), Kind("b", 30)), (chat,), (train,))
    seen, tenfold = [], Tenfold(TARGET)

    class Looking:
        name, warm = "looking", True

        def decide(self, view: View) -> Decision:
            seen.append(tenfold.claims(view))
            return tenfold.decide(view)

    replay(made, Looking())
    # By then chat has budget unspent, keeps the worth of five slots, and would yield three more.
    worth = [seen[40].marginal_usd_per_s(0, slot) for slot in range(8)]
    assert worth[0] == pytest.approx(10.0, rel=0.02)
    # Half a slot's work of each of kind b, which a job would make 1 USD of.
    assert worth[7] < 0.5 * worth[0]
    assert worth[7] * 0.5 > 1.0


def smooth_week(**changes):
    settings = {"slots": 150, "steps": 432, "services": 6, "jobs": 60, "step_s": 300.0}
    shares = {"llm_share": 0.4, "ranking_share": 0.15, "training_share": 0.3}
    return synthetic_week(7, **(settings | shares | changes))


BOTH = (("llm", 0.95), ("ranking", 0.999))


def test_within_an_hour_of_a_burst_training_is_back():
    calm = smooth_week()
    burst = with_burst(calm, "ranking", 20 * 3600.0, minutes=20.0, times=6.0)
    without, found = (replay(made, Tenfold(BOTH)) for made in (calm, burst))
    back = round((20 * 3600.0 + 20 * 60.0 + 3600.0) / calm.step_s)
    ranks = calm.family_S == calm.family_S[-1]
    slots_T = found.service_slots_TS[:, ranks].sum(axis=1)
    assert slots_T[back:].mean() <= 1.02 * without.service_slots_TS[back:, ranks].sum(axis=1).mean()
    assert found.training_slots_T[back:].mean() >= 0.98 * without.training_slots_T[back:].mean()
    assert found.useful_training_h >= 0.96 * without.useful_training_h


def test_a_target_out_of_reach_costs_no_more_than_coming_close():
    made = smooth_week(ranking=SOURCES["posts"])
    far = replay(made, Tenfold((("llm", 0.95), ("ranking", 0.9999))))
    reached = far.attainment("ranking")
    assert reached < 0.99
    close = replay(made, Tenfold((("llm", 0.95), ("ranking", reached))))
    assert close.attainment("ranking") <= reached + 0.002
    assert far.useful_training_h >= 0.9 * close.useful_training_h


def test_misses_that_no_slots_could_have_prevented_are_told_apart():
    # One step comes out of nothing; the next five ask for more than the whole fleet can answer.
    made = week([service([4.0] * 50 + [8.0] + [40.0] * 5 + [4.0] * 44)], [job(usd_per_s=0.01)], slots=20)
    outcome = replay(made, Tenfold((("llm", 0.9),)))
    (chat,) = outcome.services
    assert chat.shed == pytest.approx(chat.unpreventable, rel=0.1)
    assert chat.unpreventable >= 5 * 100.0 * (40.0 - 20.0)


def test_a_replay_tells_a_target_that_was_missed_and_what_of_it_no_slots_could_have_answered():
    made = week([service([4.0] * 50 + [40.0] * 50)], [job(usd_per_s=0.01)], slots=20)
    found = compare(made, [Tenfold(TARGET)], {"llm": 0.9})
    (told,) = [line for line in notes(found) if line.startswith("tenfold missed")]
    assert "of llm, where its target allows 10.000%" in told
    (row,) = summary(found)["policies"]
    assert 0.4 < row["unpreventable"]["llm"] < 0.5
    assert f"no slots could have answered {row['unpreventable']['llm']:.3%}" in told


class Handed:
    """Does as it is told for two steps, and then as Tenfold does."""

    name = "handed"

    def __init__(self, lines, *, warm: bool) -> None:
        self.told, self.tenfold, self.warm = Told(lines), Tenfold(warm=warm), warm

    def decide(self, view: View) -> Decision:
        return self.told.decide(view) if view.step < 2 else self.tenfold.decide(view)


@pytest.mark.parametrize(("ran", "warm", "comes"), [(True, True, True), (False, True, False), (True, False, False)])
def test_a_job_that_was_stopped_comes_back_by_a_wake_where_its_start_would_not_pay(ran, warm, comes):
    # A slot of the job is worth more than one of the service, but not with half of the time spent on a start.
    times = Times(start_s=90.0, wake_s=3.0, sleep_s=0.0)
    made = week([service([20.0] * 20, usd_per_request=0.7)], [job(times=times)], slots=10)
    outcome = replay(made, Handed([[1, 9] if ran else [10, 0], [10, 0]], warm=warm))
    assert (outcome.training_slots_T[2:] > 0).all() == comes
    assert (outcome.training_slots_T[2:] > 0).any() == comes
