"""The same template as a tree and as a lattice gives the same cost; cuts bound it from below."""

import numpy as np
import pytest

from tenfold.plan.extensive import extensive
from tenfold.plan.highs import Solver
from tenfold.plan.lattice import Lattice
from tenfold.plan.model import template
from tenfold.plan.sddp import Cuts, Nested
from tenfold.plan.simulate import simulate
from tenfold.plan.synthetic import synthetic_study
from tenfold.plan.tree import grow

STUDY = synthetic_study(1, nodes=20, periods=5, sites=2)


@pytest.fixture(scope="module")
def tree():
    return grow(STUDY)


@pytest.fixture(scope="module")
def node(tree):
    return template(STUDY, tree.demand_nK.max(axis=0))


@pytest.fixture(scope="module")
def tree_cost(node, tree):
    return Solver(extensive(node, tree)).run().objective


@pytest.fixture(scope="module")
def cuts_and_bounds(node, tree):
    lattice = Lattice.of_tree(tree)
    cuts, rng, bounds = Cuts(node, lattice), np.random.default_rng(0), []
    for _ in range(6):
        walks = [lattice.walk(rng) for _ in range(20)]
        ways_NTK = np.array([[lattice.demand_JK[t][j] for t, j in enumerate(walk)] for walk in walks])
        cuts.train(len(walks), ways_NTK)
        bounds.append(cuts.bound())
    return cuts, bounds


def test_tree_and_lattice_agree_on_the_cost(cuts_and_bounds, tree_cost):
    assert cuts_and_bounds[1][-1] == pytest.approx(tree_cost, rel=0.01)


def test_the_bound_rises_and_never_passes_the_cost(cuts_and_bounds, tree_cost):
    bounds = cuts_and_bounds[1]
    assert np.all(np.diff(bounds) >= -1e-6 * tree_cost)
    assert bounds[-1] <= tree_cost * (1 + 1e-7)


def test_slopes_are_those_of_the_value(cuts_and_bounds):
    """Against differences; the value is convex and piecewise linear, so the slope lies between those to either side."""
    cuts, stage = cuts_and_bounds[0], cuts_and_bounds[0].stages[2]
    cheapest = simulate(cuts.template, cuts, np.array([[nodes_JK[0] for nodes_JK in cuts.lattice.demand_JK]]))
    slot_S, ratio_K = stage.look.slots(cheapest.amount_NTV)[0], np.array([1.03, 0.96, 1.01])
    value, step = stage.value(1, slot_S, ratio_K), 1e-5
    for place in [*np.flatnonzero(slot_S > 1), *range(len(slot_S), len(slot_S) + len(ratio_K))]:
        change = np.zeros(len(slot_S) + len(ratio_K))
        change[place] = step
        up, down = (
            stage.value(1, slot_S + sign * change[: len(slot_S)], ratio_K + sign * change[len(slot_S) :]).cost
            for sign in (1, -1)
        )
        slope = np.concatenate([value.slope_S, value.ratio_slope_K])[place]
        right, left = (up - value.cost) / step, (value.cost - down) / step
        assert left - 1e-3 * abs(left) - 0.1 <= slope <= right + 1e-3 * abs(right) + 0.1


def test_dropped_cuts_are_not_missed_where_training_went(node, tree):
    lattice, rng = Lattice.of_tree(tree), np.random.default_rng(0)
    walks = [lattice.walk(rng) for _ in range(40)]
    cuts = Cuts(node, lattice)
    cuts.train(len(walks), np.array([[lattice.demand_JK[t][j] for t, j in enumerate(walk)] for walk in walks]))
    bound, dropped = cuts.bound(), 0
    for stage in cuts.stages[:-1]:
        before = [heights(stage, node) for node in range(len(stage.solvers))]
        stage.forget()
        after = [heights(stage, node) for node in range(len(stage.solvers))]
        for before_CP, after_CP in zip(before, after, strict=True):
            np.testing.assert_allclose(after_CP.max(axis=0), before_CP.max(axis=0))
            dropped += len(before_CP) - len(after_CP)
    assert dropped > 0
    assert 0.9 * bound <= cuts.bound() <= bound * (1 + 1e-9)


def heights(stage, node):
    """Of each cut at each state that cuts were made for, shape (C, P)."""
    return np.array(stage.intercept_JC[node])[:, None] + stage.cut_JCY[node] @ stage.reached_PY.T


def test_a_mixture_of_mean_and_tail():
    probability_J, value_J = np.array([0.5, 0.3, 0.2]), np.array([1.0, 3.0, 2.0])
    np.testing.assert_allclose(Nested(0.0).weights(probability_J, value_J), probability_J)
    tail_J = Nested(1.0, alpha=0.6).weights(probability_J, value_J)
    np.testing.assert_allclose(tail_J, [0.0, 0.75, 0.25])
    np.testing.assert_allclose(Nested(0.5, alpha=0.6).weights(probability_J, value_J), (probability_J + tail_J) / 2)


def test_aversion_to_risk_raises_the_bound(node, tree, cuts_and_bounds):
    lattice = Lattice.of_tree(tree)
    rng = np.random.default_rng(0)
    walks = [lattice.walk(rng) for _ in range(60)]
    ways_NTK = np.array([[lattice.demand_JK[t][j] for t, j in enumerate(walk)] for walk in walks])
    averse = Cuts(node, lattice, Nested(0.5))
    averse.train(len(walks), ways_NTK)
    assert averse.bound() > cuts_and_bounds[1][-1]
