"""A part cut out of a program is that program with the rest held."""

import numpy as np
import pytest
from tiny_study import built, study_of

from tenfold.plan.highs import Solver
from tenfold.plan.improve import Part, solve_part, take_out


@pytest.fixture
def never_built(tiny):
    """A program, its tree, and the best plan that never starts a phase."""
    # Dear enough shortage and rent that building pays.
    tiny["rent"]["cloud"]["usd_per_hour"] = 20
    tree, node, program = built(study_of(tiny))
    phases = node.columns.of(["phase"])
    columns = program.column_nV[:, phases].ravel()
    values = np.tile(node.columns.initial_V[phases], len(tree))
    solver = Solver(program)
    solver.bound(columns, values, values)
    return program, tree, solver.run()


def test_part_solved_alone_is_the_whole_solved_with_the_rest_held(never_built):
    program, tree, plan = never_built
    columns = np.unique(program.column_nV[tree.stage_n >= 1])
    held = np.setdiff1d(np.arange(len(program.cost_C)), columns)
    whole = Solver(program)
    whole.bound(held, plan.value_C[held], plan.value_C[held])
    whole.whole(program.integer_C)
    sub = take_out(program, Part.of(program, columns), plan.value_C)
    alone = Solver(sub)
    alone.whole(sub.integer_C)
    rest = program.offset + program.cost_C[held] @ plan.value_C[held]
    assert alone.run(gap=1e-9).objective + rest == pytest.approx(whole.run(gap=1e-9).objective, rel=1e-6)


def test_improving_a_part_makes_the_plan_cheaper_and_leaves_the_rest(never_built):
    program, tree, plan = never_built
    columns = np.unique(program.column_nV[tree.stage_n >= 1])
    held = np.setdiff1d(np.arange(len(program.cost_C)), columns)
    better_C = solve_part(program, Part.of(program, columns), plan.value_C, 1e-6, 10.0, 1)
    assert better_C is not None
    assert (better_C[held] == plan.value_C[held]).all()
    assert program.cost_C @ better_C + program.offset < plan.objective


def test_part_that_is_best_already_is_left_alone(never_built):
    program, tree, plan = never_built
    part = Part.of(program, np.unique(program.column_nV[tree.leaves()]))
    assert solve_part(program, part, plan.value_C, 1e-9, 10.0, 1) is None
