"""Who is let in: a request must name this pool, and one that a browser sends must come from the pool's own page.

A web page that a person has open can make their browser call any address, the pool's on loopback too. Two things give
such a call away, and no page can forge them. Its ``Origin`` is the page's and not the pool's. Or, where the page's own
name was made to point at the pool's address (DNS rebinding), its ``Host`` is that name. Programs send no ``Origin``.
"""

import ipaddress
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from tenfold.pool.api_error import send_error

_DEFAULT_PORTS = {"http": ":80", "ws": ":80", "https": ":443", "wss": ":443"}
_READS = ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer to a request that is not let in."""

    status: int
    message: str
    code: str


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
        try:
            name = (urlsplit(f"//{authority}").hostname or "").rstrip(".")
        except ValueError:
            return False
        return name in self._names or name == "localhost" or name.endswith(".localhost") or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class Doorkeeper:
    """An ASGI app around the front's that lets in whom it may.

    A workload's path is for programs: without an ``Origin`` it is answered under any name, so that a client in a
    container or behind a proxy needs no setting here.

    Args:
        app: what is behind the door.
        names: the names that the pool answers to.
        workload_paths: paths that workloads answer, and others for their clients.
        is_public: tells the paths that let everybody in, whatever their host and origin, since who answers them looks
            at both.
    """

    def __init__(
        self,
        app: ASGIApp,
        names: HostNames,
        workload_paths: Collection[str],
        is_public: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._app = app
        self._names = names
        self._is_public = is_public
        self._workload_paths = frozenset(workload_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a connection in, or refuse it."""
        refusal = self.judge(scope) if scope["type"] in ("http", "websocket") else None
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            # Before it was accepted: the server answers the handshake with 403.
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": refusal.code})
        else:
            await send_error(send, refusal.status, refusal.message, code=refusal.code)

    def judge(self, scope: Scope) -> Refusal | None:
        """Say why a request is refused; none where it is let in."""
        if self._is_public(scope["path"]):
            return None
        headers = _headers_of(scope, (b"host", b"origin", b"sec-fetch-site", b"sec-fetch-mode", b"content-type"))
        host, origin = headers["host"], headers["origin"]
        is_for_programs = scope["path"] in self._workload_paths
        if host not in self._names and not (is_for_programs and origin is None):
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
            headers["sec-fetch-mode"] == "navigate" and method in _READS
        ):
            return Refusal(403, "requests from pages of other sites are not answered", "foreign_origin")
        if is_for_programs and origin is not None and method not in _READS and not _is_json(headers["content-type"]):
            # A form or plain text is what a page may send anywhere without asking first.
            return Refusal(415, "a browser must send its body as application/json", "not_json")
        return None


def same_origin(origin: str, host: str) -> bool:
    """Whether the ``Origin`` of a request is the address that it was sent to.

    The scheme is not compared: a proxy in front of the pool may speak TLS, the pool does not.
    """
    scheme, _, authority = origin.lower().partition("://")
    port = _DEFAULT_PORTS.get(scheme)
    return port is not None and authority.removesuffix(port) == host.lower().removesuffix(port) != ""


def _is_json(content_type: str | None) -> bool:
    return (content_type or "").partition(";")[0].strip().lower() == "application/json"


def _headers_of(scope: Scope, wanted: tuple[bytes, ...]) -> dict[str, str | None]:
    """Read headers; one that comes twice has a value that matches nothing."""
    found: dict[str, str | None] = {name.decode(): None for name in wanted}
    for name, value in scope["headers"]:
        if name in wanted:
            key, text = name.decode(), value.decode("latin-1")
            found[key] = text if found[key] is None else f"{found[key]}, {text}"
    return found
