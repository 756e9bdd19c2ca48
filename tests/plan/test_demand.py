"""Demand follows the planner's ranges, and is the same for the same seed."""

import numpy as np
import pytest
from tiny_study import study_of

from tenfold.plan.demand import DemandProcess


def simulate(table, paths=20_000, seed=0):
    return DemandProcess.fit(study_of(table)).simulate(paths, np.random.default_rng(seed))


def test_each_given_range_is_met_with_and_without_jumps(tiny):
    paths_NTK = simulate(tiny)
    for k, name in enumerate(("serving", "training")):
        for period, wanted in ((0, "2026H1"), (3, "2027H2")):
            found = np.quantile(paths_NTK[:, period, k], [0.1, 0.5, 0.9])
            assert found == pytest.approx(tiny["workloads"][name]["demand"]["ranges"][wanted], rel=0.03)


def test_periods_between_are_filled_in_by_growth(tiny):
    medians = np.median(simulate(tiny)[:, :, 0], axis=0)
    assert medians == pytest.approx(90 * (160 / 90) ** (np.arange(4) / 3), rel=0.03)


def test_same_seed_same_paths_another_seed_others(tiny):
    assert (simulate(tiny, 50, 7) == simulate(tiny, 50, 7)).all()
    assert (simulate(tiny, 50, 7) != simulate(tiny, 50, 8)).any()


def test_correlation_shows_in_growth(tiny):
    del tiny["workloads"]["training"]["demand"]["jumps"]
    growth_NK = np.diff(np.log(simulate(tiny)), axis=1)[:, 1]
    assert np.corrcoef(growth_NK.T)[0, 1] == pytest.approx(0.3, abs=0.05)


def test_jumps_make_growth_heavy_tailed(tiny):
    def kurtosis(table):
        growth = np.diff(np.log(simulate(table)), axis=1)[:, 1, 1]
        centred = growth - growth.mean()
        return float((centred**4).mean() / (centred**2).mean() ** 2)

    with_jumps = kurtosis(tiny)
    del tiny["workloads"]["training"]["demand"]["jumps"]
    assert kurtosis(tiny) == pytest.approx(3, abs=0.4)
    assert with_jumps > 3.5


def test_future_given_the_present_is_that_of_the_paths_that_pass_there(tiny):
    process = DemandProcess.fit(study_of(tiny))
    paths_NTK = process.simulate(200_000, np.random.default_rng(1))
    here = np.array([110.0, 33.0])
    near = (np.abs(np.log(paths_NTK[:, 1] / here)) < 0.04).all(axis=1)
    assert near.sum() > 300
    ahead_NTK = process.simulate_from(1, here, 20_000, np.random.default_rng(2))
    assert ahead_NTK.shape == (20_000, 2, 2)
    assert ahead_NTK.mean(axis=0) == pytest.approx(paths_NTK[near, 2:].mean(axis=0), rel=0.05)


def test_series_continues_at_its_growth_with_a_widening_spread(tiny):
    series = [10 * 1.1**i * (1.05 if i % 2 else 0.95) for i in range(12)]
    tiny["workloads"]["serving"]["demand"] = {"series": series}
    paths_NT = simulate(tiny)[:, :, 0]
    growth = (series[-1] / series[0]) ** (1 / 11)
    assert np.median(paths_NT, axis=0) == pytest.approx(series[-1] * growth ** np.arange(1, 5), rel=0.03)
    spread_T = np.log(paths_NT).std(axis=0)
    assert (np.diff(spread_T) > 0).all()


def test_demand_without_spread_is_certain(tiny):
    tiny["workloads"]["serving"]["demand"] = {"ranges": {"2026H1": [5, 5, 5], "2027H2": [9, 9, 9]}}
    assert np.ptp(simulate(tiny, 100)[:, 3, 0]) == pytest.approx(0, abs=1e-9)
