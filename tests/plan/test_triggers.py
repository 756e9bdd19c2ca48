"""A trigger says the threshold that tells the tree's decisions apart, and how often it agrees with them."""

import numpy as np
import pytest

from tenfold.plan.tree import Tree
from tenfold.plan.triggers import levels, rule


def fan(demand_by_child, probability=None):
    """A root, children with these demands, and one grandchild each."""
    count = len(demand_by_child)
    chance = np.full(count, 1 / count) if probability is None else np.array(probability)
    demand = np.array([1.0, *demand_by_child, *demand_by_child])
    return Tree(
        stage_n=np.array([0, *[1] * count, *[2] * count]),
        parent_n=np.array([-1, *[0] * count, *range(1, count + 1)]),
        probability_n=np.array([1.0, *chance, *chance]),
        demand_nK=np.stack([np.ones(2 * count + 1), demand], axis=1),
    )


def test_threshold_lies_between_those_who_start_and_those_who_do_not():
    tree = fan([10, 20, 30, 40])
    amount = np.zeros(9)
    amount[[3, 4]] = 1.0
    taken = np.array([False, False, False, True, True, False, False, True, True])
    found = rule(tree, amount, taken)
    assert (found.stage, found.k, found.above, found.threshold) == (1, 1, True, 25)
    assert found.amount == 1
    assert found.agreement == pytest.approx(1)


def test_what_is_done_when_demand_stays_low_is_a_rule_too():
    tree = fan([10, 20, 30, 40])
    amount = np.zeros(9)
    amount[[1, 2]] = [6.0, 2.0]
    found = rule(tree, amount, amount > 0)
    assert (found.above, found.threshold, found.amount) == (False, 25, 4)


def test_for_what_most_futures_take_up_only_much_demand_is_a_rule():
    tree = fan([10, 20, 30, 40])
    amount = np.zeros(9)
    amount[[1, 2, 4]] = 1.0
    assert not rule(tree, amount, amount > 0).above
    assert rule(tree, amount, amount > 0, rising=True) is None
    amount[[1, 2, 4]] = [0.0, 1.0, 1.0]
    found = rule(tree, amount, amount > 0, rising=True)
    assert (found.above, found.threshold) == (True, 15)


def test_agreement_counts_probability():
    tree = fan([10, 20, 30, 40], [0.1, 0.2, 0.3, 0.4])
    amount = np.zeros(9)
    amount[[1, 3, 4]] = 1.0
    found = rule(tree, amount, amount > 0)
    assert found.threshold == 25
    assert found.agreement == pytest.approx(0.9)


def test_no_rule_where_all_or_none_or_chance_decides():
    tree = fan([10, 20, 30, 40])
    assert rule(tree, np.zeros(9), np.zeros(9, dtype=bool)) is None
    assert rule(tree, np.ones(9), np.ones(9, dtype=bool)) is None
    amount = np.zeros(9)
    amount[[1, 4]] = 1.0
    level = fan([10, 10, 10, 10])
    assert rule(level, amount, amount > 0) is None


def test_much_is_told_from_little_where_the_amounts_part():
    tree = fan([10, 20, 30, 40])
    so_far = np.array([0.0, 1, 2, 8, 9, 5, 5, 5, 5])
    assert levels(tree, so_far) == pytest.approx([np.inf, 5, np.inf])
    found = rule(tree, so_far, so_far > levels(tree, so_far)[tree.stage_n])
    assert (found.stage, found.above, found.threshold, found.amount) == (1, True, 25, 8.5)
