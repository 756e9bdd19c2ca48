"""Published training runs: what was run, and the accelerator-hours that it took."""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, Self

from pydantic import Field, model_validator

from tenfold.compute.accelerators import Precision, find_accelerator
from tenfold.compute.run import Run, training_flops
from tenfold.core.frozen import Frozen

DATA_FILE = "training_runs.csv"


class PublishedRow(Frozen):
    """One line of ``training_runs.csv``; exactly one of the three figures at its end is given."""

    run: str
    organisation: str
    family: str
    date: str = Field(pattern=r"^\d{4}-\d{2}$", description="release, year-month")
    accelerator: str
    count: int | None = Field(description="accelerators used at once")
    active_params: float
    total_params: float | None = Field(description="where it differs from the active ones")
    layers: int | None
    hidden: int | None
    context: int | None = Field(description="tokens per sequence")
    tokens: float
    precision: Precision
    accelerator_hours: float | None = Field(description="all that was spent")
    tokens_per_s: float | None = Field(description="per accelerator")
    model_tflops: float | None = Field(description="10^12 model FLOP/s per accelerator")
    source: str
    source_date: str
    provenance: Literal["looked up", "memory", "project notes"] = Field(description="how the figures were checked")

    @model_validator(mode="after")
    def _one_figure(self) -> Self:
        given = [self.accelerator_hours, self.tokens_per_s, self.model_tflops]
        if sum(figure is not None for figure in given) != 1:
            raise ValueError("give exactly one of accelerator_hours, tokens_per_s, model_tflops")
        return self


@dataclass(frozen=True, slots=True)
class PublishedRun:
    """A published run with the hours that its source gives or implies."""

    row: PublishedRow
    run: Run
    accelerator_hours: float

    @property
    def utilisation(self) -> float:
        """Model FLOPs over what the accelerators could do at their 16-bit peak in those hours."""
        return training_flops(self.run) / (self.accelerator_hours * 3600 * self.run.accelerator.peak_16bit_flops)


@cache
def published_runs() -> tuple[PublishedRun, ...]:
    """All published runs, oldest first."""
    lines = csv.DictReader((files("tenfold.compute") / DATA_FILE).read_text().splitlines())
    return tuple(_published(PublishedRow.model_validate({k: v or None for k, v in line.items()})) for line in lines)


def _published(row: PublishedRow) -> PublishedRun:
    year, month = (int(part) for part in row.date.split("-"))
    run = Run(
        active_params=row.active_params,
        total_params=row.total_params or row.active_params,
        tokens=row.tokens,
        accelerator=find_accelerator(row.accelerator),
        count=row.count,
        layers=row.layers,
        hidden=row.hidden,
        context=row.context,
        precision=row.precision,
        year=year + (month - 1) / 12,
        organisation=row.organisation,
        family=row.family,
        measured="throughput" if row.accelerator_hours is None else "hours",
    )
    if row.accelerator_hours is not None:
        hours = row.accelerator_hours
    elif row.tokens_per_s is not None:
        hours = row.tokens / row.tokens_per_s / 3600
    else:
        assert row.model_tflops is not None
        hours = training_flops(run) / (row.model_tflops * 1e12) / 3600
    return PublishedRun(row, run, hours)
