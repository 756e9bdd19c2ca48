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


def grid(*columns: str, title: str = "", words: int | None = None, folding: Collection[str] | None = None) -> Table:
    """A table without rules, to print.

    Args:
        columns: their headings.
        title: above it, behind an empty line.
        words: so many columns hold words; those behind them hold figures, set to the right. Default: all hold words.
        folding: columns that fold their cells where the table is too wide; default: all do.
    """
    over = f"\n{title}" if title else None
    table = Table(box=None, header_style="bold", pad_edge=False, title=over, title_justify="left")
    for place, column in enumerate(columns):
        table.add_column(
            column,
            justify="left" if words is None or place < words else "right",
            no_wrap=folding is not None and column not in folding,
            overflow="fold",
        )
    return table
