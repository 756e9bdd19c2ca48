"""A whole table of runs: read it, estimate each row, and score the estimates where the actual hours are there."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from tenfold.compute.cells import NOTES, BadHeader
from tenfold.compute.headers import FLOPS, Meaning, meanings
from tenfold.compute.interval import Interval
from tenfold.compute.published import published_runs
from tenfold.compute.reading import as_the_schema_wants
from tenfold.compute.recognise import same_run, with_known_names
from tenfold.compute.row import TableRow
from tenfold.compute.run import Run, training_flops
from tenfold.compute.training import calibrated
from tenfold.compute.utilisation import UtilisationModel
from tenfold.core.errors import TenfoldError, UsageError
from tenfold.core.table import read_table as read_cells

SHOWN_BAD_ROWS = 10
ROWS_AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class EstimatedRow:
    """A row with its estimate; ``left_out`` names the published run that it is, which the fit then did not see."""

    line: int
    run: str
    accelerator: str
    flops: float
    estimate_hours: Interval
    actual_hours: float | None
    left_out: str | None

    @property
    def error(self) -> float | None:
        """Estimate over actual, less one."""
        return None if self.actual_hours is None else self.estimate_hours.mid / self.actual_hours - 1

    @property
    def inside(self) -> bool | None:
        """Whether the actual is within the 80% interval."""
        return None if self.actual_hours is None else self.estimate_hours.holds(self.actual_hours)


@dataclass(frozen=True, slots=True)
class TableScore:
    """How the rows with an actual came out."""

    runs: int
    median_error: float
    p90_error: float
    coverage80: float


@dataclass(frozen=True, slots=True)
class RunTable:
    """What was read: good rows, bad ones with what is wrong with them, and columns that mean nothing here."""

    path: Path
    rows: tuple[tuple[int, TableRow, Run], ...]
    bad: tuple[tuple[int, str], ...]
    not_read: tuple[str, ...]
    assumed: Mapping[int, tuple[str, ...]] = field(default_factory=dict)

    def raise_if_any_is_bad(self) -> None:
        """Name the bad rows, after the others have been estimated.

        Raises:
            UsageError: there are bad rows; names lines, columns and cures.
        """
        if not self.bad:
            return
        lines = [f"line {line}: {what}" for line, what in self.bad[:SHOWN_BAD_ROWS]]
        more = [f"and {len(self.bad) - SHOWN_BAD_ROWS} more"] if len(self.bad) > SHOWN_BAD_ROWS else []
        raise UsageError(
            f"{self.path}: {len(self.bad)} of {len(self.bad) + len(self.rows)} rows are bad"
            f"{' and were not estimated' if self.rows else ''}\n" + "\n".join(lines + more),
            next_step="columns are described in docs/compute.md, accelerators in 'tenfold compute accelerators'; "
            "leave a cell empty where a value is not known",
        )


def read_table(path: Path) -> RunTable:
    """Read runs from a CSV with a header, from Parquet, or from a JSON list of records.

    Raises:
        UsageError: no such file, a header that lacks or misspells a column, no rows, or only bad ones.
    """
    table = read_cells(path, "give the path of a CSV file in UTF-8")
    header = f" {table.word} {table.header}" if table.word == "line" else ""
    meant = _columns(f"{path}{header}", table.names)
    rows, bad, assumed = [], [], {}
    for line, cells in zip(table.numbers, table.rows, strict=True):
        if len(cells) != len(table.names):
            bad.append((line, f"{len(table.names)} columns are named, the row has {len(cells)}"))
            continue
        named = dict(zip(table.names, ("" if cell is None else str(cell) for cell in cells), strict=True))
        try:
            given, assumed[line] = as_the_schema_wants(named, meant)
            row = TableRow.model_validate(given)
            rows.append((line, row, row.to_run()))
        except ValidationError as error:
            bad.append((line, _explain(error)))
        except TenfoldError as error:
            hint, mark, _ = error.next_step.partition("?")
            bad.append((line, f"{error}; {hint}?" if mark else str(error)))
    not_read = tuple(name for name in table.names if name not in meant and name.strip().lower() not in NOTES)
    told = {line: notes for line, notes in assumed.items() if notes}
    found = RunTable(path, tuple(rows), tuple(bad), not_read, told)
    if not rows:
        found.raise_if_any_is_bad()
        raise UsageError(f"{path} has no rows", next_step="write one line per run below the header")
    return found


def estimate_table(
    rows: Sequence[tuple[int, TableRow, Run]], told: Callable[[int], None] | None = None
) -> list[EstimatedRow]:
    """Estimate every row. A row that is a published run is estimated by a fit that has not seen that run.

    Args:
        rows: as ``read_table`` gives them.
        told: called now and then with how many rows are done.
    """
    models: dict[str | None, UtilisationModel] = {}
    estimated: list[EstimatedRow] = []
    for start in range(0, len(rows), ROWS_AT_ONCE):
        estimated += _estimate(rows[start : start + ROWS_AT_ONCE], models)
        if told is not None:
            told(len(estimated))
    return estimated


def _estimate(
    rows: Sequence[tuple[int, TableRow, Run]], models: dict[str | None, UtilisationModel]
) -> list[EstimatedRow]:
    """Estimate some rows, those of one model together; models that are new are added."""
    asked = [(row.actual_hours(run), with_known_names(row.run, run)) for _, row, run in rows]
    twins = [
        None if actual is None else same_run(row.run, run)
        for (_, row, run), (actual, _) in zip(rows, asked, strict=True)
    ]
    utilisation: dict[int, Interval] = {}
    for twin in dict.fromkeys(twins):
        if twin not in models:
            models[twin] = _model_without(twin)
        places = [place for place, each in enumerate(twins) if each == twin]
        found = models[twin].predict_all([asked[place][1] for place in places])
        utilisation.update(zip(places, found, strict=True))
    estimated = []
    for place, ((line, row, run), (actual, named)) in enumerate(zip(rows, asked, strict=True)):
        flops = training_flops(named)
        hours = utilisation[place].inverse().scaled(flops / (3600 * run.accelerator.peak_16bit_flops))
        estimated.append(EstimatedRow(line, row.run, run.accelerator.name, flops, hours, actual, twins[place]))
    return estimated


def _model_without(twin: str | None) -> UtilisationModel:
    """The model of all published runs but one."""
    if twin is None:
        return calibrated()
    return calibrated().without(np.array([known.row.run == twin for known in published_runs()]))


def score(rows: Iterable[EstimatedRow]) -> TableScore | None:
    """Errors and coverage over the rows that have an actual; none if no row has."""
    pairs = [(abs(row.error), row.inside) for row in rows if row.error is not None]
    if not pairs:
        return None
    errors = [error for error, _ in pairs]
    return TableScore(
        runs=len(pairs),
        median_error=float(np.median(errors)),
        p90_error=float(np.quantile(errors, 0.9)),
        coverage80=float(np.mean([bool(inside) for _, inside in pairs])),
    )


def _columns(where: str, header: Sequence[str]) -> dict[str, Meaning]:
    try:
        found = meanings(header, TableRow.model_fields)
    except BadHeader as error:
        raise UsageError(f"{where}: {error}", next_step=error.next_step) from error
    there = {meant.column for meant in found.values()}
    if "total_params" in there:
        there.add("active_params")
    # Of tokens, parameters and FLOPs two say the third.
    if FLOPS in there and there & {"tokens", "active_params"}:
        there |= {"tokens", "active_params"}
    missing = [name for name in ("accelerator", "active_params", "tokens") if name not in there]
    if missing:
        raise UsageError(
            f"{where}: no column {', '.join(map(repr, missing))}",
            next_step=f"the header must name accelerator, active_params and tokens; it names {', '.join(header)!r}",
        )
    return found


def _explain(error: ValidationError) -> str:
    parts = []
    for each in error.errors():
        where = ".".join(map(str, each["loc"]))
        what = "is empty and is needed" if each["type"] == "missing" else each["msg"].removeprefix("Value error, ")
        value = f", not {each['input']!r}" if where and each["type"] != "missing" else ""
        parts.append(f"{where + ': ' if where else ''}{what}{value}")
    return "; ".join(parts)
