"""Where requests may go: what the controller tells gateways, as soon as it changes."""

import asyncio
import logging
from collections.abc import Iterable, Mapping

from tenfold.pool.demand import DemandMeter
from tenfold.pool.moves import Address
from tenfold.pool.occupancy import Occupancy
from tenfold.pool.reports import Routes

log = logging.getLogger(__name__)


class RoutesVersion:
    """The number of the routes as they are, and those who wait for the next."""

    def __init__(self) -> None:
        self.number = 1
        self._changed = asyncio.Condition()

    def raise_quietly(self) -> None:
        """Count a change without waking those who wait; they learn of it at the next ``announce``."""
        self.number += 1

    async def announce(self) -> None:
        """Count a change, and tell who waits."""
        self.number += 1
        async with self._changed:
            self._changed.notify_all()

    async def wait_for_another(self, seen: int, wait_s: float) -> None:
        """Return as soon as the number differs from ``seen``, or after ``wait_s``."""
        async with self._changed:
            try:
                await asyncio.wait_for(self._changed.wait_for(lambda: self.number != seen), wait_s)
            except TimeoutError:
                log.debug("routes unchanged for %g s", wait_s)


def routes_of(
    occupancy: Occupancy,
    meters: Mapping[str, DemandMeter],
    *,
    version: int,
    epoch: int,
    ready: bool,
    queue_per_slot: int,
    leaving: Iterable[Address],
) -> Routes:
    """Make the routes: who is awake or waking or put to sleep, and how many requests each workload takes."""
    held = occupancy.held(meters)
    awake = {workload: tuple(address.url for address in occupancy.addresses(workload)) for workload in meters}
    return Routes(
        version=version,
        epoch=epoch,
        ready=ready,
        awake=awake,
        # A slot is held from the decision on.
        waking={workload: held[workload] - len(awake[workload]) for workload in meters},
        leaving=tuple(address.url for address in leaving),
        queue_limit={
            workload: queue_limit(meter, held[workload], queue_per_slot) for workload, meter in meters.items()
        },
    )


def queue_limit(meter: DemandMeter, held: int, queue_per_slot: int) -> int:
    """How many requests its slots can answer within the target; with more in work or waiting, some would be late."""
    requests_per_s = meter.capacity / max(1e-9, meter.units_per_request)
    in_time = int(requests_per_s * (meter.plan.latency_target_s or 0.0))
    return max(queue_per_slot, in_time) * max(1, held)
