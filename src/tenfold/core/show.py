"""How every command prints: data on standard output, as a table or as JSON; talk on standard error."""

import sys
from collections.abc import Collection, Mapping

from rich.console import Console
from rich.table import Table

out = Console(highlight=False)
talk = Console(stderr=True, highlight=False)


def machine(data: object) -> None:
    """Print one JSON value on one line."""
    import orjson

    sys.stdout.write(orjson.dumps(data, default=_plain).decode() + "\n")
    sys.stdout.flush()


def _plain(value: object) -> object:
    # As an import at the top it would take a tenth of a second from every `--help`.
    from pydantic import BaseModel

    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return str(value)


def record(data: Mapping[str, object], text: str, json: bool) -> None:
    """Print one fact."""
    if json:
        machine(data)
    else:
        out.print(text, markup=False)


def grid(*columns: str, folding: Collection[str] | None = None) -> Table:
    """A table without rules, to print; where it is wide, the columns in ``folding`` fold their cells, or all do."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=folding is not None and column not in folding)
    return table
