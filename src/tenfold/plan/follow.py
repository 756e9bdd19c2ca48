"""What ways of deciding do along one path of demand, each bound in every period by what it decided before.

The tree of a re-plan is a chain of the periods that have been, joined to a tree grown from the demand of the last of
them; the decisions of the chain's earlier nodes are held at what was decided then. Floors are dropped: what comes
unforeseen can be more than any plan had prepared for, and the shortage is then paid for and reported.
"""

from collections.abc import Callable
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

Foresee = Callable[[Tree, int], Tree]
"""(tree of what may follow, periods known) -> the tree to plan for."""


@dataclass(frozen=True, slots=True)
class Followed:
    """What was done and came of it along a path, T periods of it known.

    Attributes:
        capex_T: USD spent on building and buying.
        short_TK: demand not served.
        cost_usd: discounted cost of the whole study, mean over what may follow the path, planned for as well as can be
            from then on: it differs between ways of deciding by what they decided along the path.
        outlook: the path, of one node each for its T periods, and the tree of what may follow.
    """

    capex_T: Floats
    short_TK: Floats
    cost_usd: float
    outlook: Outcomes


def all_futures(tree: Tree, known: int) -> Tree:
    """The study's own policy: plan for the whole tree."""
    return tree


def mean_with_buffer(buffer: float) -> Foresee:
    """Rolling deterministic planning: plan for the mean of what may follow, and a share more."""

    def foresee(tree: Tree, known: int) -> Tree:
        mean = tree.mean()
        factor_T = np.where(np.arange(mean.stages) < known, 1.0, 1.0 + buffer)
        return replace(mean, demand_nK=mean.demand_nK * factor_T[:, None])

    return foresee


def replan(study: Study, demand_TK: Floats, effort: Effort, foresee: Foresee = all_futures) -> Followed:
    """In each period, plan for what may follow, and do that plan's first step.

    Args:
        study: the study; its tree's settings size every re-plan.
        demand_TK: demand of the first T periods.
        effort: of each re-plan.
        foresee: what is planned for.
    """
    node, process = _template(study, demand_TK), DemandProcess.fit(study)
    decisions = node.columns.of(DECISIONS)
    decided_TV = np.zeros((len(demand_TK), len(decisions)))
    for period in range(len(demand_TK)):
        tree = foresee(known_until(study, process, demand_TK[: period + 1]), period + 1)
        decided_TV[period] = _decided(node, tree, decided_TV[:period], effort)[period]
    return _followed(node, demand_TK, decided_TV, effort)


def static(study: Study, demand_TK: Floats, effort: Effort) -> Followed:
    """Do what the plan for mean demand says, whatever comes; only operation adapts."""
    node = _template(study, demand_TK)
    nothing_TV = np.zeros((0, len(node.columns.of(DECISIONS))))
    planned_TV = _decided(node, grow(study).mean(), nothing_TV, replace(effort, gap=effort.gap / 5))
    return _followed(node, demand_TK, planned_TV[: len(demand_TK)], effort)


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


def _held(program: Program, node: Template, decided_TV: Floats) -> Program:
    """A program whose first nodes, a chain, decide as was decided."""
    columns = program.column_nV[: len(decided_TV)][:, node.columns.of(DECISIONS)].ravel()
    return program.held(columns, decided_TV.ravel())


def _decided(node: Template, tree: Tree, decided_TV: Floats, effort: Effort) -> Floats:
    """Decisions of every node of a tree, the first T of which are held, in the solver's units."""
    program = _held(extensive(node, tree), node, decided_TV)
    solution = solve(program, node, tree, effort)
    decisions = node.columns.of(DECISIONS)
    found_nV = solution.value_C[program.column_nV][:, decisions]
    return np.where(node.columns.integer_V[decisions], np.round(found_nV), found_nV)


def _followed(node: Template, demand_TK: Floats, decided_TV: Floats, effort: Effort) -> Followed:
    known = len(demand_TK)
    tree = known_until(node.study, DemandProcess.fit(node.study), demand_TK)
    program = _held(extensive(node, tree), node, decided_TV)
    outcomes = Outcomes.of(node, tree, program, solve(program, node, tree, effort).value_C)
    short_nK = np.stack([outcomes.of_name("short", name) for name in node.study.workloads], axis=1)
    return Followed(
        capex_T=outcomes.cost_n[Category.CAPEX][:known],
        short_TK=short_nK[:known],
        cost_usd=outcomes.spread(outcomes.scenario_cost_usd()).mean,
        outlook=outcomes,
    )
