"""How files are to be read where they do not say it themselves."""

from dataclasses import dataclass
from typing import Literal

Unit = Literal["per-second", "per-minute", "per-hour", "per-step", "counter"]
TimeUnit = Literal["s", "ms", "us", "ns"]


@dataclass(frozen=True, slots=True)
class Reading:
    """What was said of files.

    ``zone``: of dates without one, e.g. ``Europe/Berlin``. ``unit``: of the values of series. ``by``: the label or
    column that names the service. ``time_unit``: of times that count from a beginning.
    """

    zone: str = "UTC"
    unit: Unit = "per-second"
    by: str | None = None
    time_unit: TimeUnit | None = None
