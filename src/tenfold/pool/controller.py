"""The control loop: read counters, forecast, value, decide, move. Once a tick, for the whole pool."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import aiohttp

from tenfold.core.config import PoolSettings
from tenfold.ledger.recorder import Recorder
from tenfold.policy.claims import Claims
from tenfold.pool.adoption import Adoption
from tenfold.pool.alarms import DamageWatch
from tenfold.pool.census import Census
from tenfold.pool.deaths import Deaths
from tenfold.pool.decision import Decisions
from tenfold.pool.demand import WorkloadPlan
from tenfold.pool.earnings import Earnings, EarningsReport
from tenfold.pool.knowledge import Knowledge
from tenfold.pool.moves import Mover
from tenfold.pool.observation import Observation
from tenfold.pool.orders import Orders
from tenfold.pool.reports import GatewayReport, HostsReport, Routes
from tenfold.pool.routes import routes_of
from tenfold.pool.state import HistoryPoint, PoolState
from tenfold.pool.views import history_point, pool_state

log = logging.getLogger(__name__)

NUDGE_PAUSE_S = 0.05
HISTORY_POINTS = 240
EPOCH_LEAP = 1000
"""From the highest known epoch to that of a restarted controller.

Orders of the one before may be under way still, and count as old only if their epoch is lower. While the ledger cannot
be written their epochs are known from the residents alone, so not before they arrive. They are fewer than this: each
tick has one epoch, ticks are 50 ms apart or more, and an order is given up after the deadline and 13 s.
"""


class Controller:
    """Holds the allocation and changes it.

    All state that must survive a crash is in the ledger (allocation and epoch) or in the residents (who is awake, and
    the highest epoch that each was told). A restarted controller adopts what is awake, with an epoch above all of these
    (see ``EPOCH_LEAP``), so it needs no ledger that could be written, or even read.

    Args:
        settings: the pool's settings.
        plans: the workloads, most important first: floors are met in this order.
        ledger: where decisions are recorded.
        session: HTTP client for residents.
        token: the pool's secret.
        clock: gives Unix seconds.
        folders: where files may have been set aside as damaged, which alarms tell of.
    """

    def __init__(
        self,
        settings: PoolSettings,
        plans: Sequence[WorkloadPlan],
        ledger: Recorder,
        session: aiohttp.ClientSession,
        token: str,
        clock: Callable[[], float] = time.time,
        folders: Sequence[Path] = (),
    ) -> None:
        known = self._known = Knowledge(settings, plans, ledger, clock)
        deaths = Deaths(known.occupancy, known.alarms, time.monotonic)
        mover = Mover(session, token, deaths.kill)
        self._damage = DamageWatch(known.alarms, folders, clock)
        self._census = Census(known, deaths)
        self._adoption = Adoption(known.occupancy, known.meters, mover, deaths, known.adopt, settings.move_deadline_s)
        self._observation = Observation(known, mover, deaths)
        self._decisions = Decisions(known)
        self._orders = Orders(known, mover, session, token)
        self._earnings = Earnings(ledger, plans, settings.price_memory_s, clock)
        self._history: deque[HistoryPoint] = deque(maxlen=HISTORY_POINTS)
        self.turns = 0

    # ---- what others tell it

    async def take_hosts(self, report: HostsReport) -> dict[str, int]:
        """Take the hosts' report; returns the residents to kill now, name to process id."""
        return await self._census.take(report)

    def take_gateway(self, report: GatewayReport) -> None:
        """Take the gateway's report; a request that waits for a resident to wake starts a tick at once."""
        self._observation.take_gateway(report)

    async def take_earnings(self, report: EarningsReport) -> bool:
        """Take what a product earned; false if that cannot be recorded now, so that it must be told again."""
        return await self._earnings.take(report)

    # ---- what others ask it

    async def routes(self, seen_version: int, wait_s: float) -> Routes:
        """Return the routes as soon as they differ from ``seen_version``, or after ``wait_s``."""
        known = self._known
        await known.routes.wait_for_another(seen_version, wait_s)
        return routes_of(
            known.occupancy,
            known.meters,
            version=known.routes.number,
            epoch=known.epoch,
            ready=known.ready,
            queue_per_slot=known.settings.queue_per_slot,
            leaving=known.moves.donors,
        )

    def state(self) -> PoolState:
        """Describe the pool now."""
        return pool_state(
            self._known,
            self._decisions.claims(),
            running=self._census.taken.is_set(),
            history=self._history,
            shadow=self._decisions.shadow_view(),
        )

    @property
    def ready(self) -> bool:
        """Whether every workload has served."""
        return self._known.ready

    # ---- the loop

    async def run(self) -> None:
        """Resume from the ledger, then tick for ever; what fails in a move or a probe fails here.

        ``turns`` counts the ticks, so that others see whether they go on.
        """
        known = self._known
        await self._census.taken.wait()
        await self._resume()
        last = time.monotonic()
        while True:
            now = time.monotonic()
            await self._tick(max(1e-3, now - last))
            self.turns += 1
            known.totals.tick.add(time.monotonic() - now)
            last = now
            try:
                await asyncio.wait_for(known.nudged.wait(), known.settings.tick_s)
                await asyncio.sleep(NUDGE_PAUSE_S)
            except TimeoutError:
                log.debug("tick")
            known.nudged.clear()
            if self._orders.fault is not None:
                raise self._orders.fault

    async def _resume(self) -> None:
        """Go on from what is recorded, with whoever is awake."""
        known = self._known
        await known.ledger.opened()
        recorded = known.ledger.latest("allocation")
        slots: Mapping[str, str | None] = {}
        if recorded:
            body = recorded[0].body
            known.epoch = int(str(body["epoch"]))
            table = body["slots"]
            slots = table if isinstance(table, dict) else {}
        known.moves.count = max((int(str(event.body["move"])) for event in known.ledger.latest("move", 50)), default=0)
        self._earnings.resume()
        known.epoch = await self._adoption.all(slots, known.epoch) + EPOCH_LEAP
        known.ledger.append(
            "controller_started", "controller", {"epoch": known.epoch, "slots": dict(known.occupancy.holder)}
        )
        await known.routes.announce()

    async def _tick(self, seconds: float) -> None:
        """Observe, decide, carry out, and record; ``seconds`` have passed since the last tick."""
        known = self._known
        if known.occupancy.unasked:
            known.epoch = await self._adoption.returned(known.epoch)
            await known.routes.announce()
        for workload, meter in known.meters.items():
            meter.take_price(self._earnings.price_of(workload))
        await self._observation.observe(seconds)
        known.ledger.tend()
        hold = self._look_for_trouble()
        claims, changes = self._decisions.decide(seconds, hold)
        if changes:
            await self._orders.carry_out(changes)
        self._decisions.tell(claims, at_once=bool(changes))
        self._remember(claims)

    def _look_for_trouble(self) -> str:
        """Raise and end alarms; returns why the allocation must not change by value, or nothing."""
        alarms, hold = self._known.alarms, self._observation.hold_reason()
        alarms.set("ledger", self._known.ledger.trouble)
        alarms.set("hosts", self._census.fault())
        alarms.set("hold", hold)
        self._damage.look()
        return hold

    def _remember(self, claims: Claims) -> None:
        """Add a point to the history, at most one a second."""
        known = self._known
        now = known.clock()
        if not self._history or now - self._history[-1].at >= 0.95:
            self._history.append(history_point(known.meters, claims, known.held(), now))
