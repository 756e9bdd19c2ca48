"""Who sends a request, and whether they may: the part of the doorkeeper that goes by keys.

A person or program shows an API key (``Authorization: Bearer``, or the cookie of the login page), a process of the pool
its token. Where no key is required, whoever is on this machine may do everything, as on one's own; a request that came
from elsewhere needs a key all the same. What the front found out it tells the product, see ``pool/asker.py``.
"""

import hmac
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs

from starlette.types import Scope

from tenfold.core.config import Config
from tenfold.pool.asker import COOKIE, PUBLIC, Asker, cookies_of
from tenfold.pool.authority import host_name, is_loopback
from tenfold.pool.keys import Key, Keyring
from tenfold.pool.product_route import covers
from tenfold.pool.token import TOKEN_HEADER

READS = ("GET", "HEAD")
_BY_PROXIES = ("forwarded", "via", "x-real-ip", "x-forwarded-host")
_WANTED = (b"host", b"authorization", b"cookie", TOKEN_HEADER.encode(), *(name.encode() for name in _BY_PROXIES))
_PAGE_PARTS = ("/_nicegui", "/_nicegui_ws")
"""What any page of the console loads. It shows nobody more than the page itself, whose id nobody can guess."""

_HOW = "Authorization: Bearer KEY (make one with 'tenfold keys make')"


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer to a request that is not let in."""

    status: int
    message: str
    code: str


class Access:
    """Judges requests by who sends them.

    Args:
        keyring: the pool's keys.
        token: the pool's secret.
        required: whether each request must show who sends it; else only those that came from another machine.
        is_public: tells the paths that need no key.
        roles_of: the roles that may use a path, beside operators: those that its product serves.
    """

    def __init__(
        self,
        keyring: Keyring,
        token: str,
        *,
        required: bool,
        is_public: Callable[[str], bool] = lambda _: False,
        roles_of: Callable[[str], Collection[str]] = lambda _: (),
    ) -> None:
        self.keyring = keyring
        self.required = required
        self._token = token
        self._is_public = is_public
        self._roles_of = roles_of

    def judge(self, scope: Scope) -> Asker | Refusal:
        """Find who sends a request; a refusal where that is not known or may not be."""
        headers = headers_of(scope, _WANTED)
        if hmac.compare_digest((headers[TOKEN_HEADER] or "").encode(), self._token.encode()):
            return Asker("operator", is_process=True)
        if self._is_public(scope["path"]):
            return self._guest(scope, headers)
        key = self._key_in_header(headers) or self._key_in_cookie(headers)
        if key is not None:
            return self._holder(key, scope)
        if self.required:
            return Refusal(401, f"an API key is needed: {_HOW}", "no_key")
        elsewhere = _from_elsewhere(scope, headers)
        if elsewhere:
            return Refusal(401, f"an API key is needed, since this request came {elsewhere}: {_HOW}", "no_key")
        return Asker("operator")

    def is_tenants(self, host: str | None) -> bool:
        """Whether a ``Host`` is the name of some tenant's."""
        return self.keyring.of_host(host_name(host) or "") is not None

    def allows_origin(self, origin: str, scope: Scope) -> bool:
        """Whether a page of ``origin`` may use a public path: its tenant names it among its own.

        A browser asks first, without the key that it will show: then any tenant's origin will do.
        """
        key = self._tenant_key(scope, headers_of(scope, _WANTED))
        if key is not None:
            return origin in key.origins
        return scope.get("method") == "OPTIONS" and self.keyring.knows_origin(origin)

    def _holder(self, key: Key, scope: Scope) -> Asker | Refusal:
        if self._may(key, scope):
            return Asker(key.role, key.tenant, key.id)
        does = scope.get("method", "open a websocket at")
        return Refusal(403, f"a key of role {key.role!r} may not {does} {scope['path'][:200]!r}", "not_allowed")

    def _may(self, key: Key, scope: Scope) -> bool:
        path = scope["path"]
        if key.role == "visitor":
            # It stands in a web page for all to read, so it opens public paths only.
            return False
        if key.role == "operator" or any(covers(part, path) for part in _PAGE_PARTS):
            return True
        if key.role == "viewer":
            # Of what goes over a websocket nobody can say whether it changes something.
            return scope["type"] == "http" and scope["method"] in READS
        return key.role in self._roles_of(path)

    def _guest(self, scope: Scope, headers: Mapping[str, str | None]) -> Asker:
        """Whoever uses a public path: with a role if their key's may use the path anyway, else as one of the public."""
        key = self._tenant_key(scope, headers)
        if key is None:
            return Asker(PUBLIC)
        return Asker(key.role if self._may(key, scope) else PUBLIC, key.tenant, key.id, key.origins)

    def _tenant_key(self, scope: Scope, headers: Mapping[str, str | None]) -> Key | None:
        """By a key in the header, one in the query (where a page's tag cannot send headers), or the host's name."""
        shown = self._key_in_header(headers)
        if shown is not None:
            return shown
        asked = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("key", [])
        found = self.keyring.find(asked[0]) if len(asked) == 1 else None
        if found is not None and found.role == "visitor":
            return found
        return self._key_in_cookie(headers) or self.keyring.of_host(host_name(headers["host"]) or "")

    def _key_in_header(self, headers: Mapping[str, str | None]) -> Key | None:
        kind, _, text = (headers["authorization"] or "").partition(" ")
        return self.keyring.find(text.strip()) if kind.lower() == "bearer" else None

    def _key_in_cookie(self, headers: Mapping[str, str | None]) -> Key | None:
        texts = (value for name, value in cookies_of(headers["cookie"] or "") if name == COOKIE)
        return next(filter(None, map(self.keyring.find, texts)), None)


def is_required(config: Config) -> bool:
    """Whether each request must show a key: it is configured, or others than this machine are meant to reach the pool.

    They do where it listens for them, and where it has a name that is not loopback's: a proxy's, which listens for it.
    """
    names = (config.pool.host, *config.pool.hosts)
    return config.access.required or not all(map(is_loopback, names))


def _from_elsewhere(scope: Scope, headers: Mapping[str, str | None]) -> str:
    """How a request came from another machine, in words; empty if it did not.

    The pool listens on loopback, but a proxy on this machine may pass on what the whole internet sends. It betrays
    itself by the name under which it was asked, or by what it says of the client.
    """
    host, client = headers["host"], scope.get("client")
    if host is not None and not is_loopback(host_name(host) or ""):
        return f"under the name {host!r:.100}"
    if client is not None and not is_loopback(client[0]):
        return f"from {client[0]!r:.100}"
    told = next((name for name in _BY_PROXIES if headers[name] is not None), None)
    return f"through a proxy, which sent {told!r}" if told else ""


def headers_of(scope: Scope, wanted: tuple[bytes, ...]) -> dict[str, str | None]:
    """Read headers; one that comes twice has a value that matches nothing."""
    found: dict[str, str | None] = {name.decode(): None for name in wanted}
    for name, value in scope["headers"]:
        if name in wanted:
            key, text = name.decode(), value.decode("latin-1")
            found[key] = text if found[key] is None else f"{found[key]}, {text}"
    return found
