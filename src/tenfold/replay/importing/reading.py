"""How files are to be read where they do not say it themselves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Unit = Literal["per-second", "per-minute", "per-hour", "per-step", "counter"]
TimeUnit = Literal["s", "ms", "us", "ns"]


@dataclass(frozen=True, slots=True)
class Reading:
    """What was said of files.

    ``zone``: of dates without one, e.g. ``Europe/Berlin``. ``unit``: of the values of series. ``by``: the label or
    column that names the service. ``time_unit``: of times that count from a beginning. ``latency_unit``: of how long
    requests took. ``latency_target``: seconds within which an answer is in time, by service.
    """

    zone: str = "UTC"
    unit: Unit = "per-second"
    by: str | None = None
    time_unit: TimeUnit | None = None
    latency_unit: TimeUnit | None = None
    latency_target: Mapping[str, float] = field(default_factory=dict)
