"""Made-up weeks are the same for one seed, and have the shape that they say."""

import numpy as np
import pytest

from synthetic_week import synthetic_week
from tenfold.core.errors import UsageError
from tenfold.replay.job_file import job_problems
from tenfold.replay.job_mix import PHILLY_SIZES, JobMix, Room, generate_jobs, scale_lengths
from tenfold.replay.traces import Rates

ROOM = Room(slots=1000, node_slots=8, rack_slots=64, speed_K=np.array([1.0]))


def need(week):
    return sum(service.rates_T / service.capacity_K[0] for service in week.services)


def test_same_seed_same_week_and_another_seed_another():
    first, again, other = (synthetic_week(seed, slots=100, steps=100, jobs=20) for seed in (1, 1, 2))
    for left, right in zip(first.services, again.services, strict=True):
        np.testing.assert_array_equal(left.rates_T, right.rates_T)
        np.testing.assert_array_equal(left.past_T, right.past_T)
    assert [job.work for job in first.jobs] == [job.work for job in again.jobs]
    assert need(first).sum() != need(other).sum() or first.jobs[1].work != other.jobs[1].work


def test_week_asks_for_the_shares_it_was_told():
    week = synthetic_week(3, slots=200, steps=720, services=10, jobs=200, llm_share=0.3, ranking_share=0.2)
    assert week.steps == 720
    assert all(len(service.past_T) == 720 for service in week.services)
    assert need(week).mean() == pytest.approx(0.5 * 200)
    ending = sum(job.work for job in week.jobs if np.isfinite(job.work))
    assert ending == pytest.approx(0.45 * 200 * 86400)
    assert [service.family for service in week.services].count("llm") == 4


def test_every_made_up_job_can_run():
    week = synthetic_week(4, slots=64, steps=720, services=5, jobs=300, kinds=3)
    assert sum(kind.slots for kind in week.kinds) == 64
    assert [problem for job in week.jobs for problem in job_problems(job, week.kinds)] == []


def test_real_series_are_followed():
    series = 100 + 50 * np.sin(np.arange(288) / 288 * 4 * np.pi)
    week = synthetic_week(5, steps=720, services=5, llm_rates=Rates(600.0, ("a",), series[None]))
    llm = week.services[0]
    whole = np.concatenate([llm.past_T, llm.rates_T]).reshape(-1, 5).mean(axis=1)
    best = max(np.corrcoef(whole, np.roll(series, shift))[0, 1] for shift in range(-18, 19, 6))
    assert best == pytest.approx(1.0, abs=1e-9)


def test_real_series_whose_steps_do_not_fit_are_refused():
    with pytest.raises(UsageError, match="steps of 600 s cannot be made steps of 70 s"):
        synthetic_week(1, steps=100, llm_rates=Rates(600.0, ("a",), np.ones((1, 300))), step_s=70.0)


def test_few_wide_and_long_jobs_hold_most_of_the_work():
    jobs = generate_jobs(JobMix(jobs=5000, offered_slots=500.0), 7.0, ROOM, np.random.default_rng(6))
    work = np.sort([job.work for job in jobs])
    assert work[-500:].sum() / work.sum() > 0.75
    single = np.mean([job.least == 1 and job.most <= 2 for job in jobs])
    assert single == pytest.approx(PHILLY_SIZES[1], abs=0.05)
    assert [job.arrival_s for job in jobs] == sorted(job.arrival_s for job in jobs)
    assert np.mean([job.deadline_s is not None for job in jobs]) == pytest.approx(0.1, abs=0.02)


def test_lengths_fill_what_was_offered_and_none_is_above_the_longest():
    lengths, sizes = np.array([1.0, 10.0, 1e9]), np.array([1, 2, 4])
    scaled = scale_lengths(lengths, sizes, 3e6)
    assert (scaled * sizes).sum() == pytest.approx(3e6)
    assert scaled.max() <= 5 * 86400
    assert scale_lengths(lengths, sizes, 1e12).tolist() == [5 * 86400] * 3
