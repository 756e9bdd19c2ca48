"""Which kind of file this is, by what it holds and not by its name."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tenfold.replay.importing import grafana, kueue, prometheus, request_columns, request_log, slurm
from tenfold.replay.importing.found import Found, ImportFault, SeriesFile
from tenfold.replay.importing.reading import Reading
from tenfold.replay.importing.text import (
    RowFile,
    first_lines,
    json_of,
    record_of,
    records_of,
    rows_of,
    rows_of_records,
)

KNOWN = (
    "Prometheus' query_range JSON, a Grafana panel's CSV, a log of requests (CSV or JSON lines), sacct -P, "
    "or Kueue's workloads as JSON"
)


def read(path: Path, reading: Reading) -> Found:
    """Read a file of any kind that is known.

    Raises:
        TableError: it cannot be read.
        ImportFault: it is of no kind that is known, or something in it cannot be; names line and cure.
    """
    first = first_lines(path)
    if not first:
        raise ImportFault(f"{path} is empty", next_step="export it again")
    if first[0][0] in "{[":
        return _of_json(path, first, reading)
    if slurm.looks_headless(first[0]):
        raise ImportFault(f"{path} has no header", next_step="ask again without -n: " + slurm.ASK)
    return _of_rows(rows_of(path), reading)


def open_log(path: Path) -> tuple[RowFile, bool] | None:
    """The rows of a file that was read as a log, and whether its times count milliseconds; none if it is one value.

    Raises:
        TableError, ImportFault: as ``read``.
    """
    first = first_lines(path)
    record = record_of(first[0]) if first else None
    if record is not None and len(first) > 1:
        return records_of(path), _is_mooncake(record)
    return None if first and first[0][0] in "{[" else (rows_of(path), False)


def read_series(path: Path, reading: Reading) -> SeriesFile:
    """Read a file of series.

    Raises:
        ImportFault: it holds something else; see also ``read``.
    """
    found = read(path, reading)
    if not isinstance(found, SeriesFile):
        raise ImportFault(f"{path} holds no series", next_step="give Prometheus' query_range JSON or Grafana's CSV")
    return found


def _of_json(path: Path, first: Sequence[str], reading: Reading) -> Found:
    """``first``: the first two lines, or the only one."""
    origin, record = str(path), record_of(first[0])
    # Requests may have a "status" and an "error", or "metadata", as answers of Prometheus and Kubernetes do: but an
    # answer is one value, and a log has a record on each line.
    is_log = len(first) > 1 or not (prometheus.is_answer(record) or kueue.is_list(record))
    if record is not None and is_log:
        return _of_records(records_of(path), reading, in_ms=_is_mooncake(record))
    found = json_of(path)
    if prometheus.is_answer(found):
        return prometheus.read_answer(origin, found, reading)
    if kueue.is_list(found):
        return kueue.read_workloads(origin, found)
    # A record alone, written over several lines.
    records = [found] if isinstance(found, dict) else found
    if isinstance(records, list) and records and all(isinstance(record, dict) for record in records):
        rows = rows_of_records(origin, lambda: enumerate(records, 1))
        return _of_records(rows, reading, in_ms=_is_mooncake(records[0]))
    raise ImportFault(f"{path} is JSON of no kind that is known", next_step=f"give {KNOWN}")


def _is_mooncake(record: Mapping[str, object]) -> bool:
    """Whether a record is of Mooncake's traces, which count milliseconds; Qwen's, otherwise alike, count seconds."""
    return "hash_ids" in record and isinstance(record.get("timestamp"), int)


def _of_records(log: RowFile, reading: Reading, *, in_ms: bool) -> Found:
    if request_columns.is_log(log):
        return request_log.read_log(log, reading, in_ms=in_ms)
    raise ImportFault(f"{log.origin}: records of {', '.join(log.names)} are no requests", next_step=f"give {KNOWN}")


def _of_rows(file: RowFile, reading: Reading) -> Found:
    if request_columns.is_log(file) and not slurm.is_account(file):
        return request_log.read_log(file, reading)
    rows = file.whole()
    if slurm.is_account(rows):
        return slurm.read_account(rows, reading)
    if grafana.is_panel(rows):
        return grafana.read_panel(rows, reading)
    raise ImportFault(
        f"{rows.origin}: columns {', '.join(rows.names[:12])} are of no kind that is known",
        next_step=f"give {KNOWN}",
    )
