"""The columns of a log of requests: which they are, and what a batch of rows says in them.

Letters: N requests of a batch.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tenfold.core.explain import suggest
from tenfold.page.figures import counted
from tenfold.replay.importing.found import Clock, ImportFault
from tenfold.replay.importing.labels import plain_service
from tenfold.replay.importing.moments import PER_SECOND
from tenfold.replay.importing.reading import Reading, TimeUnit
from tenfold.replay.importing.text import Header, Rows, plain_name
from tenfold.replay.importing.times import TimeColumn
from tenfold.replay.week import Floats, Ints

ARRIVAL = (
    "timestamp", "@timestamp", "timestamp_ms", "timestamp_us", "timestamp_ns", "arrival_time", "arrived_at", "arrival",
    "arrival_timestamp", "start_time", "time", "time_iso8601", "time_local", "ts", "datetime", "date", "created_at",
    "created",
)  # fmt: skip
SERVICE = ("service", "model", "model_name", "deployment", "app", "application", "endpoint", "route", "upstream")
INPUT = (
    "ContextTokens", "input_length", "prompt_tokens", "input_tokens", "Request tokens", "num_prefill_tokens",
    "prompt_length", "prompt_len", "input_len", "num_input_tokens", "tokens_in",
)  # fmt: skip
OUTPUT = (
    "GeneratedTokens", "output_length", "completion_tokens", "output_tokens", "Response tokens", "num_decode_tokens",
    "generation_tokens", "output_len", "num_output_tokens", "tokens_out",
)  # fmt: skip
LATENCY = (
    "latency", "latency_s", "latency_ms", "latency_us", "duration", "duration_s", "duration_ms", "duration_us",
    "response_time", "response_time_s", "response_time_ms", "elapsed", "elapsed_s", "elapsed_ms", "Elapsed time",
    "e2e_latency", "e2e_latency_s", "e2e_latency_ms", "request_time", "upstream_response_time",
)  # fmt: skip
STATUS = ("status", "status_code", "code", "http_status", "response_code", "success")
FAILED = ("false", "no", "error", "failed", "failure", "timeout", "rejected")
MOST_SERVICES = 200
"""More names are none of services: a column may hold the address of each request, with a user's number in it."""
LONG_S = 600.0
"""Latencies of which half are above this, where nobody tells their unit, are in milliseconds."""


def is_log(header: Header) -> bool:
    """Whether a table has a row for each request: a time, and tokens, a status or a latency."""
    has = [header.column(*names) is not None for names in (INPUT, OUTPUT, STATUS, LATENCY)]
    return header.column(*ARRIVAL) is not None and any(has)


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows of a log.

    Tokens, latencies: none where the log has no such column, NaN where a cell is empty or its figure below 0.
    """

    at_s_N: Floats
    failed_N: NDArray[np.bool_]
    input_N: Floats | None
    output_N: Floats | None
    latency_s_N: Floats | None

    def of(self, mine_N: Ints) -> "Batch":
        """The rows of one service."""
        input_N, output_N, latency_s_N = (
            None if each is None else each[mine_N] for each in (self.input_N, self.output_N, self.latency_s_N)
        )
        return Batch(self.at_s_N[mine_N], self.failed_N[mine_N], input_N, output_N, latency_s_N)


class RequestColumns:
    """Where a log has what; reads its rows batch by batch.

    Args:
        log: the file; only its names are looked at.
        reading: how it is to be read.
        in_ms: whether its times are milliseconds, as Mooncake's are.

    Raises:
        ImportFault: there is no column of time, or none that ``reading`` names.
    """

    def __init__(self, log: Header, reading: Reading, *, in_ms: bool) -> None:
        arrival = log.column(*ARRIVAL)
        if arrival is None:
            raise ImportFault(
                f"{log.origin}: no column of time; there are: {', '.join(log.names)}",
                next_step="name one 'timestamp'",
            )
        self._log, self._arrival = log, arrival
        self._service = log.column(*SERVICE) if reading.by is None else log.column(reading.by) if reading.by else None
        if reading.by and self._service is None:
            raise ImportFault(
                f"{log.origin}: no column {reading.by!r}; {suggest(reading.by, log.names)}", next_step="mend --by"
            )
        self._input, self._output, self._latency, self._status = (
            log.column(*names) for names in (INPUT, OUTPUT, LATENCY, STATUS)
        )
        self._unit = reading.time_unit or ("ms" if in_ms else None) or _unit_of(log.names[arrival])
        self._times = TimeColumn(log.origin, log.names[arrival], reading, self._unit)
        self._latency_unit, self._why = reading.latency_unit, "(--latency-unit)"
        self._services: dict[str, str] = {}
        self._failures: dict[str, bool] = {}
        self._failed = 0
        self._below_zero: Counter[int] = Counter()

    @property
    def clock(self) -> Clock:
        """Which clock its times are of; to be asked when all rows are read.

        Raises:
            ImportFault: there is no row, or some times are dates and others are not.
        """
        return self._times.clock

    @property
    def tells_failures(self) -> bool:
        """Whether it told, in the rows that were read, which requests failed."""
        return self._status is not None or self._failed > 0

    def read(self, rows: Rows) -> Batch:
        """Read a batch.

        Raises:
            ImportFault: a time is none, or a figure is no number; names the line.
        """
        at_s_N = self._times.read([row[self._arrival] for row in rows.rows], rows.lines)
        input_N, output_N = (
            None if column is None else self._figures(rows, column) for column in (self._input, self._output)
        )
        failed_N = self._failed_N(rows, output_N)
        self._failed += int(failed_N.sum())
        return Batch(at_s_N, failed_N, input_N, output_N, self._latencies(rows))

    def owners(self, rows: Rows) -> Iterator[tuple[str, Ints]]:
        """The services of a batch, in the order in which they come, and the places of each one's rows.

        Raises:
            ImportFault: there are more names than any pool has services.
        """
        if self._service is None:
            yield "requests", np.arange(len(rows.rows))
            return
        cells = [row[self._service] for row in rows.rows]
        # Plain names are short: an array takes as much room for each as for the longest, which may be a whole address.
        self._services |= {cell: plain_service(cell) for cell in set(cells) - self._services.keys()}
        if len(set(self._services.values())) > MOST_SERVICES:
            raise ImportFault(
                f"{rows.origin}: {rows.names[self._service]!r} has more than {MOST_SERVICES} names, so it names no "
                "services",
                next_step="name the column that does by --by, or give --by '' to take all requests for one service's",
            )
        services_N = np.array([self._services[cell] for cell in cells])
        names, first, owner_N, count = np.unique(services_N, return_index=True, return_inverse=True, return_counts=True)
        parts = np.split(np.argsort(owner_N, kind="stable"), np.cumsum(count)[:-1])
        for place in np.argsort(first):
            yield str(names[place]), parts[place]

    def told(self, services: Sequence[str], mean_latency_s: float | None) -> tuple[str, ...]:
        """What was taken for granted, when all rows are read."""
        origin, names = self._log.origin, self._log.names
        lines = self._times.told()
        if self.clock == "counted":
            lines.append(
                f"{origin}: times count {self._unit} from the first request's beginning (--time-unit)."
                if self._unit is not None
                else f"{origin}: times are taken for seconds from a beginning (--time-unit ms, us or ns)."
            )
        if self._latency is not None and mean_latency_s is not None:
            seconds = f"{mean_latency_s:,.0f}" if mean_latency_s >= 100 else f"{mean_latency_s:.3g}"
            lines.append(
                f"{origin}: {names[self._latency]!r} is in {self._latency_unit} {self._why}: a request takes "
                f"{seconds} s on average."
            )
        if self._status is not None:
            lines.append(f"{origin}: {counted(self._failed, 'request')} failed, by {names[self._status]!r}.")
        elif self._failed and self._output is not None:
            lines.append(f"{origin}: {self._failed:,} requests have no {names[self._output]!r} and count as failed.")
        lines += [
            f"{origin}: {times:,} requests have a {names[column]!r} below 0, which is taken for unknown."
            for column, times in self._below_zero.items()
            if times
        ]
        if self._service is not None:
            lines.append(f"{origin}: services are named by {names[self._service]!r}: {', '.join(services)}.")
        return tuple(lines)

    def _failed_N(self, rows: Rows, output_N: Floats | None) -> NDArray[np.bool_]:
        """Which were not answered: by their status, or by an answer without a token, as BurstGPT writes it."""
        if self._status is None:
            return np.zeros(len(rows.rows), dtype=bool) if output_N is None else output_N == 0
        cells = [row[self._status] for row in rows.rows]
        telling = plain_name(rows.names[self._status]) == "success"
        for cell in set(cells) - self._failures.keys():
            self._failures[cell] = _is_failure(cell, telling)
        return np.array([self._failures[cell] for cell in cells], dtype=bool)

    def _figures(self, rows: Rows, column: int) -> Floats:
        """Figures of a column. Below 0 is none: so gateways write what they do not know."""
        values_N = _figures(rows, column)
        below_N = values_N < 0
        self._below_zero[column] += int(below_N.sum())
        return np.where(below_N, np.nan, values_N)

    def _latencies(self, rows: Rows) -> Floats | None:
        if self._latency is None:
            return None
        values_N = self._figures(rows, self._latency)
        if self._latency_unit is None and np.isfinite(values_N).any():
            name = rows.names[self._latency]
            told = _unit_of(name) or ("s" if plain_name(name).endswith("s") else None)
            if told is not None:
                self._latency_unit, self._why = told, "as its name says (--latency-unit)"
            elif np.nanmedian(values_N) > LONG_S:
                self._latency_unit = "ms"
                self._why = f"ASSUMED, as half of its first values are above {LONG_S:g} (--latency-unit)"
            else:
                self._latency_unit, self._why = "s", "ASSUMED, as nothing tells its unit (--latency-unit)"
        return values_N / PER_SECOND[self._latency_unit or "s"]


def _unit_of(name: str) -> TimeUnit | None:
    """The unit that a column's name ends in: ``latency_ms``, ``latencyMs``, ``Latency (ms)``."""
    units: tuple[TimeUnit, ...] = ("ms", "us", "ns")
    return next((unit for unit in units if plain_name(name).endswith(unit)), None)


def _figures(rows: Rows, column: int) -> Floats:
    cells = [row[column] for row in rows.rows]
    try:
        return np.array(cells, dtype=np.float64)
    except ValueError:
        pass
    values_N = np.full(len(cells), np.nan)
    for at, cell in enumerate(cells):
        try:
            values_N[at] = float(cell) if cell not in ("", "null", "None") else np.nan
        except ValueError:
            raise ImportFault(
                f"{rows.origin}, line {rows.lines[at]}: {rows.names[column]} is {cell!r}, which is no number",
                next_step="write a number, or leave the cell empty",
            ) from None
    return values_N


def _is_failure(cell: str, telling: bool) -> bool:
    """Whether a status is a failure of the service: 5xx, too late or too many; ``telling``: 1 and 0 say yes and no."""
    text = cell.strip().lower()
    try:
        code = float(text)
    except ValueError:
        return text in FAILED
    return code == 0 if telling else code >= 500 or code in (408, 429)
