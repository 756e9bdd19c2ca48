"""The policy of a study is the cuts only if they are surely better than re-planning; margins are tuned to a score."""

import numpy as np
import pytest

from tenfold.plan.demand import DemandProcess
from tenfold.plan.model import template
from tenfold.plan.outcomes import tail_mean
from tenfold.plan.policy import Effort, Kind, Score, Tuned, choose, learn, tune
from tenfold.plan.simulate import simulate
from tenfold.plan.synthetic import synthetic_study

STUDY = synthetic_study(2, nodes=30, periods=4, sites=1)
PROCESS = DemandProcess.fit(STUDY)
PATHS_NTK = PROCESS.simulate(200, np.random.default_rng(3))
TEMPLATE = template(STUDY, PATHS_NTK.max(axis=(0, 1)))
EFFORT = Effort(nodes=4, iterations=30, training_paths=300, tuning_paths=8, choice_paths=20)


class Short:
    """Leaves the more demand unserved, the further its margins are from the best."""

    def __init__(self, margin_K, best_K):
        self.short = float(np.abs(margin_K - best_K).sum())

    def decide(self, period, amount_NTV, demand_NK):
        amount_NV = np.zeros((len(demand_NK), len(TEMPLATE.columns)))
        amount_NV[:, TEMPLATE.columns.place["short", "serving"]] = self.short
        return amount_NV


def tuned(name, cost_N):
    return Tuned(name, np.zeros(3), Short(np.zeros(3), np.zeros(3)), np.asarray(cost_N, dtype=float))


@pytest.mark.parametrize("count", [20, 100, 300])
def test_a_score_is_mean_and_weighted_tail(count):
    cost_N = np.random.default_rng(count).lognormal(size=count)
    wanted = cost_N.mean() + 0.3 * tail_mean(cost_N, np.ones(count), 0.95)
    assert Score(weight=0.3).parts(cost_N).mean() == pytest.approx(wanted)


@pytest.mark.parametrize("best_K", [(0.1, 0.1, 0.1), (0.2, 0.0, 0.1), (0.1, 0.2, 0.0)])
def test_margins_are_found_workload_by_workload(best_K):
    kind = Kind("short", lambda margin_K: Short(margin_K, np.array(best_K)), (0.0, 0.1, 0.3), step=0.1)
    found = tune(TEMPLATE, kind, PATHS_NTK[:5], PATHS_NTK[5:9], Score())
    np.testing.assert_allclose(found.margin_K, best_K, atol=1e-12)
    np.testing.assert_allclose(found.cost_usd_N, simulate(TEMPLATE, found.policy, PATHS_NTK[5:9]).cost_usd_N)


def test_what_is_surely_better_is_chosen():
    safe, better = tuned("safe", np.linspace(1, 2, 50)), tuned("better", np.linspace(1, 2, 50) - 0.01)
    assert choose(safe, [better], Score()) is better
    assert choose(better, [safe], Score()) is better


def test_of_two_that_are_surely_better_the_best_is_chosen():
    cost_N = np.linspace(1, 2, 50)
    safe, good, best = tuned("safe", cost_N), tuned("good", cost_N - 0.1), tuned("best", cost_N - 0.2)
    assert choose(safe, [best, good], Score()) is best
    assert choose(safe, [good, best], Score()) is best


def test_a_gain_within_the_noise_is_not_taken():
    """The same gain as above in the mean, but on the other half of the paths a loss."""
    cost_N = np.linspace(1, 2, 50)
    lucky = tuned("lucky", cost_N - 0.01 + np.where(np.arange(50) % 2, 0.4, -0.4))
    safe = tuned("safe", cost_N)
    assert choose(safe, [lucky], Score(weight=0.0)) is safe


def test_a_lower_tail_does_not_pay_for_a_higher_mean():
    safe_N = np.array([1.0] * 95 + [10.0] * 5)
    hedged_N = np.array([1.02] * 95 + [9.7] * 5)
    assert hedged_N.mean() > safe_N.mean()
    assert Score().parts(hedged_N).mean() < Score().parts(safe_N).mean()
    safe = tuned("safe", safe_N)
    assert choose(safe, [tuned("hedged", hedged_N)], Score()) is safe


@pytest.fixture(scope="module")
def learned():
    return learn(TEMPLATE, PROCESS, EFFORT)


def test_the_policy_is_one_of_the_tuned_ones(learned):
    assert learned.chosen is learned.replan or learned.chosen is learned.cuts
    if learned.chosen is learned.cuts:
        assert learned.cuts.cost_usd_N.mean() <= learned.replan.cost_usd_N.mean()
    assert learned.bound > 0


def test_learning_is_repeatable(learned):
    again = learn(TEMPLATE, PROCESS, EFFORT)
    assert str(again.chosen) == str(learned.chosen)
    np.testing.assert_array_equal(again.cuts.cost_usd_N, learned.cuts.cost_usd_N)
