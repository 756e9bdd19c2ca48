"""The solve ladder: a bound from the linear program, a plan by rounding, both made better by exact solves of parts.

1. **Linear program.** Cumulative monotone variables make its bound tight.
2. **Cut.** Rows that no plan breaks but the solution does (`cuts.py`) are added, and it is solved again from its last
   basis, until a turn no longer pays. They stay for the roundings.
3. **Round forward.** All constraints among phases and leases say "this only if that" (start after end, stay started),
   so rounding all of a stage at the same threshold keeps them. The linear program is solved again after each stage,
   from its last basis: what later stages do answers what was rounded, and of two thresholds the one is kept at which
   that is cheaper. If no plan comes of it, all stages are rounded at once.
4. **Improve.** Small subtrees are solved exactly, one by one with all else held (`improve.py`), then larger ones, then
   the first stages, for a short while, with the outer whole variables held.
5. **Exact.** All whole variables, starting from the incumbent. The solver's own cuts raise the bound further.

Small programs go straight to the last step. The gap is (incumbent - bound) / incumbent, whichever step each is from.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tenfold.core.errors import InfeasibleError
from tenfold.plan.columns import Floats
from tenfold.plan.cuts import add_cuts, find_cuts, joined_rows
from tenfold.plan.extensive import Program
from tenfold.plan.highs import Answer, Solver, Status
from tenfold.plan.improve import Part, solve_part
from tenfold.plan.model import Template
from tenfold.plan.proven import require_not_below
from tenfold.plan.tree import Tree

DIRECT_WHOLE = 900
EARLY_WHOLE = 250
EARLY_SHARE = 0.05
SUBTREES = ((8, 0.3, 1.0), (20, 0.5, 0.1))
"""Of each turn: nodes at most in a subtree, seconds for each, and its gap as a share of the plan's."""
THRESHOLDS = (0.1, 0.2)
WORTH_A_CUT = 5e-4
WHOLE = 1e-6


class NoPlan(InfeasibleError):
    """No plan meets the study's floors and limits, or none was found in time."""


class Infeasible(NoPlan):
    """It is proven that no plan meets the study's floors and limits."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a solve has come; money in the program's unit, which is ``unit_usd``."""

    step: str
    bound: float
    incumbent: float
    seconds: float
    unit_usd: float

    @property
    def gap(self) -> float:
        """Share of the incumbent's cost by which it may exceed the best."""
        return relative_gap(self.bound, self.incumbent)


@dataclass(frozen=True, slots=True)
class Effort:
    """How hard to try.

    Attributes:
        gap: stop at this relative gap.
        seconds: or after so long; a first incumbent is always made.
        threads: threads for the solver.
    """

    gap: float = 0.005
    seconds: float = 60.0
    threads: int = 1


DEFAULT_EFFORT = Effort()


@dataclass(frozen=True, slots=True)
class Solution:
    """A plan's numbers.

    Attributes:
        value_C: the program's columns; whole where they must be.
        cost: its cost, in the program's unit of money.
        bound: no plan costs less.
        stopped: whether the user stopped it.
        steps: where bound and incumbent came from.
    """

    value_C: Floats
    cost: float
    bound: float
    seconds: float
    stopped: bool
    steps: tuple[Progress, ...]

    @property
    def gap(self) -> float:
        """Share of the cost by which it may exceed the best."""
        return relative_gap(self.bound, self.cost)


Report = Callable[[Progress], bool]
"""Told of progress a few times a second; returns whether to go on."""


def relative_gap(bound: float, incumbent: float) -> float:
    """(incumbent - bound) / |incumbent|, 0 at least; infinite without either.

    A bound above the incumbent by more than a solver's tolerances ends the solve with an error (``proven.py``).
    """
    if not np.isfinite(incumbent) or not np.isfinite(bound):
        return float("inf")
    return max(0.0, incumbent - bound) / max(abs(incumbent), 1e-9)


def solve(
    program: Program, template: Template, tree: Tree, effort: Effort = DEFAULT_EFFORT, report: Report | None = None
) -> Solution:
    """Climb the ladder until the gap is met, time is up, or the report says to stop.

    Raises:
        Infeasible: floors and limits cannot all be met.
        NoPlan: no plan was found in time.
        SolverFailed: HiGHS gave up.
    """
    ladder = _Ladder(program, template, tree, effort, report or (lambda _: True))
    return ladder.climb()


@dataclass(slots=True)
class _Ladder:
    program: Program
    template: Template
    tree: Tree
    effort: Effort
    report: Report
    began: float = field(default_factory=time.monotonic)
    step: str = ""
    bound: float = -np.inf
    cost: float = np.inf
    value_C: Floats | None = None
    stopped: bool = False
    steps: list[Progress] = field(default_factory=list)

    def climb(self) -> Solution:
        solver = Solver(self.program, self.effort.threads)
        relaxed = self._relax(solver)
        assert relaxed.value_C is not None
        if self.program.integer_C.sum() > DIRECT_WHOLE:
            value_C = self._cut(solver, relaxed.value_C)
            self._round(solver, value_C)
            self._improve(solver)
        if not self._done():
            self._exact(solver)
        if self.value_C is None:
            self._round(solver, relaxed.value_C)
        if self.value_C is None:
            raise NoPlan("found no plan within the time", next_step="give more --seconds, or fewer tree.nodes")
        unit = self.template.columns.money_unit_usd
        require_not_below(self.bound * unit, self.cost * unit, "the best plan")
        seconds = time.monotonic() - self.began
        # What is left of a bound above the cost is within the solver's tolerances.
        return Solution(self.value_C, self.cost, min(self.bound, self.cost), seconds, self.stopped, tuple(self.steps))

    def _relax(self, solver: Solver) -> Answer:
        self.step = "linear program"
        answer = solver.run(watch=self._watch_nothing)
        if answer.status is Status.INFEASIBLE:
            raise Infeasible("no plan meets all floors and limits")
        if answer.value_C is None:
            raise NoPlan("stopped before there was a plan", next_step="let it run on, or give fewer tree.nodes")
        self._raise_bound(answer.bound)
        if not np.any(_fractional(self.program, answer.value_C)):
            self._take(answer.value_C, answer.objective)
        self._note()
        return answer

    def _cut(self, solver: Solver, value_C: Floats) -> Floats:
        """Cut the linear program's solution off until that no longer raises the bound; gives the last one."""
        self.step = "cuts"
        rows = joined_rows(self.program, self.template, self.tree)
        while not self._done():
            before, cuts = self.bound, find_cuts(rows, value_C)
            if not cuts:
                break
            add_cuts(solver, cuts)
            answer = solver.run(seconds=self._left(), watch=self._watch_nothing)
            if answer.value_C is None:
                break
            value_C = answer.value_C
            self._raise_bound(answer.bound)
            if self.bound - before < WORTH_A_CUT * abs(self.bound):
                break
        self._note()
        return value_C

    def _round(self, solver: Solver, value_C: Floats) -> None:
        """A plan from a solution that is not whole everywhere."""
        self.step = "round"
        solver.whole(np.zeros_like(self.program.integer_C))
        whole = np.flatnonzero(self.program.integer_C)
        forward = self._forward(solver, value_C)
        solver.bound(whole, self.program.lower_C[whole], self.program.upper_C[whole])
        if not forward:
            for threshold in THRESHOLDS:
                self._take_with(solver, whole, _rounded(self.program, value_C[whole], whole, threshold))
        self._note()

    def _forward(self, solver: Solver, value_C: Floats) -> bool:
        """Round one stage after the other, each with the rest free to answer; whether that gave a plan.

        Of the thresholds, the one is taken at which the linear program of the rest is cheapest.
        """
        cost = float(self.program.cost_C @ value_C) + self.program.offset
        for stage in range(self.tree.stages):
            whole = np.unique(self.program.column_nV[self.tree.at(stage)][:, self.template.columns.integer_V])
            choices = [_rounded(self.program, value_C[whole], whole, threshold) for threshold in THRESHOLDS]
            answers = [self._held(solver, whole, values) for values in _distinct(choices)]
            best = min(answers, key=lambda answer: answer.objective)
            if best.value_C is None:
                return False
            value_C, cost = best.value_C, best.objective
            solver.bound(whole, np.round(value_C[whole]), np.round(value_C[whole]))
        self._take(value_C, cost)
        return True

    def _held(self, solver: Solver, whole: NDArray[np.int64], values: Floats) -> Answer:
        """The linear program with some columns held."""
        solver.bound(whole, values, values)
        return solver.run(watch=self._watch_nothing)

    def _take_with(self, solver: Solver, whole: NDArray[np.int64], values: Floats) -> None:
        """The best plan with these whole variables, if there is one."""
        answer = self._held(solver, whole, values)
        solver.bound(whole, self.program.lower_C[whole], self.program.upper_C[whole])
        if answer.value_C is not None:
            self._take(answer.value_C, answer.objective)

    def _improve(self, solver: Solver) -> None:
        """Small subtrees, larger ones, the first stages."""
        for nodes, seconds, share in SUBTREES:
            if self._done():
                return
            self._improve_subtrees(_subtrees(self.program, self.tree, nodes), seconds, share * self.effort.gap)
        self._improve_early(solver, self._early(EARLY_WHOLE))

    def _improve_subtrees(self, subtrees: list[Part], seconds: float, gap: float) -> None:
        self.step = "improve subtrees"
        for part in subtrees:
            if self._done() or self.value_C is None:
                break
            better_C = solve_part(self.program, part, self.value_C, gap, seconds, self.effort.threads)
            if better_C is not None:
                self._take(better_C, float(self.program.cost_C @ better_C) + self.program.offset)
                self._watch_nothing(self.bound, self.cost)
        self._note()

    def _improve_early(self, solver: Solver, early_C: NDArray[np.bool_]) -> None:
        """The first stages exactly; outer whole variables are held, all others are free."""
        self.step = "improve first stages"
        if self._done() or self.value_C is None:
            return
        held = np.flatnonzero(self.program.integer_C & ~early_C)
        values = np.round(self.value_C[held])
        solver.bound(held, values, values)
        solver.whole(early_C)
        solver.suggest(self.value_C)
        answer = solver.run(seconds=EARLY_SHARE * self._left(), gap=self.effort.gap / 10, watch=self._watch_nothing)
        solver.whole(np.zeros_like(early_C))
        solver.bound(held, self.program.lower_C[held], self.program.upper_C[held])
        if answer.value_C is not None:
            self._take(answer.value_C, answer.objective)
        self._note()

    def _exact(self, solver: Solver) -> None:
        """All whole variables at once, from the incumbent if there is one."""
        self.step = "exact"
        solver.whole(self.program.integer_C)
        if self.value_C is not None:
            solver.suggest(self.value_C)
            solver.set_option("mip_heuristic_effort", 0.0)
        answer = solver.run(seconds=self._left(), gap=self.effort.gap, watch=self._watch)
        if answer.status is Status.INFEASIBLE:
            raise Infeasible("no plan meets all floors and limits with whole phases and lots")
        self._raise_bound(answer.bound)
        if answer.value_C is not None:
            self._take(answer.value_C, answer.objective)
        self._note()

    def _early(self, most: int) -> NDArray[np.bool_]:
        """Whole columns of the first stages, at least of the root, at most so many."""
        early_C = np.zeros_like(self.program.integer_C)
        for stage in range(self.tree.stages):
            wider_C = early_C.copy()
            wider_C[self.program.column_nV[self.tree.at(stage)][:, self.template.columns.integer_V]] = True
            if stage and wider_C.sum() > most:
                break
            early_C = wider_C
        return early_C

    def _left(self) -> float:
        return max(0.05, self.effort.seconds - (time.monotonic() - self.began))

    def _done(self) -> bool:
        late = time.monotonic() - self.began > self.effort.seconds
        return self.stopped or late or relative_gap(self.bound, self.cost) <= self.effort.gap

    def _take(self, value_C: Floats, cost: float) -> None:
        if cost < self.cost:
            self.value_C, self.cost = value_C, cost

    def _raise_bound(self, bound: float) -> None:
        self.bound = max(self.bound, bound)

    def _progress(self, bound: float = -np.inf, incumbent: float = np.inf) -> Progress:
        return Progress(
            step=self.step,
            bound=max(self.bound, bound),
            incumbent=min(self.cost, incumbent),
            seconds=time.monotonic() - self.began,
            unit_usd=self.template.columns.money_unit_usd,
        )

    def _note(self) -> None:
        progress = self._progress()
        self.steps.append(progress)
        if not self.report(progress):
            self.stopped = True

    def _watch(self, bound: float, incumbent: float) -> bool:
        """Of a run on the whole program: go on until its bound and incumbent are close enough.

        The bound is kept here: a run that is stopped during the root's cuts reports the one from before them.
        """
        self._raise_bound(bound)
        progress = self._progress(bound, incumbent)
        self.stopped = self.stopped or not self.report(progress)
        return not self.stopped and progress.gap > self.effort.gap

    def _watch_nothing(self, bound: float, incumbent: float) -> bool:
        self.stopped = self.stopped or not self.report(self._progress())
        return not self.stopped or self.value_C is None


def _fractional(program: Program, value_C: Floats) -> NDArray[np.bool_]:
    whole_C = value_C[program.integer_C]
    return np.abs(whole_C - np.round(whole_C)) > WHOLE


def _rounded(program: Program, value_W: Floats, whole: NDArray[np.int64], threshold: float) -> Floats:
    """Up from the threshold, else down; W whole columns."""
    down_W = np.floor(value_W + WHOLE)
    rounded_W = np.where(value_W - down_W >= threshold, down_W + 1, down_W)
    return np.clip(rounded_W, program.lower_C[whole], program.upper_C[whole])


def _distinct(choices: list[Floats]) -> list[Floats]:
    """Each choice once."""
    return [one for place, one in enumerate(choices) if not any(np.array_equal(one, two) for two in choices[:place])]


def _subtrees(program: Program, tree: Tree, most: int) -> list[Part]:
    """The largest subtrees of at most so many nodes, the most probable first; they do not overlap."""
    ancestors_nT = tree.ancestors_nT()
    below_n = np.bincount(ancestors_nT[ancestors_nT >= 0], minlength=len(tree))
    inside = (below_n[1:] <= most) & (below_n[tree.parent_n[1:]] > most)
    roots = 1 + np.flatnonzero(inside)
    roots = roots[np.argsort(-tree.probability_n[roots], kind="stable")]
    return [Part.of(program, np.unique(program.column_nV[(ancestors_nT == root).any(axis=1)])) for root in roots]
