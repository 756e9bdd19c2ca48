"""A user's table as people write it: names of columns, dates, spellings of precisions."""

import difflib
import re
from collections.abc import Collection, Sequence

# What others call the same columns.
OTHER_NAMES = {
    "name": "run",
    "model": "run",
    "hardware": "accelerator",
    "gpu": "accelerator",
    "chip": "accelerator",
    "params": "active_params",
    "parameters": "active_params",
    "activated_params": "active_params",
    "training_tokens": "tokens",
    "gpus": "count",
    "chips": "count",
    "num_gpus": "count",
    "gpu_hours": "accelerator_hours",
    "chip_hours": "accelerator_hours",
    "org": "organisation",
    "organization": "organisation",
    "context_length": "context",
    "sequence_length": "context",
    "num_layers": "layers",
    "hidden_size": "hidden",
    "year": "date",
}
# Columns of the project's own table that are no part of a run.
NOTES = frozenset({"source", "source_date", "provenance", "notes"})
OTHER_PRECISIONS = {"float32": "fp32", "tf32": "fp32", "float16": "fp16", "bfloat16": "bf16", "float8": "fp8"}
OTHER_KINDS = {
    "production": "run",
    "training run": "run",
    "pre-training": "run",
    "pretraining": "run",
    "bench": "benchmark",
}


class BadHeader(ValueError):
    """The header cannot be read; ``next_step`` says what would be right."""

    def __init__(self, message: str, *, next_step: str) -> None:
        super().__init__(message)
        self.next_step = next_step


def columns(header: Sequence[str], known: Collection[str]) -> dict[str, str]:
    """Column of the schema by name in the header; a name that means nothing here is not in it.

    If there is a column of active parameters too, ``params`` and ``parameters`` are all parameters.

    Raises:
        BadHeader: a name looks like a slip of a known one, or two names mean the same column.
    """
    plain = {name: re.sub(r"[\s-]+", "_", name.strip().lower()) for name in header}
    active_apart = bool({"active_params", "activated_params"} & set(plain.values()))
    found: dict[str, str] = {}
    for name, word in plain.items():
        column = OTHER_NAMES.get(word, word)
        if active_apart and word in ("params", "parameters"):
            column = "total_params"
        if column not in known:
            near = difflib.get_close_matches(word, [*known, *OTHER_NAMES], n=1, cutoff=0.86)
            if near and word not in NOTES:
                raise BadHeader(
                    f"unknown column {name!r}", next_step=f"did you mean {near[0]!r}? columns: {', '.join(known)}"
                )
            continue
        if column in found.values():
            raise BadHeader(f"column {column!r} is there twice", next_step=f"drop {name!r}")
        found[name] = column
    return found


def year(text: str) -> float | None:
    """Years of "2024", "2024.5", "2024-07" or "2024-07-23"; none if empty. A bare year is taken at its middle.

    Raises:
        ValueError: it is none of these.
    """
    if not text:
        return None
    match = re.fullmatch(r"(\d{4})(?:-(\d{1,2})(?:-\d{1,2})?)?", text)
    if match is not None and 1 <= int(match[2] or 1) <= 12:
        return int(match[1]) + ((int(match[2]) - 1) / 12 if match[2] else 0.5)
    if re.fullmatch(r"\d{4}\.\d+", text):
        return float(text)
    raise ValueError("should be a year, year-month or day, e.g. 2024-07")


def format_name(text: object) -> object:
    """The format by the name that it has here."""
    plain = text.strip().lower() if isinstance(text, str) else text
    return OTHER_PRECISIONS.get(plain, plain) if isinstance(plain, str) else plain


def kind_name(text: object) -> object:
    """The kind by the name that it has here."""
    plain = text.strip().lower() if isinstance(text, str) else text
    return OTHER_KINDS.get(plain, plain) if isinstance(plain, str) else plain
