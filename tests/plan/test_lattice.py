"""The lattice keeps what the demand process says: means by period, and how demand persists."""

import numpy as np
import pytest

from tenfold.plan.demand import DemandProcess
from tenfold.plan.lattice import Lattice
from tenfold.plan.synthetic import synthetic_study
from tenfold.plan.tree import grow

STUDY = synthetic_study(3, nodes=30, periods=6, sites=2)


@pytest.fixture(scope="module")
def paths_NTK():
    return DemandProcess.fit(STUDY).simulate(2000, np.random.default_rng(4))


@pytest.fixture(scope="module")
def lattice(paths_NTK):
    return Lattice.of_paths(paths_NTK, 12)


def test_moves_are_probabilities(lattice):
    for before, moves_IJ in zip([1, *map(len, lattice.demand_JK)], lattice.move_IJ, strict=False):
        assert moves_IJ.shape[0] == before
        assert (moves_IJ >= 0).all()
        np.testing.assert_allclose(moves_IJ.sum(axis=1), 1.0)


def test_mean_demand_of_each_period_is_kept(lattice, paths_NTK):
    weight_J = np.ones(1)
    for period, moves_IJ in enumerate(lattice.move_IJ):
        weight_J = weight_J @ moves_IJ
        np.testing.assert_allclose(weight_J @ lattice.demand_JK[period], paths_NTK[:, period].mean(axis=0), rtol=0.05)


def test_high_demand_leads_to_high_demand(lattice):
    last_IJ, before_IK, after_JK = lattice.move_IJ[-1], lattice.demand_JK[-2], lattice.demand_JK[-1]
    expected_IK = last_IJ @ after_JK
    for k in range(before_IK.shape[1]):
        assert np.corrcoef(before_IK[:, k], expected_IK[:, k])[0, 1] > 0.8


def test_a_node_is_nearest_to_its_own_demand(lattice):
    for period, demand_JK in enumerate(lattice.demand_JK):
        np.testing.assert_array_equal(lattice.nearest(period, demand_JK), np.arange(len(demand_JK)))


def test_a_tree_is_a_lattice_that_is_entered_from_parents_only():
    tree = grow(STUDY)
    lattice = Lattice.of_tree(tree)
    weight_J = np.ones(1)
    for stage, moves_IJ in enumerate(lattice.move_IJ):
        weight_J = weight_J @ moves_IJ
        np.testing.assert_allclose(weight_J, tree.probability_n[tree.at(stage)])
        assert ((moves_IJ > 0).sum(axis=0) == 1).all()


def test_walks_are_repeatable(lattice):
    walks = [lattice.walk(np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert walks[0] == walks[1] != walks[2]
    assert [node < len(nodes) for node, nodes in zip(walks[0], lattice.demand_JK, strict=True)] == [True] * 6
