"""What a workload asks for and what a slot of it does, measured."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from tenfold.pool.claims import Floats, Ints
from tenfold.pool.forecast import CHANCES_D, Forecasts
from tenfold.pool.resident import Counters
from tenfold.pool.value import service_runs, sustainable_utilisation

CAPACITY_MEMORY_S = 20.0
WAKE_UP_S = 1.5
"""From a decision to the first work of the slot, with the tick that it takes to notice."""


class GatewayTotals(BaseModel):
    """What the gateway has seen of one workload since it started, and its recent latencies."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    arrived: int = 0
    answered: int = 0
    attained: int = Field(0, description="answered within the workload's latency target")
    shed: int = 0
    failed: int = 0
    waiting: int = Field(0, description="admitted and not yet answered")
    unrouted: int = Field(0, description="of these, waiting for a place, or for a resident to wake")
    latency_p50_s: float | None = None
    latency_p95_s: float | None = None
    attained_share: float | None = Field(None, description="of the requests of the last seconds")


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests that came, were answered in time, or were shed between two reports of the gateway."""

    asked: int = 0
    in_time: int = 0
    shed: int = 0


@dataclass(frozen=True, slots=True)
class WorkloadPlan:
    """What the pool must know of a workload; the doors fill it in, so that the pool imports no workload.

    ``unit``: name of its unit of work. ``assumed_capacity``: units per second and slot until measured.
    ``takes_requests``: false for training, which always has more to do. ``probe``: path and JSON body of a request
    that shows that it serves.
    """

    workload: str
    unit: str
    kinds: frozenset[str]
    floor: int
    ceiling: int | None
    value_per_unit_usd: float
    latency_target_s: float | None
    assumed_capacity: float
    takes_requests: bool
    probe: tuple[str, Mapping[str, object]] | None


class DemandMeter:
    """Turns counters into a workload's marginal values. ``idle_s``: seconds since its last request.

    Demand in units is arrivals times units per request, forecast at the wake-up horizon, and never less than what
    clears the requests already waiting within the latency target.
    """

    def __init__(self, plan: WorkloadPlan) -> None:
        self.plan = plan
        self.forecast = Forecasts(np.array([max(WAKE_UP_S, plan.latency_target_s or 0.0)]))
        self.capacity = plan.assumed_capacity
        self.units_per_request = 1.0
        self.units_total = 0.0
        self.requests_total = 0
        self.units_per_s = 0.0
        self.facts: dict[str, float] = {}
        self.totals: GatewayTotals = GatewayTotals()
        self.recent = Requests()
        self.idle_s = math.inf
        self._seen_gateway = False
        self._last: dict[str, Counters] = {}
        self._measured_busy_s = 0.0

    def adopt(self, process: str, counters: Counters) -> None:
        """Take over a process that worked before this meter was made: its past counts, but not as work done now."""
        self._last[process] = counters
        self.units_total += counters.units
        self.requests_total += counters.requests

    def observe_residents(self, counters: Mapping[str, Counters], seconds: float) -> None:
        """Take the cumulative counters of residents by process (name and pid); unknown ones start from zero."""
        units = requests = busy_s = 0.0
        for process, now in counters.items():
            before = self._last.get(process, Counters())
            units += now.units - before.units
            requests += now.requests - before.requests
            busy_s += now.busy_s - before.busy_s
            self._last[process] = now
            if now.facts:
                self.facts = dict(now.facts)
        self.units_total += units
        self.requests_total += int(requests)
        weight = 1.0 - math.exp(-seconds / 2.0)
        self.units_per_s += weight * (units / seconds - self.units_per_s)
        if busy_s > 0.02 and units > 0:
            # Until a few seconds of work were measured, the assumption fades as fast as evidence comes.
            self._measured_busy_s = min(self._measured_busy_s + busy_s, CAPACITY_MEMORY_S)
            share = min(1.0, busy_s / self._measured_busy_s)
            self.capacity += share * (units / busy_s - self.capacity)
            if requests:
                self.units_per_request += share * (units / requests - self.units_per_request)

    def observe_gateway(self, totals: GatewayTotals, seconds: float) -> None:
        """Take the gateway's cumulative totals; a restarted gateway starts from zero again.

        What arrived before the first report is not demand now: the controller may be the one that restarted.
        """
        before = self.totals if totals.arrived >= self.totals.arrived else GatewayTotals()
        arrived = totals.arrived - before.arrived
        self.idle_s = 0.0 if arrived or totals.waiting else self.idle_s + seconds
        if self._seen_gateway:
            self.forecast.observe(np.array([float(arrived)]), seconds)
            self.recent = Requests(arrived, totals.attained - before.attained, totals.shed - before.shed)
        self.totals = totals
        self._seen_gateway = True

    @property
    def arrival_per_s(self) -> float:
        """Requests a second now, smoothed."""
        return float(self.forecast.level_S[0])

    @property
    def forecast_per_s(self) -> float:
        """Requests a second that are seldom exceeded at the wake-up horizon."""
        return float(self.forecast.upper_S()[0])

    def demand_units_per_s(self) -> float:
        """Units of work per second that are seldom exceeded; what a move's reason quotes."""
        return max(self.forecast_per_s * self.units_per_request, self._backlog_units_per_s())

    def _backlog_units_per_s(self) -> float:
        """Units per second that clear the waiting requests within the latency target."""
        clear_s = max(1.0, self.plan.latency_target_s or 1.0)
        return self.totals.waiting * self.units_per_request / clear_s

    def runs(self, slots: int) -> tuple[Floats, Ints]:
        """Value of each further slot, USD per second, and of how many slots it is the value; for ``slots`` at most.

        Training has always more to do, so every slot of it is worth the same.
        """
        if not self.plan.takes_requests:
            return np.array([self.capacity * self.plan.value_per_unit_usd]), np.array([slots])
        demands_SD = np.maximum(self._backlog_units_per_s(), self.forecast.demands_SD() * self.units_per_request)
        per_slot = self.capacity * sustainable_utilisation(
            request_s=self.units_per_request / self.capacity, target_s=self.plan.latency_target_s
        )
        usd_per_s = per_slot * self.plan.value_per_unit_usd
        needs_SD = np.minimum(demands_SD / per_slot, slots)
        _, usd_R, slots_R = service_runs(needs_SD, CHANCES_D, np.array([usd_per_s]))
        return usd_R, slots_R

    def marginal_usd_per_s(self, slots: int) -> tuple[float, ...]:
        """Value of the 1st, 2nd, ... slot, USD per second, length ``slots``."""
        usd_R, slots_R = self.runs(slots)
        marginal = np.repeat(usd_R, slots_R)[:slots]
        return (*marginal.tolist(), *[0.0] * (slots - len(marginal)))
