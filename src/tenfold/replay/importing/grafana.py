"""Grafana's "Download CSV" of a panel: a column of time and one for each series, or rows of series, time and value.

Letters: N samples.
"""

import re

import numpy as np

from tenfold.replay.importing.found import ImportFault, Samples, SeriesFile
from tenfold.replay.importing.labels import labels_of, metric_of, service_names
from tenfold.replay.importing.prometheus import named, refuse_replicas, summed
from tenfold.replay.importing.reading import Reading
from tenfold.replay.importing.text import Rows
from tenfold.replay.importing.times import TimeColumn

TIME = ("time", "timestamp", "date", "datetime", "ts", "@timestamp", "_time", "time_s")
SERIES, VALUE = ("series", "metric", "name", "legend"), ("value", "rate", "_value")
GAPS = frozenset({"", "null", "nan", "undefined", "none", "n/a", "-", "no data"})
SCALES = {"": 1.0, "k": 1e3, "m": 1e6, "mil": 1e6, "b": 1e9, "bil": 1e9, "g": 1e9}
PERIODS = {"s": 1.0, "sec": 1.0, "second": 1.0, "min": 60.0, "m": 60.0, "minute": 60.0, "h": 3600.0, "hour": 3600.0}


def is_panel(rows: Rows) -> bool:
    """Whether a table has a time and, but for names, only numbers."""
    clock = rows.column(*TIME)
    if clock is None or len(rows.names) < 2:
        return False
    shown = rows.rows[:50]
    words = [at for at in range(len(rows.names)) if at != clock and any(value_of(row[at]) is None for row in shown)]
    return not words or (rows.column(*SERIES) in words and rows.column(*VALUE) is not None and len(words) == 1)


def read_panel(rows: Rows, reading: Reading) -> SeriesFile:
    """Read a panel's table.

    Raises:
        ImportFault: a time or a value is none, or there is no row; names the line.
    """
    column = rows.column(*TIME)
    assert column is not None
    series, value = rows.column(*SERIES), rows.column(*VALUE)
    is_long = series is not None and value is not None
    clock = TimeColumn(rows.origin, rows.names[column], reading, reading.time_unit)
    owners = [row[series] if is_long else "" for row in rows.rows]
    times = clock.read([row[column] for row in rows.rows], rows.lines, owners)
    if is_long:
        values = _values(rows, value)
        headers, owners_N = list(dict.fromkeys(owners)), np.array(owners)
        labels = [labels_of(header) for header in headers]
        parts = [
            _samples(times[mine], values[mine], counter=reading.counts(metric_of(own)))
            for header, own in zip(headers, labels, strict=True)
            for mine in [owners_N == header]
        ]
    else:
        columns = [at for at in range(len(rows.names)) if at != column]
        labels = [labels_of(rows.names[at]) for at in columns]
        parts = [
            _samples(times, _values(rows, at), counter=reading.counts(metric_of(own)))
            for at, own in zip(columns, labels, strict=True)
        ]
    refuse_replicas(rows.origin, labels, reading)
    names, label = service_names(rows.origin, labels, reading.by)
    told = (*clock.told(), *named(rows.origin, names, label))
    return SeriesFile(rows.origin, clock.clock, summed(names, parts), told)


def _values(rows: Rows, column: int) -> np.ndarray:
    values = np.empty(len(rows.rows))
    for at, row in enumerate(rows.rows):
        value = value_of(row[column])
        if value is None or value < 0:
            raise ImportFault(
                f"{rows.origin}, line {rows.lines[at]}: {rows.names[column]} is {row[column]!r}, which is no rate",
                next_step="export it with 'Formatted data' off, or leave the column out",
            )
        values[at] = value
    return values


def _samples(times: np.ndarray, values: np.ndarray, *, counter: bool) -> Samples:
    order = np.argsort(times, kind="stable")
    return Samples(times[order], values[order], "count" if counter else "level")


def value_of(cell: str) -> float | None:
    """A number, with thousands, a scale and a unit if it has them (``1.2 K req/s``); NaN for a gap; none for words."""
    text = cell.strip()
    if text.lower() in GAPS:
        return float("nan")
    try:
        plain = float(text)
    except ValueError:
        pass
    else:
        return plain if np.isfinite(plain) else float("nan")
    # A small m is a thousandth, and of nothing that is asked for: it is refused.
    number = r"([-+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?|[-+]?\d+(?:[.,]\d+)?)"
    match = re.fullmatch(
        number + r"\s*(K|(?-i:M)|B|G|Mil|Bil)?\s*((?:req|reqs|rps|rpm|ops|c|counts?|requests?)?(?:/(\w+)|p([sm]))?)",
        text,
        re.I,
    )
    if match is None:
        return None
    digits = match[1].replace(",", "") if re.search(r",\d{3}(\D|$)", match[1]) else match[1].replace(",", ".")
    unit = match[3].lower()
    period = match[4] or ("min" if unit == "rpm" else match[5] or "s")
    per = PERIODS.get(period.lower().removesuffix("s") or "s")
    return None if per is None else float(digits) * SCALES[(match[2] or "").lower()] / per
