"""What a policy does to a tiny week is what one computes by hand."""

import numpy as np
import pytest
from small import Told, job, service, week

from tenfold.replay.engine import NotAllowed, replay
from tenfold.replay.week import Times


def test_a_service_answers_what_its_slots_can_and_sheds_the_rest():
    outcome = replay(week([service([2.0, 5.0])]), Told([[3], [3]]))
    assert outcome.services[0].asked == 700.0
    assert outcome.services[0].answered == 500.0
    assert outcome.services[0].shed == 200.0
    assert outcome.attainment("llm") == pytest.approx(5 / 7)
    assert outcome.steps_in_full("llm") == 0.5
    assert outcome.slot_seconds.working == 600.0
    assert outcome.slot_seconds.idle == 1400.0


def test_a_start_that_takes_longer_than_a_step_goes_on_in_the_next():
    slow = service([1.0, 1.0, 1.0], times=Times(start_s=150.0, wake_s=1.0, sleep_s=0.0))
    outcome = replay(week([slow]), Told([[1]], warm=False))
    assert outcome.services[0].answered == 150.0
    assert outcome.slot_seconds.starting == 150.0


def test_a_slot_that_changes_hands_sleeps_first_and_then_wakes():
    times = Times(start_s=50.0, wake_s=5.0, sleep_s=3.0)
    weeks = week([service([1.0, 0.0], times=times), service([0.0, 1.0], name="rank", times=times)], slots=1)
    outcome = replay(weeks, Told([[1, 0], [0, 1]]))
    assert outcome.services[0].answered == 95.0
    assert outcome.services[1].answered == 92.0


def test_starting_slots_leave_before_working_ones():
    slow = service([1.0] * 3, times=Times(start_s=150.0, wake_s=150.0, sleep_s=0.0))
    outcome = replay(week([slow]), Told([[1], [5], [1]]))
    assert outcome.services[0].answered == 150.0


def test_who_may_wait_is_answered_when_a_slot_comes():
    patient = service([2.0, 0.0], queue_s=10.0)
    outcome = replay(week([patient]), Told([[1], [1]]))
    # 100 in the first step; of the 100 that wait, those that one slot answers within 10 s.
    assert outcome.services[0].answered == 110.0
    assert outcome.services[0].shed == 90.0


def test_a_kill_loses_what_was_done_since_the_checkpoint():
    train = job(checkpoint_every_s=70.0)
    outcome = replay(week([service([0.0] * 3)], [train]), Told([[0, 4], [0, 0]], kills={1: {"train"}}))
    assert outcome.lost_to_kills_h == pytest.approx(4 * 30 / 3600)
    assert outcome.useful_training_h == pytest.approx(4 * 70 / 3600)
    assert outcome.kills == 1


def test_a_stop_saves_first_and_loses_only_the_time_of_saving():
    train = job(checkpoint_s=20.0)
    outcome = replay(week([service([0.0, 1.0])], [train], slots=4), Told([[0, 4], [4, 0]]))
    assert outcome.useful_training_h == pytest.approx(400 / 3600)
    assert outcome.lost_to_moves_h == pytest.approx(4 * 20 / 3600)
    assert outcome.services[0].answered == 80.0


def test_a_resize_makes_the_whole_job_stand_still():
    train = job(times=Times(start_s=0.0, wake_s=5.0, sleep_s=0.0, resize_s=10.0))
    grown = replay(week([service([0.0] * 2)], [train]), Told([[0, 2], [0, 3]]))
    assert grown.useful_training_h == pytest.approx((200 + 2 * 90 + 85) / 3600)
    shrunk = replay(week([service([0.0] * 2)], [train]), Told([[0, 3], [0, 2]]))
    assert shrunk.useful_training_h == pytest.approx((300 + 2 * 90) / 3600)


def test_a_job_that_was_stopped_does_not_stand_still_for_an_earlier_resize():
    train = job(times=Times(start_s=0.0, wake_s=5.0, sleep_s=0.0, resize_s=250.0))
    outcome = replay(week([service([0.0] * 4)], [train]), Told([[0, 4], [0, 2], [0, 0], [0, 2]]))
    assert outcome.useful_training_h == pytest.approx((400 + 2 * 95) / 3600)


def test_a_cold_resize_is_a_restart():
    train = job(times=Times(start_s=30.0, wake_s=5.0, sleep_s=0.0, resize_s=1.0), checkpoint_s=10.0)
    outcome = replay(week([service([0.0] * 2)], [train]), Told([[0, 2], [0, 3]], warm=False))
    assert outcome.useful_training_h == pytest.approx((2 * 70 + 3 * 60) / 3600)


def test_the_first_start_is_cold_with_every_rule():
    train = job(times=Times(start_s=60.0, wake_s=5.0, sleep_s=0.0))
    outcome = replay(week([service([0.0] * 3)], [train]), Told([[0, 1], [0, 0], [0, 1]]))
    assert outcome.useful_training_h == pytest.approx((40 + 95) / 3600)


def test_a_job_that_is_done_gives_its_slots_back():
    outcome = replay(week([service([0.0] * 2)], [job(work=250.0)]), Told([[0, 5], [0, 5]]))
    assert outcome.done_at_s_J.tolist() == [50.0]
    assert outcome.useful_training_h == pytest.approx(250 / 3600)
    assert outcome.slot_seconds.working == 250.0
    assert outcome.slot_seconds.idle == 1750.0


def test_a_job_is_not_seen_before_it_arrives():
    outcome = replay(week([service([0.0] * 3)], [job(arrival_s=150.0)]), Told([[0, 5]]))
    assert outcome.training_slots_T.tolist() == [0, 0, 5]
    assert outcome.waited_s_J.tolist() == [50.0]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ([11, 0], "11 slots of 'a'"),
        ([0, 1], "1 slots to the job 'train'; right would be 0, or 2 to 4"),
        ([0, 5], "5 slots to the job 'train'"),
        ([5, 0], "5 slots of 'a' to services that need conversion"),
        ([-1, 0], "fewer than 0 slots"),
    ],
)
def test_what_cannot_be_is_refused_by_name(line, said):
    weeks = week([service([0.0], converts=True)], [job(least=2, most=4)], conversion=4)
    with pytest.raises(NotAllowed) as refused:
        replay(weeks, Told([line]))
    assert said in str(refused.value)
    assert "policy 'told', step 0" in str(refused.value)


def test_a_rule_sees_only_the_steps_before():
    seen = []

    class Watches(Told):
        def decide(self, view):
            seen.append(view.rates_HS[:, 0].tolist())
            return super().decide(view)

    replay(week([service([1.0, 4.0])]), Watches([[1], [4]]))
    assert seen == [[], [1.0]]


def test_a_gap_in_the_rates_is_not_measured():
    seen = []

    class Watches(Told):
        def decide(self, view):
            seen.append(np.isnan(view.rates_HS[:, 0]).tolist())
            return super().decide(view)

    gaps_T = np.array([False, True, False])
    outcome = replay(week([service([1.0, 1.0, 1.0], gaps_T=gaps_T)]), Watches([[1]]))
    assert seen[-1] == [False, True]
    assert outcome.services[0].asked == 300.0
