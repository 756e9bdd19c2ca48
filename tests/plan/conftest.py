"""What the planner's tests share."""

import copy

import pytest
from tiny_study import TINY, built

from synthetic_study import synthetic_study
from tenfold.plan.extensive import Program
from tenfold.plan.highs import Answer, Solver
from tenfold.plan.model import Template
from tenfold.plan.tree import Tree


@pytest.fixture
def tiny() -> dict:
    """A study as a table, free to change."""
    return copy.deepcopy(TINY)


@pytest.fixture(scope="session")
def company() -> tuple[Tree, Template, Program, Answer]:
    """A company of six sites on 24 nodes, and its plan within 0.2% by the solver alone; some CPU-seconds, so once."""
    tree, node, program = built(synthetic_study(2, nodes=24))
    exact = Solver(program)
    exact.whole(program.integer_C)
    return tree, node, program, exact.run(gap=2e-3)
