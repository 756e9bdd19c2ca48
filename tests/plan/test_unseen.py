"""A plan's cost on futures that it has not seen is told with an interval that holds, although few futures cost much."""

import numpy as np
import pytest
from tiny_study import TINY, study_of

from tenfold.plan.solve import Effort
from tenfold.plan.solved import solve_study
from tenfold.plan.unseen import EACH, FUTURES, PARTS, cost_unseen, drawn, mean_of

PATHS, PERIODS = 20_000, 3


def test_the_interval_holds_the_mean_where_a_mean_of_as_many_futures_as_they_come_does_not():
    random = np.random.default_rng(5)
    many_MTK = random.lognormal(0.0, 0.5, (PATHS, 1, 1)) * random.lognormal(0.0, 0.3, (PATHS, PERIODS, 1))
    beyond_M = np.maximum(0.0, many_MTK - np.quantile(many_MTK, 0.9, axis=0)).sum(axis=(1, 2))
    cost_M = 1.0 + 200.0 * beyond_M**2 + random.lognormal(0.0, 0.5, PATHS)
    place_of = {path.tobytes(): place for place, path in enumerate(many_MTK)}
    truth, held, held_plain, widths, widths_plain = float(cost_M.mean()), 0, 0, [], []
    for _ in range(200):
        demand_NTK, weight_N = drawn(many_MTK, np.ones(PERIODS), np.ones(1), random)
        cost_N = cost_M[[place_of[path.tobytes()] for path in demand_NTK]]
        mean, noise = mean_of(cost_N, weight_N)
        plain_N = random.choice(cost_M, FUTURES)
        plain_noise = 1.96 * plain_N.std(ddof=1) / FUTURES**0.5
        held += abs(mean - truth) <= noise
        held_plain += abs(plain_N.mean() - truth) <= plain_noise
        widths.append(noise)
        widths_plain.append(plain_noise)
    assert held / 200 >= 0.9
    assert held_plain / 200 < held / 200
    assert np.mean(widths) < 0.5 * np.mean(widths_plain)


def test_futures_are_drawn_most_of_all_from_the_dearest_and_count_for_what_they_stand_for():
    random = np.random.default_rng(1)
    many_MTK = random.lognormal(0.0, 0.6, (PATHS, PERIODS, 2))
    demand_NTK, weight_N = drawn(many_MTK, np.ones(PERIODS), np.array([1.0, 10.0]), random)
    assert demand_NTK.shape == (FUTURES, PERIODS, 2)
    assert weight_N.sum() == pytest.approx(1.0)
    assert (weight_N[-EACH:] == pytest.approx((PARTS[-1] - PARTS[-2]) / EACH)) and weight_N[0] > 10 * weight_N[-1]
    assert demand_NTK[-EACH:, :, 1].sum() > 2 * demand_NTK[:EACH, :, 1].sum()
    assert mean_of(np.ones(FUTURES), weight_N) == (pytest.approx(1.0), pytest.approx(0.0))


def test_a_plan_is_followed_and_may_be_stopped():
    solved = solve_study(study_of(TINY), Effort(gap=0.05, seconds=5))
    found = cost_unseen(solved)
    assert found is not None and found.futures == FUTURES
    assert found.low_usd < found.mean_usd < found.high_usd
    assert [year.year for year in found.capex] == list(solved.node.study.calendar.years())
    assert found.capex[0].capex_usd.p90 > 0
    assert cost_unseen(solved, lambda progress: False) is None
