"""Who is let in: a request must name this pool, and one that a browser sends must come from the pool's own page.

A web page that a person has open can make their browser call any address, the pool's on loopback too. Two things give
such a call away, and no page can forge them. Its ``Origin`` is the page's and not the pool's. Or, where the page's own
name was made to point at the pool's address (DNS rebinding), its ``Host`` is that name. Programs send no ``Origin``.

Who is let in by its address must then show who it is, where keys are required (``pool/access.py``).
"""

from collections.abc import Callable, Collection, Iterable

from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from tenfold.pool.access import READS, Access, Refusal, headers_of
from tenfold.pool.api_error import send_error
from tenfold.pool.asker import introduce
from tenfold.pool.authority import address, host_name, is_loopback
from tenfold.pool.cross_origin import answer_preflight, confined, sheltered, with_origin
from tenfold.pool.login import LOGIN_PATH, Login, way_in
from tenfold.pool.opened import Opened
from tenfold.pool.target import fault_of

_DEFAULT_PORTS = {"http": ":80", "ws": ":80", "https": ":443", "wss": ":443"}


class HostNames:
    """The names that the pool answers to.

    Any IP address is one: no other party can make an address point here. So is ``localhost`` and what ends in it. The
    port is not looked at, since a tunnel (``ssh -L``) changes it.

    Args:
        names: further names, as ``pool.host`` and ``pool.hosts``.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(name.lower().rstrip(".") for name in names if name)

    def __contains__(self, authority: object) -> bool:
        """Whether the value of a ``Host`` header names this pool."""
        if not isinstance(authority, str):
            return False
        name = host_name(authority)
        return name is not None and (name in self._names or is_loopback(name) or address(name) is not None)


class Doorkeeper:
    """An ASGI app around the front's that lets in whom it may.

    A workload's path is for programs: without an ``Origin`` it is answered under any name, so that a client in a
    container or behind a proxy needs no setting here.

    Args:
        app: what is behind the door.
        names: the names that the pool answers to.
        workload_paths: paths that workloads answer, and others for their clients.
        is_public: tells the paths that let everybody in under any name: a widget, a webhook. Other sites' pages may
            read the answers, and change something, if the tenant whose path it is names their origin.
        access: finds who sends a request, and whether they may; none: everybody may, and nobody is introduced.
    """

    def __init__(
        self,
        app: ASGIApp,
        names: HostNames,
        workload_paths: Collection[str],
        is_public: Callable[[str], bool] = lambda _: False,
        access: Access | None = None,
    ) -> None:
        self._app = app
        self._access = access
        self._login = Login(access.keyring) if access is not None else None
        self._opened = Opened(access.keyring) if access is not None else None
        self._names = names
        self._is_public = is_public
        self._workload_paths = frozenset(workload_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a connection in, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        send = sheltered(send)
        refusal = self.judge(scope)
        if refusal is None:
            refusal = await self._let_in(scope, receive, send)
        if refusal is not None:
            await _refuse(refusal, scope, receive, send)

    def close_revoked(self) -> int:
        """End what keys had opened that are no more; how many requests and sockets that was."""
        return self._opened.close_revoked() if self._opened is not None else 0

    async def _let_in(self, scope: Scope, receive: Receive, send: Send) -> Refusal | None:
        """Answer a request that names the pool, if who sends it may have it answered."""
        if self._access is None or self._opened is None or self._login is None:
            await self._app(scope, receive, send)
            return None
        if scope["path"] == LOGIN_PATH and scope["type"] == "http":
            await self._login(scope, receive, send)
            return None
        asker = self._access.judge(scope)
        if isinstance(asker, Refusal):
            return asker
        if scope["type"] == "http" and self._is_public(scope["path"]):
            asked = headers_of(scope, (b"origin", b"access-control-request-method", b"access-control-request-headers"))
            origin = asked["origin"]
            if origin is not None and not self._access.allows_origin(origin, scope):
                origin = None
            send = with_origin(confined(send), origin)
            if origin and scope["method"] == "OPTIONS" and asked["access-control-request-method"]:
                await answer_preflight(send, asked["access-control-request-headers"])
                return None
        introduced = introduce(scope, asker)
        if asker.key:
            await self._opened.run(self._app, asker.key, introduced, receive, send)
        else:
            await self._app(introduced, receive, send)
        return None

    def judge(self, scope: Scope) -> Refusal | None:
        """Say why a request is refused; none where it is let in."""
        fault = fault_of(scope)
        if fault:
            return Refusal(400, f"{scope['path'][:200]!r} is no path of this pool: {fault}", "bad_path")
        return self._judge_public(scope) if self._is_public(scope["path"]) else self._judge_own(scope)

    def _judge_own(self, scope: Scope) -> Refusal | None:
        headers = headers_of(scope, (b"host", b"origin", b"sec-fetch-site", b"sec-fetch-mode", b"content-type"))
        host, origin = headers["host"], headers["origin"]
        is_for_programs = scope["path"] in self._workload_paths
        is_under_any_name = is_for_programs and origin is None and (host is None or host_name(host) is not None)
        if host not in self._names and not is_under_any_name:
            return Refusal(
                421,
                f"this pool does not answer to the name {host!r:.100}; use its address, or add the name to pool.hosts"
                " in tenfold.toml",
                "unknown_host",
            )
        if origin is not None and not same_origin(origin, host or ""):
            return Refusal(403, f"requests from pages of {origin!r:.100} are not answered", "foreign_origin")
        method = scope.get("method", "GET")
        if headers["sec-fetch-site"] == "cross-site" and not (
            headers["sec-fetch-mode"] == "navigate" and method in READS
        ):
            return Refusal(403, "requests from pages of other sites are not answered", "foreign_origin")
        if is_for_programs and origin is not None and method not in READS and not _is_json(headers["content-type"]):
            # A form or plain text is what a page may send anywhere without asking first.
            return Refusal(415, "a browser must send its body as application/json", "not_json")
        return None

    def _judge_public(self, scope: Scope) -> Refusal | None:
        """Of a page whose origin no tenant names, what only reads is answered; its browser keeps the answer from it."""
        headers = headers_of(scope, (b"host", b"origin"))
        host, origin = headers["host"], headers["origin"]
        if host is not None and host_name(host) is None:
            return Refusal(400, f"{host!r:.100} is no name of a host", "bad_host")
        is_ours = host in self._names or (self._access is not None and self._access.is_tenants(host))
        if origin is None or (is_ours and same_origin(origin, host or "")):
            return None
        if (self._access is not None and self._access.allows_origin(origin, scope)) or scope.get("method") in READS:
            return None
        return Refusal(403, f"requests from pages of {origin!r:.100} are not answered", "foreign_origin")


async def _refuse(refusal: Refusal, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        # Before it was accepted: the server answers the handshake with 403.
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": refusal.code})
    elif refusal.code == "no_key" and scope["method"] in READS and _wants_page(scope):
        await RedirectResponse(way_in(scope["path"], scope["query_string"]), 303)(scope, receive, send)
    else:
        headers = {"www-authenticate": "Bearer"} if refusal.status == 401 else None
        await send_error(send, refusal.status, refusal.message, code=refusal.code, headers=headers)


def _wants_page(scope: Scope) -> bool:
    """Whether a person waits for it: browsers ask for HTML by name, programs take anything."""
    return "text/html" in (headers_of(scope, (b"accept",))["accept"] or "")


def same_origin(origin: str, host: str) -> bool:
    """Whether the ``Origin`` of a request is the address that it was sent to.

    The scheme is not compared: a proxy in front of the pool may speak TLS, the pool does not.
    """
    scheme, _, authority = origin.lower().partition("://")
    port = _DEFAULT_PORTS.get(scheme)
    return port is not None and authority.removesuffix(port) == host.lower().removesuffix(port) != ""


def _is_json(content_type: str | None) -> bool:
    return (content_type or "").partition(";")[0].strip().lower() == "application/json"
