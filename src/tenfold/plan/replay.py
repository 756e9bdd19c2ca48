"""What a plan's policy does along one path of demand: it plans anew in each period, bound by what it decided before.

The tree of a re-plan is a chain of the periods that have been, joined to a tree grown from the demand of the last of
them; the decisions of the chain's earlier nodes are held at what was decided then. Floors are dropped: what comes
unforeseen can be more than any plan had prepared for, and the shortage is then paid for and reported.
"""

from dataclasses import dataclass, replace

import numpy as np

from tenfold.plan.columns import DECISIONS, Floats
from tenfold.plan.costs import Category
from tenfold.plan.demand import DemandProcess
from tenfold.plan.extensive import Program, extensive
from tenfold.plan.model import Template, template
from tenfold.plan.outcomes import Outcomes
from tenfold.plan.solve import Effort, solve
from tenfold.plan.study import Study
from tenfold.plan.tree import Tree, grow, reduce, widths


@dataclass(frozen=True, slots=True)
class Followed:
    """What was done and came of it along a path, T periods of it known.

    Attributes:
        capex_T: USD spent on building and buying.
        short_TK: demand not served.
        cost_usd: discounted cost of the whole study, mean over what may follow the path.
        outlook: the path, of one node each for its T periods, and the tree of what may follow.
    """

    capex_T: Floats
    short_TK: Floats
    cost_usd: float
    outlook: Outcomes


def replan(study: Study, demand_TK: Floats, effort: Effort) -> Followed:
    """Follow the study's policy: in each period, plan for the tree of what may follow, and do its first step.

    Args:
        study: the study; its tree's settings size every re-plan.
        demand_TK: demand of the first T periods.
        effort: of each re-plan.
    """
    node = _template(study, demand_TK)
    decisions = node.columns.of(DECISIONS)
    decided_TV = np.zeros((len(demand_TK), len(decisions)))
    process = DemandProcess.fit(study)
    followed = None
    for period in range(len(demand_TK)):
        tree = known_until(study, process, demand_TK[: period + 1])
        program = _held(extensive(node, tree), node, decided_TV[:period])
        solution = solve(program, node, tree, effort)
        followed = _followed(node, tree, program, solution.value_C, period + 1)
        found_V = solution.value_C[program.column_nV[period, decisions]]
        decided_TV[period] = np.where(node.columns.integer_V[decisions], np.round(found_V), found_V)
    assert followed is not None, "a path has a period"
    return followed


def static(study: Study, demand_TK: Floats, effort: Effort) -> Followed:
    """Do what the plan for mean demand says, whatever comes; only operation adapts."""
    node = _template(study, demand_TK)
    decisions = node.columns.of(DECISIONS)
    mean = grow(study).mean()
    mean_program = extensive(node, mean)
    planned = solve(mean_program, node, mean, replace(effort, gap=effort.gap / 5))
    decided_TV = planned.value_C[mean_program.column_nV][:, decisions]
    decided_TV = np.where(node.columns.integer_V[decisions], np.round(decided_TV), decided_TV)
    tree = known_until(study, DemandProcess.fit(study), demand_TK)
    program = _held(extensive(node, tree), node, decided_TV[tree.stage_n])
    solution = solve(program, node, tree, effort)
    return _followed(node, tree, program, solution.value_C, len(demand_TK))


def known_until(study: Study, process: DemandProcess, demand_TK: Floats) -> Tree:
    """The tree of what may follow the first T periods' demand: a chain of them, branching from the last on."""
    settings, known = study.tree, len(demand_TK)
    rng = np.random.default_rng(settings.seed + known)
    left = study.periods - known + 1
    now_N1K = np.broadcast_to(demand_TK[-1], (settings.paths, 1, demand_TK.shape[1]))
    later_NTK = process.simulate_from(known - 1, demand_TK[-1], settings.paths, rng)
    ahead = reduce(np.concatenate([now_N1K, later_NTK], axis=1), widths(settings.nodes, left, settings.paths))
    behind = known - 1
    return Tree(
        stage_n=np.concatenate([np.arange(behind), ahead.stage_n + behind]),
        parent_n=np.concatenate([np.arange(behind) - 1, ahead.parent_n + behind]),
        probability_n=np.concatenate([np.ones(behind), ahead.probability_n]),
        demand_nK=np.concatenate([demand_TK[:-1], ahead.demand_nK]),
    )


def _template(study: Study, demand_TK: Floats) -> Template:
    """One template for all re-plans, so that amounts have the same units in all of them; without floors."""
    workloads = {name: workload.model_copy(update={"floor": 0.0}) for name, workload in study.workloads.items()}
    largest_K = np.maximum(grow(study).demand_nK.max(axis=0), demand_TK.max(axis=0))
    return template(study.model_copy(update={"workloads": workloads}), largest_K)


def _held(program: Program, node: Template, decided_nV: Floats) -> Program:
    """A program whose first n nodes decide as was decided."""
    lower_C, upper_C = program.lower_C.copy(), program.upper_C.copy()
    decisions = node.columns.of(DECISIONS)
    columns = program.column_nV[: len(decided_nV)][:, decisions].ravel()
    lower_C[columns] = upper_C[columns] = decided_nV.ravel()
    return replace(program, lower_C=lower_C, upper_C=upper_C)


def _followed(node: Template, tree: Tree, program: Program, value_C: Floats, known: int) -> Followed:
    outcomes = Outcomes.of(node, tree, program, value_C)
    short_nK = np.stack([outcomes.of_name("short", name) for name in node.study.workloads], axis=1)
    return Followed(
        capex_T=outcomes.cost_n[Category.CAPEX][:known],
        short_TK=short_nK[:known],
        cost_usd=outcomes.spread(outcomes.scenario_cost_usd()).mean,
        outlook=outcomes,
    )
