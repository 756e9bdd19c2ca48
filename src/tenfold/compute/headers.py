"""What the columns of anyone's table mean: the name of the schema, and the unit that the header gives its numbers."""

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from tenfold.compute.cells import NOTES, SUFFIXES, columns

# Columns that are no part of a run, but from which parts of it follow.
FLOPS, WALL_HOURS = "flops", "wall_hours"
HOURS = {"minute": 1 / 60, "hour": 1.0, "day": 24.0, "week": 168.0, "month": 730.0}
# What a header's words say, the first that fits.
PATTERNS: tuple[tuple[str, str], ...] = (
    ("accelerator_hours", r"\b(?:gpu|chip|tpu|accelerator|device|[abvh]\d{3})s? (?:hours?|days?|hrs?|h)\b"),
    ("tokens_per_s", r"\btokens? (?:per )?(?:s|sec|second)s? (?:per )?(?:gpu|chip|accelerator|device)"),
    ("model_tflops", r"\btflops? ?(?:per )?s? (?:per )?(?:gpu|chip|accelerator|device)"),
    ("mfu", r"\bmfu\b|\bmodel flops? utili[sz]ation\b"),
    (WALL_HOURS, r"\b(?:train|training|wall|run|elapsed)\b.*\b(?:time|duration|clock|days?|hours?|weeks?)\b"),
    (WALL_HOURS, r"^(days|weeks) \1$"),
    (FLOPS, r"\b(?:training |total )?(?:compute|flops?)\b"),
    ("tokens", r"\btokens?\b|\bdata ?set size\b"),
    ("active_params", r"\bactivat?ed? param|\bactive\b"),
    ("params", r"\bparam(?:s|eters?)?\b|\bmodel size\b"),
    ("count", r"\b(?:number|num|no|nr|n|count|quantity) (?:of )?(?:gpu|chip|tpu|accelerator|device)s?\b"),
    ("count", r"\b(?:gpu|chip|tpu|accelerator|hardware|device)s? (?:count|quantity|number|used)\b|\bhow many\b"),
    ("accelerator", r"\b(?:hardware|accelerators?|gpu|chip|device|instance|machine)\b"),
    ("date", r"\bdate\b|\bpublished\b|\breleased?\b|\byear\b|\bwhen\b"),
    ("organisation", r"\borgani[sz]ations?\b|\bcompany\b|\blab\b|\bdeveloper\b|\binstitution\b|\bwho\b"),
    ("context", r"\bcontext\b|\bseq(?:uence)? len(?:gth)?\b"),
    ("precision", r"\bprecision\b|\bdtype\b|\bnum(?:ber|erical) format\b"),
    ("run", r"\bmodel\b|\bsystem\b|\brun\b|\bname\b"),
)


@dataclass(frozen=True, slots=True)
class Meaning:
    """A column of the schema; ``scale`` turns a bare number of its cells into the schema's unit.

    ``hours``: of the unit of time that the header gives, which counts for a number with a suffix of its own too.
    """

    column: str
    scale: float = 1.0
    hours: float = 1.0


def meanings(header: Sequence[str], known: Collection[str]) -> dict[str, Meaning]:
    """What each name of a header means; one that means nothing here is not in it.

    Names of the schema and usual other names count first; else the words of the name, each column once.

    Raises:
        BadHeader: a name looks like a slip of a known one, or two names mean the same column.
    """
    by_words = {name: found for name in header if (found := _by_words(name)) is not None}
    plain = columns(header, known, clear=by_words)
    found = {name: Meaning(column) for name, column in plain.items()}
    taken = set(plain.values())
    active_apart = "active_params" in taken or any(meant.column == "active_params" for meant in by_words.values())
    for name, meant in by_words.items():
        column = meant.column
        if column == "params":
            column = "total_params" if active_apart else "active_params"
        if name not in found and column not in taken:
            found[name] = replace(meant, column=column)
            taken.add(column)
    return found


def _by_words(name: str) -> Meaning | None:
    words = re.sub(r"[^a-z0-9]+", " ", re.sub(r"[(\[].*?[)\]]", " ", name.lower())).strip()
    if words in NOTES or re.search(r"\b(?:source|url|link|notes?|reference|citation|comment|confidence|cost)\b", words):
        return None
    full = re.sub(r"[^a-z0-9]+", " ", name.lower()).strip()
    column = next((column for column, pattern in PATTERNS if re.search(pattern, f"{words} {full}")), None)
    if column is None:
        return None
    told = re.findall(r"[a-z]+|%", name.lower())
    hours = _hours(column, told)
    return Meaning(column, hours * _multiple(told[1:]), hours)


def _multiple(words: Sequence[str]) -> float:
    """What a header counts in: "Params (B)", "Tokens [T]", "GPU hours (thousands)", "MFU (%)"."""
    return math.prod(SUFFIXES.get(word, SUFFIXES.get(word.removesuffix("s"), 1.0)) for word in words)


def _hours(column: str, words: Sequence[str]) -> float:
    """Hours of the unit of time that a header gives: "Training time (days)"; of no number if it must and does not."""
    if column != WALL_HOURS and (column != "accelerator_hours" or "day" not in {word.rstrip("s") for word in words}):
        return 1.0
    unit = next((unit for unit in HOURS if any(word.rstrip("s") in (unit, unit[0] + "r") for word in words)), None)
    return HOURS[unit] if unit else math.nan
