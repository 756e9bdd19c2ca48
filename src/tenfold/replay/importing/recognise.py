"""Which kind of file this is, by what it holds and not by its name."""

from collections.abc import Mapping
from pathlib import Path

from tenfold.replay.importing import grafana, kueue, prometheus, request_log, slurm
from tenfold.replay.importing.found import Found, ImportFault, SeriesFile
from tenfold.replay.importing.reading import Reading
from tenfold.replay.importing.text import Rows, json_of, rows_of, text_of

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
    text = text_of(path)
    if not text.strip():
        raise ImportFault(f"{path} is empty", next_step="export it again")
    if text.lstrip()[0] in "{[":
        return _of_json(path, json_of(path, text), reading)
    if slurm.looks_headless(text):
        raise ImportFault(f"{path} has no header", next_step="ask again without -n: " + slurm.ASK)
    return _of_rows(rows_of(path, text), reading)


def read_series(path: Path, reading: Reading) -> SeriesFile:
    """Read a file of series.

    Raises:
        ImportFault: it holds something else; see also ``read``.
    """
    found = read(path, reading)
    if not isinstance(found, SeriesFile):
        raise ImportFault(f"{path} holds no series", next_step="give Prometheus' query_range JSON or Grafana's CSV")
    return found


def _of_json(path: Path, found: object, reading: Reading) -> Found:
    origin = str(path)
    if prometheus.is_answer(found):
        return prometheus.read_answer(origin, found, reading)
    if kueue.is_list(found):
        return kueue.read_workloads(origin, found)
    # One line of JSON lines is an object, not a list.
    records = [found] if isinstance(found, Mapping) else found
    if isinstance(records, list) and records and all(isinstance(record, Mapping) for record in records):
        rows = request_log.rows_of_records(origin, records)
        if request_log.is_log(rows):
            return request_log.read_log(rows, reading, hashed="hash_ids" in records[0])
        raise ImportFault(f"{path}: records of {', '.join(rows.names)} are no requests", next_step=f"give {KNOWN}")
    raise ImportFault(f"{path} is JSON of no kind that is known", next_step=f"give {KNOWN}")


def _of_rows(rows: Rows, reading: Reading) -> Found:
    if slurm.is_account(rows):
        return slurm.read_account(rows, reading)
    if request_log.is_log(rows):
        return request_log.read_log(rows, reading)
    if grafana.is_panel(rows):
        return grafana.read_panel(rows, reading)
    raise ImportFault(
        f"{rows.origin}: columns {', '.join(rows.names[:12])} are of no kind that is known",
        next_step=f"give {KNOWN}",
    )
