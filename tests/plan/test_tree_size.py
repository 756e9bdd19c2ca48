"""A larger tree depends less on its seed, and what it says to do now serves futures that no tree has seen."""

import numpy as np
import pytest

from synthetic_study import synthetic_study
from tenfold.plan.columns import DECISIONS, Restriction
from tenfold.plan.demand import DemandProcess
from tenfold.plan.extensive import extensive
from tenfold.plan.model import template
from tenfold.plan.rolling import Forecast, Replanning
from tenfold.plan.simulate import account
from tenfold.plan.solve import Effort, solve
from tenfold.plan.tree import grow

pytestmark = pytest.mark.slow

STUDY = synthetic_study(1, periods=4, sites=1)
PROCESS = DemandProcess.fit(STUDY)
LARGEST_K = PROCESS.simulate(1000, np.random.default_rng(5)).max(axis=(0, 1))
UNSEEN_NTK = PROCESS.simulate(60, np.random.default_rng(6))
TEMPLATE = template(STUDY, LARGEST_K)
TO_FOLLOW = template(STUDY, LARGEST_K, Restriction(floors=False))
SEEDS = (0, 1, 2)


@pytest.fixture(scope="module")
def by_size():
    """In-sample and out-of-sample cost of each seed, by size of the tree."""
    forecast, costs = Forecast.of(PROCESS, np.random.default_rng(7)), {}
    for size in (5, 60):
        pairs = []
        for seed in SEEDS:
            settings = STUDY.tree.model_copy(update={"nodes": size, "seed": seed})
            tree = grow(STUDY.model_copy(update={"tree": settings}))
            program = extensive(TEMPLATE, tree)
            solution = solve(program, TEMPLATE, tree, Effort(gap=0.002, seconds=10.0))
            now_D = solution.value_C[program.column_nV[0]][TEMPLATE.columns.of(DECISIONS)]
            amount_NTV = Replanning(TO_FOLLOW, forecast, now_D).follow(UNSEEN_NTK, 0.3, lambda: None)
            mean_usd = account(TO_FOLLOW, amount_NTV, UNSEEN_NTK).cost_usd_N.mean()
            pairs.append((solution.cost * TEMPLATE.columns.money_unit_usd, mean_usd))
        costs[size] = np.array(pairs)
    return costs


def test_seeds_agree_in_sample_and_out_of_sample(by_size):
    spread = np.ptp(by_size[60], axis=0) / by_size[60].mean(axis=0)
    assert (spread < 0.05).all()


def test_a_tree_that_knows_more_futures_promises_less(by_size):
    """A tree's demands are means of many paths', so that a small one does not see how bad it can get."""
    assert by_size[60][:, 0].mean() > by_size[5][:, 0].mean()
    assert by_size[60][:, 0].mean() <= by_size[60][:, 1].mean() * 1.01


def test_a_larger_trees_start_is_no_worse_out_of_sample(by_size):
    assert by_size[60][:, 1].mean() <= by_size[5][:, 1].mean() * 1.005
