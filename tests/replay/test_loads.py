"""Made-up load is what its parameters say, and made-finer load is still the load it was made from."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.replay.loads import generate, llm_load, local_deviation, ranking_load, refine, stream

WEEK = 5040


@pytest.mark.parametrize("load", [ranking_load(1000.0), llm_load(200.0)])
def test_mean_over_weeks_is_what_was_asked(load):
    rates = generate(load, 20 * WEEK, 120.0, stream(1, "a"))
    assert rates.mean() == pytest.approx(load.mean_per_s, rel=0.08)
    assert rates.min() >= 0


def test_ranking_peaks_in_the_evening_and_more_at_weekends():
    days = generate(ranking_load(1000.0), 8 * WEEK, 120.0, stream(2, "a")).reshape(8, 7, 24, 30)
    assert days.mean(axis=(0, 1, 3)).argmax() in (19, 20)
    assert days[:, 5:].mean() / days[:, :5].mean() == pytest.approx(1.08, abs=0.02)


def test_the_past_comes_before_monday():
    quiet = ranking_load(1000.0)
    with_past = generate(quiet, WEEK + 720, 120.0, stream(3, "a"), past=720)
    sunday, monday = with_past[:720].mean(), with_past[720:1440].mean()
    assert sunday / monday == pytest.approx(1.08, abs=0.06)


def test_streams_are_their_own():
    assert stream(1, "chat").random() == stream(1, "chat").random()
    assert stream(1, "chat").random() != stream(1, "feed").random() != stream(2, "feed").random()


@given(
    st.lists(st.floats(0, 1e6), min_size=1, max_size=40),
    st.integers(1, 12),
    st.floats(0, 5),
    st.integers(0, 9),
)
def test_refining_keeps_every_mean_and_is_never_negative(means, parts, roughness, seed):
    means_C = np.array(means)
    fine = refine(means_C, parts, np.random.default_rng(seed), roughness)
    assert fine.min() >= 0
    np.testing.assert_allclose(fine.reshape(-1, parts).mean(axis=1), means_C, rtol=1e-9, atol=1e-12)


def test_refined_random_walk_is_as_rough_as_the_walk():
    rng = np.random.default_rng(5)
    walk = 1000 + np.cumsum(rng.standard_normal(20_000) * 3)
    coarse = walk.reshape(-1, 10).mean(axis=1)
    fine = refine(coarse, 10, rng)
    assert local_deviation(coarse) * coarse.mean() == pytest.approx(3 * np.sqrt(10), rel=0.15)
    assert np.diff(fine).std() / np.diff(walk).std() == pytest.approx(1.0, abs=0.2)
    smooth = refine(coarse, 10, rng, roughness=0.0)
    assert np.diff(smooth).std() < 0.5 * np.diff(walk).std()


def test_refining_by_one_changes_nothing():
    np.testing.assert_array_equal(refine(np.array([1.0, 5.0, 2.0]), 1, np.random.default_rng(0)), [1.0, 5.0, 2.0])
