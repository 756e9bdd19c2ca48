"""``tenfold replay``: a recorded week under every policy, side by side."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tenfold.core.command import Json, whole
from tenfold.core.errors import UsageError
from tenfold.core.show import machine, record, talk

if TYPE_CHECKING:
    from tenfold.replay.compare import OnStep
    from tenfold.replay.rule import Rule

app = App(name="replay")


@app.default
def replay(
    week: Path,
    *,
    policy: Annotated[str, Parameter(help="Names with commas between, or all.")] = "all",
    seed: Annotated[int, whole("Of all that is made up.", least=0)] = 0,
    attain: Annotated[
        str, Parameter(help="Least attainment by family, e.g. llm=0.95,ranking=0.999; what bounds are made for.")
    ] = "",
    bounds: Annotated[
        bool | None, Parameter(help="Also find what no policy can exceed; by default where all are played.")
    ] = None,
    tune: Annotated[
        Path | None, Parameter(help="Tune every policy on this other week first, with the same budget; many minutes.")
    ] = None,
    dials: Annotated[
        list[str] | None,
        Parameter(help="A policy's dials in place of its own, e.g. kueue-like:llm=0.6,ranking=0.5; may be repeated."),
    ] = None,
    report: Annotated[Path | None, Parameter(help="Write a page with pictures here, e.g. replay.html.")] = None,
    json: Json = False,
) -> None:
    """Play WEEK, a week.toml, under each policy, and print what they made of it."""
    from tenfold.page.shelf import leave, write_page
    from tenfold.replay import show
    from tenfold.replay.compare import ALL, compare, compare_tuned, dials_of, find_bounds, rules, targets_of
    from tenfold.replay.page import SHELF
    from tenfold.replay.report import report as draw
    from tenfold.replay.summary import summary
    from tenfold.replay.week_file import load_week

    found = load_week(week, seed)
    targets = targets_of(found, _shares(attain))
    if tune is not None and dials:
        raise UsageError("--tune finds dials, and --dials gives them", next_step="leave one of them out")
    given = dials_of(dials or (), policy, targets)
    if tune is not None:
        other = load_week(tune, seed)
        with _trials(quiet=json) as on_trial:
            comparison = compare_tuned(found, other, policy, targets, on_trial=on_trial)
    else:
        policies = rules(policy, found, targets, given)
        with _progress(found.steps, policies, quiet=json) as on_step:
            comparison = compare(found, policies, targets, dials=given, on_step=on_step)
    if bounds if bounds is not None else policy == ALL:
        with _status("finding what no policy can exceed", quiet=json):
            comparison = find_bounds(comparison)
    page = draw(comparison)
    leave(SHELF, comparison.week.name, page)
    if report is not None:
        write_page(report, page, "--report")
    if json:
        machine(summary(comparison))
    else:
        show.comparison(comparison)
        if report is not None:
            talk.print(f"wrote {report}", markup=False)


@app.command
def example(folder: Path, *, json: Json = False) -> None:
    """Write a week to start from into FOLDER: week.toml, rates.csv and jobs.csv."""
    from tenfold.replay.shipped import write_example

    paths = write_example(folder)
    text = f"wrote {', '.join(str(path) for path in paths)}\nnext:  tenfold replay {paths[0]} --policy all"
    record({"files": [str(path.resolve()) for path in paths]}, text, json)


app.command("tenfold.replay.importing.command:import_", name="import")


def _shares(text: str) -> dict[str, float]:
    """``llm=0.95,ranking=0.999`` as a table."""
    shares = {}
    for part in filter(None, text.split(",")):
        family, _, value = part.partition("=")
        try:
            shares[family.strip()] = float(value)
        except ValueError:
            raise UsageError(f"--attain {part!r} is no family=share", next_step="write e.g. llm=0.95") from None
        if not 0 < shares[family.strip()] <= 1:
            raise UsageError(f"--attain {part!r}: a share lies above 0 and up to 1", next_step="write e.g. llm=0.95")
    return shares


@contextmanager
def _progress(steps: int, policies: Sequence["Rule"], *, quiet: bool) -> Iterator["OnStep"]:
    """A bar for each policy on standard error."""
    columns = (TextColumn("{task.description:<18}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
    with Progress(*columns, TimeElapsedColumn(), console=talk, disable=quiet or not talk.is_terminal) as bars:
        tasks = {policy.name: bars.add_task(policy.name, total=steps, start=False) for policy in policies}

        def on_step(name: str, step: int) -> None:
            if step == 0:
                bars.start_task(tasks[name])
            if step % 50 == 0 or step == steps - 1:
                bars.update(tasks[name], completed=step + 1)

        yield on_step


@contextmanager
def _trials(*, quiet: bool) -> Iterator[Callable[[str], None]]:
    """Which policy is being tuned, and how far."""
    counts: dict[str, int] = {}
    with talk.status("tuning") if talk.is_terminal and not quiet else nullcontext() as status:

        def on_trial(name: str) -> None:
            counts[name] = counts.get(name, 0) + 1
            if status is not None:
                status.update(f"tuning {name}: {counts[name]} replays")

        yield on_trial


@contextmanager
def _status(words: str, *, quiet: bool) -> Iterator[None]:
    if quiet or not talk.is_terminal:
        yield
        return
    with talk.status(words):
        yield
