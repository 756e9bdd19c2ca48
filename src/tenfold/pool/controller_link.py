"""What a gateway and its controller tell each other: routes and state one way, what was counted the other."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

import aiohttp

from tenfold.pool.health import Answers, Recently, judge
from tenfold.pool.loops import for_ever
from tenfold.pool.reports import GatewayReport, Routes
from tenfold.pool.state import PoolState
from tenfold.pool.token import TOKEN_HEADER
from tenfold.pool.traffic import Traffic

log = logging.getLogger(__name__)

REPORT_EVERY_S = 0.25
ROUTES_WAIT_S = 5.0
CALL_TIMEOUT_S = 8.0
STATE_TIMEOUT_S = 2.0
"""Short: a controller that was stopped takes connections and says nothing, and users must be told."""


class ControllerLink:
    """Follows the controller, and reports to it, for as long as it is ``held``.

    ``routes``: where requests may go, as last told. ``changed``: told when routes or places change. ``report_now``: set
    when a report should not wait for its turn.

    Args:
        url: base URL of the controller.
        token: the pool's secret.
        traffic: what the gateway counts, by workload.
    """

    def __init__(self, url: str, token: str, traffic: Mapping[str, Traffic]) -> None:
        self._url = url
        self._headers = {TOKEN_HEADER: token}
        self._traffic = traffic
        self.routes = Routes(version=0, epoch=0, ready=False, awake={}, queue_limit={})
        self.changed = asyncio.Condition()
        self.report_now = asyncio.Event()
        self._session: aiohttp.ClientSession | None = None
        self._state: PoolState | None = None
        self._alarms: dict[str, str] = {}
        self._recently = Recently()

    @property
    def ready(self) -> bool:
        """Whether every workload answers now; see ``health``."""
        return self._state is not None and self._state.ready

    @property
    def state(self) -> PoolState | None:
        """The pool's last known state; ``frozen`` while the controller does not answer."""
        return self._state

    @asynccontextmanager
    async def held(self, session: aiohttp.ClientSession) -> AsyncIterator[None]:
        """Talk to the controller for as long as the context lasts."""
        self._session = session
        turns = {
            "following the routes": self._take_routes,
            "reporting to the controller": self._report,
            "following the pool's state": self._take_state,
        }
        tasks = [asyncio.create_task(for_ever(name, turn, self._alarm), name=name) for name, turn in turns.items()]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def wake_waiting(self) -> None:
        """Let those who wait look again; the one that has waited longest looks first."""
        async with self.changed:
            self.changed.notify_all()

    async def _take_routes(self) -> None:
        try:
            query = {"seen": str(self.routes.version), "wait_s": str(ROUTES_WAIT_S)}
            routes = Routes.model_validate_json(await self._call("GET", "/routes", query=query))
        except (aiohttp.ClientError, TimeoutError):
            await asyncio.sleep(0.2)
            return
        self.routes = routes
        await self.wake_waiting()

    async def _report(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self.report_now.wait(), REPORT_EVERY_S)
        self.report_now.clear()
        now = time.monotonic()
        report = GatewayReport(workloads={w: traffic.totals(now) for w, traffic in self._traffic.items()})
        try:
            await self._call("POST", "/gateway", body=report.model_dump_json())
        except (aiohttp.ClientError, TimeoutError) as error:
            log.debug("controller does not answer: %s", error)

    async def _take_state(self) -> None:
        try:
            found = PoolState.model_validate_json(await self._call("GET", "/state", timeout_s=STATE_TIMEOUT_S))
            state = judge(found, self._recently.note(time.monotonic(), self._answers()))
            self._state = self._with_alarms(state, state.alarms)
        except (aiohttp.ClientError, TimeoutError):
            if self._state is not None:
                frozen = self._state.model_copy(update={"controller": "frozen", "ready": False})
                self._state = self._with_alarms(frozen, ("the controller does not answer: allocation frozen",))
        await asyncio.sleep(1.0 if self.ready else 0.2)

    def _answers(self) -> dict[str, Answers]:
        return {w: Answers(traffic.answered, traffic.failed) for w, traffic in self._traffic.items()}

    def _alarm(self, loop: str, text: str) -> None:
        """Show what is wrong with a loop of the gateway, beside what the controller says."""
        before = set(self._alarms.values())
        self._alarms[loop] = text
        if self._state is not None:
            others = tuple(told for told in self._state.alarms if told not in before)
            self._state = self._with_alarms(self._state, others)

    def _with_alarms(self, state: PoolState, others: tuple[str, ...]) -> PoolState:
        own = tuple(text for text in self._alarms.values() if text)
        return state.model_copy(update={"alarms": (*others, *own)})

    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: str | None = None,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> bytes:
        if self._session is None:
            raise RuntimeError("the link to the controller is not held")
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        async with self._session.request(
            method, f"{self._url}{path}", params=query, data=body, headers=self._headers, timeout=timeout
        ) as response:
            response.raise_for_status()
            return await response.read()
