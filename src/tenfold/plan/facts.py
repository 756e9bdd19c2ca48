"""A study in the planner's own words: numbers that follow from names of accelerators, models and runs are filled in.

Works on the table as it was read, before the schema sees it: what the study says itself always stands, and what is of
the wrong type is left for the schema to name. Each number that is filled in is told of, with its source, in
``filled_in``; from there on a study has plain numbers, whoever wrote them.
"""

import re
import tomllib
from collections.abc import Hashable, Iterator, Mapping
from pathlib import Path
from typing import cast

from pydantic import ValidationError

from tenfold.compute.accelerators import Accelerator, Number, Precision
from tenfold.compute.facilities import facilities
from tenfold.compute.hardware import recognise
from tenfold.compute.inference import Traffic as ServedTraffic
from tenfold.compute.inference import estimate_inference
from tenfold.compute.interval import Interval
from tenfold.compute.run import Run, training_flops
from tenfold.compute.served import find_served_model
from tenfold.compute.training import estimate_training
from tenfold.core.errors import InfeasibleError, UsageError
from tenfold.plan.study import Traffic

Raw = dict[Hashable, object]
UNIT = re.compile(r"(k|m|b|thousand|million|billion)?\s*(?:output |answer )?tokens?\s*(?:/|per )\s*s(?:econd)?", re.I)
TOKENS = {"": 1.0, "k": 1e3, "thousand": 1e3, "m": 1e6, "million": 1e6, "b": 1e9, "billion": 1e9}
GROUPS = {"accelerators": ("price_usd", "power_kw"), "rent": ("usd_per_hour",)}


def filled(table: Raw, folder: Path) -> Raw:
    """The table with all numbers that facts tell, and with where each is from.

    Args:
        table: what was read of ``study.yaml``.
        folder: where it lies; forecasts are named from there.
    Raises:
        UsageError: a name is not known, a forecast cannot be read, or the facts lack a number that must be given.
    """
    if "filled_in" in table:
        # A study that was written by Tenfold: its numbers are plain already.
        return table
    book: dict[str, str] = {}
    table = dict(table)
    runs = _tables(table, "runs")
    for name, run in runs.items():
        if isinstance(run.get("forecast"), str):
            _take_forecast(run, f"runs.{name}", folder / str(run["forecast"]), book)
    workloads = {name: each for name, each in _tables(table, "workloads").items() if _serves_model(each)}
    for group, keys in GROUPS.items():
        for name, offer in _tables(table, group).items():
            if isinstance(offer.get("accelerator"), str):
                key = f"{group}.{name}"
                known = _named(f"{key}.accelerator", str(offer["accelerator"]), book)
                _fill_numbers(offer, key, known, keys, book)
                _fill_throughput(offer, key, known, workloads, book)
                _fill_hours(name, known, runs, book)
    return {**table, "filled_in": book} if book else table


def _tables(table: Raw, group: str) -> dict[str, Raw]:
    """The tables of a group by name, each a copy in the table itself."""
    found = table.get(group)
    if not isinstance(found, dict):
        return {}
    copied = {name: dict(each) if isinstance(each, dict) else each for name, each in found.items()}
    table[group] = copied
    return {str(name): cast(Raw, each) for name, each in copied.items() if isinstance(each, dict)}


def _serves_model(workload: Raw) -> bool:
    """Whether a workload names a model, and its traffic is well-formed; if it is not, the schema will say how."""
    try:
        Traffic.model_validate(workload.get("traffic") or {})
    except ValidationError:
        return False
    return isinstance(workload.get("model"), str)


def _named(key: str, name: str, book: dict[str, str]) -> Accelerator:
    """The accelerator that a maker's, a table's or a cloud's name means; what was taken for it is told."""
    try:
        found = recognise(name)
    except UsageError as error:
        raise UsageError(f"'{key}': {error}", next_step=error.next_step) from None
    if found.note is not None:
        book[key] = found.note
    return found.accelerator


def _fill_numbers(offer: Raw, key: str, known: Accelerator, keys: tuple[str, ...], book: dict[str, str]) -> None:
    """Price and power of an accelerator, or its rent; where the facts have none, it must be given."""
    entry = known.entry
    facts: dict[str, tuple[Number | None, float]] = {
        "price_usd": (entry.price_usd, 1.0),
        "power_kw": (entry.server_w, 1e-3),
        "usd_per_hour": (entry.rent_usd_per_hour, 1.0),
    }
    for own in keys:
        number, scale = facts[own]
        if own in offer:
            continue
        if number is None:
            raise UsageError(f"'{key}.{own}': the facts have none of {known.name}", next_step=f"give {own}")
        source = known.sources[number.source]
        offer[own] = number.value * scale
        book[f"{key}.{own}"] = f"{number.value * scale:,.6g}: {source.title}, {source.date}"


def _fill_throughput(
    offer: Raw, key: str, known: Accelerator, workloads: Mapping[str, Raw], book: dict[str, str]
) -> None:
    """What one accelerator does of each workload that serves a model, where it is not given."""
    given = offer.get("throughput", {})
    if not isinstance(given, dict):
        return
    throughput = dict(given)
    for name, workload in workloads.items():
        if name in throughput:
            continue
        try:
            rate, words = _served(name, workload, known)
        except InfeasibleError as error:
            book[f"{key}.throughput.{name}"] = f"none: {error}"
            continue
        throughput[name] = float(f"{rate.mid:.4g}")
        book[f"{key}.throughput.{name}"] = f"{rate.mid:,.4g} ({rate.low:,.3g} to {rate.high:,.3g} with 80%): {words}"
    offer["throughput"] = throughput


def _served(name: str, workload: Raw, known: Accelerator) -> tuple[Interval, str]:
    """Units of demand that one accelerator serves of a model, and of what that is an estimate."""
    key = f"workloads.{name}"
    unit = UNIT.fullmatch(str(workload.get("unit", "")).strip())
    if unit is None:
        written = repr(workload["unit"]) if "unit" in workload else "missing"
        raise UsageError(
            f"'{key}.unit' is {written}, but '{key}.model' serves tokens",
            next_step="write tokens/s, k tokens/s or M tokens/s, of answers; or leave out model and give throughput",
        )
    try:
        model = find_served_model(str(workload["model"]))
    except UsageError as error:
        advice = (error.next_step or "").replace("; or give --params instead", "; or leave it out and give throughput")
        raise UsageError(f"'{key}.model': {error}", next_step=advice) from None
    asked = Traffic.model_validate(workload.get("traffic") or {})
    precision: Precision = asked.precision or ("fp8" if "fp8" in known.precisions() else "bf16")
    answers = TOKENS[(unit[1] or "").lower()]
    traffic = ServedTraffic(
        input_tokens_per_s=answers * asked.prompt_tokens / asked.answer_tokens,
        output_tokens_per_s=answers,
        cached_share=asked.cached_share,
        prompt_tokens=asked.prompt_tokens,
        context_tokens=asked.prompt_tokens + asked.answer_tokens / 2,
        user_tokens_per_s=asked.user_tokens_per_s,
    )
    place = next(iter(facilities().values()))
    need = estimate_inference(model, known, traffic, place, precision=precision).accelerators
    words = (
        f"{model.title} in {precision} on {known.name}, prompts of {asked.prompt_tokens:,.0f} and answers of "
        f"{asked.answer_tokens:,.0f} tokens, room for peaks left"
    )
    return need.inverse(), words


def _fill_hours(offer: str, known: Accelerator, runs: Mapping[str, Raw], book: dict[str, str]) -> None:
    """Hours of each run on an accelerator, where they are not given."""
    for name, run in runs.items():
        given = run.get("accelerator_hours", {})
        if not isinstance(given, dict) or offer in given or not _is_size(run, "params") or not _is_size(run, "tokens"):
            continue
        hours, words = _trained(run, known)
        run["accelerator_hours"] = {**given, offer: float(f"{hours.mid:.4g}")}
        key = f"runs.{name}.accelerator_hours.{offer}"
        book[key] = f"{hours.mid:,.4g} ({hours.low:,.3g} to {hours.high:,.3g} with 80%): {words}"


def _is_size(run: Raw, key: str) -> bool:
    size = run.get(key)
    return isinstance(size, int | float) and 1 <= size <= 1e30


def _trained(raw: Raw, known: Accelerator) -> tuple[Interval, str]:
    """Accelerator-hours of a run, and of what that is an estimate."""

    def size(key: str) -> float | None:
        found = raw.get(key)
        return float(found) if isinstance(found, int | float) and found > 0 else None

    params, context = size("params"), size("context")
    assert params is not None
    precision = raw.get("precision", "bf16")
    run = Run(
        active_params=params,
        total_params=max(params, size("total_params") or params),
        tokens=size("tokens") or 0.0,
        accelerator=known,
        context=None if context is None else int(context),
        precision=precision if precision in known.precisions() else "bf16",
    )
    estimate = estimate_training(run, next(iter(facilities().values())))
    scale = (size("flops") or training_flops(run)) / training_flops(run)
    flops, mfu = scale * estimate.flops, estimate.utilisation.mid
    return estimate.accelerator_hours.scaled(scale), f"{flops:.3g} FLOP on {known.name} at {mfu:.0%} of its 16-bit peak"


def _take_forecast(run: Raw, key: str, path: Path, book: dict[str, str]) -> None:
    """Give a run the keys of its forecast that it does not have itself."""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8")).get("run")
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(
            f"'{key}.forecast': cannot read {str(path)!r}: {error}",
            next_step="name a TOML file with a table [run]; docs/plan.md says what is in it",
        ) from error
    if not isinstance(found, dict):
        raise UsageError(f"'{key}.forecast': {str(path)!r} has no table [run]", next_step="see docs/plan.md")
    new = {name: value for name, value in found.items() if name not in run}
    run.update(new)
    for own in _leaves(new):
        book[f"{key}.{own}"] = f"forecast {path.name}"


def _leaves(table: Mapping[str, object], key: str = "") -> Iterator[str]:
    for name, value in table.items():
        own = f"{key}{name}"
        if isinstance(value, dict):
            yield from _leaves(value, f"{own}.")
        else:
            yield own
