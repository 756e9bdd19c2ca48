"""What files of a platform team hold, whatever their format: series, requests and jobs, each on a clock.

Letters: N samples, T steps.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tenfold.core.errors import UsageError
from tenfold.replay.week import Floats

Clock = Literal["dated", "counted"]
"""Seconds since 1970, or seconds since a beginning that only the file knows."""


class ImportFault(UsageError):
    """A file that cannot be imported; names file, line and cure."""


@dataclass(frozen=True, slots=True)
class Samples:
    """One series as it was measured: seconds and values, in the order of time; NaN where nothing was measured.

    ``says``: what the values are: a level, as a rate is; a count since a start; or by how much per second one rose.
    """

    at_s_N: Floats
    value_N: Floats
    says: Literal["level", "count", "rise"] = "level"


@dataclass(frozen=True, slots=True)
class SeriesFile:
    """Several series by name. ``assumed``: what was taken for granted, for people."""

    origin: str
    clock: Clock
    series: Mapping[str, Samples]
    assumed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Requests:
    """One service's requests, counted in the steps of their file.

    ``asked_T``: how many came. ``answered_T``: how many of them were answered in time; none: not told.
    ``input_tokens``, ``output_tokens``: means of those that were answered; none: not told. ``latency_s``: mean; none:
    not told.
    """

    asked_T: Floats
    answered_T: Floats | None = None
    input_tokens: float | None = None
    output_tokens: float | None = None
    latency_s: float | None = None


@dataclass(frozen=True, slots=True)
class RequestFile:
    """Requests by service, in steps from ``begin_s`` on. ``end_s``: when the last request came."""

    origin: str
    clock: Clock
    begin_s: float
    end_s: float
    step_s: float
    services: Mapping[str, Requests]
    assumed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LoggedJob:
    """One run of a job. Times are seconds; none where it was never so, or is not yet.

    ``slots``: accelerators of its ``kind``. ``least``: accelerators on which it would have run too; none: all.
    ``nodes``: on how many its slots were. ``tasks``: how many an array has that did not start yet.
    """

    name: str
    submitted_s: float
    started_s: float | None
    ended_s: float | None
    kind: str
    slots: int
    least: int | None = None
    nodes: int | None = None
    tasks: int = 1


@dataclass(frozen=True, slots=True)
class JobFile:
    """Jobs in the order of their submission."""

    origin: str
    clock: Clock
    jobs: Sequence[LoggedJob]
    assumed: tuple[str, ...] = ()


Found = SeriesFile | RequestFile | JobFile


@dataclass(slots=True)
class Counted:
    """What was left out of a file, by reason: told in one line each."""

    reasons: dict[str, int] = field(default_factory=dict)

    def add(self, reason: str, times: int = 1) -> None:
        """Count one more, or so many."""
        self.reasons[reason] = self.reasons.get(reason, 0) + times

    def told(self, origin: str) -> list[str]:
        """Lines for people."""
        return [f"{origin}: {line}" for line in self.lines()]

    def lines(self) -> list[str]:
        """The same without the file."""
        return [f"{reason}: {times:,}." for reason, times in self.reasons.items()]
