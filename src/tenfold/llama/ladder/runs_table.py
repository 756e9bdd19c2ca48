"""``runs.csv``: training runs as anyone has them, one row per run and token count.

Columns ``run, params, tokens, flops, loss``: parameters without embeddings, tokens trained on, training FLOPs, and the
final loss, in any unit above zero. Any one of params, tokens and flops may be left out, for the whole file or for a
row; it follows from ``flops = 6 x params x tokens``. Rows with the same ``run`` are one training run at several token
counts (branches of one trunk). Rows without a loss, or whose loss is no finite number (runs that diverged), are left
out and told. Other columns are left alone. Cells are separated by comma, semicolon or tab.

Shape letter: R rows.
"""

import csv
import hashlib
import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tenfold.core.errors import UsageError

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

FLOPS_PER_PARAM_AND_TOKEN = 6.0
COLUMNS = ("run", "params", "tokens", "flops", "loss")
AMOUNTS = ("params", "tokens", "flops")
SHOWN_LINES = 10
_GROUPED = re.compile(r"\d{1,3}(,\d{3}){2,}(\.\d+)?")
"""As spreadsheets write large numbers: ``27,386,128``. With one comma it may be a decimal one: a loss of ``2,571``."""


class RunsError(UsageError):
    """``runs.csv`` cannot be read; names the file, the line and what would be right."""


@dataclass(frozen=True, slots=True)
class RunsTable:
    """Runs as arrays; each amount is above zero and finite. ``left_out``: rows without a loss, each with why."""

    names: tuple[str, ...]
    params_R: Floats
    tokens_R: Floats
    flops_R: Floats
    loss_R: Floats
    left_out: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    def only(self, keep_R: Mask) -> Self:
        """The rows of a mask."""
        return type(self)(
            tuple(name for name, keep in zip(self.names, keep_R, strict=True) if keep),
            self.params_R[keep_R],
            self.tokens_R[keep_R],
            self.flops_R[keep_R],
            self.loss_R[keep_R],
        )

    def up_to(self, flops: float) -> Self:
        """The rows of at most so many FLOPs, give or take rounding."""
        return self.only(self.flops_R <= flops * 1.001)

    @property
    def clusters_R(self) -> NDArray[np.int64]:
        """Number of the run that each row belongs to."""
        return np.unique(np.array(self.names), return_inverse=True)[1].astype(np.int64)


def load_runs(path: Path) -> RunsTable:
    """Read a file of runs.

    Raises:
        RunsError: the file is missing, lacks a column, has no run with a loss, or a row that cannot be; up to ten are
            named.
    """
    return parse_runs(text_of_runs(path), str(path))


def text_of_runs(path: Path) -> str:
    """The text of a file of runs.

    Raises:
        RunsError: it cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RunsError(f"cannot read {str(path)!r}: {error}", next_step=_form()) from error


def sha256_of_runs(text: str) -> str:
    """Digest of a file of runs: a prediction names what it was made from."""
    return hashlib.sha256(text.encode()).hexdigest()


def parse_runs(text: str, origin: str = "runs.csv") -> RunsTable:
    """Make a table of CSV text; ``origin`` is the name that errors give it.

    Raises:
        RunsError: as ``load_runs``.
    """
    separator = max(",;\t", key=text.lstrip().partition("\n")[0].count)
    reader = csv.DictReader(io.StringIO(text), skipinitialspace=True, delimiter=separator)
    header = [(name or "").strip().lower() for name in reader.fieldnames or ()]
    reader.fieldnames = header
    missing = {"run", "loss"} - set(header)
    known = [name for name in AMOUNTS if name in header]
    if missing or len(known) < 2:
        lacking = ", ".join(sorted(missing)) or f"two of params, tokens, flops (it has {', '.join(known) or 'none'})"
        raise RunsError(f"{origin} lacks the columns {lacking}", next_step=_form())
    rows, left_out, problems = [], [], []
    for row in reader:
        if not any((value or "").strip() for value in row.values() if isinstance(value, str)):
            continue
        if why := _without_loss(row):
            left_out.append(f"{origin}:{reader.line_num}: {why}")
            continue
        try:
            rows.append(_row(row))
        except ValueError as error:
            problems.append(f"{origin}:{reader.line_num}: {error}")
    if problems:
        raise RunsError("\n".join(shown(problems)), next_step=_form())
    if not rows:
        without = f" with a loss; {len(left_out)} without one" if left_out else ""
        raise RunsError(f"{origin} has no runs{without}", next_step=_form())
    names, amounts = zip(*rows, strict=True)
    params_R, tokens_R, flops_R, loss_R = (np.array(column) for column in zip(*amounts, strict=True))
    return RunsTable(names, params_R, tokens_R, flops_R, loss_R, tuple(left_out))


def shown(lines: Sequence[str]) -> list[str]:
    """What is told of lines of a table: the first ten, and how many more there are."""
    more = len(lines) - SHOWN_LINES
    return [*lines[:SHOWN_LINES], *([f"and {more} more lines"] if more > 0 else [])]


def _without_loss(row: dict[str, str | None]) -> str:
    """Why a row tells of no loss that was reached; nothing if it does."""
    written = (row["loss"] or "").strip()
    if not written:
        return "loss is empty"
    try:
        return "" if math.isfinite(float(written)) else f"loss is {written}"
    except ValueError:
        return ""


def _row(row: dict[str, str | None]) -> tuple[str, tuple[float, float, float, float]]:
    if None in row:
        raise ValueError("there are more values than columns")
    name = (row["run"] or "").strip()
    if not name:
        raise ValueError("run is empty: give each training run a name")
    loss = _number("loss", row["loss"])
    assert loss is not None, "rows without a loss are left out"
    found = {column: _number(column, row.get(column)) for column in AMOUNTS}
    params, tokens, flops = (found[column] for column in AMOUNTS)
    if params is not None and tokens is not None:
        flops = flops if flops is not None else FLOPS_PER_PARAM_AND_TOKEN * params * tokens
    elif flops is not None and params is not None:
        tokens = flops / (FLOPS_PER_PARAM_AND_TOKEN * params)
    elif flops is not None and tokens is not None:
        params = flops / (FLOPS_PER_PARAM_AND_TOKEN * tokens)
    if params is None or tokens is None or flops is None:
        given = [column for column in AMOUNTS if found[column] is not None]
        raise ValueError(f"two of params, tokens and flops are needed, {', '.join(given) or 'none'} is there")
    return name, (params, tokens, flops, loss)


def _number(column: str, written: str | None) -> float | None:
    text = (written or "").strip()
    if not text:
        return None
    try:
        value = float(text.replace("," if _GROUPED.fullmatch(text) else "_", ""))
    except ValueError as error:
        message = f"{column} is {text!r}, not a number (write 7e9 for 7 billion, and decimals after a point)"
        raise ValueError(message) from error
    if not math.isfinite(value) or value <= 0:
        raise ValueError(f"{column} is {text}; it must be above 0 and finite")
    return value


def _form() -> str:
    return f"write CSV with the columns {', '.join(COLUMNS)}, two of params, tokens and flops in each row"
