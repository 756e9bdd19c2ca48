"""Watching a Ray cluster that others use: what the policy would do with its accelerators, tick by tick.

Pure: ``watch.ray_dashboard`` reads the cluster, and nothing here can change it.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Literal

from pydantic import Field

from tenfold.core.errors import InfeasibleError
from tenfold.core.explain import suggest
from tenfold.core.frozen import Frozen
from tenfold.policy.policy import Change, SlotPlace
from tenfold.policy.shadow import Shadow
from tenfold.pool.demand import DemandMeter, GatewayTotals, WorkloadPlan
from tenfold.pool.meters import look_around, measured_claims
from tenfold.pool.resident import Counters
from tenfold.pool.state import ShadowView
from tenfold.watch.watch_file import JobTable, ServiceTable, WatchError, WatchFile

SETTLING_READINGS = 3
"""Readings before the first decision: a rate needs two, and Ray's counters lag."""

ASSUMED_REQUESTS_PER_S = 1.0
"""What a slot answers until that is measured."""

NODE_LETTERS = 12
"""Of a node's id in the names of its slots; Ray's ids have 56."""

MOST_TICKS = 3
"""Of a silence of the cluster only so many ticks are accounted for; what was held in the rest is not known."""

_WHOLE = 1e-6

Counted = Literal["arrived", "answered", "busy_s"]

Deployment = tuple[str, str]
"""Application and deployment of Ray Serve."""

Slots = Mapping[str, str | None]
"""Who holds each slot."""


@dataclass(frozen=True, slots=True)
class Holder:
    """An actor, a task or a bundle of a placement group that holds accelerators.

    ``names``: what it may be called by. ``deployment``: whose replica it is, if it is one.
    """

    node: str
    accelerators: float
    names: frozenset[str]
    deployment: Deployment | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """One counter of one process, as it is exported."""

    what: Counted
    deployment: Deployment
    process: str


@dataclass(frozen=True, slots=True)
class Reading:
    """The cluster at one moment.

    ``nodes``: accelerators of each live node. ``counters``: by endpoint that answered. ``waiting``: requests that wait
    for a replica. ``alarms``: what could not be read.
    """

    nodes: Mapping[str, float]
    holders: Sequence[Holder]
    counters: Mapping[str, Mapping[Series, float]]
    waiting: Mapping[Deployment, float] = field(default_factory=dict)
    alarms: tuple[str, ...] = ()

    def deployments(self) -> set[Deployment]:
        """All that show in it, those without a replica too."""
        replicas = {holder.deployment for holder in self.holders if holder.deployment is not None}
        return replicas | {series.deployment for counters in self.counters.values() for series in counters}


class WatchedView(Frozen):
    """One service or job: what it has, and what it would have."""

    workload: str
    kind: Literal["service", "job"]
    slots: int = Field(description="slots that it holds")
    shadow_slots: int = Field(description="slots that it would hold")
    slot_hours: float = Field(description="slots that it held, over the time accounted for")
    shadow_slot_hours: float
    arrival_per_s: float | None = Field(description="requests a second now; none for a job")
    forecast_per_s: float | None = Field(description="requests a second that are seldom exceeded; none for a job")
    capacity_per_slot: float | None = Field(description="requests a second that one slot answers; none for a job")
    waiting: int = Field(description="requests that wait for a replica")


class WatchView(Frozen):
    """All that was watched. Values are the policy's own estimates."""

    slots: int = Field(description="slots that the services and jobs of the file share, idle ones among them")
    idle: int = Field(description="of these, held by nobody")
    others: int = Field(description="slots held by what the file does not name; left out of everything")
    workloads: tuple[WatchedView, ...]
    shadow: ShadowView
    missed: int = Field(description="readings that failed")
    alarms: tuple[str, ...]


class Watch:
    """Holds what was measured and what would have been done.

    Args:
        file: what to watch and what it is worth.
        origin: the file's name, for errors.
        first: a reading to find the services in.

    Raises:
        WatchError: the cluster does not have a service of the file, or it is not clear which is meant.
        InfeasibleError: it has no such accelerators.
    """

    def __init__(self, file: WatchFile, origin: str, first: Reading) -> None:
        if not any(first.nodes.values()):
            raise InfeasibleError(
                f"no node of the cluster has any {file.accelerator!r}",
                next_step=f"name a Ray resource that its nodes have as 'accelerator' in {origin}",
            )
        self._file = file
        self._deployments: dict[Deployment, str] = {}
        for name, table in file.services.items():
            deployment = _find_deployment(name, table, origin, first.deployments())
            other = self._deployments.setdefault(deployment, name)
            if other != name:
                raise WatchError(
                    f"{origin}: {'/'.join(deployment)!r} is both 'services.{other}' and 'services.{name}'",
                    next_step=f"mend {origin}",
                )
        self._meters = {
            name: DemandMeter(_service_plan(name, table, file.tick_s)) for name, table in file.services.items()
        }
        self._sums: dict[str, dict[Counted, float]] = {
            name: {"arrived": 0.0, "answered": 0.0, "busy_s": 0.0} for name in file.services
        }
        self._counters: dict[str, dict[Series, float]] = {}
        self._wake_s = {name: table.wake_s for name, table in file.services.items()} | dict.fromkeys(file.jobs, 0.0)
        self._resize_s = {name: table.resize_s for name, table in file.jobs.items()}
        self._shadow = Shadow()
        self._real: Slots = {}
        self._others = 0
        self._slot_s: dict[str, float] = defaultdict(float)
        self._shadow_slot_s: dict[str, float] = defaultdict(float)
        self._readings = 0
        self._missed = 0
        self._alarms: tuple[str, ...] = ()

    def observe(self, reading: Reading, seconds: float) -> list[Change]:
        """Take a reading, ``seconds`` after the one before it; returns what a live pool would do now."""
        self._measure(reading, seconds)
        self._real, self._others = share_out(
            reading, self._owner, [*self._file.services, *self._file.jobs], self._file.accelerators_per_slot
        )
        self._alarms = reading.alarms
        self._readings += 1
        held = Counter(self._real.values())
        meters = [*self._meters.values(), *(self._job(name, held[name]) for name in self._file.jobs if held[name])]
        if self._readings <= SETTLING_READINGS or not meters:
            return []
        look_around(meters, slots=len(self._real), held={m.plan.workload: held[m.plan.workload] for m in meters})
        wanted = {name for name, meter in self._meters.items() if meter.idle_s < self._file.idle_s}
        claims = measured_claims(
            meters,
            slots=len(self._real),
            held={meter.plan.workload: held[meter.plan.workload] for meter in meters},
            wanted=wanted,
            wake_s=self._wake_s,
            dwell_s=self._file.dwell_s,
            resize_s=self._resize_s,
        )
        places = [SlotPlace(slot, slot, frozenset(claims.names)) for slot in self._real]
        counted_s = min(seconds, MOST_TICKS * self._file.tick_s)
        for sums, slots in ((self._slot_s, held), (self._shadow_slot_s, self._would_hold(held))):
            for name in claims.names:
                sums[name] += slots.get(name, 0) * counted_s
        changes = self._shadow.decide(places, claims, self._real, self._wake_s, counted_s, self._resize_s)
        return [
            replace(change, because=self._meters[change.receiver].reason(change.because))
            if change.receiver in self._meters
            else change
            for change in changes
        ]

    def miss(self, alarm: str) -> None:
        """Note that the cluster could not be read."""
        self._missed += 1
        self._alarms = (alarm,)

    def _measure(self, reading: Reading, seconds: float) -> None:
        """Add what all counters grew by since they were last seen."""
        for endpoint, counters in reading.counters.items():
            # What an endpoint had counted before it was first read is not demand of now.
            for series, more in _growth(self._counters.get(endpoint), counters).items():
                if series.deployment in self._deployments:
                    self._sums[self._deployments[series.deployment]][series.what] += more
            self._counters.setdefault(endpoint, {}).update(counters)
        waiting = {self._deployments.get(deployment): count for deployment, count in reading.waiting.items()}
        for name, meter in self._meters.items():
            sums, table = self._sums[name], self._file.services[name]
            answered = round(sums["answered"])
            # Where requests reach replicas past Serve's router, it counts none of them.
            arrived = max(round(sums["arrived"]), answered)
            busy_s = sums["busy_s"] / table.parallel if table.capacity_per_slot is None else 0.0
            meter.observe_residents({name: Counters(float(answered), answered, busy_s)}, seconds)
            totals = GatewayTotals(arrived=arrived, answered=answered, waiting=round(waiting.get(name, 0.0)))
            meter.observe_gateway(totals, seconds)

    def _owner(self, holder: Holder) -> str | None:
        """Find the service or job of the file that a holder belongs to."""
        if holder.deployment is not None:
            return self._deployments.get(holder.deployment)
        for name, table in self._file.jobs.items():
            if any(fnmatchcase(known, table.holders) for known in holder.names):
                return name
        return None

    def _job(self, name: str, held: int) -> DemandMeter:
        return DemandMeter(_job_plan(name, self._file.jobs[name], held, self._file.accelerators_per_slot))

    def view(self) -> WatchView:
        """Show it."""
        held = Counter(self._real.values())
        would_hold = self._would_hold(held)
        return WatchView(
            slots=len(self._real),
            idle=held[None],
            others=self._others,
            workloads=tuple(
                self._watched(name, held[name], would_hold.get(name, 0))
                for name in (*self._file.services, *self._file.jobs)
            ),
            shadow=ShadowView.of(self._shadow.sums()),
            missed=self._missed,
            alarms=self._alarms,
        )

    def _would_hold(self, held: Mapping[str | None, int]) -> Mapping[str | None, int]:
        """Slots that each would hold; before the first decision those that it holds."""
        shadow = self._shadow.sums()
        return {**shadow.slots} if shadow.seconds else held

    def _watched(self, name: str, slots: int, shadow_slots: int) -> WatchedView:
        meter = self._meters.get(name)
        return WatchedView(
            workload=name,
            kind="job" if meter is None else "service",
            slots=slots,
            shadow_slots=shadow_slots,
            slot_hours=self._slot_s[name] / 3600,
            shadow_slot_hours=self._shadow_slot_s[name] / 3600,
            arrival_per_s=None if meter is None else meter.arrival_per_s,
            forecast_per_s=None if meter is None else meter.forecast_per_s,
            capacity_per_slot=None if meter is None else meter.capacity,
            waiting=0 if meter is None else meter.totals.waiting,
        )


def _find_deployment(name: str, table: ServiceTable, origin: str, known: set[Deployment]) -> Deployment:
    application = table.application or name
    own = sorted(deployment for found, deployment in known if found == application)
    where = f"{origin}: 'services.{name}"
    if not own:
        applications = {found for found, _ in known}
        there = suggest(application, applications) if applications else "it has none that has ever had a replica"
        raise WatchError(
            f"{where}.application': the cluster has no Serve application {application!r}; {there}",
            next_step=f"mend {origin}, or deploy it first",
        )
    if table.deployment is None and len(own) > 1:
        raise WatchError(
            f"{where}.deployment' is missing: {application!r} has {', '.join(own)}",
            next_step=f"name the one that holds accelerators in {origin}",
        )
    if table.deployment is not None and table.deployment not in own:
        raise WatchError(
            f"{where}.deployment': {application!r} has no {table.deployment!r}; {suggest(table.deployment, own)}",
            next_step=f"mend {origin}, or deploy it first",
        )
    return application, table.deployment or own[0]


def _service_plan(name: str, table: ServiceTable, tick_s: float) -> WorkloadPlan:
    return WorkloadPlan(
        workload=name,
        unit="request",
        kinds=frozenset(),
        floor=table.floor,
        ceiling=table.ceiling,
        value_per_unit_usd=table.usd_per_request,
        latency_target_s=table.latency_target_s,
        assumed_capacity=table.capacity_per_slot or ASSUMED_REQUESTS_PER_S,
        takes_requests=True,
        probe=None,
        wake_up_s=table.wake_s + tick_s,
    )


def _job_plan(name: str, table: JobTable, held: int, accelerators_per_slot: float) -> WorkloadPlan:
    """Plan a job that is there; what is not said to grow or shrink stays as large as it is."""
    return WorkloadPlan(
        workload=name,
        unit="slot-second",
        kinds=frozenset(),
        floor=held if table.least is None else table.least,
        ceiling=max(held if table.most is None else table.most, table.least or 0),
        value_per_unit_usd=table.usd_per_accelerator_hour * accelerators_per_slot / 3600,
        latency_target_s=None,
        assumed_capacity=1.0,
        takes_requests=False,
        probe=None,
    )


def _growth(before: Mapping[Series, float] | None, now: Mapping[Series, float]) -> dict[Series, float]:
    """By how much each counter grew; one that fell has started from zero again, as has one that is new."""
    if before is None:
        return {}
    grown = {series: count - before.get(series, 0.0) for series, count in now.items()}
    return {series: more if more >= 0 else now[series] for series, more in grown.items()}


def share_out(
    reading: Reading, owner_of: Callable[[Holder], str | None], names: Iterable[str], accelerators_per_slot: float
) -> tuple[Slots, int]:
    """Say who holds each slot: on every node the slots of those in ``names`` in this order, then the idle ones.

    Returns:
        The slots without those that others hold, and how many others hold.
    """
    order, slots, others = list(names), {}, 0
    held: dict[str, defaultdict[str | None, float]] = {node: defaultdict(float) for node in reading.nodes}
    for holder in reading.holders:
        if holder.node in held:
            held[holder.node][owner_of(holder)] += holder.accelerators / accelerators_per_slot
    for node, accelerators in sorted(reading.nodes.items()):
        count = math.floor(accelerators / accelerators_per_slot + _WHOLE)
        whole = whole_slots(held[node], count)
        others += whole.get(None, 0)
        holders: list[str | None] = [name for name in order for _ in range(whole.get(name, 0))]
        idle = count - whole.get(None, 0) - len(holders)
        slots |= {f"{node[:NODE_LETTERS]}/{number}": holder for number, holder in enumerate([*holders, *[None] * idle])}
    return slots, others


def whole_slots(held: Mapping[str | None, float], slots: int) -> dict[str | None, int]:
    """Round what each holds to whole slots: who holds part of one has it, the largest part first."""
    whole = {name: math.floor(amount + _WHOLE) for name, amount in held.items()}
    parts = sorted(held, key=lambda name: whole[name] - held[name])
    left = slots - sum(whole.values())
    for name in [name for name in parts if held[name] - whole[name] > _WHOLE][: max(0, left)]:
        whole[name] += 1
    return whole
