"""HiGHS as the planner uses it: runs that stop, watches, and starts from the last basis."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import highspy
import numpy as np
from numpy.typing import NDArray

from tenfold.core.highs import Matrix, SolverFailed, ending, load, require_ok
from tenfold.plan.columns import Floats
from tenfold.plan.extensive import Program

STEP_S = 0.5
FALLEN = 1e-6
"""Share by which a bound may seem to fall within one solve."""


class Status(StrEnum):
    """How a run ended."""

    OPTIMAL = "optimal"
    STOPPED = "stopped"
    INFEASIBLE = "infeasible"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a run of the solver gave, in the program's unit of money.

    Attributes:
        value_C: a solution, None if there is none.
        objective: its cost; infinite without one.
        bound: no solution of the program as it stood costs less.
        dual_R: row duals; only of a linear program solved to the end.
    """

    status: Status
    value_C: Floats | None
    objective: float
    bound: float
    dual_R: Floats | None = None


Watch = Callable[[float, float], bool]
"""(bound, incumbent) -> whether to go on; called a few times a second."""


class Solver:
    """A program in HiGHS, whose bounds and integrality can change between runs; a run starts from the last one's basis.

    Args:
        program: the program; its integrality is not set until asked for.
        threads: threads that HiGHS may use.
    """

    def __init__(self, program: Program, threads: int = 1) -> None:
        self.program = program
        self._has_whole = False
        self._suggested = False
        self._highs = load(
            Matrix(program.start_R, program.index_Z, program.value_Z),
            cost_C=program.cost_C,
            lower_C=program.lower_C,
            upper_C=program.upper_C,
            row_lower_R=program.row_lower_R,
            row_upper_R=program.row_upper_R,
            offset=program.offset,
            threads=threads,
        )

    def set_option(self, name: str, value: float | str) -> None:
        """Set one of HiGHS' own options."""
        require_ok(self._highs.setOptionValue(name, value), f"set {name} to {value!r}")

    def bound(self, index: NDArray[np.int64], lower: Floats, upper: Floats) -> None:
        """Change bounds of columns."""
        require_ok(self._highs.changeColsBounds(len(index), index.astype(np.int32), lower, upper), "change the bounds")

    def bound_rows(self, lower_R: Floats, upper_R: Floats) -> None:
        """Change the bounds of all rows."""
        index = np.arange(len(lower_R), dtype=np.int32)
        # highspy has it, its type stubs do not.
        change = self._highs.changeRowsBounds  # pyrefly: ignore[missing-attribute]
        require_ok(change(len(index), index, lower_R, upper_R), "change the rows' bounds")

    def add_rows(self, lower_R: Floats, start_R: NDArray[np.int64], index: NDArray[np.int64], value: Floats) -> None:
        """Add rows ``lower <= value @ columns[index]``; the entries of each begin at its start."""
        upper_R = np.full(len(lower_R), np.inf)
        start, places = start_R.astype(np.int32), index.astype(np.int32)
        status = self._highs.addRows(len(lower_R), lower_R, upper_R, len(value), start, places, value)
        require_ok(status, "take rows")

    def whole(self, integer_C: NDArray[np.bool_]) -> None:
        """Say which columns must be whole."""
        self._has_whole = bool(integer_C.any())
        index = np.arange(len(integer_C), dtype=np.int32)
        require_ok(
            self._highs.changeColsIntegrality(len(index), index, integer_C.astype(np.uint8)), "change what is whole"
        )

    def suggest(self, value_C: Floats) -> None:
        """Give a solution to start the next run from; it must be one."""
        self._suggested = True
        index = np.arange(len(value_C), dtype=np.int32)
        require_ok(self._highs.setSolution(len(value_C), index, value_C), "take a solution")

    def run(
        self,
        *,
        seconds: float = float("inf"),
        gap: float = 1e-6,
        watch: Watch | None = None,
    ) -> Answer:
        """Solve.

        Args:
            seconds: time limit.
            gap: relative gap at which to stop.
            watch: called now and then.
        Raises:
            SolverFailed: HiGHS gave up, also after a second try from scratch.
        """
        if self._has_whole and not self._suggested:
            # HiGHS would take the last linear program's solution for a start, and complete it: a solve of its own with
            # many columns fixed, whose bound the watch is told as if it were that of the whole program.
            self._highs.clearSolver()
        self._suggested = False
        answer = self._run(seconds, gap, watch)
        if answer is None:
            # Seen on warm starts with badly scaled bases: 'Unknown'. From scratch it then solves.
            self._highs.clearSolver()
            answer = self._run(seconds, gap, watch)
        if answer is None:
            raise SolverFailed(ending(self._highs), next_step="try another tree.seed, and report the study")
        return answer

    def again(self) -> Answer:
        """Solve a linear program from the last basis: for thousands of small runs, so without clock, gap or watch.

        Raises:
            SolverFailed: HiGHS gave up, also after a second try from scratch.
        """
        for _ in range(2):
            self._highs.run()
            state = self._highs.getModelStatus()
            if state == highspy.HighsModelStatus.kOptimal:
                return self._linear_optimum()
            self._highs.clearSolver()
        if state == highspy.HighsModelStatus.kInfeasible:
            return Answer(Status.INFEASIBLE, None, np.inf, np.inf)
        name = self._highs.modelStatusToString(state)
        raise SolverFailed(f"HiGHS ended with {name!r}", next_step="try another seed, and report the study")

    def _linear_optimum(self) -> Answer:
        solution, objective = self._highs.getSolution(), self._highs.getInfo().objective_function_value
        return Answer(
            Status.OPTIMAL,
            np.array(solution.col_value),
            objective,
            objective,
            np.array(solution.row_dual),
        )

    def _run(self, seconds: float, gap: float, watch: Watch | None) -> Answer | None:
        highs = self._highs
        # Seen in HiGHS 1.15: the limit is on one run if variables must be whole, else on all runs together.
        highs.setOptionValue("time_limit", seconds if self._has_whole else highs.getRunTime() + seconds)
        highs.setOptionValue("mip_rel_gap", gap)
        subscription = _Subscription(highs, watch)
        with subscription:
            status = highs.run()
        if subscription.failure is not None:
            raise subscription.failure
        if status == highspy.HighsStatus.kError:
            return None
        return self._answer()

    def _answer(self) -> Answer | None:
        highs = self._highs
        state = highs.getModelStatus()
        info = highs.getInfo()
        solution = highs.getSolution()
        if state in (highspy.HighsModelStatus.kInfeasible, highspy.HighsModelStatus.kUnboundedOrInfeasible):
            return Answer(Status.INFEASIBLE, None, np.inf, np.inf)
        optimal = state == highspy.HighsModelStatus.kOptimal
        stopped = state in (
            highspy.HighsModelStatus.kTimeLimit,
            highspy.HighsModelStatus.kInterrupt,
            highspy.HighsModelStatus.kSolutionLimit,
            highspy.HighsModelStatus.kIterationLimit,
        )
        if not optimal and not stopped:
            return None
        feasible = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
        if not self._has_whole:
            if not optimal:
                return Answer(Status.STOPPED, None, np.inf, -np.inf)
            return self._linear_optimum()
        return Answer(
            Status.OPTIMAL if optimal else Status.STOPPED,
            np.array(solution.col_value) if feasible else None,
            info.objective_function_value if feasible else np.inf,
            info.mip_dual_bound,
        )


class _Subscription:
    """Calls ``watch`` from within a run, a few times a second, and stops the run when it says so or fails.

    Bounds only rise within a solve. One that falls was told of another program, such as a start being completed: what
    the watch took for a bound of the whole was none.
    """

    def __init__(self, highs: highspy.Highs, watch: Watch | None) -> None:
        self._highs = highs
        self._watch = watch
        self._last = 0.0
        self._stop = False
        self._bound = -np.inf
        self.failure: BaseException | None = None
        self._events = (highs.cbMipInterrupt, highs.cbSimplexInterrupt, highs.cbIpmInterrupt)

    def __enter__(self) -> None:
        if self._watch is not None:
            for event in self._events:
                event.subscribe(self._check)

    def __exit__(self, *_: object) -> None:
        if self._watch is not None:
            for event in self._events:
                event.unsubscribe(self._check)

    def _check(self, event: highspy.highs.HighsCallbackEvent) -> None:
        now = time.monotonic()
        whole = event.callback_type == highspy.cb.HighsCallbackType.kCallbackMipInterrupt
        bound, incumbent = -np.inf, np.inf
        if whole:
            bound, incumbent = event.data_out.mip_dual_bound, event.data_out.mip_primal_bound
            if bound < self._bound - FALLEN * abs(self._bound) and self.failure is None:
                told = f"HiGHS told a bound of {self._bound:g} and then one of {bound:g}: not both are of this program"
                self.failure, self._stop = SolverFailed(told, next_step="report it with the study"), True
        if not self._stop and now - self._last >= STEP_S:
            self._last = now
            self._bound = max(self._bound, bound)
            try:
                assert self._watch is not None
                self._stop = not self._watch(bound, incumbent)
            except BaseException as error:  # an exception must not cross the solver's C++ frames
                self.failure, self._stop = error, True
        if event.data_in is not None:
            event.data_in.user_interrupt = self._stop
