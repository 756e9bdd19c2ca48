"""Moments as people's tools write them: ISO 8601, Slurm's and Grafana's dates, and epochs in s, ms, us or ns."""

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import partial
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from tenfold.core.errors import UsageError
from tenfold.replay.importing.found import Clock, ImportFault
from tenfold.replay.importing.reading import Reading, TimeUnit
from tenfold.replay.importing.text import Rows
from tenfold.replay.week import Floats

NEVER = frozenset({"", "unknown", "none", "n/a", "na", "null", "nan", "invalid"})
PER_SECOND = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
FIRST_S, LAST_S = 1.1e9, 4.1e9
"""Seconds since 1970 of 2004 and of 2100: a number between them, in some unit, is a date."""

FORMATS = (
    "%Y/%m/%d-%H:%M:%S",
    "%Y/%m/%d %H:%M:%S",
    "%d/%b/%Y:%H:%M:%S %z",
    "%Y-%m-%d %H:%M:%S %z",
    "%Y-%m-%d %H:%M:%S %Z",
)


@dataclass(frozen=True, slots=True)
class Moment:
    """Seconds, and on which clock. ``zoned``: it said its time zone, or is a number."""

    seconds: float
    clock: Clock
    zoned: bool = True


def zone_of(name: str) -> tzinfo:
    """The time zone of a name.

    Raises:
        UsageError: there is none.
    """
    if name.upper() == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, IsADirectoryError):
        raise UsageError(f"there is no time zone {name!r}", next_step="give one like UTC or Europe/Berlin") from None


def moment_of(cell: str | None, zone: tzinfo, unit: TimeUnit | None = None) -> Moment | None:
    """Read one moment; none if it is no date and no number.

    Args:
        cell: as it stands in the file.
        zone: of dates that have none.
        unit: of numbers; none: an epoch's is told by its size, and smaller numbers are seconds from a beginning.
    """
    text = "" if cell is None else cell.strip().strip('"')
    try:
        return _number(float(text), unit)
    except ValueError:
        pass
    # Python's logging has a comma before milliseconds, and Azure writes seven digits after the second.
    text = re.sub(r"(:\d\d),(\d+)", r"\1.\2", text)
    text = re.sub(r"(\.\d{6})\d+", r"\1", text)
    for read in (datetime.fromisoformat, *(partial(_by_format, form) for form in FORMATS)):
        try:
            return _date(read(text), zone)
        except ValueError:
            continue
    return None


def _by_format(form: str, text: str) -> datetime:
    return datetime.strptime(text, form)


def is_never(cell: str) -> bool:
    """Whether a cell says that there is no such moment: empty, Unknown, None, N/A."""
    return cell.strip().lower() in NEVER


def _date(moment: datetime, zone: tzinfo) -> Moment:
    zoned = moment.tzinfo is not None
    return Moment((moment if zoned else moment.replace(tzinfo=zone)).timestamp(), "dated", zoned)


def _number(value: float, unit: TimeUnit | None) -> Moment | None:
    if not math.isfinite(value):
        return None
    for each in (unit,) if unit is not None else PER_SECOND:
        seconds = value / PER_SECOND[each]
        if FIRST_S <= seconds <= LAST_S:
            return Moment(seconds, "dated")
    return Moment(value / PER_SECOND[unit or "s"], "counted")


def times_of(rows: Rows, column: int, reading: Reading, unit: TimeUnit | None) -> tuple[Floats, Clock, list[str]]:
    """Seconds of a table's column of times, their clock, and what was taken for granted.

    Raises:
        ImportFault: a cell is no time, some are dates and others are not, or there is no row.
    """
    zone, bare = zone_of(reading.zone), 0
    times, clocks = np.empty(len(rows.rows)), set()
    for at, row in enumerate(rows.rows):
        moment = moment_of(row[column], zone, unit)
        if moment is None:
            raise ImportFault(
                f"{rows.origin}, line {rows.lines[at]}: {rows.names[column]} is {row[column]!r}, which is no time",
                next_step="write it like 2026-01-05 07:00:00.125, or as seconds since 1970",
            )
        times[at] = moment.seconds
        clocks.add(moment.clock)
        bare += not moment.zoned
    if not len(times):
        raise ImportFault(f"{rows.origin} has a header and no rows", next_step="export a time that has some")
    if len(clocks) > 1:
        raise ImportFault(
            f"{rows.origin}: some times are dates and others are not", next_step="say what numbers are by --time-unit"
        )
    told = [f"{rows.origin}: times without a zone are taken to be of {reading.zone} (--timezone)."] if bare else []
    return times, clocks.pop(), told


def duration_s(cell: str) -> float | None:
    """Seconds of ``1-02:03:04``, ``02:03:04``, ``03:04`` or a number; none if it is none."""
    text = cell.strip()
    match = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)", text)
    if match:
        days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
        return 86400 * days + 3600 * hours + 60 * minutes + seconds
    return float(text) if re.fullmatch(r"\d+(\.\d+)?", text) else None
