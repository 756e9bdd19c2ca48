"""The clock on the wall of a place: what it shows comes twice once a year, and once a year does not come.

Letters: N times, M minutes.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from tenfold.core.errors import UsageError
from tenfold.replay.week import Floats

MINUTE_S = 60.0
"""Places move their clocks at whole minutes: Newfoundland did so at 0:01 until 2011."""

LATE_S = 300.0
"""A request may stand so long after those that came after it; one that stands longer came as clocks had gone back."""

EPOCH = datetime(1970, 1, 1)


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


def both_shifts(wall: datetime, zone: tzinfo) -> tuple[float, float]:
    """Seconds by which a clock on the wall that shows this is ahead of UTC: the first time that it does, and the next.

    They differ where clocks go back (the first is larger), and where they go forward, so that no clock shows this.
    """
    first, second = (wall.replace(tzinfo=zone, fold=fold).utcoffset() or timedelta() for fold in (0, 1))
    return first.total_seconds(), second.total_seconds()


class WallClock:
    """Turns times of a clock on the wall into seconds since 1970, row by row.

    In the hour, or half an hour, that comes twice the order of rows tells which one it is. ``twice``, ``never``: how
    many times were in such an hour, and how many in the one that clocks leave out.
    """

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._last_s: float | None = None
        self.twice = 0
        self.never = 0

    def requests(self, wall_s_N: Floats) -> Floats:
        """Times of requests in about the order of time, of which many may have one time; more may follow."""
        first_N, second_N = self._both(wall_s_N)
        found_N = self._in_order(first_N, second_N, range(len(first_N)), LATE_S)
        self._last_s = float(found_N[-1]) if len(found_N) else self._last_s
        return found_N

    def series(self, wall_s_N: Floats) -> Floats:
        """Times of one series, each once, which rise or fall from row to row."""
        self._last_s = None
        first_N, second_N = self._both(wall_s_N)
        falls = len(wall_s_N) > 1 and wall_s_N[-1] < wall_s_N[0]
        return self._in_order(first_N, second_N, range(len(first_N))[:: -1 if falls else 1], 0.0)

    def _both(self, wall_s_N: Floats) -> tuple[Floats, Floats]:
        minutes_M, at_N = np.unique(np.floor(wall_s_N / MINUTE_S), return_inverse=True)
        shifts_M = [both_shifts(EPOCH + timedelta(seconds=float(each) * MINUTE_S), self._zone) for each in minutes_M]
        ahead_N2 = np.array(shifts_M).reshape(-1, 2)[at_N]
        self.never += int((ahead_N2[:, 0] < ahead_N2[:, 1]).sum())
        return wall_s_N - ahead_N2[:, 0], wall_s_N - ahead_N2[:, 1]

    def _in_order(self, first_N: Floats, second_N: Floats, order: Iterable[int], back_s: float) -> Floats:
        """Take the second time where the first would lie so far before the row before it."""
        found_N, twice_N = first_N.copy(), second_N > first_N
        if not twice_N.any():
            return found_N
        self.twice += int(twice_N.sum())
        last_s = self._last_s
        for at in order:
            if twice_N[at] and last_s is not None and first_N[at] <= last_s - back_s:
                found_N[at] = second_N[at]
            last_s = float(found_N[at])
        return found_N

    def told(self, origin: str, zone: str) -> list[str]:
        """What a reader must know of it."""
        lines = []
        if self.twice:
            lines.append(
                f"{origin}: {self.twice:,} times are of those that come twice as clocks go back in {zone}; the order "
                "of rows tells which."
            )
        if self.never:
            lines.append(
                f"{origin}: {self.never:,} times are of those that clocks leave out as they go forward in {zone}: "
                "taken for as much later as clocks go forward; is --timezone right?"
            )
        return lines
