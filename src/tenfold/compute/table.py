"""A whole table of runs: read a CSV, estimate each row, and score the estimates where the actual hours are there."""

import csv
import difflib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tenfold.compute.accelerators import Precision, find_accelerator
from tenfold.compute.interval import Interval
from tenfold.compute.published import published_runs
from tenfold.compute.run import Run, training_flops
from tenfold.compute.training import calibrated
from tenfold.compute.utilisation import UtilisationModel, fit
from tenfold.core.errors import TenfoldError, UsageError

# What others call the same columns.
OTHER_NAMES = {
    "name": "run",
    "params": "active_params",
    "gpu_hours": "accelerator_hours",
    "gpus": "count",
    "org": "organisation",
    "organization": "organisation",
    "context_length": "context",
}
# Columns that may be there and are not read.
NOTES = frozenset({"source", "source_date", "provenance", "notes"})
# A row this close to a published run in size and tokens, on the same generation, is taken to be that run.
SAME_RUN = 0.03


class TableRow(BaseModel):
    """One line of a user's table; at most one of the last four columns, which are what really came of the run."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    run: str = Field("", description="name, for the output")
    accelerator: str = Field(description="as in 'tenfold compute accelerators'")
    active_params: float = Field(gt=0, description="parameters that one token passes through")
    tokens: float = Field(gt=0, description="tokens trained on")
    total_params: float | None = Field(None, gt=0, description="all parameters, if the model is a mixture of experts")
    count: int | None = Field(None, ge=1, description="accelerators used at once")
    layers: int | None = Field(None, ge=1, description="transformer blocks")
    hidden: int | None = Field(None, ge=1, description="width of the residual stream")
    context: int | None = Field(None, ge=1, description="tokens per sequence; 4,096 if not given")
    precision: Precision = Field("bf16", description="format of the large matrix products")
    date: str = Field(
        "",
        pattern=r"^(\d{4}(-\d{2})?(-\d{2})?)?$",
        description="start or release: year, year-month or day; as the newest runs if empty",
    )
    organisation: str = Field("", description="who ran it, as in the table of published runs")
    family: str = Field("", description="line of models, as in the table of published runs")
    accelerator_hours: float | None = Field(None, gt=0, description="actual: all accelerator-hours spent")
    tokens_per_s: float | None = Field(None, gt=0, description="actual: tokens/s per accelerator in steady state")
    model_tflops: float | None = Field(None, gt=0, description="actual: 10^12 model FLOP/s per accelerator")
    mfu: float | None = Field(None, gt=0, le=1, description="actual: share of the 16-bit peak in steady state")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        actuals = (self.accelerator_hours, self.tokens_per_s, self.model_tflops, self.mfu)
        if sum(value is not None for value in actuals) > 1:
            raise ValueError("give one of accelerator_hours, tokens_per_s, model_tflops, mfu")
        if self.total_params is not None and self.total_params < self.active_params:
            raise ValueError(f"total_params {self.total_params:g} is below active_params {self.active_params:g}")
        return self

    def to_run(self) -> Run:
        """The run that the row describes.

        Raises:
            UsageError: the accelerator is not known.
        """
        parts = [int(part) for part in self.date.split("-")] if self.date else []
        year = None if not parts else parts[0] + ((parts[1] - 1) / 12 if len(parts) > 1 else 0.5)
        steady = self.tokens_per_s is not None or self.model_tflops is not None or self.mfu is not None
        return Run(
            active_params=self.active_params,
            total_params=self.total_params or self.active_params,
            tokens=self.tokens,
            accelerator=find_accelerator(self.accelerator),
            count=self.count,
            layers=self.layers,
            hidden=self.hidden,
            context=self.context,
            precision=self.precision,
            year=year,
            organisation=self.organisation or None,
            family=self.family or None,
            measured="throughput" if steady else "hours",
        )

    def actual_hours(self, run: Run) -> float | None:
        """Accelerator-hours that the row's actual figure gives or implies."""
        if self.accelerator_hours is not None:
            return self.accelerator_hours
        if self.tokens_per_s is not None:
            return self.tokens / self.tokens_per_s / 3600
        flops_per_s = self.model_tflops * 1e12 if self.model_tflops is not None else None
        if self.mfu is not None:
            flops_per_s = self.mfu * run.accelerator.peak_16bit_flops
        return None if flops_per_s is None else training_flops(run) / flops_per_s / 3600


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


def read_table(path: Path) -> list[tuple[int, TableRow, Run]]:
    """Read a CSV with a header; gives line number, row and run.

    Raises:
        UsageError: no such file, an unknown or missing column, or bad rows; names file, lines, columns and cures.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {path}: {error}", next_step="give the path of a CSV file in UTF-8") from error
    reader = csv.DictReader(text.splitlines())
    header = reader.fieldnames or []
    columns = _columns(path, header)
    rows, wrong = [], []
    for raw in reader:
        if not any((value or "").strip() for value in raw.values() if not isinstance(value, list)):
            continue
        line = reader.line_num
        if None in raw or None in raw.values():
            wrong.append(f"line {line}: {len(header)} columns are named, the row has another number")
            continue
        given = {columns[key]: value.strip() for key, value in raw.items() if key in columns and value.strip()}
        try:
            row = TableRow.model_validate(given)
            rows.append((line, row, row.to_run()))
        except ValidationError as error:
            wrong.append(f"line {line}: {_explain(error)}")
        except TenfoldError as error:
            wrong.append(f"line {line}: {error}; {error.next_step}")
    if wrong:
        more = f"\nand {len(wrong) - 10} more" if len(wrong) > 10 else ""
        raise UsageError(
            f"{path} has {len(wrong)} bad rows:\n" + "\n".join(wrong[:10]) + more,
            next_step="the columns are described in docs/compute.md; leave a cell empty where a value is not known",
        )
    if not rows:
        raise UsageError(f"{path} has no rows", next_step="write one line per run below the header")
    return rows


def estimate_table(rows: Sequence[tuple[int, TableRow, Run]]) -> list[EstimatedRow]:
    """Estimate every row. A row that is a published run is estimated by a fit that has not seen that run."""
    models: dict[str | None, UtilisationModel] = {None: calibrated()}
    estimated = []
    for line, row, run in rows:
        actual = row.actual_hours(run)
        twin = None if actual is None else _same_run(row.run, run)
        if twin not in models:
            seen = [known for known in published_runs() if known.row.run != twin]
            models[twin] = fit([known.run for known in seen], [known.utilisation for known in seen])
        named = _known_names(row.run, run)
        flops = training_flops(named)
        utilisation = models[twin].predict(named)
        hours = utilisation.inverse().scaled(flops / (3600 * run.accelerator.peak_16bit_flops))
        estimated.append(EstimatedRow(line, row.run, run.accelerator.name, flops, hours, actual, twin))
    return estimated


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


def _columns(path: Path, header: Sequence[str]) -> dict[str, str]:
    known = list(TableRow.model_fields)
    columns = {}
    for name in header:
        plain = name.strip().lower().replace(" ", "_").replace("-", "_")
        column = OTHER_NAMES.get(plain, plain)
        if column in NOTES:
            continue
        if column not in known:
            near = difflib.get_close_matches(plain, [*known, *OTHER_NAMES], n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise UsageError(f"{path} line 1: unknown column {name!r}", next_step=f"{hint}columns: {', '.join(known)}")
        if column in columns.values():
            raise UsageError(f"{path} line 1: column {column!r} is there twice", next_step=f"drop {name!r}")
        columns[name] = column
    missing = [
        name for name, field in TableRow.model_fields.items() if field.is_required() and name not in columns.values()
    ]
    if missing:
        raise UsageError(
            f"{path} line 1: no column {', '.join(map(repr, missing))}",
            next_step=f"the header must name accelerator, active_params and tokens; it names {', '.join(header)!r}",
        )
    return columns


def _explain(error: ValidationError) -> str:
    parts = []
    for each in error.errors():
        where = ".".join(map(str, each["loc"]))
        value = f", not {each['input']!r}" if where and each["type"] != "missing" else ""
        parts.append(f"{where + ': ' if where else ''}{each['msg']}{value}")
    return "; ".join(parts)


def _same_run(name: str, run: Run) -> str | None:
    """The published run that this is: of the same name, else the nearest within 3% in size and tokens."""
    near: list[tuple[bool, float, str]] = []
    for known in published_runs():
        gaps = [
            abs(math.log(mine / theirs))
            for mine, theirs in ((run.active_params, known.run.active_params), (run.tokens, known.run.tokens))
        ]
        same_generation = known.run.accelerator.entry.generation == run.accelerator.entry.generation
        if max(gaps) < SAME_RUN and same_generation:
            near.append((known.row.run.lower() != name.lower(), max(gaps), known.row.run))
    return min(near)[2] if near else None


def _known_names(name: str, run: Run) -> Run:
    """The run with organisation and family spelt as in the published table, whatever their case.

    Where the table does not say, a run whose name begins with a known family is taken to belong to it.
    """
    organisations = {known.row.organisation.lower(): known.row.organisation for known in published_runs()}
    families = {known.row.family.lower(): known.row for known in published_runs()}
    family = families.get((run.family or "").lower())
    if family is None and not run.organisation:
        begins = [key for key in families if name.lower().startswith(key)]
        family = families[max(begins, key=len)] if begins else None
    organisation = organisations.get((run.organisation or "").lower())
    if organisation is None and family is not None and not run.organisation:
        organisation = family.organisation
    return replace(run, organisation=organisation, family=None if family is None else family.family)
