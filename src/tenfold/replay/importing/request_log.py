"""Logs of requests, a row each, as Azure, Mooncake and BurstGPT publish theirs and as gateways write them.

Letters: N requests.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tenfold.core.explain import suggest
from tenfold.replay.importing.found import ImportFault, RequestFile, Requests
from tenfold.replay.importing.labels import plain_service
from tenfold.replay.importing.moments import PER_SECOND, times_of
from tenfold.replay.importing.reading import Reading, TimeUnit
from tenfold.replay.importing.text import Rows, plain_name

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
LONG_S = 600.0
"""Latencies whose usual value is above this, where no unit is told, are in milliseconds."""


@dataclass(frozen=True, slots=True)
class _Columns:
    """Where a log has what."""

    arrival: int
    service: int | None
    input_tokens: int | None
    output_tokens: int | None
    latency: int | None
    status: int | None


def is_log(rows: Rows) -> bool:
    """Whether a table has a row for each request: a time, and tokens, a status or a latency."""
    has = [rows.column(*names) is not None for names in (INPUT, OUTPUT, STATUS, LATENCY)]
    return rows.column(*ARRIVAL) is not None and any(has)


def rows_of_records(origin: str, records: Sequence[Mapping[str, object]]) -> Rows:
    """JSON records as rows of text; what is nested is left out."""
    names = tuple(dict.fromkeys(name for record in records for name in record))
    plain = [name for name in names if not isinstance(records[0].get(name), list | Mapping)]
    rows = [["" if record.get(name) is None else str(record.get(name)) for name in plain] for record in records]
    return Rows(origin, tuple(plain), rows, range(1, len(rows) + 1), "json")


def read_log(rows: Rows, reading: Reading, *, hashed: bool = False) -> RequestFile:
    """Read a log.

    Args:
        rows: of the file.
        reading: how it is to be read.
        hashed: whether its records have Mooncake's ``hash_ids``; its times are milliseconds.

    Raises:
        ImportFault: there is no column of time, or a time is none; names the line.
    """
    columns = _columns(rows, reading)
    unit: TimeUnit | None = reading.time_unit or ("ms" if hashed else None) or _unit(rows.names[columns.arrival])
    times, clock, assumed = times_of(rows, columns.arrival, reading, unit)
    if unit is not None and clock == "counted":
        assumed.append(f"{rows.origin}: times count {unit} from the first request's beginning (--time-unit).")
    elif clock == "counted":
        assumed.append(f"{rows.origin}: times are taken for seconds from a beginning (--time-unit ms, us or ns).")
    figures = {
        name: None if column is None else _figures(rows, column)
        for name, column in (("in", columns.input_tokens), ("out", columns.output_tokens))
    }
    latency, told = _latencies(rows, columns.latency)
    assumed += told
    failed, told = _failed(rows, columns.status, figures["out"], columns.output_tokens)
    assumed += told
    owners = np.array(
        [plain_service(row[columns.service]) if columns.service is not None else "requests" for row in rows.rows]
    )
    services = {}
    for name in dict.fromkeys(owners.tolist()):
        mine = np.flatnonzero(owners == name)
        mine = mine[np.argsort(times[mine], kind="stable")]
        good = mine if failed is None else mine[failed[mine] == 0]
        services[name] = Requests(
            times[mine],
            _mean(figures["in"], good),
            _mean(figures["out"], good),
            None if latency is None else latency[mine],
            None if failed is None else failed[mine],
        )
    if columns.service is not None:
        assumed.append(f"{rows.origin}: services are named by {rows.names[columns.service]!r}: {', '.join(services)}.")
    return RequestFile(rows.origin, clock, services, tuple(assumed))


def _columns(rows: Rows, reading: Reading) -> _Columns:
    arrival = rows.column(*ARRIVAL)
    if arrival is None:
        raise ImportFault(
            f"{rows.origin}: no column of time; there are: {', '.join(rows.names)}",
            next_step="name one 'timestamp'",
        )
    service = rows.column(reading.by) if reading.by is not None else rows.column(*SERVICE)
    if reading.by is not None and service is None:
        raise ImportFault(
            f"{rows.origin}: no column {reading.by!r}; {suggest(reading.by, rows.names)}", next_step="mend --by"
        )
    found = (rows.column(*names) for names in (INPUT, OUTPUT, LATENCY, STATUS))
    return _Columns(arrival, service, *found)


def _unit(name: str) -> TimeUnit | None:
    """The unit that a column's name ends in: ``latency_ms``, ``latencyMs``, ``Latency (ms)``."""
    units: tuple[TimeUnit, ...] = ("ms", "us", "ns")
    return next((unit for unit in units if plain_name(name).endswith(unit)), None)


def _figures(rows: Rows, column: int) -> np.ndarray:
    values = np.full(len(rows.rows), np.nan)
    for at, row in enumerate(rows.rows):
        try:
            values[at] = float(row[column]) if row[column] not in ("", "null", "None") else np.nan
        except ValueError:
            raise ImportFault(
                f"{rows.origin}, line {rows.lines[at]}: {rows.names[column]} is {row[column]!r}, which is no number",
                next_step="write a number, or leave the cell empty",
            ) from None
    return values


def _latencies(rows: Rows, column: int | None) -> tuple[np.ndarray | None, list[str]]:
    if column is None:
        return None, []
    values, name = _figures(rows, column), plain_name(rows.names[column])
    end = _unit(rows.names[column])
    if end is None and not name.endswith("s") and np.isfinite(values).any() and np.nanmedian(values) > LONG_S:
        return values / 1e3, [f"{rows.origin}: {rows.names[column]!r} is taken for milliseconds, as it is that long."]
    unit = end or "s"
    return values / PER_SECOND[unit], [f"{rows.origin}: {rows.names[column]!r} is in {unit}."]


def _failed(
    rows: Rows, column: int | None, output: np.ndarray | None, tokens: int | None
) -> tuple[np.ndarray | None, list[str]]:
    """Which requests were not answered: by their status, or by an answer without a token, as BurstGPT writes it."""
    if column is not None:
        telling = plain_name(rows.names[column]) == "success"
        wrong = np.array([_is_failure(row[column], telling) for row in rows.rows], dtype=np.float64)
        return wrong, [f"{rows.origin}: {int(wrong.sum()):,} requests failed, by {rows.names[column]!r}."]
    if output is None or tokens is None or not (output == 0).any():
        return None, []
    wrong = (output == 0).astype(np.float64)
    return wrong, [f"{rows.origin}: {int(wrong.sum()):,} requests have no {rows.names[tokens]!r} and count as failed."]


def _is_failure(cell: str, telling: bool) -> bool:
    """Whether a status is a failure of the service: 5xx, too late or too many; ``telling``: 1 and 0 say yes and no."""
    text = cell.strip().lower()
    try:
        code = float(text)
    except ValueError:
        return text in ("false", "no", "error", "failed", "failure", "timeout", "rejected")
    return code == 0 if telling else code >= 500 or code in (408, 429)


def _mean(values: np.ndarray | None, places: np.ndarray) -> float | None:
    if values is None or not np.isfinite(values[places]).any():
        return None
    return float(np.nanmean(values[places]))
