"""The gateway: one address for all workloads; requests go to awake residents only.

It keeps no state but counters: who is awake comes from the controller by long poll, and a resident that fell asleep or
died in between answers 503 or not at all, in which case the request goes to another. A request that finds nobody awake
waits up to a deadline while the controller wakes someone. Beyond the queue limit a request is shed with 429 at once.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import aiohttp
from starlette.types import Message, Receive, Scope, Send

from tenfold.pool.demand import GatewayTotals
from tenfold.pool.health import Outcomes, Recently, judge
from tenfold.pool.process import ASLEEP_HEADER
from tenfold.pool.reports import GatewayReport, Routes
from tenfold.pool.state import PoolState
from tenfold.pool.token import TOKEN_HEADER

log = logging.getLogger(__name__)

REPORT_EVERY_S = 0.25
RETRY_AFTER_S = 1
RECENT_S = 10.0
CALL_TIMEOUT_S = 8.0
STATE_TIMEOUT_S = 2.0
"""Short: a controller that was stopped takes connections and says nothing, and users must be told."""

_HOP_HEADERS = {b"connection", b"keep-alive", b"transfer-encoding", b"host", b"content-length", b"upgrade"} | {
    TOKEN_HEADER.encode()
}


@dataclass(frozen=True, slots=True)
class GatewayRoute:
    """A path, the workload that answers it, and its latency target.

    ``target_s`` runs to the first byte of the answer's body. ``at_once``: requests that one resident works on together,
    none for any number. More wait here and not there: the next place that is free, or the next resident that wakes,
    takes the one that has waited longest.
    """

    path: str
    workload: str
    target_s: float | None
    at_once: int | None = None


@dataclass(slots=True)
class _Traffic:
    """What the gateway counts for one workload; ``refused``: failed by a fault of the client's."""

    arrived: int = 0
    answered: int = 0
    attained: int = 0
    shed: int = 0
    failed: int = 0
    refused: int = 0
    waiting: int = 0
    unrouted: int = 0
    in_flight: dict[str, int] = field(default_factory=dict)
    recent: deque[tuple[float, float, bool]] = field(default_factory=deque)

    def totals(self, now: float) -> GatewayTotals:
        while self.recent and self.recent[0][0] < now - RECENT_S:
            self.recent.popleft()
        latencies = sorted(latency for _, latency, _ in self.recent)
        count = len(latencies)
        return GatewayTotals(
            arrived=self.arrived,
            answered=self.answered,
            attained=self.attained,
            shed=self.shed,
            failed=self.failed + self.refused,
            waiting=self.waiting,
            unrouted=self.unrouted,
            latency_p50_s=latencies[count // 2] if count else None,
            latency_p95_s=latencies[min(count - 1, int(count * 0.95))] if count else None,
            attained_share=sum(attained for _, _, attained in self.recent) / count if count else None,
        )


class Disconnected(Exception):
    """The client went away."""


class Gateway:
    """Routes requests; an ASGI app for the paths it was given.

    Args:
        routes: the paths it answers.
        controller_url: base URL of the controller.
        token: the pool's secret.
        wait_deadline_s: how long a request may wait for an awake resident.
        queue_per_slot: requests in work or waiting before it sheds, until the controller says more.
        body_limit_bytes: largest request body.
    """

    def __init__(
        self,
        routes: Mapping[str, GatewayRoute],
        controller_url: str,
        token: str,
        *,
        wait_deadline_s: float,
        queue_per_slot: int,
        body_limit_bytes: int,
    ) -> None:
        self._routes = routes
        self._controller_url = controller_url
        self._headers = {TOKEN_HEADER: token}
        self._wait_deadline_s = wait_deadline_s
        self._body_limit_bytes = body_limit_bytes
        self._queue_per_slot = queue_per_slot
        self._traffic = {route.workload: _Traffic() for route in routes.values()}
        self._awake = Routes(version=0, epoch=0, ready=False, awake={}, queue_limit={})
        self._awake_changed = asyncio.Condition()
        self._report_now = asyncio.Event()
        self._session: aiohttp.ClientSession | None = None
        self._state: PoolState | None = None

    @property
    def ready(self) -> bool:
        """Whether every workload answers now; see ``health``."""
        return self._state is not None and self._state.ready

    @property
    def state(self) -> PoolState | None:
        """The pool's last known state; ``frozen`` while the controller does not answer."""
        return self._state

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Talk to the controller for as long as the context lasts."""
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=30)
        async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as self._session:
            tasks = [asyncio.create_task(loop()) for loop in (self._follow_routes, self._report, self._follow_state)]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    # ---- one request

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request by the path's workload."""
        route = self._routes[scope["path"]]
        traffic = self._traffic[route.workload]
        traffic.arrived += 1
        if traffic.waiting >= self._awake.queue_limit.get(route.workload, self._queue_per_slot):
            traffic.shed += 1
            await _refuse(send, 429, f"{route.workload} is at its queue limit", retry_after_s=RETRY_AFTER_S)
            return
        traffic.waiting += 1
        try:
            await self._answer(route, traffic, scope, receive, send)
        except Disconnected:
            log.debug("client left %s", scope["path"])
        finally:
            traffic.waiting -= 1

    async def _answer(self, route: GatewayRoute, traffic: _Traffic, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.monotonic()
        body = await _read_body(receive, self._body_limit_bytes)
        if body is None:
            traffic.refused += 1
            await _refuse(send, 413, f"the body is larger than {self._body_limit_bytes} bytes")
            return
        watcher = asyncio.create_task(_watch_disconnect(receive))
        work = asyncio.create_task(self._forward(route, traffic, scope, body, send, began))
        try:
            await asyncio.wait({watcher, work}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise Disconnected
            work.result()
        finally:
            for task in (watcher, work):
                task.cancel()
            await asyncio.gather(watcher, work, return_exceptions=True)

    async def _forward(
        self, route: GatewayRoute, traffic: _Traffic, scope: Scope, body: bytes, send: Send, began: float
    ) -> None:
        """Send to awake residents, least loaded first, until one answers or the deadline passes."""
        deadline = began + self._wait_deadline_s
        tried: dict[str, int] = {}
        while True:
            url = await self._choose(route, traffic, tried, deadline)
            if url is None:
                traffic.failed += 1
                text = f"no {route.workload} resident was awake within {self._wait_deadline_s:g} s"
                await _refuse(send, 503, text, retry_after_s=RETRY_AFTER_S)
                return
            traffic.in_flight[url] = traffic.in_flight.get(url, 0) + 1
            try:
                if await self._pass_through(url, route, traffic, scope, body, send, began):
                    return
            finally:
                traffic.in_flight[url] -= 1
                if not traffic.in_flight[url]:
                    del traffic.in_flight[url]
                if route.at_once is not None:
                    await self._wake_waiting()
            tried[url] = self._awake.version

    async def _choose(
        self, route: GatewayRoute, traffic: _Traffic, tried: Mapping[str, int], deadline: float
    ) -> str | None:
        """Pick the awake resident with the fewest requests in flight; wait for a place, or for one to wake."""

        def awake() -> list[str]:
            # One that refused is asked again only after the routes changed: it may be awake again.
            return [
                url
                for url in self._awake.awake.get(route.workload, ())
                if url not in tried or tried[url] != self._awake.version
            ]

        def with_place() -> list[str]:
            return [url for url in awake() if route.at_once is None or traffic.in_flight.get(url, 0) < route.at_once]

        if not with_place():
            traffic.unrouted += 1
            self._report_now.set()
            try:
                async with self._awake_changed:
                    while not with_place():
                        # A place comes free when an answer ends, however long that takes; a resident must wake in time.
                        wait_s = None if awake() else max(0.0, deadline - time.monotonic())
                        await asyncio.wait_for(self._awake_changed.wait(), wait_s)
            except TimeoutError:
                return None
            finally:
                traffic.unrouted -= 1
        return min(with_place(), key=lambda url: traffic.in_flight.get(url, 0))

    async def _wake_waiting(self) -> None:
        """Let those who wait look again; the one that has waited longest looks first."""
        async with self._awake_changed:
            self._awake_changed.notify_all()

    async def _pass_through(
        self, url: str, route: GatewayRoute, traffic: _Traffic, scope: Scope, body: bytes, send: Send, began: float
    ) -> bool:
        """Forward to one resident; false if it did not take the request and another may."""
        if self._session is None:
            raise RuntimeError("the gateway is not running")
        headers = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in scope["headers"] if k not in _HOP_HEADERS]
        headers += self._headers.items()
        started = False
        try:
            async with self._session.request(
                scope["method"],
                f"{url}{scope['path']}",
                params=scope["query_string"].decode("latin-1"),
                data=body,
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=2.0),
            ) as response:
                if response.status == 503 and ASLEEP_HEADER in response.headers:
                    return False
                async for chunk in response.content.iter_any():
                    if not started:
                        started = True
                        self._count_first_byte(route, traffic, response.status, time.monotonic() - began)
                        await send(_start(response))
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                if not started:
                    started = True
                    self._count_first_byte(route, traffic, response.status, time.monotonic() - began)
                    await send(_start(response))
        except aiohttp.ClientError as error:
            if not started:
                return False
            # Bytes are out already: the only honest end is a broken one, which leaving `more_body` open gives.
            traffic.failed += 1
            log.warning("%s broke off: %s", url, error)
            raise
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        return True

    def _count_first_byte(self, route: GatewayRoute, traffic: _Traffic, status: int, latency_s: float) -> None:
        if status >= 500:
            traffic.failed += 1
            return
        attained = route.target_s is None or latency_s <= route.target_s
        traffic.answered += 1
        traffic.attained += attained
        traffic.recent.append((time.monotonic(), latency_s, attained))

    # ---- the controller

    async def _follow_routes(self) -> None:
        while True:
            try:
                query = {"seen": str(self._awake.version), "wait_s": "5"}
                routes = Routes.model_validate_json(await self._get("/routes", query))
            except (aiohttp.ClientError, TimeoutError):
                await asyncio.sleep(0.2)
                continue
            self._awake = routes
            await self._wake_waiting()

    async def _report(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._report_now.wait(), REPORT_EVERY_S)
            self._report_now.clear()
            now = time.monotonic()
            report = GatewayReport(workloads={w: traffic.totals(now) for w, traffic in self._traffic.items()})
            try:
                await self._post("/gateway", report.model_dump_json())
            except (aiohttp.ClientError, TimeoutError) as error:
                log.debug("controller does not answer: %s", error)

    def _outcomes(self) -> dict[str, Outcomes]:
        return {w: Outcomes(traffic.answered, traffic.failed) for w, traffic in self._traffic.items()}

    async def _follow_state(self) -> None:
        recently = Recently()
        while True:
            try:
                found = PoolState.model_validate_json(await self._get("/state", {}, STATE_TIMEOUT_S))
                self._state = judge(found, recently.note(time.monotonic(), self._outcomes()))
            except (aiohttp.ClientError, TimeoutError):
                if self._state is not None:
                    alarm = "the controller does not answer: allocation frozen"
                    frozen = {"controller": "frozen", "ready": False, "alarms": (alarm,)}
                    self._state = self._state.model_copy(update=frozen)
            await asyncio.sleep(1.0 if self.ready else 0.2)

    async def _get(self, path: str, query: dict[str, str], timeout_s: float = CALL_TIMEOUT_S) -> bytes:
        return await self._call("GET", path, query, None, timeout_s)

    async def _post(self, path: str, body: str) -> bytes:
        return await self._call("POST", path, {}, body, CALL_TIMEOUT_S)

    async def _call(self, method: str, path: str, query: dict[str, str], body: str | None, timeout_s: float) -> bytes:
        if self._session is None:
            raise RuntimeError("the gateway is not running")
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        async with self._session.request(
            method, f"{self._controller_url}{path}", params=query, data=body, headers=self._headers, timeout=timeout
        ) as response:
            response.raise_for_status()
            return await response.read()


async def _read_body(receive: Receive, limit_bytes: int) -> bytes | None:
    """Read the whole body, or none if it is over the limit."""
    parts: list[bytes] = []
    size = 0
    while True:
        message: Message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        part = message.get("body", b"")
        size += len(part)
        if size > limit_bytes:
            return None
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


async def _watch_disconnect(receive: Receive) -> None:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return


def _start(response: aiohttp.ClientResponse) -> Message:
    headers = [(k.lower().encode("latin-1"), v.encode("latin-1")) for k, v in response.headers.items()]
    kept = [(k, v) for k, v in headers if k not in _HOP_HEADERS]
    return {"type": "http.response.start", "status": response.status, "headers": kept}


async def _refuse(send: Send, status: int, text: str, retry_after_s: int | None = None) -> None:
    """Answer with an error in the OpenAI shape, which every client of ours reads."""
    import orjson

    kind = {413: "invalid_request_error", 429: "rate_limit_exceeded"}.get(status, "service_unavailable")
    body = orjson.dumps({"error": {"message": text, "type": kind, "param": None, "code": status}})
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if retry_after_s is not None:
        headers.append((b"retry-after", str(retry_after_s).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
