"""The proxy: passes what people and programs ask of a product to its process, by the path's prefix.

A product's process takes no slot, so nothing here waits for one to wake and nothing is tried twice: a product that is
dead, late or full is answered for with 503 at once, and whoever asked tries again.
"""

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping, MutableMapping
from contextlib import asynccontextmanager
from ipaddress import ip_network
from typing import Any

import aiohttp
import orjson
from starlette.types import Receive, Scope, Send

from tenfold.pool.answer import request_id
from tenfold.pool.api_error import send_error
from tenfold.pool.asker import KEY_HEADER, PUBLIC, ROLE_HEADER, TENANT_HEADER, holds_key, without_key
from tenfold.pool.authority import address
from tenfold.pool.body import TOTAL_S, BodyReader, BodyRefused, Disconnected
from tenfold.pool.forward import forward, headers_behind, passing_session, while_client_stays
from tenfold.pool.product_health import ProductHealth
from tenfold.pool.product_route import COUNTS_PATH, ProductRoute, covers
from tenfold.pool.relay import relay
from tenfold.pool.shares import Shares
from tenfold.pool.token import TOKEN_HEADER

log = logging.getLogger(__name__)

LATE_S = 30.0
"""For a product to begin its answer, once it has the whole request."""

SILENT_S = 300.0
"""Within an answer. A stream of events that has nothing to say must send a comment more often than that."""

MOST_IN_FLIGHT = 512
"""Requests and sockets of one product at once: one that hangs must not hold all connections of the front.

Of these an address without a key, and a key that is not an operator's, get as many as they leave free, see ``Shares``.
"""

TENANTS_FACTOR = 4
"""A tenant's visitors together get four times as many as they leave free."""

_ROLE, _KEY, _TENANT = ROLE_HEADER.encode(), KEY_HEADER.encode(), TENANT_HEADER.encode()
_INTRODUCED = (_ROLE, _KEY, _TENANT)

COUNTS_PATIENCE = aiohttp.ClientTimeout(total=2.0)

RETRY_AFTER = {"retry-after": "2"}
"""Seconds; a process that died is started again in about that time."""


class Proxy:
    """Forwards to products; an ASGI app for the paths that it ``serves``, to be wrapped by ``answered``.

    Args:
        token: the pool's secret, which a product asks for as a resident does.
        body_limit_bytes: largest request body.
    """

    def __init__(self, token: str, *, body_limit_bytes: int) -> None:
        self._token = {TOKEN_HEADER: token}
        self._limit_bytes = body_limit_bytes
        self._bodies = BodyReader(body_limit_bytes)
        self._table: list[tuple[str, str, bool]] = []
        self._products: Mapping[str, ProductRoute] = {}
        self._in_flight: Counter[str] = Counter()
        self._shares: defaultdict[str, Shares] = defaultdict(Shares)
        self._session: aiohttp.ClientSession | None = None
        self.health = ProductHealth()

    def learn(self, products: Mapping[str, ProductRoute]) -> None:
        """Take the products as they are now, by name."""
        self._products = dict(products)
        rows = [
            (prefix, name, is_public)
            for name, route in products.items()
            for is_public, prefixes in ((False, route.prefixes), (True, route.public))
            for prefix in prefixes
        ]
        self._table = sorted(rows, key=lambda row: len(row[0]), reverse=True)

    def product_of(self, path: str) -> str | None:
        """Name the product that answers a path: the one with the longest prefix of it."""
        return next((name for prefix, name, _ in self._table if covers(prefix, path)), None)

    def is_public(self, path: str) -> bool:
        """Whether any site's page and any host name may ask for a path; its product then says whom it answers."""
        return next((is_public for prefix, _, is_public in self._table if covers(prefix, path)), False)

    def roles_of(self, path: str) -> tuple[str, ...]:
        """Roles of keys that may use a path of a product's API, or its page at ``/name``."""
        name = self.product_of(path) or path.split("/")[1]
        return self._products[name].roles if name in self._products else ()

    async def troubles(self) -> dict[str, str]:
        """What each product says is wrong with it, or nothing (empty); one that does not answer says nothing."""
        names = tuple(self._products)
        return dict(zip(names, await asyncio.gather(*map(self._trouble_of, names)), strict=True))

    async def _trouble_of(self, name: str) -> str:
        assert self._session is not None, "the proxy is running"
        url = f"{self._products[name].url}{COUNTS_PATH}"
        try:
            async with self._session.get(url, headers=self._token, timeout=COUNTS_PATIENCE) as answer:
                if not answer.ok:
                    # As one whose database cannot be read.
                    return f"asked how it is, it answers {answer.status}; logs/{name}.log says why"
                told = orjson.loads(await answer.read())
        except (aiohttp.ClientError, TimeoutError, orjson.JSONDecodeError) as error:
            log.debug("%s does not say how it is: %s", name, error or type(error).__name__)
            return ""
        return str(told.get("trouble", "")) if isinstance(told, dict) else ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Hold connections to products for as long as the context lasts."""
        session = passing_session()
        async with session as self._session:
            yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request or websocket to its product."""
        name = self.product_of(scope["path"])
        if name is None or self._session is None:
            raise RuntimeError(f"no product answers {scope['path']!r}, or the proxy is not running")
        free = MOST_IN_FLIGHT - self._in_flight[name]
        if free <= 0:
            text = f"{name} has {MOST_IN_FLIGHT} requests in work, and may have no more"
            await _refuse(scope, receive, send, 503, text)
            return
        shares, holders = self._shares[name], _holders(scope)
        over = shares.over(holders, free)
        if over:
            text = f"{over} has as many requests in work at {name} as there is room for others; it may have no more now"
            await _refuse(scope, receive, send, 429, text)
            return
        self._in_flight[name] += 1
        try:
            with shares.held(holders):
                await self._answer(name, self._session, scope, receive, send)
        except Disconnected:
            log.debug("client left %s", scope["path"])
        except BodyRefused as refusal:
            headers = {} if refusal.was_read else {"connection": "close"}
            await send_error(send, refusal.status, str(refusal), headers=headers)
        finally:
            self._in_flight[name] -= 1

    async def _answer(
        self, name: str, session: aiohttp.ClientSession, scope: Scope, receive: Receive, send: Send
    ) -> None:
        if scope["type"] != "websocket":
            await self._pass(name, session, scope, receive, send)
        elif not await relay(session, self._products[name].url, scope, receive, send, self._headers(scope)):
            await _refuse(scope, receive, send, 503, f"{name} does not answer", is_asked=True)

    async def _pass(
        self, name: str, session: aiohttp.ClientSession, scope: Scope, receive: Receive, send: Send
    ) -> None:
        if _told_length(scope) > self._limit_bytes:
            # Read to its end and refused before the product hears of it.
            await self._bodies.read(receive)
        errand = _Errand(name, session, self._products[name].url, scope, send, self.health)
        if not _has_body(scope):
            await while_client_stays(errand.run(self._headers(scope), None), receive)
            return
        upload = _Upload(self._bodies, receive)
        length = {"content-length": str(told)} if (told := _told_length(scope)) else {}
        work = errand.run([*self._headers(scope), *length.items()], upload)
        await while_client_stays(work, receive, after=upload.ended)

    def _headers(self, scope: Scope) -> list[tuple[str, str]]:
        """Those of the client without its key; the host that it named, its address and scheme; and the token."""
        told = {name: value.decode("latin-1") for name, value in scope["headers"]}
        host, rights = told.get(b"host", ""), told.get(b"authorization", "")
        cookies = "; ".join(value.decode("latin-1") for name, value in scope["headers"] if name == b"cookie")
        more = {
            **self._token,
            "host": host,
            "x-forwarded-host": host,
            "x-forwarded-for": scope["client"][0] if scope.get("client") else "",
            "x-forwarded-proto": "https" if scope.get("scheme") in ("https", "wss") else "http",
            "cookie": without_key(cookies),
            # On a public path what is no key of the pool is between the client and the product.
            "authorization": rights if self.is_public(scope["path"]) and not holds_key(rights) else "",
        }
        kept = [line for line in headers_behind(scope, {}) if line[0] not in more]
        return kept + [line for line in more.items() if line[1]]


class _Upload:
    """A request's body on its way to a product. ``refusal``: why it ended early; ``ended``: set at its end."""

    def __init__(self, bodies: BodyReader, receive: Receive) -> None:
        self._parts = bodies.parts(receive)
        self.refusal: BodyRefused | Disconnected | None = None
        self.ended = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for part in self._parts:
                yield part
            self.ended.set()
        except (BodyRefused, Disconnected) as refusal:
            self.refusal = refusal
            raise


class _Errand:
    """One request on its way to a product."""

    def __init__(
        self, name: str, session: aiohttp.ClientSession, url: str, scope: Scope, send: Send, health: ProductHealth
    ) -> None:
        self._health = health
        self._name = name
        self._session = session
        self._url = url
        self._scope = scope
        self._send = send

    async def run(self, headers: list[tuple[str, str]], upload: _Upload | None) -> None:
        """Forward it, and say what is wrong where there is no answer.

        Raises:
            BodyRefused: the client sends too much, or too slowly.
            Disconnected: the client left while it sent.
        """
        waits_s = LATE_S if upload is None else LATE_S + TOTAL_S
        try:
            async with asyncio.timeout(waits_s) as patience:

                async def begin(status: int) -> None:
                    patience.reschedule(None)
                    self._health.note_answer(self._name, status)

                fate = await forward(
                    self._session,
                    self._url,
                    self._scope,
                    self._send,
                    headers=headers,
                    body=None if upload is None else aiter(upload),
                    begin=begin,
                    begins_with_head=True,
                    silent_s=SILENT_S,
                )
        except TimeoutError:
            await self._fail(f"{self._name} has not answered within {waits_s:g} s")
            return
        if fate == "cut":
            log.warning("request %s: %s broke off its answer", request_id(self._scope), self._name)
        elif fate != "answered":
            if upload is not None and upload.refusal is not None:
                raise upload.refusal
            cause = "does not answer" if fate == "unreached" else "broke off before it answered"
            await self._fail(f"{self._name} {cause}; it is started again by itself")

    async def _fail(self, text: str) -> None:
        log.warning("request %s: %s", request_id(self._scope), text)
        self._health.note_failure(self._name, "gave no answer")
        await send_error(self._send, 503, text, headers=RETRY_AFTER)


async def _refuse(
    scope: Scope, receive: Receive, send: Send, status: int, text: str, *, is_asked: bool = False
) -> None:
    """Answer an error, to a websocket's handshake too. ``is_asked``: the handshake has been received."""
    if scope["type"] == "http":
        await send_error(send, status, text, headers=RETRY_AFTER)
        return
    if not is_asked:
        await receive()
    await send_error(_handshake(send), status, text, headers=RETRY_AFTER)


def _holders(scope: Scope) -> dict[str, int]:
    """In whose names a request takes a place, each with its factor: none for operators and the pool's own processes.

    Whoever has an IPv6 address has as many as there are below its first 64 bits, so these count as one. A tenant's
    visitors together may have more than one address, so that one who floods it does not lock the others out.
    """
    told = {name: value.decode("latin-1") for name, value in scope["headers"] if name in _INTRODUCED}
    role, tenant = told.get(_ROLE, "operator"), told.get(_TENANT, "")
    if role == "operator":
        return {}
    if role != PUBLIC:
        return {f"the key {told.get(_KEY, '')}": 1}
    client = scope["client"][0] if scope.get("client") else ""
    found = address(client)
    if found is not None:
        client = str(ip_network((found, 64), strict=False) if found.version == 6 else found)
    return {f"the address {client}": 1} | ({f"the tenant {tenant}": TENANTS_FACTOR} if tenant else {})


def _handshake(send: Send) -> Send:
    """Send an HTTP answer to a websocket's handshake."""

    async def renamed(message: MutableMapping[str, Any]) -> None:
        await send({**message, "type": f"websocket.{message['type']}"})

    return renamed


def _told_length(scope: Scope) -> int:
    """Bytes of the body as the client says; 0 if it does not."""
    return next((int(value) for name, value in scope["headers"] if name == b"content-length" and value.isdigit()), 0)


def _has_body(scope: Scope) -> bool:
    return _told_length(scope) > 0 or any(name == b"transfer-encoding" for name, _ in scope["headers"])
