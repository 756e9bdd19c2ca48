"""What is judged after a long run: that no event is missing from the ledger, and that memory is flat."""

import sqlite3
import statistics
from collections.abc import Sequence
from pathlib import Path

WARM_SHARE = 0.25
"""Of the run, before memory is compared: caches fill, and each kind of move and fault happens for the first time."""

GROWTH_SHARE, GROWTH_MB = 0.05, 60.0


def ledger_gaps(home: Path) -> dict[str, tuple[int, int]]:
    """Find ledgers of a home whose event numbers have a gap: file name to (events, span of their numbers).

    A ledger that was set aside as damaged has another suffix and is not read.
    """
    found = {}
    for path in home.glob("ledger*.db"):
        numbers = event_numbers(path)
        if numbers and len(numbers) != numbers[-1] - numbers[0] + 1:
            found[path.name] = (len(numbers), numbers[-1] - numbers[0] + 1)
    return found


def event_numbers(path: Path) -> list[int]:
    """Read the numbers of all events, ascending."""
    ledger = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return [number for (number,) in ledger.execute("SELECT id FROM events ORDER BY id")]
    finally:
        ledger.close()


def growth(memory: Sequence[tuple[float, float]], seconds: float) -> tuple[float, float]:
    """Compare the first third after the warm-up with the last: medians in MB.

    Args:
        memory: readings, (seconds since the begin, MB).
        seconds: how long the run took.

    Raises:
        ValueError: a third has fewer than three readings, which say nothing.
    """
    begin = WARM_SHARE * seconds
    third = (seconds - begin) / 3
    early = [mb for at, mb in memory if begin <= at < begin + third]
    late = [mb for at, mb in memory if at >= seconds - third]
    if min(len(early), len(late)) < 3:
        raise ValueError(f"{len(early)} and {len(late)} readings of memory are too few to compare; run for longer")
    return statistics.median(early), statistics.median(late)


def is_flat(early_mb: float, late_mb: float) -> bool:
    """Whether memory grew by less than 5% and 60 MB together."""
    return late_mb <= early_mb * (1 + GROWTH_SHARE) + GROWTH_MB
