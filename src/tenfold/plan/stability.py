"""Whether a plan depends on which futures its tree happens to hold (Kaut and Wallace 2007).

In sample: trees of other seeds should give the same cost. Out of sample: what one tree says to do now should cost no
more on another tree than what that tree itself says to do now; and what each says to do now, followed along futures
that none of them holds, should cost the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tenfold.plan.columns import DECISIONS, Key
from tenfold.plan.extensive import Program, extensive
from tenfold.plan.model import Template, template
from tenfold.plan.outcomes import Outcomes
from tenfold.plan.proven import require_not_below
from tenfold.plan.result import Unseen
from tenfold.plan.solve import Effort, NoPlan, Report, Solution, solve
from tenfold.plan.solved import Solved
from tenfold.plan.study import Study
from tenfold.plan.tree import Tree, grow
from tenfold.plan.unseen import cost_unseen


@dataclass(frozen=True, slots=True)
class Trial:
    """One tree.

    Attributes:
        seed: of its simulated paths.
        cost_usd: cost of its own plan.
        gap: of that plan.
        regret_usd: by how much its cost rises if the first tree's commitments are made now and its own from then on;
            below 0 only within the gaps; infinite if they leave no plan.
        now: what its own plan commits to now, in real units, by group and name; what is 0 is left out.
        unseen: what following its plan costs on futures that no tree holds, the same for all; None if not followed.
    """

    seed: int
    cost_usd: float
    gap: float
    regret_usd: float
    now: dict[Key, float]
    unseen: Unseen | None = None


def stability(
    study: Study, seeds: Sequence[int], effort: Effort, report: Report | None = None, *, follow: bool = False
) -> list[Trial]:
    """Solve the study on a tree of each seed, and the first tree's commitments on all others.

    Args:
        study: the study; its own seed is not used.
        seeds: the first one's commitments are tried on the trees of the others.
        effort: its time is shared by all solves.
        report: told of progress.
        follow: whether to also follow each plan along futures that no tree holds.
    """
    part = replace(effort, seconds=effort.seconds / max(1, 2 * len(seeds) - 1))
    first: dict[Key, float] | None = None
    trials = []
    for seed in seeds:
        tree = grow(study.model_copy(update={"tree": study.tree.model_copy(update={"seed": seed})}))
        node = template(study, tree.demand_nK.max(axis=0))
        program = extensive(node, tree)
        solution = solve(program, node, tree, part, report)
        now = _now(node, tree, program, solution)
        regret = 0.0
        if first is None:
            first = now
        else:
            forced, money = _cost_with(first, node, tree, program, part, report), node.columns.money_unit_usd
            require_not_below(solution.bound * money, forced * money, f"the first tree's start on that of seed {seed}")
            regret = forced - solution.cost
        shown = _new(node, now)
        unit = node.columns.money_unit_usd
        followed = cost_unseen(Solved(node, tree, program, solution), report) if follow else None
        trials.append(Trial(seed, solution.cost * unit, solution.gap, regret * unit, shown, followed))
    return trials


def _now(node: Template, tree: Tree, program: Program, solution: Solution) -> dict[Key, float]:
    """Every commitment of the root, in real units."""
    amount_V = Outcomes.of(node, tree, program, solution.value_C).amount_nV[0]
    return {node.columns.names[place]: float(amount_V[place]) for place in node.columns.of(DECISIONS)}


def _new(node: Template, now: dict[Key, float]) -> dict[Key, float]:
    """What of it is committed to now: what was built before the study is not."""
    before_V = node.columns.initial_V * node.columns.unit_V
    more = {key: amount - float(before_V[node.columns.place[key]]) for key, amount in now.items()}
    return {key: amount for key, amount in more.items() if abs(amount) > 1e-6}


def _cost_with(
    now: dict[Key, float], node: Template, tree: Tree, program: Program, effort: Effort, report: Report | None
) -> float:
    """The least cost if the root commits to just this, in the template's unit of money."""
    places = np.array([node.columns.place[key] for key in now])
    values = np.array(list(now.values())) / node.columns.unit_V[places]
    values = np.where(node.columns.integer_V[places], np.round(values), values)
    try:
        return solve(program.held(program.column_nV[0, places], values), node, tree, effort, report).cost
    except NoPlan:
        return float("inf")
