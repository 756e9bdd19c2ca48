"""Forwarding one HTTP request to a process behind, and its answer as it comes: for the gateway and the proxy."""

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable, Coroutine, Iterable, Mapping
from contextvars import ContextVar
from functools import lru_cache
from typing import Literal

import aiohttp
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from starlette.types import Message, Receive, Scope, Send
from yarl import URL

from tenfold.core.links import connector
from tenfold.pool.body import Disconnected
from tenfold.pool.token import TOKEN_HEADER

Fate = Literal["answered", "declined", "unreached", "broken", "cut"]
"""Of one try: answered to its end; not taken; nobody there; broken off before the answer began, or within it."""

CONNECT_S = 2.0
LAST_WORK_S = 0.02
"""From when a client is gone until its request is given up."""

IN_HAND = "tenfold.in_hand"
"""Of a request's scope, once it has a connection: somebody behind has it, and neither refused nor broke it off."""

_PASSED_ON: ContextVar[Scope | None] = ContextVar("_PASSED_ON", default=None)
"""The request that this task is passing on."""

_OF_ONE_CONNECTION = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding"
    b" upgrade expect".split()
)
_NOT_FORWARDED = _OF_ONE_CONNECTION | {TOKEN_HEADER.encode(), b"content-length", b"host", b"authorization", b"cookie"}
_NOT_ADDED = ("accept", "accept-encoding", "content-type", "user-agent")
"""What aiohttp adds by itself, though the client did not say it."""


Begin = Callable[[int], Awaitable[None]]
Headers = Iterable[tuple[str, str]]


class _Telling(aiohttp.TCPConnector):
    """Says of a request that it has its connection."""

    async def connect(
        self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        connection = await super().connect(req, traces, timeout)
        scope = _PASSED_ON.get()
        if scope is not None:
            scope[IN_HAND] = True
        return connection


def passing_session() -> aiohttp.ClientSession:
    """Connections on which clients' requests are passed on: nothing is added, unpacked or remembered.

    A jar of cookies would show one client's to the server in the name of the next.
    """
    return aiohttp.ClientSession(
        connector=connector(keepalive_s=30, kind=_Telling),
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=_NOT_ADDED,
    )


def headers_behind(scope: Scope, more: Mapping[str, str]) -> list[tuple[str, str]]:
    """The headers of a request for the process behind: not those of the client's own connection, nor what shows a key.

    Who asks is known at the door, and whoever is behind it needs nobody's key.
    """
    told = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in scope["headers"] if k not in _NOT_FORWARDED]
    return [*told, *more.items()]


def behind(url: str, scope: Scope) -> URL:
    """The address of a request at the process behind, as it came.

    What a client has quoted is not quoted again, and dots stay what they are: the path was judged as it is.
    """
    path = scope["raw_path"].decode("latin-1").replace("#", "%23")
    query = scope["query_string"].decode("latin-1").replace("#", "%23")
    return URL(f"{url}{path}{'?' if query else ''}{query}", encoded=True)


async def forward(
    session: aiohttp.ClientSession,
    url: str,
    scope: Scope,
    send: Send,
    *,
    headers: Headers,
    body: bytes | AsyncIterable[bytes] | None,
    begin: Begin,
    declines: Callable[[aiohttp.ClientResponse], bool] = lambda _: False,
    begins_with_head: bool = False,
    silent_s: float | None = None,
) -> Fate:
    """Send a request to ``url`` and pass the answer on as it comes, neither unpacked nor gathered; see ``IN_HAND``.

    Args:
        session: of ``passing_session``.
        url: address of the process behind, without a path.
        scope: the client's request.
        send: takes the answer.
        headers: of the request, see ``headers_behind``.
        body: whole, or in parts as they come.
        begin: called with the answer's status just before its first byte goes out; it is not tried again after that.
        declines: whether an answer means that the request was not taken; nothing of it goes out then.
        begins_with_head: whether the answer's head goes out at once, or with the first byte of its body.
        silent_s: longest silence within the answer; none for any.
    """
    begun = False
    _PASSED_ON.set(scope)

    async def start(response: aiohttp.ClientResponse) -> None:
        nonlocal begun
        begun = True
        await begin(response.status)
        await send(_head(response))

    try:
        async with session.request(
            scope["method"],
            behind(url, scope),
            data=body,
            headers=headers,
            allow_redirects=False,
            timeout=_timeout(silent_s),
        ) as response:
            if declines(response):
                scope.pop(IN_HAND, None)
                return "declined"
            if begins_with_head:
                await start(response)
            async for chunk in response.content.iter_any():
                if not begun:
                    await start(response)
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            if not begun:
                await start(response)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        # A kept connection may have died first: aiohttp then makes another one by itself.
        scope.pop(IN_HAND, None)
        return "unreached"
    except aiohttp.ClientError:
        if not begun:
            scope.pop(IN_HAND, None)
        # Once bytes are out, the only honest end is a broken one, which leaving ``more_body`` open gives.
        return "cut" if begun else "broken"
    await send({"type": "http.response.body", "body": b"", "more_body": False})
    return "answered"


async def while_client_stays(
    work: Coroutine[object, object, None], receive: Receive, *, after: asyncio.Event | None = None
) -> None:
    """Do ``work``, and give it up when the client leaves.

    Args:
        work: what to do.
        receive: of a request whose body has been read.
        after: set when the body has been read, where that is still under way.

    Raises:
        Disconnected: the client left before the end.
    """
    worker = asyncio.current_task()
    assert worker is not None
    loop, has_left, has_ended = asyncio.get_running_loop(), False, False

    def give_up() -> None:
        nonlocal has_left
        if not has_ended:
            has_left = True
            worker.cancel()

    def notice(watcher: asyncio.Task[None]) -> None:
        # A server says that the client is gone also once it has the whole answer: what is left to do then is done.
        if not watcher.cancelled() and watcher.exception() is None:
            loop.call_later(LAST_WORK_S, give_up)

    watcher = asyncio.create_task(_leaves(receive, after))
    watcher.add_done_callback(notice)
    try:
        await work
    except asyncio.CancelledError:
        if has_left and not worker.uncancel():
            raise Disconnected from None
        raise
    finally:
        has_ended = True
        watcher.cancel()


async def _leaves(receive: Receive, after: asyncio.Event | None) -> None:
    if after is not None:
        await after.wait()
    while (await receive())["type"] != "http.disconnect":
        pass


@lru_cache(maxsize=64)
def _timeout(silent_s: float | None) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=silent_s)


def _head(response: aiohttp.ClientResponse) -> Message:
    kept = [(k.lower(), v) for k, v in response.raw_headers if k.lower() not in _OF_ONE_CONNECTION]
    return {"type": "http.response.start", "status": response.status, "headers": kept}
