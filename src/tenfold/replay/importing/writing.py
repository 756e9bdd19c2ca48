"""The files of an imported week, as text.

Letters: T steps.
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from tenfold.core.errors import UsageError
from tenfold.core.paths import new_folder
from tenfold.replay.importing.found import Clock
from tenfold.replay.importing.placed import PlacedJob
from tenfold.replay.week import Floats

HOUR_S = 3600.0
USD_PER_SLOT_HOUR = 12.0
"""What an hour of an accelerator that answers is taken to be worth; of one that trains: see ``[jobs.defaults]``."""


@dataclass(frozen=True, slots=True)
class ServiceLines:
    """What week.toml says of a service. ``why``: how its capacity is known."""

    name: str
    family: str
    rates: str
    capacity: Mapping[str, float]
    why: str
    floor: int

    @property
    def talks(self) -> bool:
        """Whether it answers with tokens."""
        return self.family == "llm"


@dataclass(frozen=True, slots=True)
class WeekLines:
    """All that week.toml says."""

    name: str
    step_s: float
    history_s: float
    kinds: Mapping[str, int]
    node: int
    services: Sequence[ServiceLines]
    steps: int | None
    jobs: Sequence[PlacedJob]
    cluster: Mapping[str, str]
    assumed: Sequence[str]
    sources: Sequence[str]


def write_week(folder: Path, files: Mapping[str, str]) -> None:
    """Write a week's files into a new folder, all or none.

    Raises:
        UsageError: the folder is there already, or cannot be made.
    """
    if folder.exists():
        raise UsageError(f"{folder} is there already", next_step="give another folder with -o, or remove it")
    try:
        with new_folder(folder) as fresh:
            for name, text in files.items():
                (fresh / name).write_text(text)
    except OSError as error:
        raise UsageError(f"cannot write {folder}: {error.strerror}", next_step="give another folder with -o") from error


def week_toml(week: WeekLines) -> str:
    """The text of week.toml."""
    lines = [
        f"# Imported from {', '.join(week.sources)} by `tenfold replay import`.",
        "# What was taken for granted stands in `assumed`; correct what is wrong. docs/replay.md explains the keys.",
        f"name = {_text(week.name)}",
        f"step_s = {week.step_s:g}",
        f"history_s = {week.history_s:g}",
        *([f"steps = {week.steps}"] if week.steps is not None else []),
        "assumed = [",
        *(f"    {_text(line)}," for line in week.assumed),
        "]",
    ]
    for kind, slots in week.kinds.items():
        lines += ["", f"[kinds.{_text(kind)}]", f"slots = {slots}", f"node_slots = {min(week.node, slots)}"]
    for service in week.services:
        capacity = ", ".join(f"{_text(kind)} = {rate:.6g}" for kind, rate in service.capacity.items())
        usd = USD_PER_SLOT_HOUR / HOUR_S / max(service.capacity.values())
        queue_s, start_s, wake_s, sleep_s = (10, 120, 2, 1) if service.talks else (1, 45, 1, 0.5)
        lines += [
            "",
            f"[services.{_text(service.name)}]",
            f"family = {_text(service.family)}",
            f"rates = {_text(service.rates)}",
            f"# {service.why}",
            f"capacity = {{ {capacity} }}",
            f"usd_per_request = {usd:.4g}          # {USD_PER_SLOT_HOUR:g} USD per accelerator and hour at full work",
            f"queue_s = {queue_s}",
            f"floor = {service.floor}",
            f"start_s = {start_s}",
            f"wake_s = {wake_s}",
            f"sleep_s = {sleep_s}",
        ]
    if week.jobs:
        lines += ["", "[jobs]", 'file = "jobs.csv"']
    if week.cluster:
        lines += [
            "",
            "[cluster]                     # what the cluster itself did",
            *(f"{key} = {_text(file)}" for key, file in week.cluster.items()),
        ]
    return "\n".join(lines) + "\n"


def series_csv(start_s: float, step_s: float, clock: Clock, series: Mapping[str, Floats]) -> str:
    """Rates, slots or answers in equal steps; what was not measured stays empty."""
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\n")
    write.writerow(["time" if clock == "dated" else "time_s", *series])
    for row, values in enumerate(zip(*series.values(), strict=True)):
        at_s = start_s + row * step_s
        moment = (
            datetime.fromtimestamp(at_s, UTC).isoformat().replace("+00:00", "Z") if clock == "dated" else f"{at_s:.10g}"
        )
        write.writerow([moment, *("" if np.isnan(value) else f"{value:.8g}" for value in values)])
    return out.getvalue()


def jobs_csv(jobs: Sequence[PlacedJob], kinds: Sequence[str]) -> str:
    """Jobs as a policy sees them; each runs on the kind that it had, or on all if nobody knows which it was."""
    speeds = [f"speed_{kind}" for kind in kinds] if len(kinds) > 1 else []
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\n")
    write.writerow(["job", "arrival_s", "accelerator_hours", "least", "most", "within", *speeds])
    for job in jobs:
        own = [int(job.kind == kind or job.kind not in kinds) for kind in kinds] if speeds else []
        write.writerow(
            [job.name, f"{job.arrival_s:.10g}", f"{job.work_s / HOUR_S:.8g}", job.least, job.most, job.within, *own]
        )
    return out.getvalue()


def cluster_jobs_csv(jobs: Sequence[PlacedJob]) -> str:
    """When each job ran in the cluster, in seconds from the first step that is played."""
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\n")
    write.writerow(["job", "slots", "started_s", "ended_s"])
    for job in jobs:
        write.writerow([job.name, job.slots, f"{job.started_s:.10g}", f"{job.ended_s:.10g}"])
    return out.getvalue()


def _text(words: str) -> str:
    """A TOML string; JSON's escapes are TOML's."""
    return json.dumps(words, ensure_ascii=False)
