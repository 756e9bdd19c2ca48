"""A study solved: its tree, the template on it, and the best plan found."""

from dataclasses import dataclass

from tenfold.plan.diagnose import diagnose
from tenfold.plan.extensive import Program, extensive
from tenfold.plan.model import Template, template
from tenfold.plan.outcomes import Outcomes
from tenfold.plan.solve import DEFAULT_EFFORT, Effort, Infeasible, Report, Solution, solve
from tenfold.plan.study import Study
from tenfold.plan.tree import Tree, grow


@dataclass(frozen=True, slots=True)
class Solved:
    """A study's tree, its template on it, and the best plan found."""

    node: Template
    tree: Tree
    program: Program
    solution: Solution

    def outcomes(self) -> Outcomes:
        """What the solution means in real units."""
        return Outcomes.of(self.node, self.tree, self.program, self.solution.value_C)


def solve_study(study: Study, effort: Effort = DEFAULT_EFFORT, report: Report | None = None) -> Solved:
    """Grow the tree of a study and solve it.

    Raises:
        NoPlan: floors and limits cannot all be met; names the periods and places.
    """
    tree = grow(study)
    node = template(study, tree.demand_nK.max(axis=0))
    program = extensive(node, tree)
    try:
        return Solved(node, tree, program, solve(program, node, tree, effort, report))
    except Infeasible:
        raise diagnose(program, node, tree).error() from None
