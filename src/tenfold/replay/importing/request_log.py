"""Logs of requests, a row each, as Azure, Mooncake and BurstGPT publish theirs and as gateways write them.

A log is read in batches and counted, so that one of any length takes as much memory as a batch and its steps.
"""

from contextlib import closing
from dataclasses import dataclass, field

import numpy as np

from tenfold.replay.importing.found import ImportFault, RequestFile, Requests
from tenfold.replay.importing.reading import Reading
from tenfold.replay.importing.request_columns import Batch, RequestColumns
from tenfold.replay.importing.tally import Count, Tally
from tenfold.replay.importing.text import RowFile
from tenfold.replay.importing.wishes import of
from tenfold.replay.week import Floats

YEAR_S = 365.25 * 86400
LONGEST_S = 10 * YEAR_S
"""What is longer is no log of requests: some times in it were never set, or are of another unit."""


def read_log(log: RowFile, reading: Reading, *, in_ms: bool = False) -> RequestFile:
    """Read a log.

    Args:
        log: the file.
        reading: how it is to be read.
        in_ms: whether its times are milliseconds, as Mooncake's are.

    Raises:
        ImportFault: there is no column of time, a time is none, or a figure is no number; names the line. Or times are
            more than ten years apart.
    """
    columns, tally = RequestColumns(log, reading, in_ms=in_ms), Tally()
    services: dict[str, _Service] = {}
    latency = _Mean()
    with closing(log.batches) as batches:
        for rows in batches:
            batch = columns.read(rows)
            tally.reach(batch.at_s_N)
            _check_length(log.origin, tally.end_s - tally.begin_s, columns)
            latency.add(batch.latency_s_N)
            for name, mine_N in columns.owners(rows):
                if name not in services:
                    services[name] = _Service(tally.count(), tally.count())
                services[name].add(tally, batch.of(mine_N), of(reading.latency_target, name))
    clock, assumed = columns.clock, columns.told(list(services), latency.value)
    found = {}
    for name, service in services.items():
        in_time = service.latency.value is not None and of(reading.latency_target, name) is not None
        answered_T = tally.series(service.answered) if columns.tells_failures or in_time else None
        found[name] = Requests(
            tally.series(service.asked), answered_T, service.input.value, service.output.value, service.latency.value
        )
    return RequestFile(log.origin, clock, tally.begin_s, tally.end_s, tally.step_s, found, assumed)


def _check_length(origin: str, length_s: float, columns: RequestColumns) -> None:
    """Refuse a log of many years, before its steps take all memory."""
    if length_s > LONGEST_S:
        times = "dates" if columns.clock == "dated" else "times"
        raise ImportFault(
            f"{origin} has {times} that are {length_s / YEAR_S:.4g} years apart",
            next_step="leave out rows whose time was never set, or say what numbers are by --time-unit",
        )


@dataclass(slots=True)
class _Mean:
    """A mean of what is known."""

    total: float = 0.0
    count: int = 0

    def add(self, values_N: Floats | None) -> None:
        """Take more values; NaN is not known."""
        if values_N is not None:
            known_N = np.isfinite(values_N)
            self.total += float(values_N[known_N].sum())
            self.count += int(known_N.sum())

    @property
    def value(self) -> float | None:
        """The mean; none if nothing is known."""
        return self.total / self.count if self.count else None


@dataclass(slots=True)
class _Service:
    """What was counted of one service: requests that came, those of them that were answered in time, and means."""

    asked: Count
    answered: Count
    input: _Mean = field(default_factory=_Mean)
    output: _Mean = field(default_factory=_Mean)
    latency: _Mean = field(default_factory=_Mean)

    def add(self, tally: Tally, batch: Batch, target_s: float | None) -> None:
        """Count its rows of a batch. ``target_s``: seconds within which an answer is in time; none: any time is."""
        good_N = ~batch.failed_N
        for mean, values_N in ((self.input, batch.input_N), (self.output, batch.output_N)):
            mean.add(None if values_N is None else values_N[good_N])
        self.latency.add(batch.latency_s_N)
        if target_s is not None and batch.latency_s_N is not None:
            good_N &= ~(batch.latency_s_N > target_s)
        tally.add(self.asked, batch.at_s_N)
        tally.add(self.answered, batch.at_s_N[good_N])
