"""Moments as people's tools write them: ISO 8601, Slurm's and Grafana's dates, and epochs in s, ms, us or ns."""

import math
import re
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import partial

from tenfold.replay.importing.found import Clock
from tenfold.replay.importing.reading import TimeUnit
from tenfold.replay.importing.zones import EPOCH, both_shifts

NEVER = frozenset({"", "unknown", "none", "n/a", "na", "null", "nan", "invalid"})
PER_SECOND = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
FIRST_S, LAST_S = 1.1e9, 4.1e9
"""Seconds since 1970 of 2004 and of 2100: a number between them, in some unit, is a date."""

FORMATS = (
    "%Y/%m/%d-%H:%M:%S",
    "%Y/%m/%d %H:%M:%S",
    "%d/%b/%Y:%H:%M:%S %z",
    "%Y-%m-%d %H:%M:%S %z",
)


@dataclass(frozen=True, slots=True)
class Moment:
    """Seconds, and on which clock. ``zoned``: it said its time zone, or is a number.

    ``again_s``: the second time that clocks showed this, where they go back; none: they show it once.
    """

    seconds: float
    clock: Clock
    zoned: bool = True
    again_s: float | None = None


def moment_of(cell: str | None, zone: tzinfo, unit: TimeUnit | None = None) -> Moment | None:
    """Read one moment; none if it is no date and no number.

    Args:
        cell: as it stands in the file.
        zone: of dates that have none.
        unit: of numbers; none: an epoch's is told by its size, and smaller numbers are seconds from a beginning.
    """
    found = "" if cell is None else number_or_date(cell)
    if isinstance(found, float):
        return _number(found, unit)
    return _date(found, zone) if isinstance(found, datetime) else None


def number_or_date(cell: str) -> float | datetime | None:
    """What a cell says, with or without a time zone; none if it is neither."""
    text = cell.strip().strip('"')
    try:
        return float(text)
    except ValueError:
        pass
    # Python's logging has a comma before milliseconds, Azure seven digits after the second, and some write UTC.
    text = re.sub(r"(:\d\d),(\d+)", r"\1.\2", text)
    text = re.sub(r"(\.\d{6})\d+", r"\1", text)
    text = re.sub(r"(\s*[+-]\d\d:?\d\d)?\s*(UTC|GMT)$", lambda found: found[1] or "+00:00", text)
    for read in (datetime.fromisoformat, *(partial(_by_format, form) for form in FORMATS)):
        try:
            return read(text)
        except ValueError:
            continue
    return None


def _by_format(form: str, text: str) -> datetime:
    return datetime.strptime(text, form)


def is_never(cell: str) -> bool:
    """Whether a cell says that there is no such moment: empty, Unknown, None, N/A."""
    return cell.strip().lower() in NEVER


def wall_s(moment: datetime) -> float:
    """What a date without a zone shows, in seconds since its 1970."""
    return (moment - EPOCH).total_seconds()


def _date(moment: datetime, zone: tzinfo) -> Moment:
    if moment.tzinfo is not None:
        return Moment(moment.timestamp(), "dated")
    first_s, second_s = (wall_s(moment) - ahead_s for ahead_s in both_shifts(moment, zone))
    return Moment(first_s, "dated", False, second_s if second_s > first_s else None)


def _number(value: float, unit: TimeUnit | None) -> Moment | None:
    if not math.isfinite(value):
        return None
    for each in (unit,) if unit is not None else PER_SECOND:
        seconds = value / PER_SECOND[each]
        if FIRST_S <= seconds <= LAST_S:
            return Moment(seconds, "dated")
    return Moment(value / PER_SECOND[unit or "s"], "counted")


def duration_s(cell: str) -> float | None:
    """Seconds of ``1-02:03:04``, ``02:03:04``, ``03:04`` or a number; none if it is none."""
    text = cell.strip()
    match = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)", text)
    if match:
        days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
        return 86400 * days + 3600 * hours + 60 * minutes + seconds
    return float(text) if re.fullmatch(r"\d+(\.\d+)?", text) else None
