"""What is measured once a tick: the counters of awake residents, and what the gateway has counted."""

import asyncio
import logging
import time
from collections import Counter
from pathlib import Path

import aiohttp
import numpy as np

from tenfold.pool.deaths import Deaths
from tenfold.pool.knowledge import Knowledge
from tenfold.pool.meters import look_around
from tenfold.pool.moves import Address, Mover
from tenfold.pool.news import has_news, why_ended
from tenfold.pool.process import CountersReport
from tenfold.pool.reports import GatewayReport
from tenfold.pool.resident import Counters

log = logging.getLogger(__name__)

GATEWAY_SILENT_S = 3.0
COUNTERS_TIMEOUT_S = 1.0


class Observation:
    """Tells the meters what residents and the gateway have counted, and the account what became of it.

    Args:
        known: what the controller knows.
        mover: asks residents.
        deaths: told of those that do not answer.
    """

    def __init__(self, known: Knowledge, mover: Mover, deaths: Deaths) -> None:
        self._known = known
        self._mover = mover
        self._deaths = deaths
        self._gateway: GatewayReport | None = None
        # By the clock that only goes on: nobody is silent because the wall clock was set.
        self._gateway_at = time.monotonic()

    def take_gateway(self, report: GatewayReport) -> None:
        """Take the gateway's report; a request that waits for a resident to wake starts a tick at once."""
        self._gateway = report
        self._gateway_at = time.monotonic()
        occupancy = self._known.occupancy
        for workload, totals in report.workloads.items():
            if totals.unrouted and not any(occupancy.holder.get(slot) == workload for slot in occupancy.slots):
                self._known.nudged.set()

    def hold_reason(self) -> str:
        """Say why the allocation must not change by value, or nothing."""
        silent_s = time.monotonic() - self._gateway_at
        if silent_s > GATEWAY_SILENT_S and self._known.ready:
            return f"no report from the gateway for {silent_s:.0f} s: allocation held"
        return ""

    async def observe(self, seconds: float) -> None:
        """Measure what was done and asked for in the ``seconds`` since the last tick."""
        known = self._known
        by_workload = await self._ask_residents()
        look_around(list(known.meters.values()), slots=len(known.occupancy.slots), held=known.held())
        for workload, meter in known.meters.items():
            if meter.plan.news is not None:
                meter.has_work = has_news(*map(Path, meter.plan.news))
            if meter.plan.ended is not None:
                meter.ended = why_ended(Path(meter.plan.ended))
                meter.has_work = not meter.ended
            meter.observe_residents(by_workload[workload], seconds)
            if self._gateway is not None and workload in self._gateway.workloads:
                meter.observe_gateway(self._gateway.workloads[workload], seconds)
            if workload not in known.served and meter.requests_total > 0:
                known.served.add(workload)
                known.alarms.set(f"probe {workload}", "")
                known.ledger.append("served", workload, {"requests": meter.requests_total})
                await known.routes.announce()
        self._count(seconds)

    async def _ask_residents(self) -> dict[str, dict[str, Counters]]:
        """Read the counters of all awake residents, in parallel; by workload, and by process."""
        known = self._known
        addresses = dict(known.occupancy.awake)
        reports = await asyncio.gather(
            *(self._mover.counters(address, COUNTERS_TIMEOUT_S) for address in addresses.values()),
            return_exceptions=True,
        )
        self._deaths.forget_all_but({address.name for address in addresses.values()})
        by_workload: dict[str, dict[str, Counters]] = {workload: {} for workload in known.meters}
        core_of: dict[str, str] = {}
        for (slot, address), report in zip(addresses.items(), reports, strict=True):
            if isinstance(report, BaseException):
                if not isinstance(report, aiohttp.ClientError | TimeoutError):
                    raise report
                self._deaths.not_heard(address)
                continue
            self._deaths.heard(address.name)
            workload = known.occupancy.holder.get(slot)
            if await self._still_works(slot, address, report) and workload is not None:
                process, place = f"{address.name}#{address.pid}", known.occupancy.slots[slot]
                by_workload[workload][process] = report.counters(place.share)
                core_of[process] = place.core
        known.supply.observe({k: v for each in by_workload.values() for k, v in each.items()}, core_of)
        return by_workload

    async def _still_works(self, slot: str, address: Address, report: CountersReport) -> bool:
        """Whether a resident that has answered is awake on its slot; one that fell asleep unasked gives it back."""
        if self._known.occupancy.awake.get(slot) != address:
            return False
        if report.phase != "asleep":
            return True
        # An order of the controller before reached it late. Its slot must not be taken for a working one.
        log.warning("%s is asleep, though nobody here told it to sleep; its slot is free", address.name)
        self._known.occupancy.vacate(slot)
        await self._known.routes.announce()
        return False

    def _count(self, seconds: float) -> None:
        """Add what became of requests and slots since the last tick; a slot that moves is the receiver's already."""
        known = self._known
        recent = [meter.recent for meter in known.meters.values()]
        known.account.served(
            slice(None),
            np.array([requests.asked for requests in recent], dtype=np.float64),
            np.array([requests.in_time for requests in recent], dtype=np.float64),
            np.array([requests.shed for requests in recent], dtype=np.float64),
        )
        moving = Counter(known.occupancy.holder[slot] for slot in known.moves.slots)
        held, starting_W = known.held(), np.array([float(moving[workload]) for workload in known.meters])
        held_W = np.array([float(held[workload]) for workload in known.meters])
        known.account.spent(slice(None), (held_W - starting_W) * seconds, starting_W * seconds)
        known.account.unheld(0.0, (len(known.occupancy.slots) - float(held_W.sum())) * seconds)
