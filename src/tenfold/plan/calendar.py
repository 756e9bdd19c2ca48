"""Periods of a study: half-years, quarters or years, told apart by their labels."""

import math
import re
from dataclasses import dataclass

LABEL = re.compile(r"(\d{4})(?:([HQ])([1-4]))?")
MONTHS = {None: 12, "H": 6, "Q": 3}
HOURS_PER_MONTH = 8766 / 12


class NotAPeriod(ValueError):
    """A label that is none of 2026, 2026H1, 2026Q3."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """The periods of a study, numbered from 0; all have the same length.

    Args:
        first: label of the first period; its form fixes the length: ``2026`` a year, ``2026H1`` a half, ``2026Q3`` a
            quarter.
        count: how many periods.
    """

    first: str
    count: int

    @property
    def months(self) -> int:
        """Months in a period."""
        return _parse(self.first)[1]

    @property
    def hours(self) -> float:
        """Hours in a period."""
        return self.months * HOURS_PER_MONTH

    def label(self, period: int) -> str:
        """The label of a period, also of one outside the study."""
        start, months = _parse(self.first)
        year, month = divmod(start + period * months, 12)
        if months == 12:
            return str(year)
        return f"{year}{'H' if months == 6 else 'Q'}{month // months + 1}"

    def labels(self) -> tuple[str, ...]:
        """All labels, in order."""
        return tuple(self.label(period) for period in range(self.count))

    def year(self, period: int) -> int:
        """The calendar year in which a period lies."""
        start, months = _parse(self.first)
        return (start + period * months) // 12

    def years(self) -> tuple[int, ...]:
        """The calendar years in which any period lies, in order."""
        return tuple(sorted({self.year(period) for period in range(self.count)}))

    def index(self, label: str) -> int:
        """The number of a labelled period; negative before the study, ``count`` or more after it.

        Raises:
            NotAPeriod: no label, or one of another length than the study's periods.
        """
        start, months = _parse(self.first)
        month, other = _parse(label)
        if other != months:
            raise NotAPeriod(f"{label!r} is not a period of this study, whose periods look like {self.first!r}")
        return (month - start) // months

    def periods(self, months: float) -> int:
        """Whole periods that ``months`` take, rounded up: what is ready within a period counts from the next."""
        return math.ceil(months / self.months - 1e-9)


def _parse(label: str) -> tuple[int, int]:
    """Month number of the start, and months of the period."""
    found = LABEL.fullmatch(label)
    if found is None:
        raise NotAPeriod(f"{label!r} is not a period; write 2026, 2026H1 or 2026Q3")
    year, letter, part = int(found[1]), found[2], int(found[3] or 1)
    months = MONTHS[letter]
    if (part - 1) * months >= 12:
        raise NotAPeriod(f"{label!r} is not a period: a year has {12 // months} of them")
    return year * 12 + (part - 1) * months, months
