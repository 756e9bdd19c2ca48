"""From a study file to the plan's table: CPU-seconds and gap; and build times against linopy, Pyomo and mpi-sppy.

    python bench/plan_speed.py [--seed 1] [--nodes 970] [--gap 0.005] [--seconds 300] [--no-peers]

The study is made up (`synthetic_study.py`): 12 half-years, 6 sites of 3 phases, 4 accelerators with leads of 1 to 3
periods, 3 workloads, rent. CPU-seconds are those of this process from reading the file to the printed table, on one
thread. *Build* is from study and tree until HiGHS holds the model; every builder starts from the same tree. That they
build the same model is checked on a small tree of the same study first, by the linear program's objective.

The default takes 75 s of one core, with all peers some 40 s more; the solve is cut off after --seconds. The last line
is one JSON object. A peer that is not installed (pip install -e '.[bench]') has null there.
"""

import argparse
import contextlib
import gc
import io
import json
import os
import platform
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

from rich.console import Console

from synthetic_study import synthetic_study, to_yaml
from tenfold.plan import show
from tenfold.plan.extensive import extensive
from tenfold.plan.highs import Solver
from tenfold.plan.model import Template, template
from tenfold.plan.plan import read_plan
from tenfold.plan.solve import Effort, Progress, solve
from tenfold.plan.solved import Solved
from tenfold.plan.study import Study
from tenfold.plan.study_file import load_study
from tenfold.plan.tree import Tree, grow

SAME = 1e-6
PEERS = ("linopy", "pyomo", "mpi-sppy")


def main() -> None:
    options = parse()
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}", end="")
    print("".join(f", {name} {version(name)}" for name in ("highspy", *PEERS) if has(name)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "study.yaml"
        path.write_text(to_yaml(synthetic_study(options.seed, nodes=options.nodes)))
        result = from_file_to_table(path, options)
        if options.peers:
            tell_missing()
            result |= compare(path, options.seed)
    print(json.dumps(result))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--nodes", type=int, default=970)
    parser.add_argument("--gap", type=float, default=0.005)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--no-peers", dest="peers", action="store_false")
    return parser.parse_args()


def has(package: str) -> bool:
    try:
        version(package)
    except ModuleNotFoundError:
        return False
    return True


def tell_missing() -> None:
    missing = [name for name in PEERS if not has(name)]
    if missing:
        words = f"{', '.join(missing)}: not installed, so null below; pip install -c constraints.txt -e '.[bench]'"
        print(words, file=sys.stderr)


def from_file_to_table(path: Path, options: argparse.Namespace) -> dict[str, object]:
    began, cpu = time.monotonic(), time.process_time()

    study = load_study(path)
    tree = grow(study)
    node = template(study, tree.demand_nK.max(axis=0))
    program = extensive(node, tree)
    ready = time.process_time() - cpu
    steps = Steps()
    print(f"file to program {ready:.2f} s of CPU; then", flush=True)
    solution = solve(program, node, tree, Effort(gap=options.gap, seconds=options.seconds), steps)
    if steps.last is not None:
        steps.print(steps.last)
    plan = read_plan(Solved(node, tree, program, solution))
    text = io.StringIO()
    show.plan(plan, Console(file=text, highlight=False))
    cpu_s, seconds = time.process_time() - cpu, time.monotonic() - began
    print(f"{text.getvalue().count(chr(10))} lines of table; {cpu_s:.1f} s of CPU, {seconds:.1f} s in all")
    return {
        "nodes": len(tree),
        "binaries": int(program.integer_C.sum()),
        "cpu_s": round(cpu_s, 1),
        "gap": round(solution.gap, 5),
    }


class Steps:
    """Prints how far each step has come, as it ends."""

    def __init__(self) -> None:
        self.last: Progress | None = None

    def __call__(self, progress: Progress) -> bool:
        if self.last is not None and progress.step != self.last.step:
            self.print(self.last)
        self.last = progress
        return True

    def print(self, progress: Progress) -> None:
        known = f"bound {progress.bound:12.1f}  plan {progress.incumbent:12.1f}  gap {progress.gap:7.3%}"
        print(f"  {progress.step:22} {known}  {progress.seconds:6.1f} s", flush=True)


def compare(path: Path, seed: int) -> dict[str, object]:
    small = synthetic_study(seed, nodes=30)
    check_all(small, grow(small))
    study = load_study(path)
    tree = grow(study)
    result: dict[str, object] = {}
    for name, build in BUILDERS.items():
        result[f"{name}_s"] = None
        if build is not None:
            gc.collect()
            cpu = time.process_time()
            with quiet():
                build(study, tree)
            result[f"{name}_s"] = round(time.process_time() - cpu, 3)
        print(f"{name}: {result[f'{name}_s']} s of CPU")
    return result


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep the solver's banner, which peers cannot switch off, off the screen; it is written below Python."""
    sys.stdout.flush()
    stdout = os.dup(1)
    try:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
        yield
    finally:
        sys.stdout.flush()
        os.dup2(stdout, 1)
        os.close(stdout)


def build_ours(study: Study, tree: Tree) -> float:
    program = extensive(node_of(study, tree), tree)
    solver = Solver(program)
    solver.whole(program.integer_C)
    return 0.0


def build_linopy(study: Study, tree: Tree) -> object:
    import plan_linopy

    model, constant = plan_linopy.build(study, tree)
    return model.to_highspy(), constant


def build_pyomo(study: Study, tree: Tree) -> object:
    from pyomo.contrib.appsi.solvers import Highs

    import plan_pyomo

    solver = Highs()
    solver.set_instance(plan_pyomo.build(node_of(study, tree), tree))
    return solver


def build_mpisppy(study: Study, tree: Tree) -> object:
    from pyomo.contrib.appsi.solvers import Highs

    import plan_pyomo

    with contextlib.redirect_stdout(io.StringIO()):
        from mpisppy.utils.sputils import create_EF

        arguments = {"template": node_of(study, tree), "tree": tree}
        form = create_EF(plan_pyomo.scenario_names(tree), plan_pyomo.scenario_creator, arguments)
    solver = Highs()
    solver.set_instance(form)
    return solver


BUILDERS: dict[str, Callable[[Study, Tree], object] | None] = {
    "build": build_ours,
    "linopy_build": build_linopy if has("linopy") else None,
    "pyomo_build": build_pyomo if has("pyomo") else None,
    "mpisppy_build": build_mpisppy if has("mpi-sppy") else None,
}


def node_of(study: Study, tree: Tree) -> Template:
    return template(study, tree.demand_nK.max(axis=0))


def check_all(study: Study, tree: Tree) -> None:
    """All builders' linear programs have the same objective; imports are paid for here, not in the comparison."""
    node = node_of(study, tree)
    ours = Solver(extensive(node, tree)).run().objective
    unit = node.columns.money_unit_usd
    found = {"build": ours}
    if has("linopy"):
        with quiet():
            highs, constant = build_linopy(study, tree)
        highs.setOptionValue("output_flag", False)
        highs.setOptionValue("solve_relaxation", True)
        highs.run()
        found["linopy_build"] = (highs.getObjectiveValue() + constant) / unit
    for name in ("pyomo_build", "mpisppy_build"):
        build = BUILDERS[name]
        if build is not None:
            with quiet():
                solver = build(study, tree)
            solver._solver_model.setOptionValue("output_flag", False)
            solver._solver_model.setOptionValue("solve_relaxation", True)
            solver._solver_model.run()
            found[name] = solver._solver_model.getObjectiveValue()
    for name, objective in found.items():
        assert abs(objective - ours) <= SAME * abs(ours), f"{name} builds another model: {objective} != {ours}"
    print(f"same objective on {len(tree)} nodes: {', '.join(found)}")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
