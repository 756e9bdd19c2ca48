"""An interval holds at all looks together: who watches an experiment every hour is misled less than 1 time in 20."""

import math

import numpy as np
import pytest

from tenfold.experiment.compare import compare
from tenfold.experiment.moments import OUTCOME, Moments, moments_of
from tenfold.experiment.sequence import widening

RUNS, LOOKS, PEOPLE = 120, 48, 240


def clips(random, regulars: bool):
    """What each person watches between looks, (P, L): each comes alike, or few (``regulars``) come most of the time."""
    rate_P = random.gamma(0.5, 2.0, PEOPLE) if regulars else np.ones(PEOPLE)
    watched_PL = random.exponential(60.0, (PEOPLE, LOOKS)) * (random.random((PEOPLE, LOOKS)) < 0.15 * rate_P[:, None])
    watched_PL[np.arange(LOOKS)[None, :] < random.integers(0, LOOKS // 2, PEOPLE)[:, None]] = 0.0
    return watched_PL


def looks(watched_PL, arm_P):
    """The two arms at each look: of those who have come by then, what they have watched by then."""
    sum_PL, came_PL = watched_PL.cumsum(axis=1), (watched_PL > 0).cumsum(axis=1)
    square_PL = (watched_PL**2).cumsum(axis=1)
    for look in range(LOOKS):
        came_P = came_PL[:, look] > 0
        yield [
            arm(sum_PL[here, look], int(came_PL[here, look].sum()), float(square_PL[here, look].sum()))
            for here in (came_P & arm_P, came_P & ~arm_P)
        ]


def arm(outcome_P, steps, squares):
    found = moments_of(outcome_P)
    return Moments(found.people, found.sum_K, found.product_KK, steps, squares)


@pytest.mark.parametrize("regulars", [False, True])
def test_two_equal_arms_differ_at_no_look_in_19_of_20_experiments(regulars):
    random = np.random.default_rng(3)
    wrong = fixed_wrong = 0
    for _ in range(RUNS):
        watched_PL, arm_P = clips(random, regulars), random.random(PEOPLE) < 0.5
        found = [each.difference for pair in looks(watched_PL, arm_P) if (each := compare(*pair)) is not None]
        assert len(found) > 20
        wrong += any(each.is_sure for each in found)
        fixed_wrong += any(abs(each.estimate) > 1.96 * each.error for each in found)
    assert wrong / RUNS <= 0.05
    # The same looks with fixed intervals mislead far more often: that is what the width is paid for.
    assert fixed_wrong / RUNS > 0.12


def test_the_truth_is_inside_at_all_looks_in_19_of_20_experiments():
    """Each treated person watches 40% more of everything; the truth is the mean of that over those who have come."""
    random = np.random.default_rng(4)
    missed = found_out = 0
    for _ in range(RUNS):
        watched_PL, arm_P = clips(random, regulars=True), random.random(PEOPLE) < 0.5
        sum_PL = watched_PL.cumsum(axis=1)
        pairs = looks(watched_PL * np.where(arm_P, 1.4, 1.0)[:, None], arm_P)
        found = {look: each for look, pair in enumerate(pairs) if (each := compare(*pair)) is not None}
        intervals = [(each.difference, 0.4 * sum_PL[sum_PL[:, look] > 0, look].mean()) for look, each in found.items()]
        missed += any(not each.low <= right <= each.high for each, right in intervals)
        found_out += any(each.is_sure for each, _ in intervals)
    assert missed / RUNS <= 0.05
    assert found_out > 0


def test_what_differed_before_is_taken_out_and_the_interval_is_narrower():
    random = np.random.default_rng(5)
    past_P = random.gamma(1.0, 100.0, 4000)
    outcome_P = past_P + random.normal(0.0, 20.0, 4000)
    # By luck of the draw those who watch most are all in one arm.
    arm_P = random.random(4000) < np.where(past_P > 200, 0.7, 0.45)
    outcome_P[arm_P] += 5.0
    pairs = [
        compare(*(moments_of(outcome_P[here], pasts=past_P[here] if use else None) for here in (arm_P, ~arm_P)))
        for use in (True, False)
    ]
    adjusted, raw = (each.difference for each in pairs)
    assert adjusted.low <= 5.0 <= adjusted.high
    assert raw.estimate > 25
    assert adjusted.error < 0.3 * raw.error
    assert pairs[0].saved == pytest.approx(1 - (adjusted.error / raw.error) ** 2)
    assert pairs[1].saved == 0
    arms = [moments_of(outcome_P[here], steps=outcome_P[here]) for here in (arm_P, ~arm_P)]
    assert compare(*arms, unseen=5000.0).saved == 0, "what was not seen is no variance that the past put in"


def test_a_ratio_of_sums_has_the_error_that_people_give_it():
    """Watched per visit, where a person's visits go together: repeating the draw gives the error that is told."""
    random = np.random.default_rng(6)
    estimates, errors = [], []
    for _ in range(300):
        arms = []
        for mean in (70.0, 60.0):
            visits_P = 1 + random.poisson(3.0, 200)
            arms.append(moments_of(visits_P * random.normal(mean, 15.0, 200), divisors=visits_P))
        found = compare(*arms)
        estimates.append(found.difference.estimate)
        errors.append(found.difference.error)
        assert found.relative.estimate == pytest.approx(found.treated / found.control - 1)
    assert np.mean(estimates) == pytest.approx(10.0, abs=0.4)
    assert np.std(estimates) == pytest.approx(np.mean(errors), rel=0.15)


def test_with_few_people_or_nothing_to_divide_by_nothing_is_said():
    many, few = moments_of([1.0, 2.0] * 20), moments_of([1.0, 2.0])
    assert compare(many, few) is None
    assert compare(many, moments_of([1.0] * 40, divisors=[0.0] * 40)) is None
    same = compare(moments_of([3.0] * 40), moments_of([3.0] * 40))
    assert (same.difference.estimate, same.difference.high) == (0.0, math.inf)


def test_few_people_who_have_done_nothing_yet_prove_nothing():
    """Two in a hundred buy, in either arm; of 45 people none has, 4 times in 10, and their arm has no variance."""
    random, sure = np.random.default_rng(9), {0.0: 0, 2.0: 0}
    for _ in range(200):
        bought = [(people, random.poisson(0.02 * people)) for people in (2_000, 45)]
        arms = [moments_of([1.0] * buys + [0.0] * (people - buys), steps=[1.0] * buys) for people, buys in bought]
        for unseen in sure:
            sure[unseen] += compare(*arms, mixing=100.0, unseen=unseen).difference.is_sure
    assert sure[0.0] > 60 and sure[2.0] == 0


def test_sums_of_parts_are_the_sums_of_all():
    whole, parts = moments_of([1.0, 2.0, 5.0]), moments_of([1.0]) + moments_of([2.0, 5.0])
    assert (parts.people, parts.steps, parts.step_squares) == (3, 3, 30.0)
    assert (parts.product_KK == whole.product_KK).all() and parts.value == whole.value
    assert whole.covariance_KK[OUTCOME, OUTCOME] == pytest.approx(np.var([1, 2, 5], ddof=1))


def test_the_interval_is_narrowest_where_it_is_told_to_be():
    assert widening(0.0, 0.05) == math.inf
    assert [round(widening(time, 0.05), 2) for time in (100.0, 1e3, 1e4, 1e5)] == [8.18, 3.66, 3.04, 3.27]


def test_how_much_more_must_be_seen_is_said_and_is_enough():
    random = np.random.default_rng(5)
    arms = [moments_of(random.exponential(1.0, 400) * (random.random(400) < rate)) for rate in (0.30, 0.24)]
    found = compare(*arms)
    assert found is not None and not found.difference.is_sure
    times = found.times_until_sure(found.difference.estimate)

    def after(times):
        more = [
            Moments(round(arm.people * times), *(times * each for each in (arm.sum_K, arm.product_KK)), steps, squares)
            for arm in arms
            for steps, squares in [(round(arm.steps * times), arm.step_squares * times)]
        ]
        return compare(*more).difference.is_sure

    assert 1.0 < times < 1000.0
    assert after(1.05 * times) and not after(0.95 * times)
    assert found.times_until_sure(0.0) == math.inf
