"""A row of anyone's table as the schema wants it: units out of cells, what follows from others, what was assumed."""

import math
import re
from collections.abc import Mapping

from tenfold.compute.cells import measured, year
from tenfold.compute.hardware import recognise
from tenfold.compute.headers import FLOPS, HOURS, WALL_HOURS, Meaning
from tenfold.core.written import number

# A link of Markdown counts for its words.
LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
NUMBERS = {
    "active_params": ("param", "params", "parameters", "active", "active parameters", "active params", "activated"),
    "total_params": ("param", "params", "parameters", "total"),
    "tokens": ("token", "tokens"),
    "count": ("gpu", "gpus", "tpus", "chips", "accelerators", "devices", "nodes"),
    "context": ("token", "tokens"),
    "layers": ("layers",),
    "hidden": (),
    FLOPS: ("flop", "flops", "fp operations"),
    "tokens_per_s": ("tokens/s", "tok/s", "tokens/s/gpu", "tokens per second"),
    "model_tflops": ("tflops", "tflop/s", "tflops/gpu", "tflop/s/gpu"),
    "mfu": ("%",),
}


def as_the_schema_wants(
    cells: Mapping[str, str], meant: Mapping[str, Meaning]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The cells under the schema's names, and what was assumed of them; what cannot be read is left for it to refuse.

    Args:
        cells: by the names of the header.
        meant: what those names mean.
    """
    given: dict[str, str] = {}
    assumed: list[str] = []
    for name, text in cells.items():
        meaning = meant.get(name)
        if meaning is None or not text or text.lower() in ("-", "n/a", "na", "nan", "none", "unknown", "?"):
            continue
        given[meaning.column] = _number(LINK.sub(r"\1", text), meaning)
    _hardware(given, assumed)
    _follows(given, assumed)
    if "date" in given:
        given["date"] = _date(given["date"])
    return given, tuple(assumed)


def _number(text: str, meaning: Meaning) -> str:
    """The number of a cell in the schema's unit; what is no number stays as it is."""
    if meaning.column in ("accelerator_hours", WALL_HOURS):
        return _hours(text, meaning)
    words = NUMBERS.get(meaning.column)
    if meaning.scale == 1 and isinstance(number(text), int | float):
        return text
    found = measured(text) if words is not None else None
    if found is None or words is None or (found[1] and found[1] not in words):
        return text
    value, _ = found
    return f"{value * (meaning.scale if _is_bare(text) else 1.0):.12g}"


def _is_bare(text: str) -> bool:
    """Whether a cell is a number alone, so that the header's unit counts."""
    return not any((letter.isalpha() and letter.lower() not in "ex") or letter == "%" for letter in text)


def _hours(text: str, meaning: Meaning) -> str:
    """Hours of a time, or of accelerators: "54 days", "1.7M GPU hours"."""
    found = measured(text)
    if found is None:
        return text
    value, words = found
    units = [HOURS[unit] for word in words.split() for unit in HOURS if word.rstrip("s") in (unit, unit[0] + "r")]
    others = [word for word in words.split() if word.rstrip("s") not in HOURS and word not in ("h", "hr", "hrs")]
    if any(word.rstrip("s") not in ("gpu", "tpu", "chip", "accelerator", "device") for word in others):
        return text
    scale = units[0] if units else meaning.scale if _is_bare(text) else meaning.hours
    return text if math.isnan(scale) else f"{value * scale:.12g}"


def _hardware(given: dict[str, str], assumed: list[str]) -> None:
    if "accelerator" not in given:
        return
    # Raises where none is meant; the row is then named.
    found = recognise(given["accelerator"])
    given["accelerator"] = found.accelerator.name
    if found.note is not None:
        assumed.append(found.note)
    if found.count is not None and "count" not in given:
        given["count"] = str(found.count)


def _follows(given: dict[str, str], assumed: list[str]) -> None:
    """Hours of time and count; tokens or parameters of FLOPs."""
    wall, flops = _value(given.pop(WALL_HOURS, "")), _value(given.pop(FLOPS, ""))
    count, tokens = _value(given.get("count", "")), _value(given.get("tokens", ""))
    size = _value(given.get("active_params", given.get("total_params", "")))
    actual = {"accelerator_hours", "tokens_per_s", "model_tflops", "mfu"} & given.keys()
    if wall is not None and count is not None and not actual:
        given["accelerator_hours"] = f"{wall * count:.12g}"
        assumed.append("accelerator-hours are the time of the run times its accelerators")
    if flops is None:
        return
    if "tokens" not in given and size is not None:
        given["tokens"] = f"{flops / 6 / size:.12g}"
        assumed.append("tokens are FLOPs / 6 / parameters")
    elif tokens is not None and "active_params" not in given and "total_params" not in given:
        given["active_params"] = f"{flops / 6 / tokens:.12g}"
        assumed.append("parameters are FLOPs / 6 / tokens")


def _date(text: str) -> str:
    """Year and month; what is no date stays as it is, for the schema to refuse."""
    try:
        when = year(text)
    except ValueError:
        return text
    return text if when is None else f"{when:.4f}"


def _value(text: str) -> float | None:
    """A number above zero, or none."""
    found = number(text)
    return float(found) if isinstance(found, int | float) and found > 0 else None
