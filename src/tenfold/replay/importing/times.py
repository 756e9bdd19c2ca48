"""A column of times: each batch of its cells as seconds, and what had to be taken for granted.

Letters: N cells of a batch.
"""

import math
import re
from collections.abc import Sequence

import numpy as np

from tenfold.replay.importing.found import Clock, ImportFault
from tenfold.replay.importing.moments import FIRST_S, LAST_S, PER_SECOND, number_or_date, wall_s
from tenfold.replay.importing.reading import Reading, TimeUnit
from tenfold.replay.importing.zones import WallClock, zone_of
from tenfold.replay.week import Floats

UTC_ENDS = ("Z", "+00:00")
MICROSECONDS = len("2026-01-05 07:00:00.000000")
PLAIN = re.compile(r"[0-9T :.-]+")


class TimeColumn:
    """Reads a column of times, batch by batch.

    Raises:
        UsageError: there is no time zone of the reading's name.
    """

    def __init__(self, origin: str, name: str, reading: Reading, unit: TimeUnit | None) -> None:
        self._origin, self._name, self._reading, self._unit = origin, name, reading, unit
        self._wall = WallClock(zone_of(reading.zone))
        self._clocks: set[Clock] = set()
        self._bare = False

    @property
    def clock(self) -> Clock:
        """Which clock it tells.

        Raises:
            ImportFault: some cells are dates and others are not, or there is no cell.
        """
        if not self._clocks:
            raise ImportFault(f"{self._origin} has a header and no rows", next_step="export a time that has some")
        if len(self._clocks) > 1:
            raise ImportFault(
                f"{self._origin}: some times are dates and others are not",
                next_step="say what numbers are by --time-unit",
            )
        return next(iter(self._clocks))

    def told(self) -> list[str]:
        """What was taken for granted."""
        zone = self._reading.zone
        taken = f"{self._origin}: times without a zone are taken to be of {zone} (--timezone)."
        return [*([taken] if self._bare else []), *self._wall.told(self._origin, zone)]

    def read(self, cells: Sequence[str], lines: Sequence[int], series: Sequence[str] | None = None) -> Floats:
        """Seconds of a batch.

        Args:
            cells: of the column.
            lines: where each stands in the file.
            series: whose each is, if a series has a time once; none: they are of requests.

        Raises:
            ImportFault: a cell is no time; names its line.
        """
        for form, read in (("number", _numbers), ("utc", _utc), ("wall", _walls)):
            values_N = read(cells)
            if values_N is not None:
                return self._seconds(form, values_N, series)
        forms_N, values_N = self._each(cells, lines)
        seconds_N = np.empty(len(cells))
        for form in dict.fromkeys(forms_N):
            mine = [place for place, each in enumerate(forms_N) if each == form]
            owners = None if series is None else [series[place] for place in mine]
            seconds_N[mine] = self._seconds(form, values_N[mine], owners)
        return seconds_N

    def _each(self, cells: Sequence[str], lines: Sequence[int]) -> tuple[list[str], Floats]:
        """The form and value of each cell, one at a time: they are of several forms, or one is no time."""
        forms, values_N = [], np.empty(len(cells))
        for place, cell in enumerate(cells):
            found = number_or_date(cell)
            if found is None or (isinstance(found, float) and not math.isfinite(found)):
                raise ImportFault(
                    f"{self._origin}, line {lines[place]}: {self._name} is {cell!r}, which is no time",
                    next_step="write it like 2026-01-05 07:00:00.125, or as seconds since 1970",
                )
            if isinstance(found, float):
                forms.append("number")
                values_N[place] = found
            else:
                forms.append("wall" if found.tzinfo is None else "utc")
                values_N[place] = wall_s(found) if found.tzinfo is None else found.timestamp()
        return forms, values_N

    def _seconds(self, form: str, values_N: Floats, series: Sequence[str] | None) -> Floats:
        """Seconds of values of one form: numbers, seconds since 1970, or what a clock on the wall shows."""
        if form == "number":
            return self._of_numbers(values_N)
        self._clocks.add("dated")
        if form == "utc":
            return values_N
        self._bare = True
        if series is None:
            return self._wall.requests(values_N)
        seconds_N, owners_N = np.empty(len(values_N)), np.array(series)
        for name in dict.fromkeys(series):
            mine = owners_N == name
            seconds_N[mine] = self._wall.series(values_N[mine])
        return seconds_N

    def _of_numbers(self, values_N: Floats) -> Floats:
        """Epochs in any unit, or seconds from a beginning."""
        seconds_N, dated_N = values_N / PER_SECOND[self._unit or "s"], np.zeros(len(values_N), dtype=bool)
        for unit in (self._unit,) if self._unit is not None else PER_SECOND:
            epochs_N = values_N / PER_SECOND[unit]
            fits_N = ~dated_N & (epochs_N >= FIRST_S) & (epochs_N <= LAST_S)
            seconds_N[fits_N] = epochs_N[fits_N]
            dated_N |= fits_N
        if dated_N.any():
            self._clocks.add("dated")
        if not dated_N.all():
            self._clocks.add("counted")
        return seconds_N


def _numbers(cells: Sequence[str]) -> Floats | None:
    """All cells as numbers, at once; none if one is no number."""
    try:
        values_N = np.array(cells, dtype=np.float64)
    except ValueError:
        return None
    return values_N if np.isfinite(values_N).all() else None


def _utc(cells: Sequence[str]) -> Floats | None:
    """All cells as ISO dates of UTC; none if one is something else."""
    end = next((end for end in UTC_ENDS if all(cell.endswith(end) for cell in cells)), None)
    return None if end is None else _walls([cell.removesuffix(end) for cell in cells])


def _walls(cells: Sequence[str]) -> Floats | None:
    """All cells as ISO dates without a zone; none if one is something else."""
    text = "".join(cells)
    # A zone would have letters, a plus, or a third dash; a year has four digits.
    years = {cell[4:5] for cell in cells}
    if PLAIN.fullmatch(text) is None or text.count("-") != 2 * len(cells) or years != {"-"}:
        return None
    try:
        moments_N = np.array([cell[:MICROSECONDS] for cell in cells], dtype="datetime64[us]")
    except ValueError:
        return None
    return None if np.isnat(moments_N).any() else moments_N.astype(np.int64) / 1e6
