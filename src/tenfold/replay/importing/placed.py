"""Jobs of a log as jobs of a week: what was left of each when play begins, and what the cluster did with it."""

from collections.abc import Sequence
from dataclasses import dataclass

from tenfold.replay.importing.found import Counted, LoggedJob


@dataclass(frozen=True, slots=True)
class PlacedJob:
    """A job of the week. Times are seconds from the first step that is played.

    ``work_s``: slot-seconds that were left of it then. ``started_s``, ``ended_s``: in the cluster; what still ran when
    the log ended is taken to end then, as it is for a policy.
    """

    name: str
    kind: str
    arrival_s: float
    work_s: float
    least: int
    most: int
    within: str
    slots: int
    started_s: float
    ended_s: float


def last_known_s(jobs: Sequence[LoggedJob]) -> float:
    """The last moment of which a log tells: what runs then is taken to end then."""
    return max(moment for job in jobs for moment in (job.submitted_s, job.started_s, job.ended_s) if moment is not None)


def place(
    jobs: Sequence[LoggedJob], begin_s: float, end_s: float, *, node: int, elastic: bool, left_out: Counted
) -> list[PlacedJob]:
    """Make the jobs that were there while the week is played.

    Args:
        jobs: of the log.
        begin_s: when play begins.
        end_s: when it ends.
        node: accelerators of a node.
        elastic: whether a job may run on a quarter to twice what it had.
        left_out: counts what is not played, and why.
    """
    last_s = last_known_s(jobs)
    placed = []
    for job in jobs:
        if job.submitted_s >= end_s:
            left_out.add("jobs left out that were submitted after the last step that is played")
            continue
        if job.started_s is None:
            left_out.add("jobs left out that never started, as nobody knows how long they would have run", job.tasks)
            continue
        ended_s = job.ended_s if job.ended_s is not None else last_s
        if ended_s <= begin_s:
            left_out.add("jobs left out that ended before the first step that is played")
            continue
        if job.ended_s is None:
            left_out.add("jobs that still ran when the log ends, taken to end there")
        ran_s = ended_s - max(job.started_s, begin_s)
        if ran_s <= 0:
            left_out.add("jobs left out that had only just begun when the log ends")
            continue
        in_node = 1 < job.slots <= node and job.nodes == 1
        least = job.least if job.least is not None else max(1, job.slots // 4) if elastic else job.slots
        most = min(2 * job.slots, node) if elastic and in_node else 2 * job.slots if elastic else job.slots
        placed.append(
            PlacedJob(
                name=job.name,
                kind=job.kind,
                arrival_s=max(0.0, job.submitted_s - begin_s),
                work_s=ran_s * job.slots,
                least=min(least, job.slots),
                most=most,
                within="node" if in_node else "anywhere",
                slots=job.slots,
                started_s=job.started_s - begin_s,
                ended_s=ended_s - begin_s,
            )
        )
    return placed
