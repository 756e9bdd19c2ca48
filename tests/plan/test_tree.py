"""The scenario tree keeps probabilities and means, and nodes know nothing of their future."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_study import study_of

from tenfold.plan.tree import grow, reduce, widths


@given(st.integers(1, 30), st.integers(1, 12), st.integers(0, 1000))
def test_tree_conserves_probability_and_the_mean_of_every_stage(width, stages, seed):
    paths_NTK = np.exp(np.random.default_rng(seed).standard_normal((60, stages, 2)).cumsum(axis=1) * 0.2)
    tree = reduce(paths_NTK, [1, *[width] * (stages - 1)])
    for stage in range(stages):
        nodes = tree.at(stage)
        assert tree.probability_n[nodes].sum() == pytest.approx(1)
        assert tree.probability_n[nodes] @ tree.demand_nK[nodes] == pytest.approx(paths_NTK[:, stage].mean(axis=0))
        assert len(nodes) <= max(width, 1)
    for node in range(1, len(tree)):
        assert tree.stage_n[tree.parent_n[node]] == tree.stage_n[node] - 1
    children = np.zeros(len(tree))
    np.add.at(children, tree.parent_n[1:], tree.probability_n[1:])
    inner = tree.stage_n < stages - 1
    assert children[inner] == pytest.approx(tree.probability_n[inner])


@given(st.integers(1, 40), st.integers(0, 400))
def test_widths_add_up_and_never_narrow(stages, extra):
    wanted = stages + extra
    found = widths(wanted, stages, 10_000)
    assert len(found) == stages
    assert found[0] == 1
    assert (np.diff(found) >= 0).all()
    assert sum(found) == wanted if stages > 1 else found == [1]


def test_more_nodes_keep_more_of_the_variance(tiny):
    def kept(nodes):
        tree = grow(study_of(tiny | {"tree": {"nodes": nodes, "paths": 2000}}))
        leaves = tree.leaves()
        demand = tree.demand_nK[leaves, 0]
        mean = tree.probability_n[leaves] @ demand
        return tree.probability_n[leaves] @ (demand - mean) ** 2

    assert kept(4) == pytest.approx(0, abs=1e-6)
    assert kept(15) < kept(60) < kept(300)


def test_splitting_a_stage_does_not_look_ahead():
    # Two groups that differ only in the last stage: the stages before must not tell them apart.
    early = np.random.default_rng(0).uniform(1, 2, (100, 2, 1))
    late = np.repeat([[[1.0]], [[100.0]]], 50, axis=0)
    tree = reduce(np.concatenate([early, late], axis=1), [1, 2, 4])
    for node in tree.at(1):
        below = tree.demand_nK[tree.parent_n == node, 0]
        assert below.min() < 10 < below.max()


def test_ancestors_and_scenarios(tiny):
    tree = grow(study_of(tiny))
    table_nT = tree.ancestors_nT()
    leaf = int(tree.leaves()[-1])
    path = [leaf]
    while tree.parent_n[path[-1]] >= 0:
        path.append(int(tree.parent_n[path[-1]]))
    assert table_nT[leaf].tolist() == path
    assert table_nT[0].tolist() == [0, -1, -1, -1]
    assert (tree.scenario(leaf).demand_nK == tree.demand_nK[path[::-1]]).all()
    assert tree.mean().demand_nK[0] == pytest.approx(tree.demand_nK[0])
