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
    "time": "date",
    "devices": "accelerator",
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


MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
SUFFIXES = {
    "k": 1e3,
    "thousand": 1e3,
    "m": 1e6,
    "mn": 1e6,
    "million": 1e6,
    "b": 1e9,
    "bn": 1e9,
    "billion": 1e9,
    "t": 1e12,
    "tn": 1e12,
    "trillion": 1e12,
    "%": 0.01,
}


class BadHeader(ValueError):
    """The header cannot be read; ``next_step`` says what would be right."""

    def __init__(self, message: str, *, next_step: str) -> None:
        super().__init__(message)
        self.next_step = next_step


def columns(header: Sequence[str], known: Collection[str], clear: Collection[str] = ()) -> dict[str, str]:
    """Column of the schema by name in the header; a name that means nothing here is not in it.

    If there is a column of active parameters too, ``params`` and ``parameters`` are all parameters. Names in ``clear``
    are understood otherwise, and are no slips.

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
            if near and word not in NOTES and name not in clear:
                raise BadHeader(
                    f"unknown column {name!r}", next_step=f"did you mean {near[0]!r}? columns: {', '.join(known)}"
                )
            continue
        if column in found.values():
            raise BadHeader(f"column {column!r} is there twice", next_step=f"drop {name!r}")
        found[name] = column
    return found


def year(text: str) -> float | None:
    """Years of a date in any usual form; none if empty.

    "2024", "2024.5", "2024-07", "2024-07-23", "July 2024", "Jul 23, 2024", "23-Jul-24", "23.7.2024", "7/23/2024",
    "Q3 2024", "2024H2" or a time stamp. A bare year is taken at its middle; of "5/7/2024" the month comes first.

    Raises:
        ValueError: it is none of these.
    """
    plain = text.strip().lower()
    if not plain:
        return None
    if re.fullmatch(r"\d{4}\.\d+", plain):
        return float(plain)
    # Spreadsheets write 3-May-22; from 70 on they mean 19xx.
    plain = re.sub(r"^(\d{1,2})([-/. ])([a-z]{3,9})\2([0-6]\d)$", r"\1 \3 20\4", plain)
    plain = re.sub(r"^(\d{1,2})([-/. ])([a-z]{3,9})\2([7-9]\d)$", r"\1 \3 19\4", plain)
    number = re.search(r"(?<!\d)((?:19|20)\d{2})(?!\d)|(?<!\d)((?:19|20)\d{2})(?=\d{4}(?!\d))", plain)
    if number is None:
        raise ValueError("should be a year, year-month or day, e.g. 2024-07")
    years, rest = int(number[1] or number[2]), plain[: number.start()] + " " + plain[number.end() :]
    # 23.7.2024 names the day first; of 7/23/2024 and 2024.7.23 the month comes first.
    day_first = "." in plain[: number.start()]
    months = _months(re.sub(r"t?\d{1,2}:\d{2}.*", "", rest), day_first=day_first)
    return years + (0.5 if months is None else (months - 1) / 12)


def _months(rest: str, *, day_first: bool) -> float | None:
    """The month in what is left of a date without its year; none if nothing is left."""
    words = re.findall(r"[a-z]+", rest)
    numbers = [int(each) for each in re.findall(r"\d+", rest)]
    for word in words:
        if word[:3] in MONTHS:
            return MONTHS.index(word[:3]) + 1.0
    if "q" in words and numbers and numbers[0] in range(1, 5):
        return 3.0 * numbers[0] - 1
    if "h" in words and numbers and numbers[0] in (1, 2):
        return 6.0 * numbers[0] - 2
    if not numbers and all(word in ("mid", "in") for word in words):
        return None
    if len(numbers) == 1 and not words and numbers[0] > 99:
        numbers = [numbers[0] // 100, numbers[0] % 100]
    if words and set(words) - {"t", "z"}:
        raise ValueError("should be a year, year-month or day, e.g. 2024-07")
    if not numbers or len(numbers) > 2 or not any(1 <= each <= 12 for each in numbers) or max(numbers) > 31:
        raise ValueError("should be a year, year-month or day, e.g. 2024-07")
    return float(numbers[-1] if (day_first and numbers[-1] <= 12) or numbers[0] > 12 else numbers[0])


def measured(text: str) -> tuple[float, str] | None:
    """A number with its unit as people write it in a cell, and the words of the unit; none if it is no such thing.

    "~15T tokens", "70 billion", "3.8 x 10^25 FLOP", "16,384 GPUs", "54 days", "38%".
    """
    plain = re.sub(
        r"^[\s~\u2248<>=\u2265\u2264+]+|^(?:about|approx\.?|ca\.?|circa|over|around)\s+", "", text.strip().lower()
    )
    plain = re.sub(r"(?<=\d)[,_\u202f\u00a0 ](?=\d{3}(\D|$))", "", plain)
    plain = re.sub(r"\s*[x\u00d7*]\s*10(?:\^|\*\*)?\s*([+-]?\d+)", r"e\1", plain)
    match = re.fullmatch(r"(\d+\.?\d*(?:\s?e\s?[+-]?\d+)?)\s*(%|[a-z][a-z\s/-]*)?\+?", plain)
    if match is None:
        return None
    value = float(match[1].replace(" ", ""))
    words = (match[2] or "").replace("-", " ").split()
    if words and words[0] in SUFFIXES:
        value *= SUFFIXES[words.pop(0)]
    return value, " ".join(words)


def format_name(text: object) -> object:
    """The format by the name that it has here."""
    plain = text.strip().lower() if isinstance(text, str) else text
    return OTHER_PRECISIONS.get(plain, plain) if isinstance(plain, str) else plain


def kind_name(text: object) -> object:
    """The kind by the name that it has here."""
    plain = text.strip().lower() if isinstance(text, str) else text
    return OTHER_KINDS.get(plain, plain) if isinstance(plain, str) else plain
