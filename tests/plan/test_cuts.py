"""Cuts take nothing away that can be planned, and most of what the linear program promises too much."""

import dataclasses

import numpy as np
import pytest
from tiny_study import built, everything, study_of

from synthetic_study import synthetic_study
from tenfold.plan.cuts import add_cuts, find_cuts, joined_rows
from tenfold.plan.highs import Solver


def bound_after_cuts(tree, node, program, rounds=3):
    """The linear program's bound, that with cuts, and all cuts."""
    solver, rows, cuts = Solver(program), joined_rows(program, node, tree), []
    first = last = solver.run()
    for _ in range(rounds):
        found = find_cuts(rows, last.value_C)
        if not found:
            break
        add_cuts(solver, found)
        cuts += found
        last = solver.run()
    return first.objective, last.objective, cuts


def plans(program, count):
    """Plans that are best at costs other than the study's, and the one at its own."""
    rng = np.random.default_rng(1)
    for draw in range(count):
        factor_C = 1.0 if draw == 0 else rng.uniform(0.2, 3.0, len(program.cost_C))
        other = dataclasses.replace(program, cost_C=program.cost_C * factor_C)
        solver = Solver(other)
        solver.whole(program.integer_C)
        # Any plan will do, the best most likely to be on an edge that a cut could take.
        outcome = solver.run(gap=5e-3, seconds=5)
        if outcome.value_C is not None:
            yield outcome.value_C


def holds_for(cuts, value_C):
    return all(cut.value @ value_C[cut.index] >= cut.lower - 1e-5 for cut in cuts)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_plan_is_cut_off(seed):
    tree, node, program = built(synthetic_study(seed, nodes=20, periods=5, sites=3))
    *_, cuts = bound_after_cuts(tree, node, program)
    found = list(plans(program, 5))
    assert cuts
    assert found
    assert all(holds_for(cuts, value_C) for value_C in found)


@pytest.mark.slow
def test_no_plan_is_cut_off_of_a_study_that_uses_every_key(tiny):
    tree, node, program = built(study_of(everything(tiny)))
    *_, cuts = bound_after_cuts(tree, node, program)
    found = list(plans(program, 12))
    assert found
    assert all(holds_for(cuts, value_C) for value_C in found)


def test_cuts_close_much_of_what_the_linear_program_leaves_open(company):
    tree, node, program, best = company
    relaxed, cut, _ = bound_after_cuts(tree, node, program)
    assert cut <= best.objective * (1 + 1e-6)
    assert cut - relaxed > 0.4 * (best.objective - relaxed)


def test_a_study_in_which_nothing_draws_power_has_no_cuts(tiny):
    tiny["accelerators"] = {}
    tree, node, program = built(study_of(tiny))
    assert joined_rows(program, node, tree) == ()
