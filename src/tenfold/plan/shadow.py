"""What one more accelerator-hour of a training run costs: the dual of the row that makes it be done when it is due.

Yes-or-no decisions and lots are held as the plan has them, and the rest is a linear program. The dual of a run's row
says by how much the plan's cost rises per part of the run that is added; over the hours that the whole run takes on a
kind, it is the price of one accelerator-hour on it. Work done now counts for all futures, so the duals of all futures
are summed: the price is what an hour worked on the run now is worth to the plan, in USD of the study's start. With a
weight on risk, "cost" is mean + weight x CVaR. Where supply just meets need a dual lies between the price of an hour
more and of an hour less.
"""

import numpy as np

from tenfold.plan.extensive import Program
from tenfold.plan.highs import Solver
from tenfold.plan.model import Template
from tenfold.plan.solve import Solution
from tenfold.plan.tree import Tree


def run_prices_usd(node: Template, tree: Tree, program: Program, solution: Solution) -> dict[str, float]:
    """USD that doing the whole of each run would cost at its price for the last bit; empty without runs."""
    if not node.study.runs:
        return {}
    whole = np.flatnonzero(program.integer_C)
    answer = Solver(program.held(whole, np.round(solution.value_C[whole]))).run()
    assert answer.dual_R is not None, "the plan itself is a solution"
    prices = dict.fromkeys(node.study.runs, 0.0)
    for row in np.flatnonzero(program.row_label_R >= 0):
        _, label = program.label(node, tree, int(row))
        if label[0] == "run":
            prices[label[1]] += float(answer.dual_R[row]) * node.columns.money_unit_usd
    return prices
