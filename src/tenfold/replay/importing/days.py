"""Logs that were cut by days: files that follow one another are read as one."""

import itertools
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from tenfold.replay.importing.found import Found, RequestFile
from tenfold.replay.importing.reading import Reading
from tenfold.replay.importing.recognise import open_log
from tenfold.replay.importing.request_log import read_log
from tenfold.replay.importing.text import RowFile, Rows


def joined(paths: Sequence[Path], files: Sequence[Found], reading: Reading) -> list[Found]:
    """What was found in files, but logs of the same services that follow one another read again as one.

    Logs that tell no dates, have other columns, or have a time in common are of several services, and stay as they are.

    Args:
        paths: of the files.
        files: what each of them holds.
        reading: how they are to be read.

    Raises:
        ImportFault: as ``read_log``.
    """
    found: dict[int, Found] = dict(enumerate(files))
    for group in _of_same_services(files):
        whole = _read_as_one([paths[place] for place in group], reading) if len(group) > 1 else None
        if whole is not None:
            found[group[0]] = whole
            for place in group[1:]:
                del found[place]
    return [found[place] for place in sorted(found)]


def _of_same_services(files: Sequence[Found]) -> list[list[int]]:
    """Places of dated logs that have a service in common, each group in order of time; only if they follow so."""
    groups: list[dict[int, RequestFile]] = []
    for place, file in enumerate(files):
        if isinstance(file, RequestFile) and file.clock == "dated":
            mine = {place: file}
            for group in [each for each in groups if any(file.services.keys() & log.services for log in each.values())]:
                mine |= group
                groups.remove(group)
            groups.append(mine)
    ordered = [sorted(group, key=lambda place, of=group: of[place].begin_s) for group in groups]
    return [
        order
        for order, group in zip(ordered, groups, strict=True)
        if all(group[one].end_s <= group[other].begin_s for one, other in itertools.pairwise(order))
    ]


def _read_as_one(paths: Sequence[Path], reading: Reading) -> RequestFile | None:
    """One log of files that follow one another; none if their columns differ."""
    opened = [open_log(path) for path in paths]
    logs = [each for each in opened if each is not None]
    first, hashed = logs[0] if logs else (None, False)
    if first is None or len(logs) < len(paths) or any(each.names != first.names for each, _ in logs):
        return None
    origin = f"{first.origin} and {len(paths) - 1} more"
    rows = _after_another([each for each, _ in logs])
    found = read_log(RowFile(origin, first.names, first.separator, rows), reading, hashed=hashed)
    told = f"{origin} are one log: each begins when the one before it has ended."
    return replace(found, assumed=(told, *found.assumed))


def _after_another(logs: Sequence[RowFile]) -> Generator[Rows]:
    for log in logs:
        with closing(log.batches) as batches:
            yield from batches
