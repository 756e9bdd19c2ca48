"""What a workload asks for and what a slot of it does, measured."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from pydantic import Field

from tenfold.core.frozen import Frozen
from tenfold.policy.budget import Generosity, Tally
from tenfold.policy.claiming import Services
from tenfold.policy.forecast import Forecasts
from tenfold.policy.value import sustainable_utilisation
from tenfold.pool.resident import Counters
from tenfold.pool.state import PriceView, configured_price

CAPACITY_MEMORY_S = 20.0
SUPPLY_MEMORY_S = 1.0
"""Short, because another program on the machine can take a core away at once."""

LEAST_SUPPLY = 0.05
"""A slot that lately got next to nothing of its core is still expected to do this share of its work."""

WAKE_UP_S = 1.5
"""From a decision to the first work of the slot, with the tick that it takes to notice."""

ERRORS_MEMORY_S = 60.0
"""How far back a forecast's errors count, in seconds for each second of a wake-up."""


class GatewayTotals(Frozen):
    """What the gateway has seen of one workload since it started, and its recent latencies."""

    arrived: int = 0
    answered: int = 0
    in_time: int = Field(0, description="answered within the workload's latency target")
    shed: int = 0
    failed: int = 0
    waiting: int = Field(0, description="admitted and not yet answered")
    unrouted: int = Field(0, description="of these, waiting for a place, or for a resident to wake")
    latency_p50_s: float | None = None
    latency_p95_s: float | None = None
    in_time_share: float | None = Field(None, description="of the requests of the last seconds")

    @property
    def ended(self) -> int:
        """Requests that nobody waits for any more, however they ended."""
        return self.answered + self.shed + self.failed


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests that came, were answered in time, or were shed between two reports of the gateway."""

    asked: int = 0
    in_time: int = 0
    shed: int = 0


@dataclass(frozen=True, slots=True)
class WorkloadPlan:
    """What the pool must know of a workload; filled in above, so that the pool imports no workload.

    ``unit``: name of its unit of work. ``assumed_capacity``: units per second and slot until measured.
    ``takes_requests``: false for training, which always has more to do. ``probe``: path and JSON body of a request
    that shows that it serves. ``wake_up_s``: from a decision to the first work of the slot. ``attains``: share of
    requests to answer in time; none: as many as their price is worth. ``price_is_fixed``: whatever products earn with
    it. ``news``: a folder and a file; there is work only where the folder has something newer than the file.
    ``ended``: a file; while it is there, there is no work and no floor.
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
    wake_up_s: float = WAKE_UP_S
    attains: float | None = None
    price_is_fixed: bool = False
    news: tuple[str, str] | None = None
    ended: str | None = None


class DemandMeter:
    """Turns counters into what is asked of a workload and what a slot of it does.

    ``idle_s``: seconds since its last request.
    ``rival_usd_per_s``: what work without requests makes of a slot. ``has_all``: it holds all slots that it could have.
    ``has_work``: false for a job that waits for something to do. ``ended``: why it never will; empty while it may.

    Demand in units is arrivals times units per request, forecast at the wake-up horizon, and never less than what
    clears the requests already waiting within the latency target.
    """

    def __init__(self, plan: WorkloadPlan) -> None:
        self.plan = plan
        self.price = configured_price(plan.value_per_unit_usd, is_fixed=plan.price_is_fixed)
        self.forecast = Forecasts(
            np.array([max(plan.wake_up_s, plan.latency_target_s or 0.0)]), memory_s=ERRORS_MEMORY_S * plan.wake_up_s
        )
        self.sure_capacity = plan.assumed_capacity
        self.supply = 1.0
        self.units_per_request = 1.0
        self.units_total = 0.0
        self.requests_total = 0
        self.units_per_s = 0.0
        self.facts: dict[str, float] = {}
        self.totals: GatewayTotals = GatewayTotals()
        self.recent = Requests()
        self.tally = Tally.none(1)
        self.idle_s = math.inf
        self.rival_usd_per_s = 0.0
        self.has_all = False
        self.has_work = True
        self.ended = ""
        self._seen_gateway = False
        self._excused = 0.0
        self._unexcused = 0.0
        self._last: dict[str, Counters] = {}
        self._measured_busy_s = 0.0

    def take_price(self, price: PriceView) -> None:
        """Go by this price from now on."""
        self.price = price
        if self.plan.value_per_unit_usd != price.usd:
            self.plan = replace(self.plan, value_per_unit_usd=price.usd)

    def adopt(self, process: str, counters: Counters) -> None:
        """Take over a process that worked before this meter knew it: its past counts, but not as work done now."""
        if process in self._last:
            return
        self._last[process] = counters
        self.units_total += counters.units
        self.requests_total += counters.requests

    def observe_residents(self, counters: Mapping[str, Counters], seconds: float) -> None:
        """Take the cumulative counters of residents by process (name and pid); unknown ones start from zero."""
        units = requests = busy_s = had_s = wanted_s = 0.0
        for process, now in counters.items():
            before = self._last.get(process, Counters())
            units += now.units - before.units
            requests += now.requests - before.requests
            busy_s += now.busy_s - before.busy_s
            # What a slot gets beyond its own share, beside an idle one, does not make up for a slot that got less.
            had_s += min(now.busy_s - before.busy_s, now.wanted_s - before.wanted_s)
            wanted_s += now.wanted_s - before.wanted_s
            self._last[process] = now
            if now.facts:
                self.facts = dict(now.facts)
        self.units_total += units
        self.requests_total += int(requests)
        weight = 1.0 - math.exp(-seconds / 2.0)
        self.units_per_s += weight * (units / seconds - self.units_per_s)
        if busy_s > 0.02 and units > 0:
            # Until some seconds of work are measured, each measurement replaces its share of the assumption.
            self._measured_busy_s = min(self._measured_busy_s + busy_s, CAPACITY_MEMORY_S)
            share = min(1.0, busy_s / self._measured_busy_s)
            self.sure_capacity += share * (units / busy_s - self.sure_capacity)
            if requests:
                self.units_per_request += share * (units / requests - self.units_per_request)
        if self.plan.takes_requests and wanted_s > 0:
            self.supply += min(1.0, wanted_s / SUPPLY_MEMORY_S) * (had_s / wanted_s - self.supply)
        else:
            # What its cores gave while it last worked says less and less.
            self.supply += (1.0 - math.exp(-seconds / CAPACITY_MEMORY_S)) * (1.0 - self.supply)

    def observe_gateway(self, totals: GatewayTotals, seconds: float) -> None:
        """Take the gateway's cumulative totals; a restarted gateway starts from zero again.

        What arrived before the first report is not demand now: the controller may be the one that restarted.
        """
        before = self.totals if totals.arrived >= self.totals.arrived else GatewayTotals()
        arrived = totals.arrived - before.arrived
        self.idle_s = 0.0 if arrived or totals.waiting else self.idle_s + seconds
        if self._seen_gateway:
            self.forecast.observe(np.array([float(arrived)]), seconds)
            in_time = totals.in_time - before.in_time
            self.recent = Requests(arrived, in_time, totals.shed - before.shed)
            ended = totals.ended - before.ended
            missed = float(ended - in_time)
            unpreventable = self._unpreventable(missed, seconds)
            self.tally = self.tally.after(
                np.array([float(ended)]), np.array([missed]), seconds, np.array([unpreventable])
            )
        self.totals = totals
        self._seen_gateway = True

    def _unpreventable(self, missed: float, seconds: float) -> float:
        """How many of the requests that just ended missed could not have been answered with any number of slots.

        All of them, while the service holds every slot that it could have. Otherwise as many as came unforeseen. The
        forecast tells that over a whole horizon and a missed request ends late, so both counts are kept for about that
        long and are set off against each other.
        """
        fade = math.exp(-seconds / (2.0 * self.plan.wake_up_s + (self.plan.latency_target_s or 0.0)))
        self._excused = fade * self._excused + float(self.forecast.unforeseen_S[0])
        self._unexcused = fade * self._unexcused + missed
        if self.has_all:
            self._unexcused -= missed
            return missed
        excused = min(self._unexcused, self._excused)
        self._excused -= excused
        self._unexcused -= excused
        return excused

    @property
    def capacity(self) -> float:
        """Units a second that one slot does now."""
        return self.sure_capacity * max(LEAST_SUPPLY, self.supply)

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

    def reason(self, because: str) -> str:
        """Say why it gets a slot: what it needs, before what the slot is worth to it and to the donor."""
        if not self.plan.takes_requests:
            return because
        need, unit = self.demand_units_per_s(), self.plan.unit
        return f"{self.plan.workload} needs {need:.3g} {unit}s/s, a slot does {self.capacity:.3g}: {because}"

    def _backlog_units_per_s(self) -> float:
        """Units per second that clear the waiting requests within the latency target."""
        return self.totals.waiting * self.units_per_request / self._clear_s

    @property
    def _clear_s(self) -> float:
        """Seconds in which waiting requests shall be answered."""
        return max(1.0, self.plan.latency_target_s or 1.0)

    def asks(self) -> Services:
        """What is asked of it and what a slot of it does; of a workload that takes requests."""
        return Services(
            demands_SD=self.forecast.demands_SD() * self.units_per_request,
            waiting_S=np.array([self.totals.waiting * self.units_per_request]),
            clear_s_S=np.array([self._clear_s]),
            slot_units_per_s_S=np.array([self._slot_units_per_s()]),
            usd_per_unit_S=np.array([self.plan.value_per_unit_usd]),
            attains_S=np.array([self.plan.attains or math.nan]),
            tally=self.tally,
        )

    def generosity(self) -> Generosity:
        """How generously it is provided for, by the share of requests that it shall answer in time and that it did."""
        return self.asks().generosity(self.rival_usd_per_s)

    def _slot_units_per_s(self) -> float:
        """Units per second of a slot, as far as they may be planned on."""
        return self.capacity * sustainable_utilisation(
            request_s=self.units_per_request / self.capacity, target_s=self.plan.latency_target_s
        )

    @property
    def floor(self) -> int:
        """Slots that it always has; none once it has ended."""
        return 0 if self.ended else self.plan.floor

    @property
    def slot_usd_per_s(self) -> float:
        """What a slot that is always in use earns; 0 for a job that has nothing to do now."""
        return self.capacity * self.plan.value_per_unit_usd if self.has_work else 0.0
