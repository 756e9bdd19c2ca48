"""What flexibility and foresight are worth: the same study solved again with something denied, or given.

Each is a difference of two costs, each known to a gap; ``low`` and ``high`` allow for both gaps. A restricted plan is a
plan of the full study too, so all true values are >= 0: a ``high`` below that is an error, a ``low`` or a difference of
the two best plans below it only says that the gaps are wider than the value. Nothing is clipped. Definitions:
docs/plan.md.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from tenfold.plan.columns import DECISIONS, Restriction
from tenfold.plan.extensive import Program, extensive
from tenfold.plan.highs import Solver
from tenfold.plan.model import Template, template
from tenfold.plan.outcomes import weighed
from tenfold.plan.proven import require_not_below
from tenfold.plan.result import Worth
from tenfold.plan.solve import Effort, Infeasible, NoPlan, Progress, Report, Solution, solve
from tenfold.plan.tree import Tree

INFORMATION = "cost of the plan - mean cost if each scenario were known in advance (EVPI)"
MEAN_PLAN = "cost if all is committed as the plan for mean demand says, only operation adapts, - cost of the plan (VSS)"
ADAPTIVITY = "cost if all commitments of all periods were fixed now, as well as they can be, - cost of the plan"
FUNGIBILITY = "cost if an accelerator did only the work that it was first put to - cost of the plan"
STAGING = "cost if a site were one decision, its phases following each other at once, - cost of the plan"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A cost and a bound on it, in the template's unit of money; infinite if there is no plan."""

    cost: float
    bound: float


def all_worths(
    node: Template, tree: Tree, program: Program, solution: Solution, effort: Effort, report: Report | None
) -> tuple[Worth, ...]:
    """All five, each by a solve of its own with a fifth of the effort's time.

    Those are left out for which no plan was found in that time, and those after which the report said to stop.
    """
    part = replace(effort, seconds=effort.seconds / 5)
    plan = Estimate(solution.cost, solution.bound)
    unit = node.columns.money_unit_usd
    dedicated, at_once = Restriction(fungible=False), Restriction(staged=False)
    questions: tuple[tuple[str, str, Callable[[Report], Estimate]], ...] = (
        ("information", INFORMATION, lambda told: with_perfect_information(node, tree, part, told)),
        ("stochastic solution", MEAN_PLAN, lambda told: mean_plan(node, tree, program, part, told)),
        ("adaptivity", ADAPTIVITY, lambda told: fixed_now(node, tree, part, told)),
        ("fungibility", FUNGIBILITY, lambda told: restricted(node, tree, dedicated, part, told)),
        ("staging", STAGING, lambda told: restricted(node, tree, at_once, part, told)),
    )
    worths = []
    for name, definition, answer in questions:
        teller = _Teller(name, report)
        try:
            estimate = answer(teller)
        except Infeasible:
            estimate = Estimate(np.inf, np.inf)
        except NoPlan:
            continue
        if teller.stopped:
            break
        less, more = (estimate, plan) if name == "information" else (plan, estimate)
        worths.append(_worth(name, definition, less, more, plan, unit))
    return tuple(worths)


@dataclass(slots=True)
class _Teller:
    """Says which value is being worked on, and remembers whether to stop."""

    name: str
    report: Report | None
    stopped: bool = False

    def __call__(self, progress: Progress) -> bool:
        if self.report is not None and not self.report(
            replace(progress, step=f"value of {self.name}: {progress.step}")
        ):
            self.stopped = True
        return not self.stopped


def with_perfect_information(node: Template, tree: Tree, effort: Effort, report: Report | None = None) -> Estimate:
    """Wait and see: each scenario solved alone; risk is taken over their costs."""
    risk = node.study.risk
    study = node.study.model_copy(update={"risk": risk.model_copy(update={"weight": 0.0})})
    alone = template(study, tree.demand_nK.max(axis=0), node.restriction)
    leaves = tree.leaves()
    found = []
    share = replace(effort, seconds=effort.seconds / len(leaves))
    for leaf in leaves:
        scenario = tree.scenario(int(leaf))
        found.append(solve(extensive(alone, scenario), alone, scenario, share, report))
    scale = alone.columns.money_unit_usd / node.columns.money_unit_usd
    cost, bound = (
        scale * weighed(np.array(known_s), tree.probability_n[leaves], risk)
        for known_s in ([s.cost for s in found], [s.bound for s in found])
    )
    return Estimate(cost, bound)


def mean_plan(node: Template, tree: Tree, program: Program, effort: Effort, report: Report | None = None) -> Estimate:
    """The expected result of the plan for mean demand (EEV): its commitments in every node, operation free."""
    path = tree.mean()
    mean_program = extensive(node, path)
    planned = solve(mean_program, node, path, replace(effort, gap=effort.gap / 5), report)
    decisions = node.columns.of(DECISIONS)
    planned_TV = planned.value_C[mean_program.column_nV][:, decisions]
    planned_TV = np.where(node.columns.integer_V[decisions], np.round(planned_TV), planned_TV)
    columns = program.column_nV[:, decisions].ravel()
    values = planned_TV[tree.stage_n].ravel()
    answer = Solver(program.held(columns, values), effort.threads).run()
    return Estimate(answer.objective, answer.bound)


def fixed_now(node: Template, tree: Tree, effort: Effort, report: Report | None = None) -> Estimate:
    """One schedule of commitments for all scenarios; the two-stage model."""
    program = extensive(node, tree, node.columns.of(DECISIONS))
    return _estimate(solve(program, node, tree, effort, report))


def restricted(
    node: Template, tree: Tree, restriction: Restriction, effort: Effort, report: Report | None = None
) -> Estimate:
    """The same tree with something denied."""
    denied = template(node.study, tree.demand_nK.max(axis=0), restriction)
    program = extensive(denied, tree)
    return _estimate(solve(program, denied, tree, effort, report))


def _estimate(solution: Solution) -> Estimate:
    return Estimate(solution.cost, solution.bound)


def _worth(name: str, definition: str, less: Estimate, more: Estimate, plan: Estimate, unit: float) -> Worth:
    """The cost of ``more`` minus that of ``less``."""
    if not np.isfinite(more.cost):
        return Worth(name=name, definition=definition, usd=None, low_usd=None, high_usd=None, share=None)
    require_not_below(less.bound * unit, more.cost * unit, f"what the value of {name} is measured by")
    usd = (more.cost - less.cost) * unit
    return Worth(
        name=name,
        definition=definition,
        usd=usd,
        low_usd=(more.bound - less.cost) * unit,
        high_usd=(more.cost - less.bound) * unit,
        share=usd / abs(plan.cost * unit) if plan.cost else None,
    )
