"""Bursty load is the same for one seed, and has the shape that it says."""

import numpy as np
import pytest
from small import service, week

from bursts import SOURCES, Bursts, generate_bursts, source, with_burst
from synthetic_week import synthetic_week
from tenfold.core.errors import UsageError
from tenfold.replay.traces import Rates

STEP_S = 300.0


def counts(bursts: Bursts, seed: int = 1, steps: int = 2016) -> np.ndarray:
    return generate_bursts(bursts, steps, STEP_S, np.random.default_rng(seed), peak_hour=20.0) * STEP_S


@pytest.mark.parametrize("name", SOURCES)
def test_every_kind_is_counts_with_a_heavy_tail(name):
    first, again, other = (counts(source(name), seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    np.testing.assert_allclose(first, np.round(first), atol=1e-6)
    for made in (first, other):
        assert made.max() > 5 * made.mean()
        assert 0.1 < np.corrcoef(made[1:], made[:-1])[0, 1] < 0.95


def test_a_surge_has_the_height_and_the_length_that_it_says():
    steady = {"swing": 0.0, "wander": 0.0, "scatter": 0.0, "events_per_step": 1000.0}
    made = counts(Bursts(**steady, surges_per_day=2.0, height=(5.0, 5.0), minutes=(20.0, 20.0)), steps=4032)
    high_T = made > 3000
    assert np.median(made[high_T]) == pytest.approx(6000, rel=0.1)
    edges = np.flatnonzero(np.diff(np.r_[False, high_T, False].astype(int)))
    assert np.median(edges[1::2] - edges[::2]) == 4
    calm = counts(Bursts(**steady), steps=4032)
    assert calm.std() == pytest.approx(np.sqrt(1000.0), rel=0.1)


def test_an_unknown_kind_is_refused_by_name():
    with pytest.raises(UsageError, match="there is no bursty load 'post'"):
        source("post")


def test_only_the_family_that_bursts_is_asked_for_more():
    made = week([service([1.0] * 10), service([2.0] * 10, name="feed", family="ranking")], step_s=300.0)
    found = with_burst(made, "ranking", 600.0, minutes=20.0, times=6.0)
    chat, feed = found.services
    assert chat.rates_T.tolist() == [1.0] * 10
    assert feed.rates_T.tolist() == [2.0] * 2 + [12.0] * 4 + [2.0] * 4


def test_a_week_can_rank_by_bursts_or_by_counts_that_were_given():
    settings = {"slots": 64, "steps": 288, "services": 5, "jobs": 10, "step_s": 150.0}
    smooth, bursty = (synthetic_week(2, **settings, ranking=ranking) for ranking in (None, SOURCES["posts"]))
    peaks = [max(s.rates_T.max() / s.rates_T.mean() for s in made.services[2:]) for made in (smooth, bursty)]
    assert peaks[1] > 2 * peaks[0]
    series = np.arange(1.0, 433.0)[None]
    given = synthetic_week(2, **settings, ranking=Rates(300.0, ("a",), series))
    feed = given.services[2]
    whole = np.concatenate((feed.past_T, feed.rates_T))
    np.testing.assert_allclose(whole / whole[0], np.repeat(series[0], 2)[: len(whole)])
