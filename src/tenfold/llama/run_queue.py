"""Runs that wait for the pool, in a folder of its home: it trains them one after another, then the run of its settings.

Each is a record in ``train-queue/``, in the order of its names. The pool takes it out once the run has ended; where it
gave the run up, it leaves the reason under the same name. Whoever put one in may take it out. Imports no torch.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from tenfold.core.errors import Damaged, UsageError
from tenfold.core.paths import replace_file
from tenfold.core.sound import read_record, set_aside, write_record
from tenfold.llama.progress import Record
from tenfold.llama.recipe import Recipe
from tenfold.llama.run_file import RunFile

FOLDER = "train-queue"
WAITING, GIVEN_UP = ".json", ".given-up"
NAME = r"^[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}$"
"""Of a run that waits. A prediction's run is named as in ``next-4e+13``."""
NUMBERED = re.compile(r"(\d+)-")
"""How the name of a place begins; what a killed process left half written begins with a dot."""


class Waiting(Record):
    """A run that waits: what a run file says."""

    name: str = Field(pattern=NAME)
    recipe: Recipe
    data: Path | None


def enqueue(home: Path, run: RunFile) -> Path:
    """Put a run behind those that wait; returns its place, which is there until it has ended.

    Raises:
        UsageError: its name is none that a file can have.
    """
    if not re.fullmatch(NAME, run.name):
        raise UsageError(
            f"a run named {run.name!r} cannot wait for the pool",
            next_step="name it by letters, digits and _.+- only, or train it with --here",
        )
    folder = home / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    numbers = [int(found[1]) for path in folder.iterdir() if (found := NUMBERED.match(path.name))]
    place = folder / f"{max(numbers, default=0) + 1:06d}-{run.name}{WAITING}"
    data = None if run.data is None else run.data.resolve()
    write_record(place, Waiting(name=run.name, recipe=run.recipe, data=data))
    return place


def first_waiting(home: Path) -> tuple[Path, Waiting] | None:
    """Place and run of the first that waits; none if none does. What is damaged is set aside, and given up."""
    return next(_waiting(home), None)


def _waiting(home: Path) -> Iterator[tuple[Path, Waiting]]:
    for place in sorted((home / FOLDER).glob(f"*{WAITING}")):
        if ".damaged-" in place.name:
            # The note beside one that was set aside.
            continue
        try:
            yield place, read_record(place, Waiting)
        except FileNotFoundError:
            continue
        except Damaged as error:
            # Workers look too; one of all tells.
            if set_aside(place, error.cause, "the run is not trained") is not None:
                give_up(place, f"its place among those that wait was damaged: {error.cause}")


def give_up(place: Path, why: str) -> None:
    """Take a run out that cannot be trained, and leave the reason."""
    replace_file(place.with_suffix(GIVEN_UP), why.encode())
    place.unlink(missing_ok=True)


def why_given_up(place: Path) -> str:
    """Why the run that had this place was given up, which is then forgotten; empty if it was not."""
    try:
        why = place.with_suffix(GIVEN_UP).read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    place.with_suffix(GIVEN_UP).unlink(missing_ok=True)
    return why
