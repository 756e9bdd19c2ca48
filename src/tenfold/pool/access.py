"""Who sends a request, and whether they may: the part of the doorkeeper that goes by keys.

A person or program shows an API key (``Authorization: Bearer``, or the cookie of the login page), a process of the pool
its token. Where no key is required, whoever reaches the address may do everything, as on one's own machine. What the
front found out it tells the product in headers, which it takes from nobody else.
"""

import hmac
import ipaddress
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.types import Message, Scope, Send

from tenfold.core.config import AccessSettings
from tenfold.pool.keys import Key, Keyring
from tenfold.pool.product_route import covers
from tenfold.pool.token import TOKEN_HEADER

ROLE_HEADER = "x-tenfold-role"
TENANT_HEADER = "x-tenfold-tenant"
KEY_HEADER = "x-tenfold-key"
"""Id of the API key that was shown."""

FOR_HEADER = "x-tenfold-for"
"""``product/tenant`` on whose behalf a product asks a workload."""

COOKIE = "tenfold_key"
PUBLIC = "public"
"""Role of whoever uses a public path without a key."""

READS = ("GET", "HEAD")
_WANTED = (b"host", b"authorization", b"cookie", TOKEN_HEADER.encode())
_PAGE_PARTS = ("/_nicegui", "/_nicegui_ws")
"""What any page of the console loads; it shows nobody more than the page itself."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer to a request that is not let in."""

    status: int
    message: str
    code: str


@dataclass(frozen=True, slots=True)
class Asker:
    """Who sends a request. ``is_process``: one of this pool's own, by the token. ``key``: id of the key it showed."""

    role: str
    tenant: str = ""
    is_process: bool = False
    key: str = ""


class Access:
    """Judges requests by who sends them.

    Args:
        keyring: the pool's keys.
        token: the pool's secret.
        required: whether each request must show who sends it.
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
        key = self._shown_key(headers)
        path, method = scope["path"], scope.get("method", "GET")
        if self._is_public(path):
            return self._guest(scope, headers, key)
        if key is None:
            if not self.required:
                return Asker("operator")
            return Refusal(
                401, "an API key is needed: Authorization: Bearer KEY (make one with 'tenfold keys make')", "no_key"
            )
        if not self._may(key, path, method):
            return Refusal(403, f"a key of role {key.role!r} may not {method} {path[:200]!r}", "not_allowed")
        return Asker(key.role, key.tenant, key=key.id)

    def allows_origin(self, origin: str, scope: Scope) -> bool:
        """Whether a page of ``origin`` may use a public path: its tenant names it among its own.

        A browser asks first, without the key that it will show: then any tenant's origin will do.
        """
        headers = headers_of(scope, _WANTED)
        key = self._tenant_key(scope, headers, self._shown_key(headers))
        if key is not None:
            return origin in key.origins
        return scope.get("method") == "OPTIONS" and self.keyring.knows_origin(origin)

    def _may(self, key: Key, path: str, method: str) -> bool:
        if key.role == "operator" or any(covers(part, path) for part in _PAGE_PARTS):
            return True
        if key.role == "viewer":
            return method in READS
        return key.role in self._roles_of(path)

    def _guest(self, scope: Scope, headers: Mapping[str, str | None], shown: Key | None) -> Asker:
        key = self._tenant_key(scope, headers, shown)
        if key is None:
            return Asker(PUBLIC)
        return Asker(PUBLIC if key.role == "visitor" else key.role, key.tenant)

    def _tenant_key(self, scope: Scope, headers: Mapping[str, str | None], shown: Key | None) -> Key | None:
        """By a key that was shown, one in the query (where a page's tag cannot send headers), or the host's name."""
        if shown is not None:
            return shown
        asked = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("key", [])
        found = self.keyring.find(asked[0]) if len(asked) == 1 else None
        if found is not None and found.role == "visitor":
            return found
        return self.keyring.of_host((headers["host"] or "").partition(":")[0].lower())

    def _shown_key(self, headers: Mapping[str, str | None]) -> Key | None:
        kind, _, text = (headers["authorization"] or "").partition(" ")
        if kind.lower() == "bearer":
            return self.keyring.find(text.strip())
        cookies = headers["cookie"]
        if cookies is None or COOKIE not in cookies:
            return None
        jar = SimpleCookie()
        try:
            jar.load(cookies)
        except CookieError:
            return None
        return self.keyring.find(jar[COOKIE].value) if COOKIE in jar else None


def is_required(settings: AccessSettings, host: str) -> bool:
    """Whether each request must show a key: it is configured, or others than this machine reach ``host``."""
    if settings.required:
        return True
    try:
        return not ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host != "localhost"


def headers_of(scope: Scope, wanted: tuple[bytes, ...]) -> dict[str, str | None]:
    """Read headers; one that comes twice has a value that matches nothing."""
    found: dict[str, str | None] = {name.decode(): None for name in wanted}
    for name, value in scope["headers"]:
        if name in wanted:
            key, text = name.decode(), value.decode("latin-1")
            found[key] = text if found[key] is None else f"{found[key]}, {text}"
    return found


def introduce(scope: Scope, asker: Asker) -> Scope:
    """The scope with who sends it among its headers, and without what anybody could have claimed there."""
    claims = {name.encode() for name in (ROLE_HEADER, TENANT_HEADER, KEY_HEADER, TOKEN_HEADER)}
    if not asker.is_process:
        claims.add(FOR_HEADER.encode())
    told = [(ROLE_HEADER.encode(), asker.role.encode()), (TENANT_HEADER.encode(), asker.tenant.encode())]
    if asker.key:
        told.append((KEY_HEADER.encode(), asker.key.encode()))
    headers = [(name, value) for name, value in scope["headers"] if name not in claims]
    return {**scope, "headers": [*headers, *told]}


def with_origin(send: Send, origin: str) -> Send:
    """Let the page of ``origin`` read the answer."""

    async def allowed(message: Message) -> None:
        if message["type"] == "http.response.start":
            added = [(b"access-control-allow-origin", origin.encode("latin-1")), (b"vary", b"origin")]
            message = {**message, "headers": [*message["headers"], *added]}
        await send(message)

    return allowed


async def answer_preflight(send: Send, asked: str | None) -> None:
    """Tell a browser that the page may send its request, with the headers that it ``asked`` for."""
    headers = [
        (b"access-control-allow-methods", b"GET, POST, PUT, PATCH, DELETE"),
        (b"access-control-allow-headers", (asked or "authorization, content-type").encode("latin-1")),
        (b"access-control-max-age", b"600"),
        (b"content-length", b"0"),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
