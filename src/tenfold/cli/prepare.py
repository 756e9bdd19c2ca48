"""Fetch and prepare everything that a pool needs before it starts: models, data, tokenizer, ranker.

The work runs in a child process, because it imports torch, which the supervisor does not need; the child prints JSON
lines, the parent draws them.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from tenfold.core import assets
from tenfold.core.errors import AssetError, Damaged, OfAnotherVersion
from tenfold.llama import text
from tenfold.rank import artifact
from tenfold.rank.recipe import DATA
from tenfold.serve.model import SMOLLM2, check_smollm2, prepare_smollm2

ASSETS = (SMOLLM2, DATA)


Status = Literal["present", "missing", "damaged"]


class AssetRow(BaseModel):
    """One thing that a pool needs, and whether it is there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    purpose: str
    source: str
    license: str
    status: Status


class Step(BaseModel):
    """Progress of one preparation, 0 to 1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    text: str
    share: float


class Failure(BaseModel):
    """Why preparation stopped."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    error: str
    next_step: str


def inventory(cache: Path, *, quick: bool) -> list[AssetRow]:
    """List what a pool needs; what it loads is hashed, what that is made from as well unless ``quick``."""
    status: dict[str, Status] = {asset.name: assets.check(asset, cache, quick=quick).value for asset in ASSETS}
    if status[SMOLLM2.name] == "present":
        status[SMOLLM2.name] = check_smollm2(cache, anew=True).value
    rows = [
        AssetRow(
            name=asset.name,
            purpose=asset.purpose,
            source=f"{asset.package} {asset.version}",
            license=asset.license,
            status=status[asset.name],
        )
        for asset in ASSETS
    ]
    made: list[tuple[str, str, str, str, Callable[[], object]]] = [
        (
            "stdlib-text",
            "training text and tokenizer",
            "this Python's standard library",
            "PSF-2.0",
            lambda: _check_text(cache / "train" / text.TextSource().key()),
        ),
        (
            "ranker",
            "trained ranking model",
            "made from ml-100k",
            "Apache-2.0",
            lambda: artifact.read_tensors(cache, artifact.describe(cache)),
        ),
    ]
    for name, purpose, source, license_name, find in made:
        found: Status = "present"
        try:
            find()
        except OfAnotherVersion:
            found = "missing"
        except Damaged:
            found = "damaged"
        except AssetError:
            found = "missing"
        rows.append(AssetRow(name=name, purpose=purpose, source=source, license=license_name, status=found))
    return rows


def _check_text(folder: Path) -> None:
    if not folder.exists():
        raise AssetError(f"the training text has not been made: {folder} is missing", next_step="run 'tenfold up'")
    text.check_text(folder)


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

    def fetching(progress: assets.Progress) -> None:
        total = progress.total_bytes or 0
        size = f" {progress.done_bytes / 1e6:.0f} of {total / 1e6:.0f} MB" if total else ""
        share = 1.0 if progress.stage == "done" else (progress.done_bytes / total if total else 0.0)
        say(progress.asset, f"{progress.stage}{size}", share)

    from tenfold.rank.train import prepare_ranker

    try:
        for asset in ASSETS:
            assets.fetch(asset, cache, fetching)
        say(SMOLLM2.name, "converting to Q8_0", 1.0)
        prepare_smollm2(cache, anew=True)
        say(SMOLLM2.name, "done", 1.0)
        text.prepare(cache, lambda description, share: say("stdlib-text", description, share))
        prepare_ranker(cache, lambda description, share: say("ranker", description, share))
        say("ranker", "ready", 1.0)
    except AssetError as error:
        print(Failure(error=str(error), next_step=error.next_step).model_dump_json(), flush=True)


if __name__ == "__main__":
    main()
