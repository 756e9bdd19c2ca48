"""What Slurm accounted: ``sacct -P`` or ``-p``, with any separator."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo

from tenfold.replay.importing.found import Counted, ImportFault, JobFile, LoggedJob
from tenfold.replay.importing.kinds import ANY, kind_of
from tenfold.replay.importing.moments import duration_s, is_never, moment_of
from tenfold.replay.importing.reading import Reading
from tenfold.replay.importing.text import Header, Rows
from tenfold.replay.importing.zones import zone_of

ASK = "sacct -a -X -P --format=JobID,JobName,Partition,Submit,Start,End,State,NNodes,ReqTRES,AllocTRES -S FROM -E TO"
TRES, GRES = ("AllocTRES", "ReqTRES", "TRESAlloc"), ("AllocGRES", "ReqGRES")
RUNNING = ("RUNNING", "SUSPENDED", "RESIZING", "STAGE_OUT", "COMPLETING")
"""States of what holds its accelerators: the End of such a line is none, whatever it says."""


def is_account(header: Header) -> bool:
    """Whether a table is of ``sacct``."""
    return (
        header.column("JobID", "JobIDRaw") is not None
        and header.column("State") is not None
        and (header.separator == "|" or header.column(*TRES, *GRES) is not None)
    )


def looks_headless(first: str) -> bool:
    """Whether a file is what ``sacct -P -n`` writes, by its first line: no header, and states of jobs between bars."""
    return first.count("|") >= 3 and bool(re.search(r"\|(COMPLETED|FAILED|CANCELLED|RUNNING|TIMEOUT|PENDING)", first))


def read_account(rows: Rows, reading: Reading) -> JobFile:
    """Read jobs, a line each; steps (``123.batch``) and what holds no accelerator are left out.

    Raises:
        ImportFault: a column that is needed is missing, or a cell of a line cannot be; names it.
    """
    table = _Account(rows, zone_of(reading.zone))
    left_out = Counted()
    jobs: list[LoggedJob] = []
    for at in range(len(rows.rows)):
        name = table.cell(at, "JobID", "JobIDRaw")
        if "." in name or not name:
            left_out.add("steps of jobs (JobID with a dot) left out, as they are in their jobs' lines")
            continue
        job = table.job(at, name, left_out)
        jobs += [job] if job is not None else []
    repeated = Counter(job.name for job in jobs)
    seen: Counter[str] = Counter()
    for at, job in enumerate(jobs):
        if repeated[job.name] > 1:
            seen[job.name] += 1
            jobs[at] = replace(job, name=f"{job.name}-run{seen[job.name]}")
    assumed = left_out.told(rows.origin)
    if table.bare:
        assumed.append(f"{rows.origin}: times without a zone are taken to be of {reading.zone} (--timezone).")
    if table.twice:
        assumed.append(
            f"{rows.origin}: {table.twice:,} times are of those that come twice as clocks go back in "
            f"{reading.zone}: the first is taken where it does not lie before what the job did before."
        )
    if not jobs:
        raise ImportFault(
            f"{rows.origin}: no job holds an accelerator; " + " ".join(left_out.told("of its lines")),
            next_step=f"ask with AllocTRES: {ASK}",
        )
    return JobFile(rows.origin, "dated", sorted(jobs, key=lambda job: job.submitted_s), tuple(assumed))


@dataclass
class _Account:
    """The lines of an account."""

    rows: Rows
    zone: tzinfo
    bare: int = 0
    twice: int = 0

    def __post_init__(self) -> None:
        lacking = [name for name in ("JobID", "Submit", "Start", "State") if self.rows.column(name) is None]
        if self.rows.column("JobIDRaw") is not None and "JobID" in lacking:
            lacking.remove("JobID")
        if self.rows.column("End", "Elapsed", "ElapsedRaw") is None:
            lacking.append("End")
        if self.rows.column(*TRES, *GRES) is None:
            lacking.append("AllocTRES")
        if lacking:
            raise ImportFault(
                f"{self.rows.origin} lacks {', '.join(lacking)}; it has {', '.join(self.rows.names)}",
                next_step=f"ask again: {ASK}",
            )

    def cell(self, at: int, *names: str) -> str:
        """The first of these cells that says something."""
        for name in names:
            column = self.rows.column(name)
            if column is not None and self.rows.rows[at][column]:
                return self.rows.rows[at][column]
        return ""

    def moment(self, at: int, name: str, after_s: float | None = None) -> float | None:
        """Seconds; none where there is no such moment. ``after_s``: it is not before this."""
        cell = self.cell(at, name)
        if is_never(cell):
            return None
        moment = moment_of(cell, self.zone)
        if moment is None or moment.clock != "dated":
            raise ImportFault(
                f"{self.rows.origin}, line {self.rows.lines[at]}: {name} is {cell!r}, which is no date",
                next_step="ask without SLURM_TIME_FORMAT, so that it is like 2026-01-05T07:00:00",
            )
        self.bare += not moment.zoned
        self.twice += moment.again_s is not None
        is_second = moment.again_s is not None and after_s is not None and moment.seconds < after_s
        return moment.again_s if is_second else moment.seconds

    def job(self, at: int, name: str, left_out: Counted) -> LoggedJob | None:
        """A line's job; none, and counted, if it is left out."""
        nodes = int(duration_s(self.cell(at, "NNodes", "AllocNodes")) or 0)
        slots = accelerators_of(
            [self.cell(at, each) for each in TRES], [self.cell(at, each) for each in GRES], nodes or 1
        )
        if not slots:
            left_out.add("jobs without accelerators left out")
            return None
        submitted_s = self.moment(at, "Submit")
        started_s = self.moment(at, "Start", submitted_s)
        submitted_s = started_s if submitted_s is None else submitted_s
        state = self.cell(at, "State").partition(" ")[0].upper()
        ended_s = None if state in RUNNING or started_s is None else self._ended(at, started_s)
        if submitted_s is None or (started_s is None and state.startswith("CANCELLED")):
            left_out.add("jobs left out that were cancelled before they started")
            return None
        if started_s is not None and ended_s is not None and ended_s <= started_s:
            left_out.add("jobs left out that ran for less than a second")
            return None
        if len(slots) > 1:
            left_out.add("jobs that held several kinds of accelerators, counted as the one of which they held most")
        kind = max(slots, key=lambda each: slots[each])
        held, nodes_told = sum(slots.values()), nodes or None
        return LoggedJob(name, submitted_s, started_s, ended_s, kind, held, nodes=nodes_told, tasks=tasks_of(name))

    def _ended(self, at: int, started_s: float) -> float | None:
        ended_s = self.moment(at, "End", started_s) if self.rows.column("End") is not None else None
        if ended_s is None:
            lasted_s = duration_s(self.cell(at, "ElapsedRaw", "Elapsed"))
            ended_s = None if lasted_s is None else started_s + lasted_s
        return ended_s


def tasks_of(name: str) -> int:
    """How many jobs a line stands for: ``8002_[3-40:2,50%4]``, an array of which nothing started, has 20 more."""
    array = re.search(r"_\[([\d,:-]+)(?:%\d+)?\]$", name)
    if array is None:
        return 1
    parts = re.findall(r"(\d+)(?:-(\d+))?(?::(\d+))?", array[1])
    return sum(len(range(int(first), int(last or first) + 1, int(step or 1) or 1)) for first, last, step in parts) or 1


def accelerators_of(tres: Sequence[str], gres: Sequence[str], nodes: int) -> dict[str, int]:
    """Accelerators by kind, of the first cell that has any.

    ``cpu=4,gres/gpu=8,gres/gpu:h200=8`` are 8: the kinds' counts are parts of the bare one. Shares of accelerators
    (``gres/mps``, ``gres/shard``) are no accelerators. GRES are per node.
    """
    for cell in tres:
        found = re.findall(r"gres/gpu(?::([^=,]+))?=(\d+)", cell)
        if found:
            return _by_kind([(kind, int(count)) for kind, count in found])
    for cell in gres:
        bare = re.sub(r"\([^)]*\)", "", cell)
        found = re.findall(r"(?:gres[/:])?gpu(?::([A-Za-z][^:,=]*))?(?:[:=](\d+))?", bare)
        if found:
            return _by_kind([(kind, int(count or 1) * nodes) for kind, count in found])
    return {}


def _by_kind(found: Sequence[tuple[str, int]]) -> dict[str, int]:
    named: Counter[str] = Counter()
    for kind, count in found:
        if kind:
            named[kind_of(kind)] += count
    rest = max((count for kind, count in found if not kind), default=0) - sum(named.values())
    if rest > 0:
        named[ANY] += rest
    return {kind: count for kind, count in named.items() if count > 0}
