"""Who sends a request, as the front tells those behind it: in headers that it takes from nobody else."""

import re
from dataclasses import dataclass

from starlette.types import Scope

ROLE_HEADER = "x-tenfold-role"
TENANT_HEADER = "x-tenfold-tenant"
ORIGINS_HEADER = "x-tenfold-origins"
"""Sites whose pages may use the tenant's public paths, and show them in a frame; separated by spaces."""

KEY_HEADER = "x-tenfold-key"
"""Id of the key that opened the door, which is no secret; none where no key was needed."""

FOR_HEADER = "x-tenfold-for"
"""``product/tenant`` on whose behalf a product asks a workload."""

PUBLIC = "public"
"""Role of whoever uses a public path without a key."""

COOKIE = "tenfold_key"
"""A browser keeps its person's key in it."""

_OWN = b"x-tenfold-"
_OF_PROXIES = (b"x-forwarded-", b"forwarded", b"x-real-ip", b"x-client-ip", b"true-client-ip", b"cf-connecting-ip")
"""What proxies say of a request. The server has read what it believes of it (``pool.proxies``) into the scope."""

_OTHER_PATHS = (b"x-original-url", b"x-rewrite-url")
"""Some frameworks take their path from these; the one that was judged is the request's own."""

_POOL_KEY = re.compile(r"\btf_[0-9a-f]{12}_")


@dataclass(frozen=True, slots=True)
class Asker:
    """Who sends a request.

    ``key``: id of the key that was shown, if any. ``origins``: sites that its tenant names. ``is_process``: one of this
    pool's own, by the token.
    """

    role: str
    tenant: str = ""
    key: str = ""
    origins: tuple[str, ...] = ()
    is_process: bool = False


def introduce(scope: Scope, asker: Asker) -> Scope:
    """The scope with who sends it among its headers, and without what anybody could have claimed there."""
    kept = [
        (name, value)
        for name, value in scope["headers"]
        if not _is_claim(name) or (asker.is_process and name == FOR_HEADER.encode())
    ]
    told = {ROLE_HEADER: asker.role, TENANT_HEADER: asker.tenant}
    if asker.key:
        told |= {KEY_HEADER: asker.key}
    if asker.origins:
        told |= {ORIGINS_HEADER: " ".join(asker.origins)}
    return {**scope, "headers": [*kept, *((name.encode(), value.encode()) for name, value in told.items())]}


def _is_claim(name: bytes) -> bool:
    # Some servers take an underscore for a hyphen.
    return name.replace(b"_", b"-").startswith((_OWN, *_OF_PROXIES, *_OTHER_PATHS))


def cookies_of(header: str) -> list[tuple[str, str]]:
    """The cookies of a ``Cookie`` header, in order; one that makes no sense harms no other."""
    pairs = (part.strip().partition("=") for part in header.split(";"))
    return [(name.strip(), value.strip().strip('"')) for name, equals, value in pairs if equals]


def without_key(header: str) -> str:
    """A ``Cookie`` header without the cookie that holds a key."""
    kept = (part.strip() for part in header.split(";") if part.strip().partition("=")[0].strip() != COOKIE)
    return "; ".join(filter(None, kept))


def holds_key(text: str) -> bool:
    """Whether a header's value has something of the form of a key of a pool in it."""
    return _POOL_KEY.search(text) is not None
