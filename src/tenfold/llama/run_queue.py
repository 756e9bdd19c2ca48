"""Runs that wait for the pool, in a folder of its home: it trains them one after another, then the run of its settings.

Each is a record in ``train-queue/``, in the order of its names. The pool takes it out once the run has ended; where it
gave the run up, it leaves the reason under the same name. Whoever put one in may take it out. Imports no torch.
"""

from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from tenfold.core.errors import Damaged
from tenfold.core.paths import replace_file
from tenfold.core.sound import read_record, set_aside, write_record
from tenfold.llama.progress import Record
from tenfold.llama.recipe import RUN_NAME, Recipe
from tenfold.llama.run_file import RunFile

FOLDER = "train-queue"
WAITING, GIVEN_UP = ".json", ".given-up"


class Waiting(Record):
    """A run that waits: what a run file says."""

    name: str = Field(pattern=RUN_NAME)
    recipe: Recipe
    data: Path | None


def enqueue(home: Path, run: RunFile) -> Path:
    """Put a run behind those that wait; returns its place, which is there until it has ended."""
    folder = home / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    numbers = [int(path.name.partition("-")[0]) for path in folder.glob("*-*")]
    place = folder / f"{max(numbers, default=0) + 1:06d}-{run.name}{WAITING}"
    data = None if run.data is None else run.data.resolve()
    write_record(place, Waiting(name=run.name, recipe=run.recipe, data=data))
    return place


def first_waiting(home: Path) -> tuple[Path, Waiting] | None:
    """Place and run of the first that waits; none if none does. What is damaged is set aside."""
    return next(_waiting(home), None)


def _waiting(home: Path) -> Iterator[tuple[Path, Waiting]]:
    for place in sorted((home / FOLDER).glob(f"*{WAITING}")):
        try:
            yield place, read_record(place, Waiting)
        except FileNotFoundError:
            continue
        except Damaged as error:
            set_aside(place, error.cause, "the run is not trained")


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
