"""The solve ladder: bound by the linear program, near decisions exact, outer ones rounded and then improved.

1. **Linear program.** Cumulative monotone variables make its bound tight.
2. **Round.** All constraints among phases and leases say "this only if that" (start after end, stay started), so
   rounding every one of them at the same threshold keeps them all. Each threshold gives an incumbent.
3. **Near decisions exact.** Only the variables of the first stages must be whole: a better bound, still valid for all,
   and rounding its outer part gives a better incumbent.
4. **Improve.** One part of the tree at a time is solved exactly with the rest held at the incumbent (`improve.py`).
   Small programs skip all this and are solved exactly at once.

The gap is (incumbent - bound) / incumbent, whatever step each of the two came from.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tenfold.core.errors import InfeasibleError
from tenfold.plan.columns import Floats
from tenfold.plan.extensive import Program
from tenfold.plan.highs import Outcome, Solver, Status
from tenfold.plan.improve import Part, solve_part
from tenfold.plan.model import Template
from tenfold.plan.tree import Tree

DIRECT_WHOLE = 900
NEAR_WHOLE = 400
THRESHOLDS = (0.5, 0.2, 0.8)
WHOLE = 1e-6


class NoPlan(InfeasibleError):
    """No plan meets the study's floors and limits, or none was found in time."""


class Infeasible(NoPlan):
    """It is proven that no plan meets the study's floors and limits."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a solve has come; money in the program's unit."""

    step: str
    bound: float
    incumbent: float
    seconds: float

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
    """(incumbent - bound) / |incumbent|, 0 at least; infinite without either."""
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
        whole = np.flatnonzero(self.program.integer_C)
        if len(whole) <= DIRECT_WHOLE:
            self._exact(solver)
        else:
            self._round(solver, relaxed.value_C)
            if not self._done():
                self._near(solver)
            if not self._done():
                self._improve(solver)
        if self.value_C is None:
            raise NoPlan("found no plan within the time", next_step="give more --seconds, or fewer tree.nodes")
        return Solution(
            self.value_C, self.cost, self.bound, time.monotonic() - self.began, self.stopped, tuple(self.steps)
        )

    def _relax(self, solver: Solver) -> Outcome:
        self.step = "linear program"
        outcome = solver.run(watch=self._watch_nothing)
        if outcome.status is Status.INFEASIBLE:
            raise Infeasible("no plan meets all floors and limits")
        if outcome.value_C is None:
            raise NoPlan("stopped before there was a plan", next_step="let it run on, or give fewer tree.nodes")
        self._raise_bound(outcome.bound)
        if not np.any(_fractional(self.program, outcome.value_C)):
            self._take(outcome.value_C, outcome.objective)
        self._note()
        return outcome

    def _exact(self, solver: Solver) -> None:
        """All whole variables at once."""
        self.step = "exact"
        solver.whole(self.program.integer_C)
        outcome = solver.run(seconds=self._left(), gap=self.effort.gap, watch=self._watch)
        if outcome.status is Status.INFEASIBLE:
            raise Infeasible("no plan meets all floors and limits with whole phases and lots")
        self._raise_bound(outcome.bound)
        if outcome.value_C is None:
            solver.whole(np.zeros_like(self.program.integer_C))
            relaxed = solver.run()
            assert relaxed.value_C is not None
            self._round(solver, relaxed.value_C)
        else:
            self._take(outcome.value_C, outcome.objective)
        self._note()

    def _round(self, solver: Solver, value_C: Floats) -> None:
        """Incumbents from a solution that is not whole everywhere."""
        self.step = "round"
        for threshold in THRESHOLDS:
            if self._done() and self.value_C is not None:
                return
            whole = np.flatnonzero(self.program.integer_C)
            rounded = _rounded(self.program, value_C[whole], whole, threshold)
            self._take_rounded(solver, whole, rounded)
        self._note()

    def _take_rounded(self, solver: Solver, whole: NDArray[np.int64], rounded: Floats) -> None:
        """The best plan with these whole variables, if there is one."""
        solver.bound(whole, rounded, rounded)
        outcome = solver.run(watch=self._watch_nothing)
        solver.bound(whole, self.program.lower_C[whole], self.program.upper_C[whole])
        if outcome.value_C is not None:
            self._take(outcome.value_C, outcome.objective)

    def _near(self, solver: Solver) -> None:
        """Whole in the first stages only."""
        self.step = "near decisions exact"
        near_C = self._stages_up_to(NEAR_WHOLE)
        solver.whole(near_C)
        share = 0.5 * self._left()
        outcome = solver.run(seconds=share, gap=self.effort.gap / 5, watch=self._watch_bound)
        solver.whole(np.zeros_like(near_C))
        self._raise_bound(outcome.bound)
        self._note()
        if outcome.value_C is not None and not self.stopped:
            self._round(solver, outcome.value_C)

    def _stages_up_to(self, most: int) -> NDArray[np.bool_]:
        """Whole columns of the first stages, at least of the root, at most so many."""
        near_C = np.zeros_like(self.program.integer_C)
        for stage in range(self.tree.stages):
            wider_C = near_C.copy()
            wider_C[self.program.column_nV[self.tree.at(stage)][:, self.template.columns.integer_V]] = True
            if stage and wider_C.sum() > most:
                break
            near_C = wider_C
        return near_C

    def _improve(self, solver: Solver) -> None:
        """One part of the tree at a time, the rest held; then all continuous variables once more."""
        self.step = "improve"
        parts = _parts(self.program, self.template, self.tree)
        while not self._done():
            before = self.cost
            for part in parts:
                if self._done():
                    break
                assert self.value_C is not None
                better = solve_part(
                    self.program, part, self.value_C, self.effort.gap / 5, min(10.0, self._left()), self.effort.threads
                )
                if better is not None:
                    cost = float(self.program.cost_C @ better) + self.program.offset
                    self._take(better, cost)
                    if not self.report(self._progress()):
                        self.stopped = True
            if self._done() or self.value_C is None:
                break
            whole = np.flatnonzero(self.program.integer_C)
            self._take_rounded(solver, whole, np.round(self.value_C[whole]))
            self._note()
            if before - self.cost < 1e-4 * abs(self.cost):
                break

    def _left(self) -> float:
        return max(1.0, self.effort.seconds - (time.monotonic() - self.began))

    def _done(self) -> bool:
        late = time.monotonic() - self.began > self.effort.seconds
        return self.stopped or late or relative_gap(self.bound, self.cost) <= self.effort.gap

    def _take(self, value_C: Floats, cost: float) -> None:
        if cost < self.cost:
            self.value_C, self.cost = value_C, cost

    def _raise_bound(self, bound: float) -> None:
        self.bound = max(self.bound, bound)

    def _progress(self) -> Progress:
        return Progress(self.step, self.bound, self.cost, time.monotonic() - self.began)

    def _note(self) -> None:
        progress = self._progress()
        self.steps.append(progress)
        if not self.report(progress):
            self.stopped = True

    def _watch(self, bound: float, incumbent: float) -> bool:
        """Of a run on the whole program: its incumbents count."""
        self._raise_bound(bound)
        progress = Progress(self.step, self.bound, min(self.cost, incumbent), time.monotonic() - self.began)
        self.stopped = self.stopped or not self.report(progress)
        return not self.stopped

    def _watch_bound(self, bound: float, incumbent: float) -> bool:
        """Of a run on a relaxation: only its bound counts."""
        self._raise_bound(bound)
        return self._watch_nothing(bound, incumbent) and relative_gap(self.bound, self.cost) > self.effort.gap

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


def _parts(program: Program, template: Template, tree: Tree) -> list[Part]:
    """Parts of a tree to improve one by one: bands of stages, then subtrees of similar size."""
    target = 40
    ancestors_nT = tree.ancestors_nT()
    below = np.bincount(ancestors_nT[ancestors_nT >= 0], minlength=len(tree))
    roots = [n for n in range(1, len(tree)) if below[n] <= target and below[tree.parent_n[n]] > target]
    parts = []
    for root in roots:
        nodes = np.flatnonzero((ancestors_nT == root).any(axis=1))
        parts.append(Part(np.unique(program.column_nV[nodes])))
    early = np.flatnonzero(below > target)
    if len(early):
        parts.append(Part(np.unique(program.column_nV[early])))
    return parts
