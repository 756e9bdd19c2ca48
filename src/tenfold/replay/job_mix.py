"""Made-up training jobs whose sizes and lengths are spread as in a large company's trace.

The shape is that of Microsoft's Philly cluster (Jeon et al., "Analysis of Large-Scale Multi-Tenant GPU Clusters for DNN
Training Workloads", USENIX ATC 2019): most jobs are of one accelerator and short, while a few long and wide ones hold
most accelerator-hours. Lengths are then scaled so that the jobs together ask for a stated share of a fleet.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tenfold.replay.loads import DAY_S
from tenfold.replay.week import Floats, Job, Kind, Times, Within

# Accelerators of a job, and the share of jobs of this size.
PHILLY_SIZES: Mapping[int, float] = {1: 0.70, 2: 0.06, 4: 0.08, 8: 0.10, 16: 0.035, 32: 0.015, 64: 0.007, 128: 0.003}
LONGEST_S = 5 * DAY_S


@dataclass(frozen=True, slots=True)
class JobMix:
    """Parameters of the jobs that arrive in a week.

    ``jobs``: how many. ``offered_slots``: slots that they would keep busy on average over the week. ``sizes``: share
    of jobs by size. ``spread``: standard deviation of the logarithm of their lengths. ``longer``: a job's length grows
    with its size to this power. ``waiting``: share of jobs that wait when the week begins. ``working_hours``: share of
    the others that arrive between 9 and 21 h. ``elastic``: share of jobs that run on a quarter to twice their size; the
    others need all of it. ``rack``: share of jobs too large for a node that need one rack. ``urgent``: share with a
    deadline of ``slack`` times the length they have at their size. ``usd_per_hour``: what a slot's hour earns; a job's
    own lies within ``usd_spread`` (deviation of the logarithm).
    """

    jobs: int
    offered_slots: float
    sizes: Mapping[int, float] = field(default_factory=lambda: PHILLY_SIZES)
    spread: float = 1.8
    longer: float = 0.3
    waiting: float = 0.1
    working_hours: float = 0.65
    elastic: float = 0.6
    rack: float = 0.4
    urgent: float = 0.1
    slack: tuple[float, float] = (1.5, 4.0)
    usd_per_hour: float = 2.0
    usd_spread: float = 0.4
    times: Times = field(default_factory=lambda: Times(start_s=90.0, wake_s=3.0, sleep_s=1.0, resize_s=5.0))
    checkpoint_s: float = 15.0
    checkpoint_every_s: float = 1800.0


@dataclass(frozen=True, slots=True)
class Room:
    """Where the jobs run: the slots of the kinds that train, of a node and of a rack, and each kind's speed."""

    slots: int
    node_slots: int
    rack_slots: int
    speed_K: Floats


def room_of(kinds: Sequence[Kind], speed_K: Floats) -> Room:
    """The room on the kinds whose speed is above 0; there is one at least."""
    able = [kind for kind, speed in zip(kinds, speed_K, strict=True) if speed > 0]
    return Room(
        slots=sum(kind.slots for kind in able),
        node_slots=max(min(kind.slots, kind.node_slots) for kind in able),
        rack_slots=max(min(kind.slots, kind.node_slots * kind.rack_nodes) for kind in able),
        speed_K=speed_K,
    )


def generate_jobs(mix: JobMix, days: float, room: Room, rng: np.random.Generator) -> tuple[Job, ...]:
    """The jobs in the order of arrival; no size exceeds the fleet, and no locality what a node or a rack has."""
    sizes = np.array([size for size in mix.sizes if size <= room.slots], dtype=np.int64)
    shares = np.array([mix.sizes[int(size)] for size in sizes])
    sizes_J = rng.choice(sizes, size=mix.jobs, p=shares / shares.sum())
    lengths_J = np.exp(mix.spread * rng.standard_normal(mix.jobs)) * sizes_J**mix.longer
    lengths_J = scale_lengths(lengths_J, sizes_J, mix.offered_slots * days * DAY_S)
    arrivals_J = np.sort(_arrivals(mix, days, rng))
    return tuple(
        _job(mix, f"job-{number:04d}", float(arrival), int(size), float(length), room, rng)
        for number, (arrival, size, length) in enumerate(zip(arrivals_J, sizes_J, lengths_J, strict=True))
    )


def backlog(room: Room, *, usd_per_hour: float = 1.0, least: int = 8, times: Times | None = None) -> Job:
    """Pre-training that never ends and takes whatever is left, at a low price."""
    return Job(
        name="pretraining",
        arrival_s=0.0,
        work=float("inf"),
        least=min(least, room.slots),
        most=room.slots,
        speed_K=room.speed_K,
        usd_per_s=usd_per_hour / 3600.0,
        times=times or Times(start_s=90.0, wake_s=3.0, sleep_s=1.0, resize_s=5.0),
        checkpoint_s=30.0,
    )


def scale_lengths(lengths_J: Floats, sizes_J: np.ndarray, slot_seconds: float) -> Floats:
    """Multiply lengths so that sizes x lengths sum to ``slot_seconds``, while none is above the longest.

    When even the longest do not fill it, all are the longest.
    """
    if slot_seconds >= LONGEST_S * sizes_J.sum():
        return np.full_like(lengths_J, LONGEST_S)
    low, high = 0.0, LONGEST_S / lengths_J.min()
    for _ in range(100):
        factor = (low + high) / 2
        if (np.minimum(factor * lengths_J, LONGEST_S) * sizes_J).sum() < slot_seconds:
            low = factor
        else:
            high = factor
    return np.minimum(high * lengths_J, LONGEST_S)


def _arrivals(mix: JobMix, days: float, rng: np.random.Generator) -> Floats:
    """Seconds: some at 0, the others on any day, more by day than by night."""
    by_day = rng.random(mix.jobs) < mix.working_hours
    hours = np.where(by_day, 9 + 12 * rng.random(mix.jobs), (21 + 12 * rng.random(mix.jobs)) % 24)
    whole = max(1, int(np.ceil(days)))
    seconds = (rng.integers(whole, size=mix.jobs) + hours / 24) * DAY_S
    seconds = np.where(seconds < days * DAY_S, seconds, seconds % (days * DAY_S))
    return np.where(rng.random(mix.jobs) < mix.waiting, 0.0, seconds)


def _job(
    mix: JobMix, name: str, arrival_s: float, size: int, length_s: float, room: Room, rng: np.random.Generator
) -> Job:
    elastic, wants_rack, urgent = rng.random(3) < (mix.elastic, mix.rack, mix.urgent)
    slack = rng.uniform(*mix.slack)
    usd_per_hour = mix.usd_per_hour * np.exp(mix.usd_spread * rng.standard_normal())
    within = _within(size, bool(wants_rack), room)
    limit = {"node": room.node_slots, "rack": room.rack_slots, "anywhere": room.slots}[within]
    return Job(
        name=name,
        arrival_s=arrival_s,
        work=size * length_s,
        least=max(1, size // 4) if elastic else size,
        most=min(2 * size, limit) if elastic else size,
        speed_K=room.speed_K,
        usd_per_s=float(usd_per_hour) / 3600.0,
        times=mix.times,
        within=within,
        checkpoint_s=mix.checkpoint_s,
        checkpoint_every_s=mix.checkpoint_every_s,
        deadline_s=arrival_s + slack * length_s if urgent else None,
    )


def _within(size: int, wants_rack: bool, room: Room) -> Within:
    if 1 < size <= room.node_slots:
        return "node"
    if wants_rack and room.node_slots < size <= room.rack_slots:
        return "rack"
    return "anywhere"
