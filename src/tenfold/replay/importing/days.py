"""Logs and series that were cut by days: files that follow one another are taken as one."""

import itertools
from collections.abc import Generator, Sequence, Set
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tenfold.replay.importing.found import Found, RequestFile, Samples, SeriesFile
from tenfold.replay.importing.prometheus import rate_of
from tenfold.replay.importing.reading import Reading
from tenfold.replay.importing.recognise import open_log
from tenfold.replay.importing.request_log import read_log
from tenfold.replay.importing.text import RowFile, Rows


@dataclass(frozen=True, slots=True)
class _Part:
    """A dated file of requests or series. ``place``: among all files. ``services``: of which it tells, from when on."""

    place: int
    file: RequestFile | SeriesFile
    services: Set[str]
    begin_s: float
    end_s: float


def joined(paths: Sequence[Path], files: Sequence[Found], reading: Reading) -> list[Found]:
    """What was found in files, but of those of the same services that follow one another one is made.

    Files that tell no dates, are tables of other columns, or have a time in common stay as they are.

    Args:
        paths: of the files.
        files: what each of them holds.
        reading: how they are to be read.

    Raises:
        ImportFault: as ``read_log``.
    """
    found: dict[int, Found] = dict(enumerate(files))
    for parts in _of_same_services(files):
        whole = _series_as_one(parts) or _log_as_one([paths[part.place] for part in parts], reading)
        if whole is not None:
            told = f"{whole.origin} are one: each begins when the one before it has ended."
            found[parts[0].place] = replace(whole, assumed=(told, *whole.assumed))
            for part in parts[1:]:
                del found[part.place]
    return [found[place] for place in sorted(found)]


def _of_same_services(files: Sequence[Found]) -> list[list[_Part]]:
    """Files of one sort that have a service in common, in order of time; only several, and only if they follow so."""
    groups: list[list[_Part]] = []
    for place, file in enumerate(files):
        part = _part(place, file)
        if part is not None:
            mine = [group for group in groups if any(_tell_of_one(part, other) for other in group)]
            groups = [group for group in groups if group not in mine] + [[part, *itertools.chain(*mine)]]
    ordered = [sorted(group, key=lambda part: part.begin_s) for group in groups if len(group) > 1]
    return [group for group in ordered if all(one.end_s <= other.begin_s for one, other in itertools.pairwise(group))]


def _part(place: int, file: Found) -> _Part | None:
    if isinstance(file, RequestFile) and file.clock == "dated":
        return _Part(place, file, file.services.keys(), file.begin_s, file.end_s)
    times = [each.at_s_N for each in file.series.values() if len(each.at_s_N)] if isinstance(file, SeriesFile) else []
    if isinstance(file, SeriesFile) and file.clock == "dated" and times:
        return _Part(place, file, file.series.keys(), min(t[0] for t in times), max(t[-1] for t in times))
    return None


def _tell_of_one(part: _Part, other: _Part) -> bool:
    return type(part.file) is type(other.file) and bool(part.services & other.services)


def _origin(first: str, others: int) -> str:
    return f"{first} and {others} more"


def _series_as_one(parts: Sequence[_Part]) -> SeriesFile | None:
    """One file of series; none if the parts are none. A moment at which one ends and the next begins counts once."""
    files = [part.file for part in parts if isinstance(part.file, SeriesFile)]
    if not files:
        return None
    series = {}
    for name in dict.fromkeys(name for file in files for name in file.series):
        each = _alike([file.series[name] for file in files if name in file.series])
        at_s_N, first_N = np.unique(np.concatenate([samples.at_s_N for samples in each]), return_index=True)
        values_N = np.concatenate([samples.value_N for samples in each])[first_N]
        series[name] = Samples(at_s_N, values_N, each[0].says)
    assumed = tuple(dict.fromkeys(line for file in files for line in file.assumed))
    return SeriesFile(_origin(files[0].origin, len(files) - 1), "dated", series, assumed)


def _alike(parts: Sequence[Samples]) -> list[Samples]:
    """Parts that say one thing: where a part is rates already, as pods were added up in it, counts become rates too."""
    if any(part.says == "rise" for part in parts):
        return [rate_of(part) if part.says == "count" else part for part in parts]
    return list(parts)


def _log_as_one(paths: Sequence[Path], reading: Reading) -> RequestFile | None:
    """One log of files that follow one another; none if their columns differ, unless their records name them."""
    opened = [open_log(path) for path in paths]
    logs = [log for log, _ in filter(None, opened)]
    if len(logs) < len(paths):
        return None
    names = tuple(dict.fromkeys(name for log in logs for name in log.names))
    if any(log.names != names and log.separator != "json" for log in logs):
        return None
    whole = RowFile(_origin(logs[0].origin, len(paths) - 1), names, logs[0].separator, _after_another(logs, names))
    return read_log(whole, reading, in_ms=any(in_ms for _, in_ms in filter(None, opened)))


def _after_another(logs: Sequence[RowFile], names: tuple[str, ...]) -> Generator[Rows]:
    """Rows of all logs, with their columns in the order of ``names``; a column that a log lacks is empty."""
    for log in logs:
        with closing(log.batches) as batches:
            if log.names == names:
                yield from batches
                continue
            places = [log.names.index(name) if name in log.names else None for name in names]
            for batch in batches:
                rows = [["" if place is None else row[place] for place in places] for row in batch.rows]
                yield Rows(batch.origin, names, batch.separator, rows, batch.lines)
