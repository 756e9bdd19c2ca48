"""A larger tree depends less on its seed, and what it says to do now serves futures that no tree has seen."""

import numpy as np
import pytest

from tenfold.plan.columns import DECISIONS
from tenfold.plan.demand import DemandProcess
from tenfold.plan.extensive import extensive
from tenfold.plan.lattice import Lattice
from tenfold.plan.model import template
from tenfold.plan.sddp import Cuts
from tenfold.plan.simulate import StartsWith, simulate
from tenfold.plan.solve import Effort, solve
from tenfold.plan.synthetic import synthetic_study
from tenfold.plan.tree import grow

pytestmark = pytest.mark.slow

STUDY = synthetic_study(1, periods=4, sites=1)
PROCESS = DemandProcess.fit(STUDY)
TRAINING_NTK = PROCESS.simulate(1000, np.random.default_rng(5))
HELD_OUT_NTK = PROCESS.simulate(60, np.random.default_rng(6))
TEMPLATE = template(STUDY, TRAINING_NTK.max(axis=(0, 1)))
SEEDS = (0, 1, 2)


@pytest.fixture(scope="module")
def cuts():
    trained = Cuts(TEMPLATE, Lattice.of_paths(TRAINING_NTK, 6))
    trained.train(40, TRAINING_NTK)
    return trained


@pytest.fixture(scope="module")
def by_size(cuts):
    """In-sample and out-of-sample cost of each seed, by size of the tree."""
    costs = {}
    for size in (5, 60):
        pairs = []
        for seed in SEEDS:
            settings = STUDY.tree.model_copy(update={"nodes": size, "seed": seed})
            tree = grow(STUDY.model_copy(update={"tree": settings}))
            program = extensive(TEMPLATE, tree)
            solution = solve(program, TEMPLATE, tree, Effort(gap=0.002, seconds=10.0))
            start = StartsWith(TEMPLATE, solution.value_C[program.column_nV[0]], cuts)
            done = simulate(TEMPLATE, start, HELD_OUT_NTK)
            pairs.append((solution.cost * TEMPLATE.columns.money_unit_usd, done.mean_usd))
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


def test_a_start_is_kept_to(cuts):
    own = simulate(TEMPLATE, cuts, HELD_OUT_NTK[:1]).amount_NTV[0, 0]
    decisions = TEMPLATE.columns.of(DECISIONS)
    done = simulate(TEMPLATE, StartsWith(TEMPLATE, own, cuts), HELD_OUT_NTK)
    np.testing.assert_allclose(done.amount_NTV[:, 0][:, decisions], np.tile(own[decisions], (60, 1)), atol=1e-6)
