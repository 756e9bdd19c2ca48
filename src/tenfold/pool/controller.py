"""The control loop: read counters, forecast, value, decide, move. Once a tick, for the whole pool."""

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import aiohttp
import numpy as np

from tenfold.core.config import PoolSettings
from tenfold.ledger.recorder import Recorder
from tenfold.policy.account import Account
from tenfold.policy.claims import Claims
from tenfold.policy.policy import Change, allocate
from tenfold.policy.shadow import Shadow, change_body
from tenfold.pool.adoption import Adoption
from tenfold.pool.alarms import Alarms, DamageWatch
from tenfold.pool.deaths import Deaths
from tenfold.pool.decision import claims_now, fixed, places
from tenfold.pool.demand import DemandMeter, WorkloadPlan
from tenfold.pool.earnings import Earnings, EarningsReport
from tenfold.pool.host import Slot
from tenfold.pool.meters import look_around
from tenfold.pool.move_book import MoveBook, Moving
from tenfold.pool.moves import Address, Mover
from tenfold.pool.occupancy import Occupancy
from tenfold.pool.reports import GatewayReport, HostsReport, Routes
from tenfold.pool.resident import Counters
from tenfold.pool.routes import RoutesVersion, routes_of
from tenfold.pool.standing import standings
from tenfold.pool.state import HistoryPoint, PoolState, ShadowView, SlotView
from tenfold.pool.token import TOKEN_HEADER
from tenfold.pool.totals import Totals
from tenfold.pool.views import account_views, history_point, slot_view, workload_view

log = logging.getLogger(__name__)

GATEWAY_SILENT_S = 3.0
HOSTS_SILENT_S = 5.0
COUNTERS_TIMEOUT_S = 1.0
NUDGE_PAUSE_S = 0.05
HISTORY_POINTS = 240
RESTARTS_BEFORE_ALARM = 2
TELL_S = 10.0
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
        self._settings = settings
        self._ledger = ledger
        self._session = session
        self._clock = clock
        self._alarms = Alarms(ledger)
        self._occupancy = Occupancy()
        self._damage = DamageWatch(self._alarms, folders, clock)
        self._deaths = Deaths(self._occupancy, self._alarms, time.monotonic)
        self._headers = {TOKEN_HEADER: token}
        self._mover = Mover(session, token, self._deaths.kill)
        self._meters = {plan.workload: DemandMeter(plan) for plan in plans}
        self._adoption = Adoption(
            self._occupancy, self._meters, self._mover, self._deaths, self._adopt, settings.move_deadline_s
        )
        self._account = Account(len(plans))
        self._totals = Totals(self._meters)
        self._earnings = Earnings(ledger, plans, settings.price_memory_s, clock)
        self._moves = MoveBook(self._meters)
        self._epoch = 0
        self._served: set[str] = set()
        self._gateway: GatewayReport | None = None
        # By the clock that only goes on: nobody is silent because the wall clock was set.
        self._gateway_at = self._hosts_at = time.monotonic()
        self._history: deque[HistoryPoint] = deque(maxlen=HISTORY_POINTS)
        self._shadow = Shadow() if settings.policy == "shadow" else None
        self._shadow_told_at = self._told_at = clock()
        self._out_of_reach: set[str] = set()
        self._hosts_known = asyncio.Event()
        self._nudged = asyncio.Event()
        self._routes = RoutesVersion()
        self._tasks: set[asyncio.Task[None]] = set()
        self._fault: BaseException | None = None
        self.turns = 0

    # ---- what others tell it

    async def take_hosts(self, report: HostsReport) -> dict[str, int]:
        """Take the hosts' report; returns the residents to kill now, name to process id."""
        self._hosts_at = time.monotonic()
        is_new = self._occupancy.take(report.slots, report.residents)
        self._totals.restarted(report.residents)
        dead = self._occupancy.dead()
        for slot, address in dead:
            self._lose(slot, address)
        if dead:
            # At once: a request that is sent to a host out of reach is seconds late.
            await self._routes.announce()
        for resident in report.residents:
            broken = resident.restarts >= RESTARTS_BEFORE_ALARM and resident.url is None
            text = f"{resident.name} does not stay up; it {resident.last_words}" if broken else ""
            self._alarms.set(f"broken {resident.name}", text)
        for node in self._out_of_reach | set(report.out_of_reach):
            text = f"the host of node {node} does not answer: its slots are left out until it does"
            self._alarms.set(f"node {node}", text if node in report.out_of_reach else "")
        self._out_of_reach = set(report.out_of_reach)
        if is_new:
            self._nudged.set()
        await self._deaths.confirm()
        self._hosts_known.set()
        return self._deaths.ordered()

    def take_gateway(self, report: GatewayReport) -> None:
        """Take the gateway's report; a request that waits for a resident to wake starts a tick at once."""
        self._gateway = report
        self._gateway_at = time.monotonic()
        for workload, totals in report.workloads.items():
            if totals.unrouted and not any(
                self._occupancy.holder.get(slot) == workload for slot in self._occupancy.slots
            ):
                self._nudged.set()

    async def take_earnings(self, report: EarningsReport) -> bool:
        """Take what a product earned; false if that cannot be recorded now, so that it must be told again."""
        return await self._earnings.take(report)

    async def routes(self, seen_version: int, wait_s: float) -> Routes:
        """Return the routes as soon as they differ from ``seen_version``, or after ``wait_s``."""
        await self._routes.wait_for_another(seen_version, wait_s)
        return routes_of(
            self._occupancy,
            self._meters,
            version=self._routes.number,
            epoch=self._epoch,
            ready=self.ready,
            queue_per_slot=self._settings.queue_per_slot,
            leaving=self._moves.donors,
        )

    @property
    def ready(self) -> bool:
        """Whether every workload has served."""
        return self._served == set(self._meters)

    # ---- the loop

    async def run(self) -> None:
        """Resume from the ledger, then tick for ever; what fails in a move or a probe fails here.

        ``turns`` counts the ticks, so that others see whether they go on.
        """
        await self._hosts_known.wait()
        await self._resume()
        last = time.monotonic()
        while True:
            now = time.monotonic()
            await self._tick(max(1e-3, now - last))
            self.turns += 1
            self._totals.tick.add(time.monotonic() - now)
            last = now
            try:
                await asyncio.wait_for(self._nudged.wait(), self._settings.tick_s)
                await asyncio.sleep(NUDGE_PAUSE_S)
            except TimeoutError:
                log.debug("tick")
            self._nudged.clear()
            if self._fault is not None:
                raise self._fault

    def _start(self, work: Coroutine[None, None, None]) -> None:
        """Run something beside the ticks. Its failure ends the loop: its slot would wait for it for ever."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finish)

    def _finish(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._fault = task.exception()
            self._nudged.set()

    async def _resume(self) -> None:
        """Go on from what is recorded, with whoever is awake."""
        await self._ledger.opened()
        recorded = self._ledger.latest("allocation")
        slots: Mapping[str, str | None] = {}
        if recorded:
            body = recorded[0].body
            self._epoch = int(str(body["epoch"]))
            table = body["slots"]
            slots = table if isinstance(table, dict) else {}
        self._moves.count = max((int(str(event.body["move"])) for event in self._ledger.latest("move", 50)), default=0)
        self._earnings.resume()
        self._epoch = await self._adoption.all(slots, self._epoch) + EPOCH_LEAP
        self._ledger.append(
            "controller_started", "controller", {"epoch": self._epoch, "slots": dict(self._occupancy.holder)}
        )
        await self._routes.announce()

    def _adopt(self, slot: str, address: Address) -> None:
        """Note that somebody is awake on a slot who was so before it was known of here."""
        self._occupy(slot, address)
        workload = self._occupancy.holder.get(slot)
        if workload is not None:
            self._served.add(workload)
        self._routes.raise_quietly()

    async def _tick(self, seconds: float) -> None:
        if self._occupancy.unasked:
            self._epoch = await self._adoption.returned(self._epoch)
            await self._routes.announce()
        await self._observe(seconds)
        self._count(seconds)
        self._ledger.tend()
        self._alarms.set("ledger", self._ledger.trouble)
        self._alarms.set("hosts", self._hosts_fault())
        hold = self._hold_reason()
        self._alarms.set("hold", hold)
        self._damage.look()
        began = time.monotonic()
        claims, changes = self._decide(seconds, dwell_s=0.0 if hold else self._settings.dwell_s)
        self._totals.decision.add(time.monotonic() - began)
        if changes:
            await self._carry_out(changes)
        self._tell(claims, at_once=bool(changes))
        self._remember()

    async def _observe(self, seconds: float) -> None:
        """Read the counters of all awake residents, in parallel, and the gateway's last report."""
        addresses = dict(self._occupancy.awake)
        reports = await asyncio.gather(
            *(self._mover.counters(address, COUNTERS_TIMEOUT_S) for address in addresses.values()),
            return_exceptions=True,
        )
        self._deaths.forget_all_but({address.name for address in addresses.values()})
        by_workload: dict[str, dict[str, Counters]] = {workload: {} for workload in self._meters}
        for (slot, address), report in zip(addresses.items(), reports, strict=True):
            if isinstance(report, BaseException):
                if not isinstance(report, aiohttp.ClientError | TimeoutError):
                    raise report
                self._deaths.not_heard(address)
                continue
            self._deaths.heard(address.name)
            workload = self._occupancy.holder.get(slot)
            if self._occupancy.awake.get(slot) != address:
                continue
            if report.phase == "asleep":
                # An order of the controller before reached it late. Its slot must not be taken for a working one.
                log.warning("%s is asleep, though nobody here told it to sleep; its slot is free", address.name)
                self._occupancy.vacate(slot)
                await self._routes.announce()
            elif workload is not None:
                share = self._occupancy.slots[slot].share
                by_workload[workload][f"{address.name}#{address.pid}"] = report.counters(share)
        look_around(list(self._meters.values()), slots=len(self._occupancy.slots), held=self._held())
        for workload, meter in self._meters.items():
            meter.take_price(self._earnings.price_of(workload))
            meter.observe_residents(by_workload[workload], seconds)
            if self._gateway is not None and workload in self._gateway.workloads:
                meter.observe_gateway(self._gateway.workloads[workload], seconds)
            if workload not in self._served and meter.requests_total > 0:
                self._served.add(workload)
                self._alarms.set(f"probe {workload}", "")
                self._ledger.append("served", workload, {"requests": meter.requests_total})
                await self._routes.announce()

    def _count(self, seconds: float) -> None:
        """Add what became of requests and slots since the last tick; a slot that moves is the receiver's already."""
        recent = [meter.recent for meter in self._meters.values()]
        self._account.served(
            slice(None),
            np.array([requests.asked for requests in recent], dtype=np.float64),
            np.array([requests.in_time for requests in recent], dtype=np.float64),
            np.array([requests.shed for requests in recent], dtype=np.float64),
        )
        moving = Counter(self._occupancy.holder[slot] for slot in self._moves.slots)
        held, starting_W = self._held(), np.array([float(moving[workload]) for workload in self._meters])
        held_W = np.array([float(held[workload]) for workload in self._meters])
        self._account.spent(slice(None), (held_W - starting_W) * seconds, starting_W * seconds)
        self._account.unheld(0.0, (len(self._occupancy.slots) - float(held_W.sum())) * seconds)

    def _hosts_fault(self) -> str:
        silent_s = time.monotonic() - self._hosts_at
        if silent_s <= HOSTS_SILENT_S:
            return ""
        return f"no report from the supervisor for {silent_s:.0f} s: deaths are not noticed, and nobody can be killed"

    def _hold_reason(self) -> str:
        """Say why the allocation must not change by value, or nothing."""
        silent_s = time.monotonic() - self._gateway_at
        if silent_s > GATEWAY_SILENT_S and self.ready:
            return f"no report from the gateway for {silent_s:.0f} s: allocation held"
        return ""

    def _decide(self, seconds: float, dwell_s: float) -> tuple[Claims, list[Change]]:
        slots, holder = places(self._occupancy, self._meters), self._occupancy.holder
        claims = claims_now(
            self._occupancy,
            self._meters,
            self._served,
            self._moves.wake_s,
            dwell_s=dwell_s,
            idle_s=self._settings.idle_s,
        )
        if self._shadow is not None and self.ready:
            self._note_shadow(self._shadow.decide(slots, claims, holder, self._moves.wake_s, seconds))
        if self._settings.policy != "tenfold":
            claims = fixed(claims, self._meters, self._served, len(slots))
        return claims, allocate(slots, claims, holder, self._moves.slots)

    def _note_shadow(self, changes: Sequence[Change]) -> None:
        """Record what the policy would have done, and every while what that has been worth."""
        for change in changes:
            told = replace(change, because=self._reason(change))
            self._ledger.append("shadow_move", change.slot, change_body(told))
        if self._shadow is not None and self._clock() - self._shadow_told_at >= TELL_S:
            self._shadow_told_at = self._clock()
            self._ledger.append(
                "shadow", "pool", ShadowView.model_validate(self._shadow.sums(), from_attributes=True).model_dump()
            )

    def _tell(self, claims: Claims, at_once: bool) -> None:
        """Record how all stand, at every change and every while; the orders have gone out and do not wait for it."""
        if not at_once and self._clock() - self._told_at < TELL_S:
            return
        self._told_at = self._clock()
        held = self._held()
        held_W = np.array([held[workload] for workload in self._meters])
        found = standings(claims, list(self._meters.values()), held_W, len(self._occupancy.slots), self._epoch)
        self._ledger.append("standings", "pool", found.model_dump())

    async def _carry_out(self, changes: Sequence[Change]) -> None:
        self._epoch += 1
        for change in changes:
            self._occupancy.holder[change.slot] = change.receiver
        joined = Counter(change.receiver for change in changes)
        self._account.moved(slice(None), np.array([joined[workload] for workload in self._meters]))
        self._ledger.append(
            "allocation",
            "pool",
            {
                "epoch": self._epoch,
                "slots": dict(self._occupancy.holder),
                "reasons": [change.because for change in changes],
            },
        )
        for change in changes:
            donor = self._occupancy.awake.pop(change.slot, None)
            receiver = self._occupancy.address(f"{change.receiver}@{change.slot}")
            moving = self._moves.begin(
                change,
                donor,
                receiver,
                reason=self._reason(change),
                epoch=self._epoch,
                at=self._clock(),
                deadline_s=self._deadline_s(change),
            )
            self._start(self._move(moving))
        await self._routes.announce()

    def _deadline_s(self, change: Change) -> float:
        """A service that gains a slot has people waiting; training has not, so the donor may finish its answers."""
        urgent = self._meters[change.receiver].plan.takes_requests
        return self._settings.move_deadline_s if urgent else self._settings.drain_deadline_s

    async def _move(self, moving: Moving) -> None:
        view = moving.view
        ended = await self._mover.move(moving.donor, moving.receiver, view.epoch, view.deadline_s)
        done = self._moves.end(moving, ended)
        self._totals.moved(done)
        self._occupy(view.slot, ended.occupant)
        self._alarms.set(f"move {view.slot}", ended.detail if ended.state == "failed" else "")
        if ended.state == "done":
            self._probe(view.receiver)
        if ended.detail:
            log.warning("move %d: %s", view.move, ended.detail)
        self._ledger.append("move", view.slot, done.model_dump())
        self._nudged.set()
        await self._routes.announce()

    def _occupy(self, slot: str, occupant: Address | None) -> None:
        """Note who is awake on a slot; it may have died meanwhile."""
        if occupant is None:
            self._occupancy.vacate(slot)
            return
        self._occupancy.occupy(slot, occupant)
        if self._occupancy.is_dead(occupant):
            self._lose(slot, occupant)

    def _lose(self, slot: str, address: Address) -> None:
        """A resident that was awake is dead: its slot is free, and routes must not name it."""
        workload = self._occupancy.vacate(slot)
        self._ledger.append("resident_died", address.name, {"pid": address.pid, "slot": slot, "workload": workload})
        self._routes.raise_quietly()
        self._nudged.set()

    def _probe(self, workload: str | None) -> None:
        """Send a workload that has not served yet one real request."""
        if workload is None or workload in self._served:
            return
        probe = self._meters[workload].plan.probe
        address = next(self._occupancy.addresses(workload), None)
        if probe is None or address is None:
            return

        async def send() -> None:
            path, body = probe
            try:
                async with self._session.post(f"{address.url}{path}", json=body, headers=self._headers) as response:
                    fault = "" if response.ok else f"{workload} refused its first request: {response.status}"
            except (aiohttp.ClientError, TimeoutError) as error:
                fault = f"{workload} did not answer its first request: {type(error).__name__} {error}"
            self._alarms.set(f"probe {workload}", fault)
            self._nudged.set()

        self._start(send())

    # ---- what it shows

    def _reason(self, change: Change) -> str:
        return self._meters[change.receiver].reason(change.because)

    def _remember(self) -> None:
        """Add a point to the history, at most one a second."""
        now = self._clock()
        if not self._history or now - self._history[-1].at >= 0.95:
            self._history.append(history_point(self._meters, self._held(), len(self._occupancy.slots), now))

    def _held(self) -> dict[str, int]:
        return self._occupancy.held(self._meters)

    def state(self) -> PoolState:
        """Describe the pool now."""
        held = self._held()
        awake = Counter(self._occupancy.holder[slot] for slot in self._occupancy.awake)
        slots = self._occupancy.slots
        return PoolState(
            at=self._clock(),
            epoch=self._epoch,
            policy=self._settings.policy,
            controller="running" if self._hosts_known.is_set() else "starting",
            ready=self.ready,
            served=self.ready,
            alarms=self._alarms.texts,
            slots=tuple(self._slot_view(slot) for slot in slots.values()),
            workloads=tuple(
                workload_view(meter, slots=len(slots), held=held[workload], awake=awake[workload])
                for workload, meter in self._meters.items()
            ),
            moves=self._moves.views(),
            history=tuple(self._history),
            loss=(),
            account=account_views(self._account, self._meters),
            idle_s=self._account.idle_s,
            shadow=ShadowView.model_validate(self._shadow.sums(), from_attributes=True)
            if self._shadow is not None
            else None,
            totals=self._totals.view(
                recorded=self._ledger.recorded, dropped=self._ledger.dropped, unrecorded=self._ledger.unrecorded
            ),
        )

    def _slot_view(self, slot: Slot) -> SlotView:
        residents, awake = self._occupancy.living_on(slot.slot), self._occupancy.awake.get(slot.slot)
        return slot_view(slot, residents, awake, self._moves.on(slot.slot))
