"""The control loop: read counters, forecast, value, decide, move. Once a tick, for the whole pool."""

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import aiohttp
import numpy as np

from tenfold.core.config import PoolSettings
from tenfold.ledger.ledger import Ledger
from tenfold.pool.account import Account
from tenfold.pool.claims import Claims
from tenfold.pool.demand import DemandMeter, WorkloadPlan, claims_of
from tenfold.pool.host import ResidentStatus, Slot
from tenfold.pool.moves import Door, Mover
from tenfold.pool.policy import Change, SlotPlace, allocate
from tenfold.pool.reports import GatewayReport, HostsReport, Routes
from tenfold.pool.resident import Counters
from tenfold.pool.shadow import Shadow, change_body
from tenfold.pool.standing import standings
from tenfold.pool.state import HistoryPoint, MoveView, PoolState, SlotView
from tenfold.pool.views import account_views, history_point, slot_view, workload_view

log = logging.getLogger(__name__)

GATEWAY_SILENT_S = 3.0
RESIDENT_SILENT_S = 5.0
COUNTERS_TIMEOUT_S = 1.0
NUDGE_PAUSE_S = 0.05
HISTORY_POINTS = 240
RESTARTS_BEFORE_ALARM = 2
KILL_CONFIRM_S = 3.0
ASSUMED_WAKE_S = 0.1
TELL_S = 10.0


@dataclass(slots=True)
class _Moving:
    """A move under way."""

    view: MoveView
    source: Door | None
    target: Door | None


class Controller:
    """Holds the allocation and changes it.

    All state that must survive a crash is in the ledger (allocation and epoch) or in the residents (who is awake): a
    restarted controller adopts what is awake, with the epoch after the last recorded one.

    Args:
        settings: the pool's settings.
        plans: the workloads, most important first: floors are met in this order.
        ledger: where decisions are recorded.
        session: HTTP client for residents.
        token: the pool's secret.
        clock: gives Unix seconds.
    """

    def __init__(
        self,
        settings: PoolSettings,
        plans: Sequence[WorkloadPlan],
        ledger: Ledger,
        session: aiohttp.ClientSession,
        token: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._session = session
        self._clock = clock
        self._mover = Mover(session, token, self._kill)
        self._meters = {plan.workload: DemandMeter(plan) for plan in plans}
        self._account = Account(len(plans))
        self._wake_s = {plan.workload: ASSUMED_WAKE_S for plan in plans}
        self._slots: dict[str, Slot] = {}
        self._residents: dict[str, ResidentStatus] = {}
        self._holder: dict[str, str | None] = {}
        self._awake: dict[str, Door] = {}
        self._moving: dict[str, _Moving] = {}
        self._moves: deque[MoveView] = deque(maxlen=50)
        self._move_count = 0
        self._epoch = 0
        self._served: set[str] = set()
        self._alarms: dict[str, str] = {}
        self._silent_since: dict[str, float] = {}
        self._gateway: GatewayReport | None = None
        self._gateway_at = clock()
        self._history: deque[HistoryPoint] = deque(maxlen=HISTORY_POINTS)
        self._shadow = Shadow() if settings.policy == "shadow" else None
        self._shadow_told_at = self._told_at = clock()
        self._to_kill: dict[str, int] = {}
        self._deaths = asyncio.Condition()
        self._hosts_known = asyncio.Event()
        self._nudged = asyncio.Event()
        self._routes_version = 1
        self._routes_changed = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()

    # ---- what others tell it

    async def take_hosts(self, report: HostsReport) -> dict[str, int]:
        """Take the hosts' report; returns the residents to kill now, name to process id."""
        self._slots = {slot.slot: slot for slot in report.slots}
        before, self._residents = self._residents, {resident.name: resident for resident in report.residents}
        for slot, door in list(self._awake.items()):
            now = self._residents.get(door.name)
            if now is None or now.pid != door.pid:
                self._lose(slot, door)
        self._to_kill = {
            name: pid
            for name, pid in self._to_kill.items()
            if name in self._residents and self._residents[name].pid == pid
        }
        for resident in self._residents.values():
            broken = resident.restarts >= RESTARTS_BEFORE_ALARM and resident.url is None
            text = f"{resident.name} does not stay up; it {resident.last_words}" if broken else ""
            self._set_alarm(f"broken {resident.name}", text)
        if before != self._residents:
            self._nudged.set()
        async with self._deaths:
            self._deaths.notify_all()
        self._hosts_known.set()
        return dict(self._to_kill)

    def take_gateway(self, report: GatewayReport) -> None:
        """Take the gateway's report; a request that waits for a resident to wake starts a tick at once."""
        self._gateway = report
        self._gateway_at = self._clock()
        for workload, totals in report.workloads.items():
            if totals.unrouted and not any(self._holder.get(slot) == workload for slot in self._slots):
                self._nudged.set()

    async def routes(self, seen_version: int, wait_s: float) -> Routes:
        """Return the routes as soon as they differ from ``seen_version``, or after ``wait_s``."""
        async with self._routes_changed:
            try:
                await asyncio.wait_for(
                    self._routes_changed.wait_for(lambda: self._routes_version != seen_version), wait_s
                )
            except TimeoutError:
                log.debug("routes unchanged for %g s", wait_s)
        awake: dict[str, tuple[str, ...]] = {workload: () for workload in self._meters}
        for slot, door in sorted(self._awake.items()):
            workload = self._holder[slot]
            if workload is not None:
                awake[workload] = (*awake[workload], door.url)
        return Routes(
            version=self._routes_version,
            epoch=self._epoch,
            ready=self.ready,
            awake=awake,
            queue_limit={workload: self._queue_limit(workload) for workload in self._meters},
        )

    def _queue_limit(self, workload: str) -> int:
        """Requests in work or waiting beyond which more would miss the target: what its slots do in that time."""
        meter = self._meters[workload]
        requests_per_s = meter.capacity / max(1e-9, meter.units_per_request)
        in_time = int(requests_per_s * (meter.plan.latency_target_s or 0.0))
        return max(self._settings.queue_per_slot, in_time) * max(1, self._held()[workload])

    @property
    def ready(self) -> bool:
        """Whether every workload has served."""
        return self._served == set(self._meters)

    # ---- the loop

    async def run(self) -> None:
        """Resume from the ledger, then tick for ever."""
        await self._hosts_known.wait()
        await self._resume()
        last = time.monotonic()
        while True:
            now = time.monotonic()
            await self._tick(max(1e-3, now - last))
            last = now
            try:
                await asyncio.wait_for(self._nudged.wait(), self._settings.tick_s)
                await asyncio.sleep(NUDGE_PAUSE_S)
            except TimeoutError:
                log.debug("tick")
            self._nudged.clear()

    async def _resume(self) -> None:
        """Adopt what is awake. Of two awake on one slot (a crash in mid-move) the recorded one stays."""
        recorded = self._ledger.latest("allocation")
        slots: Mapping[str, str | None] = {}
        if recorded:
            body = recorded[0].body
            self._epoch = int(str(body["epoch"]))
            table = body["slots"]
            slots = table if isinstance(table, dict) else {}
        self._move_count = max((int(str(event.body["move"])) for event in self._ledger.latest("move", 50)), default=0)
        for resident in sorted(self._residents.values(), key=lambda r: slots.get(r.slot or "") != r.workload):
            door = self._door(resident.name)
            if door is None or resident.slot is None:
                continue
            try:
                report = await self._mover.counters(door, COUNTERS_TIMEOUT_S)
            except (aiohttp.ClientError, TimeoutError) as error:
                log.warning("resident %s does not answer on resume: %s", door.name, error)
                # It may be awake, so its slot is its own until it is dead.
                self._to_kill[door.name] = door.pid
                self._occupy(resident.slot, door)
                continue
            self._epoch = max(self._epoch, report.epoch)
            self._meters[resident.workload].adopt(
                f"{door.name}#{door.pid}", report.counters(self._slots[resident.slot].share)
            )
            if report.phase == "asleep":
                continue
            if resident.slot in self._awake:
                await self._mover.move(door, None, self._epoch + 1, self._settings.move_deadline_s)
                continue
            self._occupy(resident.slot, door)
            self._served.add(resident.workload)
        self._epoch += 1
        self._ledger.append("controller_started", "controller", {"epoch": self._epoch, "slots": dict(self._holder)})
        await self._announce()

    async def _tick(self, seconds: float) -> None:
        await self._observe(seconds)
        self._count(seconds)
        hold = self._hold_reason()
        self._set_alarm("hold", hold)
        claims, changes = self._decide(seconds, dwell_s=0.0 if hold else self._settings.dwell_s)
        if changes:
            await self._carry_out(changes)
        self._tell(claims, at_once=bool(changes))
        self._remember()

    async def _observe(self, seconds: float) -> None:
        """Read the counters of all awake residents, in parallel, and the gateway's last report."""
        doors = dict(self._awake)
        reports = await asyncio.gather(
            *(self._mover.counters(door, COUNTERS_TIMEOUT_S) for door in doors.values()), return_exceptions=True
        )
        for name in self._silent_since.keys() - {door.name for door in doors.values()}:
            del self._silent_since[name]
            self._set_alarm(f"silent {name}", "")
        by_workload: dict[str, dict[str, Counters]] = {workload: {} for workload in self._meters}
        for (slot, door), report in zip(doors.items(), reports, strict=True):
            if isinstance(report, BaseException):
                if not isinstance(report, aiohttp.ClientError | TimeoutError):
                    raise report
                self._note_silence(door)
                continue
            self._silent_since.pop(door.name, None)
            self._set_alarm(f"silent {door.name}", "")
            workload = self._holder.get(slot)
            if workload is not None and self._awake.get(slot) == door:
                by_workload[workload][f"{door.name}#{door.pid}"] = report.counters(self._slots[slot].share)
        for workload, meter in self._meters.items():
            meter.observe_residents(by_workload[workload], seconds)
            if self._gateway is not None and workload in self._gateway.workloads:
                meter.observe_gateway(self._gateway.workloads[workload], seconds)
            if workload not in self._served and meter.requests_total > 0:
                self._served.add(workload)
                self._set_alarm(f"probe {workload}", "")
                self._ledger.append("served", workload, {"requests": meter.requests_total})
                await self._announce()

    def _count(self, seconds: float) -> None:
        """Add what became of requests and slots since the last tick; a slot that moves is the receiver's already."""
        recent = [meter.recent for meter in self._meters.values()]
        self._account.served(
            slice(None),
            np.array([requests.asked for requests in recent], dtype=np.float64),
            np.array([requests.in_time for requests in recent], dtype=np.float64),
            np.array([requests.shed for requests in recent], dtype=np.float64),
        )
        moving = Counter(self._holder[slot] for slot in self._moving)
        held, starting_W = self._held(), np.array([float(moving[workload]) for workload in self._meters])
        held_W = np.array([float(held[workload]) for workload in self._meters])
        self._account.spent(slice(None), (held_W - starting_W) * seconds, starting_W * seconds)
        self._account.unheld(0.0, (len(self._slots) - float(held_W.sum())) * seconds)

    def _hold_reason(self) -> str:
        """Say why the allocation must not change by value, or nothing."""
        silent_s = self._clock() - self._gateway_at
        if silent_s > GATEWAY_SILENT_S and self.ready:
            return f"no report from the gateway for {silent_s:.0f} s: allocation held"
        return ""

    def _decide(self, seconds: float, dwell_s: float) -> tuple[Claims, list[Change]]:
        places = [
            SlotPlace(slot.slot, f"{slot.node}/{slot.cores or slot.gpu}", self._suits(slot))
            for slot in self._slots.values()
        ]
        claims = self._claims(dwell_s)
        if self._shadow is not None and self.ready:
            self._note_shadow(self._shadow.decide(places, claims, self._holder, self._wake_s, seconds))
        if self._settings.policy != "tenfold":
            claims = self._fixed(claims)
        return claims, allocate(places, claims, self._holder, self._moving.keys())

    def _claims(self, dwell_s: float) -> Claims:
        """What each workload asks for; at a dwell of 0 nothing but floors."""
        return claims_of(
            list(self._meters.values()),
            slots=len(self._slots),
            held=self._held(),
            # A workload with requests waiting or just served keeps one slot, however little they earn: a service that
            # answers nobody is broken, not thrifty. So does one that has not served yet, so that `healthz` can tell.
            wanted={workload for workload, meter in self._meters.items() if self._is_wanted(meter)},
            wake_s=self._wake_s,
            dwell_s=dwell_s,
        )

    def _is_wanted(self, meter: DemandMeter) -> bool:
        return meter.plan.workload not in self._served or meter.idle_s < self._settings.idle_s

    def _fixed(self, claims: Claims) -> Claims:
        """Give each its floor and nothing else; where no floors are set, even parts of the pool."""
        floor_W = np.array([meter.plan.floor for meter in self._meters.values()])
        if not floor_W.any():
            floor_W = len(self._slots) * (np.arange(len(floor_W)) + 1) // len(floor_W)
            floor_W = np.diff(floor_W, prepend=0)
        served_W = np.array([workload in self._served for workload in self._meters])
        floor_W = np.maximum(floor_W, ~served_W)
        return replace(claims, floor_W=floor_W, ceiling_W=floor_W)

    def _note_shadow(self, changes: Sequence[Change]) -> None:
        """Record what the policy would have done, and every while what that has been worth."""
        for change in changes:
            told = replace(change, because=self._reason(change))
            self._ledger.append("shadow_move", change.slot, change_body(told))
        if self._shadow is not None and self._clock() - self._shadow_told_at >= TELL_S:
            self._shadow_told_at = self._clock()
            self._ledger.append("shadow", "pool", self._shadow.view().model_dump())

    def _tell(self, claims: Claims, at_once: bool) -> None:
        """Record how all stand, at every change and every while; the orders have gone out and do not wait for it."""
        if not at_once and self._clock() - self._told_at < TELL_S:
            return
        self._told_at = self._clock()
        held = self._held()
        held_W = np.array([held[workload] for workload in self._meters])
        found = standings(claims, list(self._meters.values()), held_W, len(self._slots), self._epoch)
        self._ledger.append("standings", "pool", found.model_dump())

    async def _carry_out(self, changes: Sequence[Change]) -> None:
        self._epoch += 1
        for change in changes:
            self._holder[change.slot] = change.target
        joined = Counter(change.target for change in changes)
        self._account.moved(slice(None), np.array([joined[workload] for workload in self._meters]))
        self._ledger.append(
            "allocation",
            "pool",
            {"epoch": self._epoch, "slots": dict(self._holder), "reasons": [change.because for change in changes]},
        )
        for change in changes:
            source = self._awake.pop(change.slot, None)
            target = self._door(f"{change.target}@{change.slot}")
            self._move_count += 1
            view = MoveView(
                move=self._move_count,
                epoch=self._epoch,
                at=self._clock(),
                slot=change.slot,
                source=change.source,
                target=change.target,
                reason=self._reason(change),
                price_usd_per_s=change.price_usd_per_s,
                deadline_s=self._deadline_s(change),
                state="draining",
                seconds=None,
            )
            moving = _Moving(view, source, target)
            self._moving[change.slot] = moving
            task = asyncio.create_task(self._move(moving))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        await self._announce()

    def _deadline_s(self, change: Change) -> float:
        """A service that gains a slot has people waiting; training has not, so the donor may finish its answers."""
        urgent = self._meters[change.target].plan.takes_requests
        return self._settings.move_deadline_s if urgent else self._settings.drain_deadline_s

    async def _move(self, moving: _Moving) -> None:
        view = moving.view
        outcome = await self._mover.move(moving.source, moving.target, view.epoch, view.deadline_s)
        del self._moving[view.slot]
        self._occupy(view.slot, outcome.occupant)
        self._set_alarm(f"move {view.slot}", outcome.detail if outcome.state == "failed" else "")
        if outcome.state == "done" and view.target is not None:
            self._wake_s[view.target] += 0.2 * (outcome.wake_s - self._wake_s[view.target])
            self._probe(view.target)
        if outcome.detail:
            log.warning("move %d: %s", view.move, outcome.detail)
        reason = f"{view.reason}; {outcome.detail}" if outcome.detail else view.reason
        done = view.model_copy(update={"state": outcome.state, "seconds": outcome.seconds, "reason": reason})
        self._moves.appendleft(done)
        self._ledger.append("move", view.slot, done.model_dump())
        self._nudged.set()
        await self._announce()

    def _occupy(self, slot: str, occupant: Door | None) -> None:
        """Note who is awake on a slot, or may be: then nobody else is woken there until it is known to be dead."""
        if occupant is None:
            self._holder[slot] = None
            return
        self._holder[slot] = self._residents[occupant.name].workload if occupant.name in self._residents else None
        self._awake[slot] = occupant
        if self._is_dead(occupant):
            self._lose(slot, occupant)

    def _probe(self, workload: str | None) -> None:
        """Send a workload that has not served yet one real request."""
        if workload is None or workload in self._served:
            return
        probe = self._meters[workload].plan.probe
        doors = [door for slot, door in self._awake.items() if self._holder.get(slot) == workload]
        if probe is None or not doors:
            return

        async def send() -> None:
            path, body = probe
            async with self._session.post(f"{doors[0].url}{path}", json=body) as response:
                if not response.ok:
                    self._set_alarm(f"probe {workload}", f"{workload} refused its first request: {response.status}")
            self._nudged.set()

        task = asyncio.create_task(send())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # ---- deaths

    def _lose(self, slot: str, door: Door) -> None:
        """A resident that was awake is dead: its slot is free, and routes must not name it."""
        del self._awake[slot]
        workload = self._holder.get(slot)
        self._holder[slot] = None
        self._ledger.append("resident_died", door.name, {"pid": door.pid, "slot": slot, "workload": workload})
        self._routes_version += 1
        self._nudged.set()

    def _note_silence(self, door: Door) -> None:
        """A live resident that does not answer is killed after a while; its host starts it afresh."""
        since = self._silent_since.setdefault(door.name, self._clock())
        silent_s = self._clock() - since
        if silent_s > COUNTERS_TIMEOUT_S:
            self._set_alarm(f"silent {door.name}", f"{door.name} does not answer")
        if silent_s > RESIDENT_SILENT_S:
            self._to_kill[door.name] = door.pid

    async def _kill(self, door: Door) -> None:
        self._to_kill[door.name] = door.pid
        async with self._deaths:
            await asyncio.wait_for(self._deaths.wait_for(lambda: self._is_dead(door)), KILL_CONFIRM_S)

    def _is_dead(self, door: Door) -> bool:
        resident = self._residents.get(door.name)
        return resident is None or resident.pid != door.pid

    # ---- what it shows

    def _door(self, name: str) -> Door | None:
        resident = self._residents.get(name)
        if resident is None or resident.url is None or resident.pid is None:
            return None
        return Door(name, resident.url, resident.pid)

    def _suits(self, slot: Slot) -> frozenset[str]:
        """Workloads that can run on a slot, and are loaded there."""
        return frozenset(
            workload
            for workload, meter in self._meters.items()
            if slot.kind in meter.plan.kinds and self._door(f"{workload}@{slot.slot}") is not None
        )

    async def _announce(self) -> None:
        self._routes_version += 1
        async with self._routes_changed:
            self._routes_changed.notify_all()

    def _set_alarm(self, key: str, text: str) -> None:
        if text and key not in self._alarms:
            self._ledger.append("alarm", key, {"text": text})
        if text:
            self._alarms[key] = text
        else:
            self._alarms.pop(key, None)

    def _reason(self, change: Change) -> str:
        return self._meters[change.target].reason(change.because)

    def _remember(self) -> None:
        """Add a point to the history, at most one a second."""
        now = self._clock()
        if not self._history or now - self._history[-1].at >= 0.95:
            self._history.append(history_point(self._meters, self._held(), len(self._slots), now))

    def _held(self) -> dict[str, int]:
        held = dict.fromkeys(self._meters, 0)
        for workload in self._holder.values():
            if workload is not None:
                held[workload] += 1
        return held

    def state(self) -> PoolState:
        """Describe the pool now."""
        held = self._held()
        awake = Counter(self._holder[slot] for slot in self._awake)
        return PoolState(
            at=self._clock(),
            epoch=self._epoch,
            policy=self._settings.policy,
            controller="running" if self._hosts_known.is_set() else "starting",
            ready=self.ready,
            alarms=tuple(self._alarms.values()),
            slots=tuple(self._slot_view(slot) for slot in self._slots.values()),
            workloads=tuple(
                workload_view(meter, slots=len(self._slots), held=held[workload], awake=awake[workload])
                for workload, meter in self._meters.items()
            ),
            moves=tuple([moving.view for moving in self._moving.values()] + list(self._moves))[:50],
            history=tuple(self._history),
            loss=(),
            account=account_views(self._account, self._meters),
            idle_s=self._account.idle_s,
            shadow=self._shadow.view() if self._shadow is not None else None,
        )

    def _slot_view(self, slot: Slot) -> SlotView:
        residents = [resident for resident in self._residents.values() if resident.slot == slot.slot]
        moving = self._moving.get(slot.slot)
        return slot_view(slot, residents, self._awake.get(slot.slot), moving.view if moving else None)
