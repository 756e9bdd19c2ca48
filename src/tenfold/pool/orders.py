"""What was decided is carried out: moves of slots, and the first request to a workload that has not served yet."""

import asyncio
import logging
from collections import Counter
from collections.abc import Coroutine, Sequence

import aiohttp
import numpy as np

from tenfold.policy.policy import Change
from tenfold.pool.knowledge import Knowledge
from tenfold.pool.move_book import Moving
from tenfold.pool.moves import Mover
from tenfold.pool.token import TOKEN_HEADER

log = logging.getLogger(__name__)


class Orders:
    """Carries out changes, each as a move beside the ticks.

    Args:
        known: what the controller knows.
        mover: sends residents to sleep and wakes them.
        session: HTTP client for first requests.
        token: the pool's secret.

    Attributes:
        fault: what failed in a move or a first request, so that the loop must end: a slot would wait for it for ever.
    """

    def __init__(self, known: Knowledge, mover: Mover, session: aiohttp.ClientSession, token: str) -> None:
        self._known = known
        self._mover = mover
        self._session = session
        self._headers = {TOKEN_HEADER: token}
        self._tasks: set[asyncio.Task[None]] = set()
        self.fault: BaseException | None = None

    async def carry_out(self, changes: Sequence[Change]) -> None:
        """Record the new allocation, then begin all moves; they go on by themselves."""
        known = self._known
        known.epoch += 1
        for change in changes:
            known.occupancy.holder[change.slot] = change.receiver
        joined = Counter(change.receiver for change in changes)
        known.account.moved(slice(None), np.array([joined[workload] for workload in known.meters]))
        known.ledger.append(
            "allocation",
            "pool",
            {
                "epoch": known.epoch,
                "slots": dict(known.occupancy.holder),
                "reasons": [change.because for change in changes],
            },
        )
        for change in changes:
            moving = known.moves.begin(
                change,
                known.occupancy.awake.pop(change.slot, None),
                known.occupancy.address(f"{change.receiver}@{change.slot}"),
                reason=known.meters[change.receiver].reason(change.because),
                epoch=known.epoch,
                at=known.clock(),
                deadline_s=self._deadline_s(change),
            )
            self._start(self._move(moving))
        await known.routes.announce()

    def _deadline_s(self, change: Change) -> float:
        """A service that gains a slot has people waiting; training has not, so the donor may finish its answers."""
        urgent = self._known.meters[change.receiver].plan.takes_requests
        return self._known.settings.move_deadline_s if urgent else self._known.settings.drain_deadline_s

    async def _move(self, moving: Moving) -> None:
        known, view = self._known, moving.view
        ended = await self._mover.move(moving.donor, moving.receiver, view.epoch, view.deadline_s)
        done = known.moves.end(moving, ended)
        known.totals.moved(done)
        known.occupy(view.slot, ended.occupant)
        known.alarms.set(f"move {view.slot}", ended.detail if ended.state == "failed" else "")
        if ended.state == "done":
            self._probe(view.receiver)
        if ended.detail:
            log.warning("move %d: %s", view.move, ended.detail)
        known.ledger.append("move", view.slot, done.model_dump())
        known.nudged.set()
        await known.routes.announce()

    def _probe(self, workload: str | None) -> None:
        """Send a workload that has not served yet one real request."""
        if workload is None or workload in self._known.served:
            return
        probe = self._known.meters[workload].plan.probe
        address = next(self._known.occupancy.addresses(workload), None)
        if probe is None or address is None:
            return

        async def send() -> None:
            path, body = probe
            try:
                async with self._session.post(f"{address.url}{path}", json=body, headers=self._headers) as response:
                    fault = "" if response.ok else f"{workload} refused its first request: {response.status}"
            except (aiohttp.ClientError, TimeoutError) as error:
                fault = f"{workload} did not answer its first request: {type(error).__name__} {error}"
            self._known.alarms.set(f"probe {workload}", fault)
            self._known.nudged.set()

        self._start(send())

    def _start(self, work: Coroutine[None, None, None]) -> None:
        """Run something beside the ticks."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finish)

    def _finish(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.fault = task.exception()
            self._known.nudged.set()
