"""How files are to be read where they do not say it themselves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Unit = Literal["per-second", "per-minute", "per-hour", "per-step", "counter"]
TimeUnit = Literal["s", "ms", "us", "ns"]
COUNTERS = ("_total", "_count", "_sum")
"""What names of metrics end in that count since a start."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was said of files.

    ``zone``: of dates without one, e.g. ``Europe/Berlin``. ``unit``: of the values of series. ``by``: the label or
    column that names the service. ``time_unit``: of times that count from a beginning. ``latency_unit``: of how long
    requests took. ``latency_target``: seconds within which an answer is in time, by service. ``levels``: series say how
    much there is, e.g. of replicas, and count nothing.
    """

    zone: str = "UTC"
    unit: Unit = "per-second"
    by: str | None = None
    time_unit: TimeUnit | None = None
    latency_unit: TimeUnit | None = None
    latency_target: Mapping[str, float] = field(default_factory=dict)
    levels: bool = False

    def counts(self, metric: str) -> bool:
        """Whether a series counts since a start: as it was said, or by its metric's name where nothing was said."""
        return not self.levels and (self.unit == "counter" or (self.unit == "per-second" and metric.endswith(COUNTERS)))
