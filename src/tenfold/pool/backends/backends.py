"""Requests passed to other servers of models, as bytes: tried elsewhere only before the first byte of an answer.

Each backend has connections, a bound on its requests, timeouts and a circuit breaker of its own, so that one that is
dead or hangs costs the others nothing.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import aiohttp
from starlette.types import Scope, Send

from tenfold.pool.answer import request_id
from tenfold.pool.api_error import send_error
from tenfold.pool.backends.breaker import Breaker
from tenfold.pool.backends.settings import BackendSettings
from tenfold.pool.forward import Fate, forward, headers_behind, passing_session

log = logging.getLogger(__name__)

_NOT_TOLD = ("authorization", "cookie", "accept-encoding", "origin", "referer")
"""What a client said to the pool and no other is to hear; and answers must come as they are, to be metered."""

_ELSEWHERE = frozenset({429, 500, 502, 503, 504})
"""Answers that say that another backend may do better."""


@dataclass(frozen=True, slots=True)
class BackendView:
    """A backend as others see it."""

    name: str
    url: str
    models: tuple[str, ...]
    state: str
    in_flight: int
    answered: int
    failed: int
    opened: int


class Backend:
    """One server. ``answered`` and ``failed`` count what became of requests; ``in_flight`` are in its hands."""

    def __init__(
        self, name: str, settings: BackendSettings, clock: Callable[[], float] = time.monotonic, key: str | None = None
    ) -> None:
        self.name = name
        self.settings = settings
        self.breaker = Breaker(settings.failures, settings.open_s, clock)
        self.in_flight = 0
        self.answered = 0
        self.failed = 0
        self._authorization = {"authorization": f"Bearer {key}"} if key else {}
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Hold its connections for as long as the context lasts."""
        session = passing_session()
        async with session as self._session:
            yield

    @property
    def takes(self) -> bool:
        """Whether a request may go to it now."""
        return self.breaker.state != "open" and self.in_flight < self.settings.at_once

    async def ask(self, scope: Scope, body: bytes, send: Send, *, is_last: bool) -> Fate:
        """Pass a request on.

        Args:
            scope: the request.
            body: its body.
            send: takes the answer.
            is_last: nobody else can be asked, so its answer goes to the client whatever it says.
        """
        assert self._session is not None, "running comes first"
        status = 0

        async def begin(found: int) -> None:
            nonlocal status
            status = found
            patience.reschedule(None)

        def declines(response: aiohttp.ClientResponse) -> bool:
            nonlocal status
            status = response.status
            return response.status in _ELSEWHERE and not is_last

        self.in_flight += 1
        self.breaker.begin()
        fate: Fate | None = None
        try:
            async with asyncio.timeout(self.settings.first_byte_s) as patience:
                fate = await forward(
                    self._session,
                    self.settings.url,
                    scope,
                    send,
                    headers=[*self._told(scope), *self._authorization.items()],
                    body=body,
                    begin=begin,
                    declines=declines,
                    silent_s=self.settings.silent_s,
                )
        except TimeoutError:
            fate = "broken"
        finally:
            self.in_flight -= 1
            if fate is None:
                self.breaker.given_up()
        self._count(fate, status, scope)
        return fate

    def view(self) -> BackendView:
        """Show it."""
        return BackendView(
            name=self.name,
            url=self.settings.url,
            models=self.settings.models,
            state=self.breaker.state,
            in_flight=self.in_flight,
            answered=self.answered,
            failed=self.failed,
            opened=self.breaker.opened,
        )

    def _told(self, scope: Scope) -> Iterable[tuple[str, str]]:
        kept = (line for line in headers_behind(scope, {}) if line[0] not in _NOT_TOLD)
        return [line for line in kept if not line[0].startswith("x-tenfold-")]

    def _count(self, fate: Fate, status: int, scope: Scope) -> None:
        # One that is busy says so with 429: it lives.
        if fate in ("answered", "declined") and (status < 500):
            self.breaker.succeeded()
            self.answered += fate == "answered"
            return
        was = self.breaker.state
        self.breaker.failed()
        self.failed += 1
        log.warning("request %s: backend %s: %s %s", request_id(scope), self.name, fate, status or "")
        if was == "closed" and self.breaker.state == "open":
            log.error("backend %s is left alone for %g s", self.name, self.settings.open_s)


class Backends:
    """All of them, by the models that they serve."""

    def __init__(self, backends: Iterable[Backend]) -> None:
        self._all = tuple(backends)
        self._of: dict[str, list[Backend]] = {}
        for backend in self._all:
            for model in backend.settings.models:
                self._of.setdefault(model, []).append(backend)

    @property
    def models(self) -> tuple[str, ...]:
        """Names of what they serve, each once."""
        return tuple(self._of)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Hold connections for as long as the context lasts."""
        async with AsyncExitStack() as stack:
            for backend in self._all:
                await stack.enter_async_context(backend.running())
            yield

    def serve(self, model: str) -> bool:
        """Whether one of them serves a model."""
        return model in self._of

    async def ask(self, model: str, scope: Scope, body: bytes, send: Send, trying: Callable[[Backend], None]) -> None:
        """Have a request answered by one that serves ``model``, the least busy first; if nobody can, tell the client.

        Args:
            model: that is asked.
            scope: the request.
            body: its body.
            send: takes the answer.
            trying: told whom is asked, before each try.
        """
        tried: list[str] = []
        able = sorted((each for each in self._of[model] if each.takes), key=lambda each: each.in_flight)
        for place, backend in enumerate(able):
            # While another was tried this one may have failed for others.
            if not backend.takes:
                continue
            trying(backend)
            fate = await backend.ask(scope, body, send, is_last=place == len(able) - 1)
            if fate in ("answered", "cut"):
                return
            tried.append(backend.name)
        await self._tell_why(model, tried, send)

    def views(self) -> tuple[BackendView, ...]:
        """Show all."""
        return tuple(backend.view() for backend in self._all)

    async def _tell_why(self, model: str, tried: list[str], send: Send) -> None:
        serving = self._of[model]
        if tried:
            await send_error(send, 502, f"{model}: {', '.join(tried)} did not answer", code="backend_failed")
            return
        full = [each.name for each in serving if each.breaker.state != "open"]
        if full:
            text = f"{model}: {', '.join(full)} has as many requests in work as serve.backends allows"
            await send_error(send, 429, text, headers={"retry-after": "1"})
            return
        wait_s = max(1, round(min(each.breaker.wait_s for each in serving)))
        text = f"{model}: {', '.join(each.name for each in serving)} failed again and again; tried again in {wait_s} s"
        await send_error(send, 503, text, code="backend_failed", headers={"retry-after": str(wait_s)})


def make_backends(tables: Mapping[str, BackendSettings]) -> Backends:
    """Make what ``[serve.backends]`` names.

    Raises:
        ConfigError: the key of one is not in the environment.
    """
    return Backends(Backend(name, settings, key=settings.key(name)) for name, settings in tables.items())
