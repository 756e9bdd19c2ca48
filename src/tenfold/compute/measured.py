"""Measurements of engines: what tables of their makers and of others say, and how far the roofline is from them."""

import csv
import math
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from tenfold.compute.accelerators import Accelerator, Precision, find_accelerator
from tenfold.compute.parallel import cache_precision, chosen
from tenfold.compute.roofline import CONSTANTS, Constants, Deployment, serve
from tenfold.compute.served import ServedModel, find_served_model
from tenfold.core.frozen import Frozen

DATA_FILE = "serving_runs.csv"


class ServingRow(Frozen):
    """One line of ``serving_runs.csv``; what is empty was not said and is as by default."""

    model: str
    accelerator: str
    precision: Precision
    cache_precision: Precision | None = None
    tensor: int | None = None
    pipeline: int | None = None
    expert: int | None = None
    phase: Literal["prefill", "decode", "serve"] = Field(
        description="reading prompts, generating, or both on the same accelerators"
    )
    prompt_tokens: float
    output_tokens: float
    concurrency: float | None = Field(None, description="requests at once, over the whole replica")
    user_tokens_per_s: float | None = Field(None, description="least speed of one answer")
    tokens_per_s: float = Field(description="per accelerator: read in prefill, generated otherwise")
    source: str
    source_date: str
    address: str = Field(description="where the figures stand")

    @field_validator("*", mode="before")
    @classmethod
    def _empty_is_not_said(cls, value: object) -> object:
        return None if value == "" else value

    def deployment(self, constants: Constants = CONSTANTS) -> Deployment:
        """What was measured."""
        model, accelerator = find_served_model(self.model), find_accelerator(self.accelerator)
        return Deployment(
            model=model,
            accelerator=accelerator,
            precision=self.precision,
            cache_precision=self.cache_precision or cache_precision(model, accelerator, self.precision),
            parallel=chosen(
                model, accelerator, self.precision, tensor=self.tensor, pipeline=self.pipeline, expert=self.expert
            ),
            constants=constants,
        )

    def kind(self) -> str:
        """Dense or mixture, and the bits of its weights."""
        bits = {"fp8": "8", "fp4": "4"}.get(self.precision, "16")
        return f"{'mixture' if find_served_model(self.model).is_mixture else 'dense'} {bits} bits"

    def estimate(self, constants: Constants = CONSTANTS) -> float:
        """Tokens per second and accelerator by the roofline, without the row's own figure."""
        deployed = self.deployment(constants)
        prefill, _ = deployed.prefill(self.prompt_tokens, 0.0)
        if self.phase == "prefill":
            return prefill
        most = math.inf if self.concurrency is None else self.concurrency / deployed.replica
        if self.phase == "serve":
            return serve(
                deployed,
                prompt_tokens=self.prompt_tokens,
                answer_tokens=self.output_tokens,
                user_tokens_per_s=self.user_tokens_per_s,
                most=most,
            ).tokens_per_s
        step = deployed.step(self.prompt_tokens + self.output_tokens / 2)
        batch = min(most, deployed.most_sequences(self.prompt_tokens + self.output_tokens))
        return batch / step.seconds(batch)


def read_serving_rows(path: Path) -> tuple[ServingRow, ...]:
    """All measurements of a file."""
    return tuple(ServingRow.model_validate(line) for line in csv.DictReader(path.read_text().splitlines()))


@cache
def serving_runs() -> tuple[ServingRow, ...]:
    """The measurements that constants were chosen on."""
    return read_serving_rows(Path(str(files("tenfold.compute") / DATA_FILE)))


def nearest_measured(
    model: ServedModel, accelerator: Accelerator, precision: Precision, prompt_tokens: float, limit: int = 3
) -> tuple[ServingRow, ...]:
    """Measurements most like this: by experts, active and all parameters, accelerator, format and prompts."""

    def distance(row: ServingRow) -> float:
        other, on = find_served_model(row.model), find_accelerator(row.accelerator)
        ratios = (
            other.active_params / model.active_params,
            other.total_params / model.total_params,
            on.peak_16bit_flops / accelerator.peak_16bit_flops,
            on.memory_bytes_per_s / accelerator.memory_bytes_per_s,
        )
        away = sum(math.log(ratio) ** 2 for ratio in ratios) + 0.1 * math.log(row.prompt_tokens / prompt_tokens) ** 2
        return away + (row.precision != precision) + 4 * (other.is_mixture != model.is_mixture)

    return tuple(sorted((row for row in serving_runs() if row.phase == "serve"), key=distance)[:limit])
