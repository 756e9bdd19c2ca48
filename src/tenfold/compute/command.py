"""``tenfold compute``: what training, inference and ranking take, and the facts behind it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from tenfold.core.command import Json, amount, whole
from tenfold.core.errors import UsageError

if TYPE_CHECKING:
    from tenfold.compute.accelerators import Accelerator, Precision
    from tenfold.compute.run import Kind as RunKind


LEAST, MOST = 1e-30, 1e30


app = App(name="compute")

Kind = Annotated[str, Parameter(help="Kind of accelerator; 'tenfold compute accelerators' lists them.")]
Place = Annotated[str, Parameter(help="Kind of facility: hyperscale, colocation or office.")]
Format = Annotated[str, Parameter(help="Format of matrix products: fp32, bf16, fp16, fp8 or fp4.")]
Total = Annotated[float | None, amount("All parameters of the model, e.g. 405e9 or 405B.")]
Active = Annotated[float | None, amount("Parameters that one token passes through, if it has experts.")]


@app.command
def train(
    *,
    params: Total = None,
    tokens: Annotated[float | None, amount("Tokens to train on, e.g. 15.6e12 or 15.6T.")] = None,
    accelerator: Kind = "h100",
    count: Annotated[int | None, whole("Accelerators at once; without it no days are given.")] = None,
    active_params: Active = None,
    layers: Annotated[int | None, whole("Transformer blocks.")] = None,
    hidden: Annotated[int | None, whole("Width of the residual stream.")] = None,
    context: Annotated[int | None, whole("Tokens per sequence.")] = None,
    precision: Format = "bf16",
    year: Annotated[
        str | None,
        Parameter(
            name=["--year", "--date"],
            help="When it starts or is published: 2024.5, 2024-07, July 2024; default: as the newest.",
        ),
    ] = None,
    organisation: Annotated[str | None, Parameter(help="Who runs it, if among the published runs, e.g. Meta.")] = None,
    mfu: Annotated[float | None, Parameter(help="Your own model FLOPs utilisation, e.g. 0.4.")] = None,
    kind: Annotated[str, Parameter(help="run (makes a model) or benchmark (some tuned steps).")] = "run",
    facility: Place = "hyperscale",
    csv: Annotated[Path | None, Parameter(help="Estimate a table of runs; columns in docs/compute.md.")] = None,
    output: Annotated[Path | None, Parameter(help="With --csv: write the estimates to this CSV file.")] = None,
    json: Json = False,
) -> None:
    """Estimate a training run: days, accelerator-hours, energy, cost, and the published runs nearest to it."""
    from tenfold.compute import show
    from tenfold.compute.facilities import find_facility
    from tenfold.compute.recognise import known_organisation
    from tenfold.compute.row import BENCHMARK_TOKENS
    from tenfold.compute.run import Run
    from tenfold.compute.table import estimate_table, read_table, score
    from tenfold.compute.training import estimate_training

    if csv is not None:
        if params is not None or tokens is not None:
            raise UsageError("--csv and one run were given", next_step="give either --csv, or --params and --tokens")
        one_run = {
            "--accelerator": accelerator != "h100",
            "--count": count is not None,
            "--active-params": active_params is not None,
            "--layers": layers is not None,
            "--hidden": hidden is not None,
            "--context": context is not None,
            "--precision": precision != "bf16",
            "--year": year is not None,
            "--organisation": organisation is not None,
            "--mfu": mfu is not None,
            "--kind": kind != "run",
            "--facility": facility != "hyperscale",
        }
        unused = [option for option, given in one_run.items() if given]
        if unused:
            raise UsageError(
                f"{', '.join(unused)} would not be used with --csv",
                next_step="leave it out; what a run is, its row says (columns in docs/compute.md)",
            )
        with show.progress(f"reading {csv}") as tell:
            table = read_table(csv)
            count = len(table.rows)
            rows = estimate_table(table.rows, lambda done: tell(f"estimated {done:,} of {count:,} rows"))
        show.table(rows, score(rows), table, output, json)
        table.raise_if_any_is_bad()
        return
    total = _positive("--params", params)
    if mfu is not None and not 0 < mfu <= 1:
        raise UsageError(
            f"--mfu {mfu:g} is not a share of the peak", next_step="give more than 0 and at most 1, e.g. 0.4"
        )
    run_kind = _kind(kind)
    if tokens is None and run_kind == "benchmark":
        tokens = BENCHMARK_TOKENS
    run = Run(
        active_params=_active(total, active_params),
        total_params=total,
        tokens=_positive("--tokens", tokens),
        accelerator=_accelerator(accelerator),
        count=_whole("--count", count),
        layers=_whole("--layers", layers),
        hidden=_whole("--hidden", hidden),
        context=_whole("--context", context),
        precision=_precision(precision),
        year=_year(year),
        organisation=None if organisation is None else known_organisation(organisation),
        measured="throughput" if run_kind == "benchmark" else "hours",
        kind=run_kind,
    )
    show.training(run, estimate_training(run, find_facility(facility), mfu=mfu), json)


@app.command
def infer(
    *,
    input_per_s: Annotated[float, amount("Prompt tokens per second, cached ones included, e.g. 2e6 or 2M.")],
    output_per_s: Annotated[float, amount("Generated tokens per second.")],
    model: Annotated[str | None, Parameter(help="A known model, e.g. deepseek-v3 or llama-3.1-70b.")] = None,
    params: Total = None,
    active_params: Active = None,
    accelerator: Kind = "h100",
    cached_share: Annotated[float, Parameter(help="Share of prompt tokens whose cache is there already.")] = 0.0,
    prompt_tokens: Annotated[float, Parameter(help="Tokens per prompt.")] = 2000,
    context_tokens: Annotated[
        float | None, Parameter(help="Cache length while generating; default: prompt + 500.")
    ] = None,
    speed: Annotated[float, Parameter(help="Least tokens per second of one answer.")] = 20,
    precision: Format = "fp8",
    cache: Annotated[
        str | None, Parameter(help="Format of keys and values; default: as engines choose it for the model.")
    ] = None,
    tensor: Annotated[int | None, whole("Accelerators that split every matrix.")] = None,
    pipeline: Annotated[int | None, whole("Stages, each with its part of the layers.")] = None,
    expert: Annotated[int | None, whole("Accelerators that split the experts.")] = None,
    prefill_replica: Annotated[int | None, whole("Accelerators that share the weights in prefill.")] = None,
    decode_replica: Annotated[int | None, whole("Accelerators that share the weights in decode.")] = None,
    facility: Place = "hyperscale",
    json: Json = False,
) -> None:
    """Estimate a serving fleet: accelerators for prefill and decode, energy and cost a day."""
    from tenfold.compute import show
    from tenfold.compute.facilities import find_facility
    from tenfold.compute.inference import Traffic, estimate_inference
    from tenfold.compute.parallel import chosen
    from tenfold.compute.served import find_served_model, plain_model

    if not 0 <= cached_share < 1:
        raise UsageError(f"--cached-share {cached_share:g} is not a share", next_step="give 0 or more, and less than 1")
    if (model is None) == (params is None):
        raise UsageError("a model is needed, once", next_step="give either --model NAME or --params NUMBER")
    if model is not None:
        served = find_served_model(model)
    else:
        total = _positive("--params", params)
        served = plain_model(total, _active(total, active_params))
    prompt = _positive("--prompt-tokens", prompt_tokens)
    traffic = Traffic(
        input_tokens_per_s=_positive("--input-per-s", input_per_s),
        output_tokens_per_s=_positive("--output-per-s", output_per_s),
        cached_share=cached_share,
        prompt_tokens=prompt,
        context_tokens=prompt + 500 if context_tokens is None else _positive("--context-tokens", context_tokens),
        user_tokens_per_s=_positive("--speed", speed),
    )
    ways = {
        "tensor": _whole("--tensor", tensor),
        "pipeline": _whole("--pipeline", pipeline),
        "expert": _whole("--expert", expert),
    }
    told = any(count is not None for count in ways.values())
    kind, kept_in = _accelerator(accelerator), _precision(precision)
    prefill, decode = (
        chosen(served, kind, kept_in, replica=replica, **ways) if told or replica is not None else None
        for replica in (_whole("--prefill-replica", prefill_replica), _whole("--decode-replica", decode_replica))
    )
    estimate = estimate_inference(
        served,
        kind,
        traffic,
        find_facility(facility),
        precision=kept_in,
        cache=None if cache is None else _precision(cache, "--cache"),
        prefill=prefill,
        decode=decode,
    )
    show.inference(served, estimate, json)


@app.command
def rank(
    *,
    requests_per_s: Annotated[float, amount("Ranking requests per second at the peak.")],
    candidates: Annotated[float, Parameter(help="Examples scored per request.")],
    flops_per_example: Annotated[float, amount("Forward FLOPs of one example, e.g. 1e9 or 1B.")],
    embedding_gb: Annotated[float, Parameter(help="All embedding tables, 10^9 bytes.")],
    lookups: Annotated[float, Parameter(help="Embedding rows read per example.")] = 200,
    row_bytes: Annotated[float, Parameter(help="Bytes of one row.")] = 256,
    user_share: Annotated[float, Parameter(help="Share of the work that is done once per request.")] = 0.0,
    accelerator: Kind = "h100",
    precision: Format = "bf16",
    facility: Place = "hyperscale",
    json: Json = False,
) -> None:
    """Estimate a ranking fleet: accelerators by compute, memory and lookups; host cores and storage beside them."""
    from tenfold.compute import show
    from tenfold.compute.facilities import find_facility
    from tenfold.compute.ranking import RankingLoad, estimate_ranking

    load = RankingLoad(
        requests_per_s=_positive("--requests-per-s", requests_per_s),
        candidates=_positive("--candidates", candidates),
        flops_per_example=_positive("--flops-per-example", flops_per_example),
        embedding_bytes=_positive("--embedding-gb", embedding_gb) * 1e9,
        lookups_per_example=_positive("--lookups", lookups),
        row_bytes=_positive("--row-bytes", row_bytes),
        user_share=user_share,
    )
    kind, place = _accelerator(accelerator), find_facility(facility)
    show.ranking(estimate_ranking(load, kind, place, precision=_precision(precision)), json)


@app.command
def accelerators(name: str | None = None, *, json: Json = False) -> None:
    """List accelerators; with NAME, every number of one with its source and date."""
    from tenfold.compute import show
    from tenfold.compute.accelerators import accelerators as known

    if name is None:
        show.accelerators(list(known().values()), json)
    else:
        show.accelerator(_accelerator(name), json)


@app.command
def facilities(*, json: Json = False) -> None:
    """List kinds of facility: PUE, electricity, building cost; each number with its source and date."""
    from tenfold.compute import show
    from tenfold.compute.facilities import facilities as known

    show.facilities(list(known().values()), json)


def _positive(option: str, value: float | None) -> float:
    """A number above zero, of a size whose powers and products can be computed with."""
    if value is None:
        raise UsageError(f"{option} is missing", next_step=f"give {option} NUMBER")
    if not value > 0:
        raise UsageError(f"{option} {value:g} is not above zero", next_step=f"give {option} a number above zero")
    if not LEAST <= value <= MOST:
        raise UsageError(
            f"{option} {value:g} is out of range", next_step=f"give {option} a number from {LEAST:g} to {MOST:g}"
        )
    return value


def _whole(option: str, value: int | None) -> int | None:
    if value is not None and value < 1:
        raise UsageError(f"{option} {value} is below one", next_step=f"give {option} 1 or more, or leave it out")
    return value


def _active(total: float, active: float | None) -> float:
    if active is None:
        return total
    if not 0 < active <= total:
        raise UsageError(
            f"--active-params {active:g} is not within --params {total:g}",
            next_step="--params is all parameters, --active-params those that one token passes through",
        )
    return active


def _accelerator(name: str) -> "Accelerator":
    """The accelerator that a name means; what was taken for it is told."""
    from tenfold.compute.hardware import recognise
    from tenfold.core.show import talk

    found = recognise(name)
    if found.note is not None:
        talk.print(found.note, markup=False)
    return found.accelerator


def _year(text: str | None) -> float | None:
    from tenfold.compute.cells import year

    try:
        found = None if text is None else year(text)
    except ValueError:
        found = 0.0
    if found is not None and not 2000 <= found <= 2100:
        raise UsageError(f"--year {text} is not a year", next_step="give when the run starts, e.g. 2026.5 or 2026-07")
    return found


def _precision(name: str, option: str = "--precision") -> "Precision":
    from typing import get_args

    from tenfold.compute.accelerators import Precision

    for known in get_args(Precision):
        if known == name.lower():
            return known
    raise UsageError(f"{option} {name!r} is not known", next_step=f"use one of {', '.join(get_args(Precision))}")


def _kind(name: str) -> "RunKind":
    from typing import get_args

    from tenfold.compute.run import Kind as RunKind

    for known in get_args(RunKind):
        if known == name.lower():
            return known
    raise UsageError(f"--kind {name!r} is not known", next_step="use run or benchmark")
