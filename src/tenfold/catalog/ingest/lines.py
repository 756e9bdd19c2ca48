"""JSON lines that somebody wrote: questions to be answered, queries, passages."""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from tenfold.catalog.ingest.decode import decode
from tenfold.core.errors import UsageError

Read = TypeVar("Read", bound=BaseModel)


class Line(BaseModel):
    """A record of somebody's own file, where keys beside ours are left alone: a label, the answer hoped for."""

    model_config = ConfigDict(frozen=True, extra="ignore")


def read_lines(path: Path, kind: type[Read], example: str) -> list[Read]:
    """Read a file with a JSON object on each line; empty lines are skipped.

    Lines end where line feeds are: what else ends a line in Unicode (U+2028, U+0085) may stand inside of JSON's text.

    Args:
        path: the file.
        kind: what each line is.
        example: a line as it should be, for messages.

    Raises:
        UsageError: it is missing, or a line is something else; names the line.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"cannot read {path}: {error.strerror}", next_step=f"give a file with lines like {example}"
        ) from error
    found = []
    for number, line in enumerate(decode(content).split("\n"), 1):
        if not line.strip():
            continue
        try:
            found.append(kind.model_validate_json(line))
        except ValidationError as error:
            first = error.errors()[0]
            where = "".join(f"{each}: " for each in first["loc"])
            raise UsageError(
                f"{path}, line {number}: {where}{first['msg']}, in {line[:80]!r}", next_step=f"write {example}"
            ) from error
    return found
