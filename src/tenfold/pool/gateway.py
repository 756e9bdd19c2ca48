"""The gateway: one address for all workloads; requests go to awake residents only.

It keeps no state but counters: who is awake comes from the controller by long poll, and a resident that fell asleep or
died in between answers 503 or not at all, in which case the request goes to another. A request that finds nobody awake
waits up to a deadline while the controller wakes someone. Beyond the queue limit a request is shed with 429 at once.

A request in whose hands a resident died may be what ended it. It is tried once more, alone with its resident, and if
that one dies too, it is answered with 500: no request ends more than two residents, and those beside it go on.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

import aiohttp
from starlette.types import Receive, Scope, Send
from yarl import URL

from tenfold.core.links import is_refused
from tenfold.pool.access import headers_of
from tenfold.pool.affinity import prefer, ring_of
from tenfold.pool.answer import request_id
from tenfold.pool.api_error import send_error
from tenfold.pool.asker import FOR_HEADER, KEY_HEADER
from tenfold.pool.body import BodyReader, BodyRefused, Disconnected
from tenfold.pool.controller_link import ControllerLink
from tenfold.pool.demand import GatewayTotals
from tenfold.pool.forward import Fate, forward, headers_behind, passing_session, while_client_stays
from tenfold.pool.process import ASLEEP_HEADER
from tenfold.pool.slot_time import SlotTime
from tenfold.pool.state import SpreadView
from tenfold.pool.token import TOKEN_HEADER
from tenfold.pool.traffic import GatewayRoute, Traffic

log = logging.getLogger(__name__)

_RETRY_AFTER = {"retry-after": "1"}
WAKING_PATIENCE_S = 30.0
"""Longest wait for a resident that is said to be waking: a drain and a wake, and then some."""

ALONE_S = 5.0
"""How long a request that may have ended a resident waits to have another to itself."""

MOST_HELD = 512
"""Requests that wait for a new gateway's first routes; what comes beyond them is judged without."""

SLOT_S = "tenfold.slot_s"
"""Of a request's scope: its part of the time of the slots that worked on it, seconds, once it has ended."""

SHARE = 4
"""Where several ask, one may hold four fifths of the queue if the others hold nothing, see ``Shares``."""

_HOLDERS = (FOR_HEADER.encode(), KEY_HEADER.encode())

MOST_DEATHS = 2
MOST_BREAKS = 4


@dataclass(slots=True)
class _Errand:
    """One request on its way.

    ``patience_s``: what is left of the time that it may wait with nobody awake or waking; ``waking_patience_s``: the
    same with somebody waking. ``tried``: residents that did not take it, with the routes' version then. ``deaths`` and
    ``breaks``: residents that died, and connections that broke, while they had it in hand. ``alone_at``: the resident
    that it has to itself.
    """

    route: GatewayRoute
    traffic: Traffic
    scope: Scope
    body: bytes
    send: Send
    patience_s: float
    waking_patience_s: float = WAKING_PATIENCE_S
    began: float = field(default_factory=time.monotonic)
    tried: dict[str, int] = field(default_factory=dict)
    deaths: int = 0
    breaks: int = 0
    alone_at: str | None = None

    def leave_alone(self) -> None:
        """It has its first byte, or failed: others may use its resident again."""
        if self.alone_at is not None:
            self.traffic.set_apart.discard(self.alone_at)
            self.alone_at = None


class Gateway:
    """Routes requests; an ASGI app for the paths it was given, to be wrapped by ``answered``.

    Args:
        routes: the paths it answers.
        controller_url: base URL of the controller.
        token: the pool's secret.
        wait_deadline_s: how long a request may wait with nobody awake or waking.
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
        self._headers = {TOKEN_HEADER: token}
        self._wait_deadline_s = wait_deadline_s
        self._bodies = BodyReader(body_limit_bytes)
        self._queue_per_slot = queue_per_slot
        self._held = 0
        self._traffic = {route.workload: Traffic() for route in routes.values()}
        self.link = ControllerLink(controller_url, token, self._traffic)
        self._slot_time = SlotTime()
        self._session: aiohttp.ClientSession | None = None

    def paths_of(self, workload: str) -> frozenset[str]:
        """The paths that a workload answers."""
        return frozenset(path for path, route in self._routes.items() if route.workload == workload)

    def totals(self) -> dict[str, tuple[GatewayTotals, SpreadView]]:
        """What it has counted since it started, by workload, and how long first bytes took."""
        now = time.monotonic()
        return {w: (traffic.totals(now), traffic.first_byte.view()) for w, traffic in self._traffic.items()}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Talk to the controller for as long as the context lasts."""
        # A request whose resident's link is cut breaks off, and goes to another.
        session = passing_session()
        async with session as self._session, self.link.held(session):
            yield

    # ---- one request

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request by the path's workload."""
        route = self._routes[scope["path"]]
        traffic = self._traffic[route.workload]
        holder = _holder(scope)
        patience_s = await self._await_first_routes()
        try:
            # A body that has not come is no request yet: it takes nobody's place in the queue.
            if self._has_room(route, traffic, holder):
                body = await self._bodies.read(receive)
                if self._has_room(route, traffic, holder):
                    with traffic.shares.held(holder):
                        await self._take(_Errand(route, traffic, scope, body, send, patience_s), receive)
                    return
        except BodyRefused as refusal:
            await send_error(
                send, refusal.status, str(refusal), headers={} if refusal.was_read else {"connection": "close"}
            )
            return
        except Disconnected:
            log.debug("client left %s", scope["path"])
            return
        traffic.arrived += 1
        traffic.shed += 1
        await send_error(send, 429, f"{route.workload} is at its queue limit", headers=_RETRY_AFTER)

    def _has_room(self, route: GatewayRoute, traffic: Traffic, holder: tuple[str, ...]) -> bool:
        """Whether one more may wait; of several who ask by keys or for tenants, none may fill the whole queue."""
        free = self.link.routes.queue_limit.get(route.workload, self._queue_per_slot) - traffic.waiting
        # Whoever asks in vain has asked too, and finds room the next time.
        is_alone = all(map(traffic.shares.is_alone, holder))
        return free > 0 and (is_alone or not traffic.shares.over(dict.fromkeys(holder, SHARE), free))

    async def _await_first_routes(self) -> float:
        """Hold a request until a gateway that has just started knows who is awake and how many may wait.

        Clients whose connections a restart broke come back all at once, and would be shed by a limit that is not
        theirs.

        Returns:
            For how long the request may still wait with nobody awake or waking, seconds.
        """
        if self.link.routes.version or self._held >= MOST_HELD:
            return self._wait_deadline_s
        began = time.monotonic()
        self._held += 1
        try:
            async with asyncio.timeout(self._wait_deadline_s), self.link.changed:
                while not self.link.routes.version:
                    await self.link.changed.wait()
        except TimeoutError:
            log.warning("the controller has told no routes yet")
        finally:
            self._held -= 1
        return max(0.0, self._wait_deadline_s - (time.monotonic() - began))

    async def _take(self, errand: _Errand, receive: Receive) -> None:
        traffic = errand.traffic
        traffic.arrived += 1
        traffic.waiting += 1
        try:
            await while_client_stays(self._forward(errand), receive)
        finally:
            traffic.waiting -= 1
            if errand.alone_at is not None:
                # Its client left before the resident that it was to have to itself was free.
                errand.leave_alone()
                await self.link.wake_waiting()

    async def _forward(self, errand: _Errand) -> None:
        """Send to awake residents, least loaded first, until one answers, the patience ends, or it ended two."""
        traffic, workload = errand.traffic, errand.route.workload
        while errand.deaths < MOST_DEATHS and errand.breaks < MOST_BREAKS:
            url = await self._choose(errand)
            if url is None:
                text = f"no {workload} resident was awake, or woke, within {self._wait_deadline_s:g} s"
                await self._fail(errand, 503, text, _RETRY_AFTER)
                return
            traffic.in_flight[url] += 1
            traffic.silent[url] += 1
            began = self._slot_time.begin(url)
            heard = [False]
            try:
                try:
                    fate = await self._pass_through(url, errand, heard)
                finally:
                    errand.scope[SLOT_S] = errand.scope.get(SLOT_S, 0.0) + self._slot_time.end(url, began)
                if fate in ("answered", "cut"):
                    return
                errand.tried[url] = self.link.routes.version
                if fate == "broken":
                    await self._judge(url, errand)
            finally:
                self._end_try(url, errand, heard[0])
                await self.link.wake_waiting()
        text = f"{errand.deaths} residents of {workload} ended while they worked on this request; it is not tried again"
        if errand.deaths < MOST_DEATHS:
            text = f"{errand.breaks} residents of {workload} broke off while they worked on this request"
        log.error("request %s: %s", request_id(errand.scope), text)
        await self._fail(errand, 500, text)

    async def _fail(self, errand: _Errand, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        errand.traffic.failed += 1
        await send_error(errand.send, status, text, headers=headers)

    def _end_try(self, url: str, errand: _Errand, heard: bool) -> None:
        traffic = errand.traffic
        errand.leave_alone()
        for counts in (traffic.in_flight, *(() if heard else (traffic.silent,))):
            counts[url] -= 1
            if counts[url] <= 0:
                del counts[url]

    async def _judge(self, url: str, errand: _Errand) -> None:
        """A resident broke off before its first byte: if it died, and nobody had it killed, the request may be why."""
        if url in self.link.routes.leaving:
            # A donor that did not sleep in time was killed; that says nothing of the request.
            return
        errand.breaks += 1
        # Nobody else is sent there meanwhile: one that is dying takes connections until its listener is gone.
        errand.traffic.doubted[url] += 1
        try:
            is_dead = await _is_dead(url)
        finally:
            errand.traffic.doubted -= Counter([url])
        if is_dead:
            errand.deaths += 1
            log.warning("request %s: %s died with it in hand", request_id(errand.scope), url)
        else:
            # Only the connection broke, and the next one may be good.
            errand.tried.pop(url, None)

    # ---- who works on it

    async def _choose(self, errand: _Errand) -> str | None:
        """Pick an awake resident; wait for a place, or for one to wake."""
        url = await self._await_place(errand)
        if url is None or not errand.deaths:
            return url
        errand.alone_at = url
        errand.traffic.set_apart.add(url)
        with suppress(TimeoutError):
            async with asyncio.timeout(ALONE_S), self.link.changed:
                while errand.traffic.silent[url]:
                    await self.link.changed.wait()
        return url

    async def _await_place(self, errand: _Errand) -> str | None:
        traffic = errand.traffic
        found = self._with_place(errand)
        if not found:
            traffic.unrouted += 1
            self.link.report_now.set()
            try:
                async with self.link.changed:
                    while not (found := self._with_place(errand)):
                        await self._await_change(errand)
            except TimeoutError:
                return None
            finally:
                traffic.unrouted -= 1
        return self._pick(errand, found)

    def _pick(self, errand: _Errand, found: list[str]) -> str:
        """Choose one of several with a place: the one that the request's key prefers, or the least loaded."""
        key_of, in_flight = errand.route.key_of, errand.traffic.in_flight
        if key_of is not None and len(found) > 1 and (key := key_of(errand.body)) is not None:
            return prefer(ring_of(self.link.routes.awake[errand.route.workload]), key, found, in_flight)
        return min(found, key=lambda url: in_flight[url])

    def _with_place(self, errand: _Errand) -> list[str]:
        traffic, at_once = errand.traffic, errand.route.at_once
        return [
            url
            for url in self._awake_for(errand)
            if url not in traffic.set_apart
            and url not in traffic.doubted
            and (at_once is None or traffic.in_flight[url] < at_once)
        ]

    def _awake_for(self, errand: _Errand) -> list[str]:
        # One that refused is asked again only after the routes changed: it may be awake again.
        version, tried = self.link.routes.version, errand.tried
        awake = self.link.routes.awake.get(errand.route.workload, ())
        return [url for url in awake if tried.get(url) != version]

    async def _await_change(self, errand: _Errand) -> None:
        """Wait until places or routes change.

        A place comes free when an answer ends, however long that takes. Who wakes must do so some time. Only time in
        which nobody is awake or waking counts against the request.

        Raises:
            TimeoutError: nobody is to be waited for any longer.
        """
        if self._awake_for(errand):
            await self.link.changed.wait()
        elif self.link.routes.waking.get(errand.route.workload):
            errand.waking_patience_s = await self._await_change_within(errand.waking_patience_s)
        else:
            errand.patience_s = await self._await_change_within(errand.patience_s)

    async def _await_change_within(self, wait_s: float) -> float:
        """Wait for a change; what is left of the time."""
        began = time.monotonic()
        await asyncio.wait_for(self.link.changed.wait(), wait_s)
        return max(0.0, wait_s - (time.monotonic() - began))

    async def _pass_through(self, url: str, errand: _Errand, heard: list[bool]) -> Fate:
        """Forward to one resident; ``heard`` becomes true with the first byte of an answer."""
        if self._session is None:
            raise RuntimeError("the gateway is not running")
        fate = await forward(
            self._session,
            url,
            errand.scope,
            errand.send,
            headers=headers_behind(errand.scope, self._headers),
            body=errand.body,
            begin=partial(self._begin_answer, url, errand, heard),
            declines=_is_asleep,
        )
        if fate == "cut":
            errand.traffic.failed += 1
            log.warning("request %s: %s broke off its answer", request_id(errand.scope), url)
        return fate

    async def _begin_answer(self, url: str, errand: _Errand, heard: list[bool], status: int) -> None:
        heard[0] = True
        traffic = errand.traffic
        traffic.silent[url] -= 1
        if traffic.set_apart:
            errand.leave_alone()
            await self.link.wake_waiting()
        self._count_first_byte(errand, status)

    def _count_first_byte(self, errand: _Errand, status: int) -> None:
        route, traffic = errand.route, errand.traffic
        if status >= 500:
            traffic.failed += 1
            return
        latency_s = time.monotonic() - errand.began
        in_time = route.target_s is None or latency_s <= route.target_s
        traffic.answered += 1
        traffic.in_time += in_time
        traffic.recent.append((time.monotonic(), latency_s, in_time))
        traffic.first_byte.add(latency_s)


def _holder(scope: Scope) -> tuple[str, ...]:
    """In whose name a request waits: a product's tenant, or a key; nobody's where neither is told."""
    told = headers_of(scope, _HOLDERS)
    return next(((value,) for value in told.values() if value), ())


def _is_asleep(response: aiohttp.ClientResponse) -> bool:
    return response.status == 503 and ASLEEP_HEADER in response.headers


async def _is_dead(url: str) -> bool:
    """Whether nobody listens at a resident's address any more: a process that lives does, however busy it is."""
    address = URL(url)
    return await is_refused(address.host or "", address.port or 0)
