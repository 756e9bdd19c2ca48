"""How a TOML file is read by its schema: every mistake is told with file and key."""

import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from tenfold.core.errors import UsageError
from tenfold.core.explain import explain, text_of

T = TypeVar("T", bound=BaseModel)


def read_toml(path: Path, schema: type[T], failure: type[UsageError], *, what: str, advice: str, keys: str) -> T:
    """Read a file.

    Args:
        path: of the file.
        schema: what it is read as.
        failure: what is raised.
        what: what the file is, for "cannot read ...".
        advice: the next step where it cannot be read.
        keys: where its keys are listed.

    Raises:
        failure: the file is missing, is not TOML, or has an unknown key or a bad value; names file and key.
    """
    try:
        table = tomllib.loads(text_of(path, failure, what=what, advice=advice))
    except tomllib.TOMLDecodeError as error:
        raise failure(f"{path} is not TOML: {error}", next_step=f"mend {path}") from error
    try:
        return schema.model_validate(table)
    except ValidationError as error:
        lines = [explain(schema, str(path), problem) for problem in error.errors()]
        raise failure("\n".join(lines), next_step=f"mend {path}; keys are listed in {keys}") from error
