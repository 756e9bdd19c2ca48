"""Published training runs: what was run, and the accelerator-hours that it took."""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, Self

from pydantic import Field, model_validator

from tenfold.compute.row import TableRow
from tenfold.compute.run import Run, training_flops

DATA_FILE = "training_runs.csv"


class PublishedRow(TableRow):
    """One line of ``training_runs.csv``: a row with exactly one actual figure, and where it is from."""

    source: str
    source_date: str
    provenance: Literal["looked up", "memory", "project notes"] = Field(description="how the figures were checked")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
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
    rows = (PublishedRow.model_validate({name: cell for name, cell in line.items() if cell}) for line in lines)
    return tuple(_published(row) for row in rows)


def _published(row: PublishedRow) -> PublishedRun:
    run = row.to_run()
    hours = row.actual_hours(run)
    assert hours is not None, row.run
    return PublishedRun(row, run, hours)
