"""Fetch and prepare everything that a pool needs before it starts: models, data, tokenizer, ranker.

The work runs in a child process, because it imports torch, which the supervisor does not need; the child prints JSON
lines, the parent draws them.
"""

import json
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from tenfold import wiring
from tenfold.core.assets import AssetStatus
from tenfold.core.errors import AssetError
from tenfold.core.frozen import Frozen
from tenfold.pool.need import Need


class AssetRow(Frozen):
    """One thing that a pool needs, and whether it is there."""

    name: str
    purpose: str
    source: str
    license: str
    status: AssetStatus


class Step(Frozen):
    """Progress of one preparation, 0 to 1."""

    name: str
    text: str
    share: float


class Failure(Frozen):
    """Why preparation stopped."""

    error: str
    next_step: str


def needs() -> list[Need]:
    """All that the workloads and products need, in the order in which it is made; what several need once."""
    found = {need.name: need for each in (*wiring.WORKLOADS, *wiring.PRODUCTS) for need in each.needs}
    return list(found.values())


def inventory(cache: Path, *, quick: bool) -> list[AssetRow]:
    """List what a pool needs; what it loads is hashed, what that is made from as well unless ``quick``."""
    return [
        AssetRow(
            name=need.name,
            purpose=need.purpose,
            source=need.source,
            license=need.license,
            status=need.status(cache, quick),
        )
        for need in needs()
    ]


def ensure(cache: Path, console: Console, *, quick: bool = True) -> None:
    """Fetch and make what is missing or damaged, with progress bars; what is damaged is set aside, and said.

    Raises:
        AssetError: something could not be fetched or made.
    """
    rows = inventory(cache, quick=quick)
    for row in rows:
        if row.status == "damaged":
            console.print(f"  {row.name} is damaged; it is set aside and made again", style="red", markup=False)
    if all(row.status == "present" for row in rows):
        return
    columns = (TextColumn("  {task.fields[label]:<12}"), BarColumn(30), TextColumn("{task.description}"))
    with Progress(*columns, TimeElapsedColumn(), console=console) as bars:
        _run_child(cache, bars)


def _run_child(cache: Path, bars: Progress) -> None:
    command = [sys.executable, "-m", "tenfold.cli.prepare", str(cache)]
    tasks: dict[str, TaskID] = {}
    failure: Failure | None = None
    # Errors go to a file: a pipe that nobody reads meanwhile would stop the child when it is full.
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as child,
    ):
        assert child.stdout is not None
        try:
            for line in child.stdout:
                table = json.loads(line)
                if "error" in table:
                    failure = Failure.model_validate(table)
                    continue
                step = Step.model_validate(table)
                if step.name not in tasks:
                    tasks[step.name] = bars.add_task("", total=1.0, label=step.name)
                bars.update(tasks[step.name], completed=step.share, description=step.text)
            child.wait()
        finally:
            child.terminate()
        errors.seek(0)
        said = errors.read()
    if failure is not None:
        raise AssetError(failure.error, next_step=failure.next_step)
    if child.returncode != 0:
        raise AssetError(f"preparation ended with {child.returncode}:\n{said}", next_step="run 'tenfold assets'")


def main() -> None:
    """Prepare the cache named in the first argument; prints ``Step``s and at most one ``Failure`` as JSON lines."""
    cache = Path(sys.argv[1])

    def say(name: str, description: str, share: float) -> None:
        print(Step(name=name, text=description, share=share).model_dump_json(), flush=True)

    try:
        for need in needs():
            need.make(cache, partial(say, need.name))
    except AssetError as error:
        print(Failure(error=str(error), next_step=error.next_step).model_dump_json(), flush=True)


if __name__ == "__main__":
    main()
