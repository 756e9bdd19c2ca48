"""``run.toml``: what is trained, how, and on which data. Imports no torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from tenfold.core.errors import UsageError
from tenfold.core.frozen import Frozen
from tenfold.core.toml_file import read_toml
from tenfold.llama.recipe import RUN_NAME, ModelShape, Recipe

KEYS = "docs/train.md"


class RunFileError(UsageError):
    """A run file has an unknown key or a value out of range."""


@dataclass(frozen=True, slots=True)
class RunFile:
    """One run that is asked for.

    ``data``: the prepared folder; none for the source text of Python's standard library, which is made where needed.
    """

    name: str
    recipe: Recipe
    data: Path | None = None


class DataChoice(Frozen):
    """``[data]``."""

    folder: Path | None = Field(
        None, description="prepared data ('tenfold data build'), from the file's folder; none: Python's own source text"
    )


class _RunTable(Frozen):
    """The file as a table."""

    name: str | None = Field(None, pattern=RUN_NAME, description="of the run; default: the file's name")
    model: ModelShape = ModelShape()
    train: Recipe = Recipe()
    data: DataChoice = DataChoice()

    @model_validator(mode="after")
    def _model_has_its_table(self) -> Self:
        if "model" in self.train.model_fields_set:
            raise ValueError("train.model has no place here; the model's sizes are in [model]")
        return self


def read_run_file(path: Path) -> RunFile:
    """Read a run file.

    Raises:
        RunFileError: it is missing, is not TOML, or has an unknown key or a bad value; names file and key.
    """
    table = read_toml(
        path, _RunTable, RunFileError, what="the run file", advice=f"write one; {KEYS} shows how", keys=KEYS
    )
    recipe = table.train.model_copy(update={"model": table.model} if "model" in table.model_fields_set else {})
    folder = table.data.folder
    return RunFile(table.name or path.stem, recipe, None if folder is None else path.parent / folder)
