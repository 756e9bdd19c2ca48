"""``tenfold plan``: solve a study, follow its plan along unseen futures, compare plans, show an example."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from tenfold.core.command import Json, whole
from tenfold.core.errors import UsageError
from tenfold.core.show import machine, record, talk

if TYPE_CHECKING:
    from tenfold.plan.solve import Progress
    from tenfold.plan.study import Study

app = App(name="plan")
TOLD_EVERY_S = 5.0

Gap = Annotated[float, Parameter(help="Stop a solve when it is proven this close to the best.")]
Threads = Annotated[int, whole("Threads for the solver.", least=1)]
Nodes = Annotated[int | None, whole("Nodes of the scenario tree, in place of the study's.")]


@app.command
def solve(
    study: str,
    *,
    output: Annotated[
        Path | None, Parameter(name=["--output", "-o"], help="Write the plan here, e.g. plan.json.")
    ] = None,
    gap: Gap = 0.005,
    seconds: Annotated[float, Parameter(help="Or after about so many seconds, the values included.")] = 55.0,
    threads: Threads = 1,
    nodes: Nodes = None,
    worth: Annotated[bool, Parameter(help="Also find what fungibility, staging, ... are worth.")] = True,
    json: Json = False,
) -> None:
    """Print what to do, when, what it costs and what can go wrong; Ctrl-C keeps the best plan so far.

    STUDY is the path of a study.yaml, or the name of an example.
    """
    from tenfold.page.shelf import leave
    from tenfold.plan import show
    from tenfold.plan.page import SHELF
    from tenfold.plan.plan import make_plan
    from tenfold.plan.report import report as draw
    from tenfold.plan.solve import Effort

    _check_effort(gap, seconds)
    if output is not None:
        _check_writable(output, "plan", "--output")
    found = _study(study, nodes)
    with _progress(quiet=json) as report:
        plan = make_plan(found, Effort(gap=gap, seconds=seconds, threads=threads), report, worth=worth, follow=worth)
    leave(SHELF, plan.study.name, draw(plan))
    if output is not None:
        plan.save(output)
    if json:
        machine(plan)
    else:
        show.plan(plan)
        if output is not None:
            talk.print(f"wrote {output}", markup=False)


@app.command
def report(
    plan: Path,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"], help="Write the page here.")] = Path("plan.html"),
    json: Json = False,
) -> None:
    """Write a plan as one page with pictures, which opens anywhere and asks the network for nothing."""
    from tenfold.page.shelf import write_page
    from tenfold.plan.report import report as draw
    from tenfold.plan.result import load_plan

    page = draw(load_plan(plan))
    write_page(output, page, "--output")
    record({"page": str(output.resolve()), "bytes": len(page.encode())}, f"wrote {output}", json)


@app.command
def diff(old: Path, new: Path, *, json: Json = False) -> None:
    """Show what changed from one plan to the next; exits 0 if nothing did, 3 if something did."""
    from tenfold.plan import show_diff
    from tenfold.plan.diff import diff as compare
    from tenfold.plan.result import load_plan

    changes = compare(load_plan(old), load_plan(new))
    if json:
        machine(changes)
    else:
        show_diff.changes(changes)
    if changes:
        sys.exit(3)


@app.command
def backtest(
    study: str,
    actual: str | None = None,
    *,
    seconds: Annotated[float, Parameter(help="For each solve.")] = 20.0,
    nodes: Nodes = None,
    json: Json = False,
) -> None:
    """Score a study's plan on what happened since: its fan, its triggers, and what its policy would have done.

    STUDY and ACTUAL are paths; or STUDY alone is the name of an example that ships with its actuals.
    """
    from tenfold.plan import show_backtest
    from tenfold.plan.backtest import backtest as score
    from tenfold.plan.shipped import find_actual, names_with_actuals
    from tenfold.plan.solve import Effort

    if not seconds > 0:
        raise UsageError("--seconds must be above 0")
    if actual is None and study not in names_with_actuals():
        raise UsageError(
            f"there are no actuals for {study!r}",
            next_step="give the path of an actual.yaml too (keys in docs/plan-backtest.md); with actuals come: "
            + ", ".join(names_with_actuals()),
        )
    result = score(_study(study, nodes), find_actual(actual or study), Effort(seconds=seconds))
    if json:
        machine(result)
    else:
        show_backtest.backtest(result)


@app.command
def simulate(
    study: str,
    *,
    futures: Annotated[int, whole("How many futures to follow the plan along.", least=2)] = 1000,
    seed: Annotated[int, whole("Of the futures.", least=0)] = 1,
    report: Annotated[Path | None, Parameter(help="Write a page with pictures here, e.g. simulation.html.")] = None,
    seconds: Annotated[float, Parameter(help="For each of two solves: the plan, and the static one.")] = 20.0,
    threads: Threads = 1,
    nodes: Nodes = None,
    json: Json = False,
) -> None:
    """Follow the plan of STUDY along futures that it has not seen: what it costs made anew every period, and not.

    STUDY is the path of a study.yaml, or the name of an example.
    """
    from tenfold.page.shelf import leave, write_page
    from tenfold.plan import show_simulation
    from tenfold.plan import simulate as unseen
    from tenfold.plan.page import SHELF
    from tenfold.plan.simulation_report import report as draw
    from tenfold.plan.solve import Effort

    if not seconds > 0:
        raise UsageError("--seconds must be above 0")
    if report is not None:
        _check_writable(report, "page", "--report")
    found = _study(study, nodes)
    with show_simulation.bar(talk, quiet=json) as told:
        result = unseen.simulate(found, futures, seed, Effort(seconds=seconds, threads=threads), told)
    page = draw(result)
    leave(SHELF, f"{found.name}, simulated", page)
    if report is not None:
        write_page(report, page, "--report")
    if json:
        machine(result)
    else:
        show_simulation.simulation(result)
        if report is not None:
            talk.print(f"wrote {report}", markup=False)


@app.command
def stability(
    study: str,
    *,
    seeds: Annotated[int, whole("How many trees to try.", least=2)] = 4,
    gap: Gap = 0.005,
    seconds: Annotated[float, Parameter(help="Time for all solves together, about.")] = 120.0,
    threads: Threads = 1,
    json: Json = False,
) -> None:
    """Solve STUDY on trees of several seeds: do cost and what to do now depend on the tree?"""
    from tenfold.plan import show
    from tenfold.plan import stability as over_trees
    from tenfold.plan.solve import Effort

    _check_effort(gap, seconds)
    found = _study(study)
    with _progress(quiet=json) as report:
        effort = Effort(gap=gap, seconds=seconds, threads=threads)
        first = found.tree.seed
        trials = over_trees.stability(found, range(first, first + seeds), effort, report, follow=True)
    if json:
        machine([show.trial_record(trial) for trial in trials])
    else:
        show.stability(trials)


@app.command
def example(name: str = "two-racks") -> None:
    """Print a study to start from: two-racks, or meta-2024-07."""
    from tenfold.plan.shipped import text

    sys.stdout.write(text(name))


def _check_effort(gap: float, seconds: float) -> None:
    if not 0 < gap < 1 or not seconds > 0:
        raise UsageError("--gap must lie between 0 and 1, --seconds above 0")


def _check_writable(output: Path, what: str, option: str) -> None:
    """Refuse before the solve, not after it.

    Raises:
        UsageError: it could not be written there.
    """
    if (
        output.is_dir()
        or not output.parent.is_dir()
        or not os.access(output if output.exists() else output.parent, os.W_OK)
    ):
        raise UsageError(
            f"cannot write the {what} to {str(output)!r}", next_step=f"give {option} a file in a folder that is there"
        )


def _study(path_or_name: str, nodes: int | None = None) -> "Study":
    """A study, with another number of nodes if asked; tells what in it has no effect."""
    from tenfold.plan.dates import remarks
    from tenfold.plan.shipped import find_study
    from tenfold.plan.study import MOST_NODES

    study = find_study(path_or_name)
    for remark in remarks(study):
        talk.print(f"note: {remark}", markup=False, style="yellow", soft_wrap=True)
    if nodes is None:
        return study

    if nodes < study.periods:
        raise UsageError(f"--nodes {nodes} is less than one per period", next_step=f"give at least {study.periods}")
    if nodes > MOST_NODES:
        raise UsageError(f"--nodes {nodes} is more than a tree may have", next_step=f"give at most {MOST_NODES}")
    return study.model_copy(update={"tree": study.tree.model_copy(update={"nodes": nodes})})


@contextmanager
def _progress(*, quiet: bool) -> Iterator["_Reporter"]:
    """Show bound, incumbent, gap and seconds while solving; a first Ctrl-C asks to stop, a second stops at once."""
    reporter = _Reporter(quiet)
    before = signal.signal(signal.SIGINT, reporter.interrupt)
    try:
        yield reporter
    finally:
        signal.signal(signal.SIGINT, before)
        reporter.close()


class _Reporter:
    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._stop = False
        self._last = 0.0
        self._status = None if quiet or not talk.is_terminal else talk.status("growing the tree")
        if self._status is not None:
            self._status.start()

    def __call__(self, progress: "Progress") -> bool:
        from tenfold.page.figures import usd

        now = time.monotonic()
        line = f"{progress.step}: {progress.seconds:.0f} s"
        if progress.gap != float("inf"):
            bound, incumbent = progress.bound * progress.unit_usd, progress.incumbent * progress.unit_usd
            line += f", bound {usd(bound)}, incumbent {usd(incumbent)}, gap {progress.gap:.2%}"
        if self._status is not None:
            self._status.update(line)
        elif not self._quiet and now - self._last > TOLD_EVERY_S:
            self._last = now
            talk.print(line, markup=False, style="dim", soft_wrap=True)
        return not self._stop

    def interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._stop:
            raise KeyboardInterrupt
        self._stop = True
        talk.print("stopping with the best plan so far; Ctrl-C again gives it up", markup=False)

    def close(self) -> None:
        if self._status is not None:
            self._status.stop()
