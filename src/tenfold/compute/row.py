"""One run as a row of a table: a user's, or of the published runs."""

from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from tenfold.compute.accelerators import Precision
from tenfold.compute.cells import format_name, kind_name, year
from tenfold.compute.hardware import recognise
from tenfold.compute.run import Kind, Run, check_computes, training_flops
from tenfold.core.frozen import Frozen
from tenfold.core.written import number

Amount = Annotated[float, BeforeValidator(number)]
Whole = Annotated[int, BeforeValidator(number)]
MOST = 1e30
# What a run's speed is told by; and the tokens of a benchmark, whose speed does not hang on them.
SPEEDS = ("tokens_per_s", "model_tflops", "mfu")
BENCHMARK_TOKENS = 1e9


def _computable(value: float) -> float:
    """A size whose products do not overflow."""
    if not 1 <= value <= MOST:
        raise ValueError(f"should be a number from 1 to {MOST:g}")
    return value


Size = Annotated[Amount, AfterValidator(_computable)]


class TableRow(Frozen):
    """One line of a user's table; at most one of the last four columns, which are what really came of the run."""

    model_config = ConfigDict(allow_inf_nan=False)

    run: str = Field("", description="name, for the output")
    kind: Annotated[Kind, BeforeValidator(kind_name)] = Field(
        "run", description="run (makes a model) or benchmark (some tuned steps); a benchmark needs no tokens"
    )
    accelerator: str = Field(description="as in 'tenfold compute accelerators'")
    active_params: Size = Field(description="parameters that one token passes through")
    tokens: Size = Field(description="tokens trained on; 1 billion for a benchmark that does not say")
    total_params: Size | None = Field(None, description="all parameters, if the model is a mixture of experts")
    count: Whole | None = Field(None, ge=1, description="accelerators used at once")
    layers: Whole | None = Field(None, ge=1, description="transformer blocks")
    hidden: Whole | None = Field(None, ge=1, description="width of the residual stream")
    context: Whole | None = Field(None, ge=1, description="tokens per sequence; 4,096 if not given")
    precision: Annotated[Precision, BeforeValidator(format_name)] = Field(
        "bf16", description="format of the large matrix products"
    )
    date: str = Field("", description="start or release: year, year-month or day; as the newest runs if empty")
    organisation: str = Field("", description="who ran it, as in the table of published runs")
    family: str = Field("", description="line of models, as in the table of published runs")
    accelerator_hours: Amount | None = Field(None, gt=0, description="actual: all accelerator-hours spent")
    tokens_per_s: Amount | None = Field(None, gt=0, description="actual: tokens/s per accelerator in steady state")
    model_tflops: Amount | None = Field(None, gt=0, description="actual: 10^12 model FLOP/s per accelerator")
    mfu: Amount | None = Field(None, gt=0, le=1, description="actual: share of the 16-bit peak in steady state")

    @field_validator("date")
    @classmethod
    def _readable(cls, value: str) -> str:
        year(value)
        return value

    @model_validator(mode="before")
    @classmethod
    def _dense(cls, raw: dict[str, object]) -> dict[str, object]:
        """A row with all parameters only is dense; one with a speed and no tokens is a benchmark."""
        told = {"active_params": raw["total_params"], **raw} if "total_params" in raw else dict(raw)
        measured = kind_name(told["kind"]) == "benchmark" if "kind" in told else any(speed in told for speed in SPEEDS)
        if "tokens" not in told and measured:
            told |= {"kind": "benchmark", "tokens": BENCHMARK_TOKENS}
        return told

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
            UsageError: the accelerator is not known, or does not compute in the row's format.
        """
        steady = self.tokens_per_s is not None or self.model_tflops is not None or self.mfu is not None
        run = Run(
            active_params=self.active_params,
            total_params=self.total_params or self.active_params,
            tokens=self.tokens,
            accelerator=recognise(self.accelerator).accelerator,
            count=self.count,
            layers=self.layers,
            hidden=self.hidden,
            context=self.context,
            precision=self.precision,
            year=year(self.date),
            organisation=self.organisation or None,
            family=self.family or None,
            measured="throughput" if steady or self.kind == "benchmark" else "hours",
            kind=self.kind,
        )
        check_computes(run)
        return run

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
