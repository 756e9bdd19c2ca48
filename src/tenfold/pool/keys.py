"""API keys: who may use this pool, kept in ``keys.json`` of its home.

A key is ``tf_ID_SECRET``. The secret is 256 random bits, of which the file holds the SHA-256 only: who reads it can use
no key. A slow hash would add nothing. It makes guessing dear where people choose secrets out of few; nobody guesses one
of 2^256, and each request pays for the hash. Digests are compared in constant time.
"""

import contextlib
import fcntl
import hashlib
import hmac
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from tenfold.core.errors import AssetError, UsageError
from tenfold.core.frozen import Frozen
from tenfold.core.sound import read_record, write_record
from tenfold.pool.metering.budget import Budget

Role = Literal["viewer", "operator", "developer", "owner", "advertiser", "visitor"]
ROLES: dict[Role, str] = {
    "viewer": "reads everything, changes nothing",
    "operator": "may do everything",
    "developer": "uses models over the OpenAI API, as its tenant",
    "owner": "a business: uses the products that serve owners, as its tenant",
    "advertiser": "uses the products that serve advertisers, as its tenant",
    "visitor": "a tenant's public key, which may stand in a web page: uses public paths, from its origins",
}
_TENANT_ROLES = ("developer", "owner", "advertiser", "visitor")
_TENANT = re.compile(r"[A-Za-z0-9._-]{1,64}")
_KEY = re.compile(r"tf_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")


class Key(Frozen):
    """What is kept of one key."""

    id: str
    role: Role
    tenant: str = Field(description="whose it is, within products; empty for viewers and operators")
    note: str
    made: float = Field(description="Unix seconds")
    digest: str = Field(description="SHA-256 of the secret, hexadecimal")
    origins: tuple[str, ...] = Field((), description="web pages that may use it from a browser, e.g. https://acme.com")
    hosts: tuple[str, ...] = Field((), description="names under which public paths are this tenant's")
    budget: Budget | None = Field(None, description="of what it may use of models")


class KeyFile(Frozen):
    """All keys of a pool."""

    keys: tuple[Key, ...] = ()


def keys_path(home: Path) -> Path:
    """Where the keys of a home are."""
    return home / "keys.json"


def read_keys(home: Path) -> tuple[Key, ...]:
    """Read all keys; none where none was ever made.

    Raises:
        AssetError: the file cannot be read, or does not hold what was written.
    """
    try:
        return read_record(keys_path(home), KeyFile).keys
    except FileNotFoundError:
        return ()


def make_key(
    home: Path,
    role: Role,
    *,
    tenant: str = "",
    note: str = "",
    origins: tuple[str, ...] = (),
    hosts: tuple[str, ...] = (),
    budget: Budget | None = None,
    clock: Callable[[], float] = time.time,
) -> str:
    """Make a key and keep its digest; returns the key itself, which is nowhere else.

    Raises:
        UsageError: the role needs a tenant, or takes none.
    """
    if (role in _TENANT_ROLES) != bool(tenant):
        need = "needs" if role in _TENANT_ROLES else "takes no"
        raise UsageError(f"a key of role {role!r} {need} tenant", next_step="tenfold keys make --help")
    if tenant and not _TENANT.fullmatch(tenant):
        raise UsageError(
            f"{tenant!r} is no name of a tenant", next_step="use up to 64 letters, digits, dots, hyphens or underscores"
        )
    if (origins or hosts) and role != "visitor":
        raise UsageError("only a visitor's key has origins and hosts", next_step="make one with --role visitor")
    for origin in origins:
        if not re.fullmatch(r"https?://[a-z0-9.:-]+", origin):
            raise UsageError(f"{origin!r} is no origin", next_step="write it as https://example.com, in lower case")
    identity, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    key = Key(
        id=identity,
        role=role,
        tenant=tenant,
        note=note,
        made=clock(),
        digest=_digest(secret),
        origins=origins,
        hosts=tuple(host.lower() for host in hosts),
        budget=budget,
    )
    with _changing(home):
        before = read_keys(home)
        for other in before:
            if other.tenant != tenant and not set(key.hosts).isdisjoint(other.hosts):
                shared = ", ".join(sorted(set(key.hosts) & set(other.hosts)))
                raise UsageError(
                    f"{shared} is the tenant {other.tenant}'s", next_step=f"tenfold keys revoke {other.id}"
                )
        _write(home, (*before, key))
    return f"tf_{identity}_{secret}"


def revoke_key(home: Path, identity: str) -> Key:
    """Take a key away, from the next request on.

    Raises:
        UsageError: there is no such key.
    """
    with _changing(home):
        before = read_keys(home)
        found = next((key for key in before if key.id == identity), None)
        if found is None:
            raise UsageError(f"there is no key {identity!r}", next_step="tenfold keys")
        _write(home, tuple(key for key in before if key is not found))
    return found


class Keyring:
    """The keys as a running process sees them: read again when the file has changed.

    Where the file cannot be read nobody is let in by a key, and ``trouble`` says why.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._seen: tuple[int, int] | None = None
        self._keys: dict[str, Key] = {}
        # Asked for at every request, of however many keys there are.
        self._by_host: dict[str, Key] = {}
        self._origins: frozenset[str] = frozenset()
        self.trouble = ""

    def find(self, text: str) -> Key | None:
        """The key that ``text`` is; none if it is no key of this pool."""
        match = _KEY.fullmatch(text)
        if match is None:
            return None
        key = self._known().get(match[1])
        return key if key is not None and hmac.compare_digest(key.digest, _digest(match[2])) else None

    def budget_of(self, identity: str) -> Budget | None:
        """What the key with this id may use of models in a day; none for any amount."""
        key = self._known().get(identity)
        return key.budget if key is not None else None

    def ids(self) -> frozenset[str]:
        """Ids of all keys."""
        return frozenset(self._known())

    def of_host(self, host: str) -> Key | None:
        """The visitor's key of the tenant whose name ``host`` is; without its port."""
        self._known()
        return self._by_host.get(host)

    def knows_origin(self, origin: str) -> bool:
        """Whether any tenant's pages are of ``origin``."""
        self._known()
        return origin in self._origins

    def _known(self) -> dict[str, Key]:
        try:
            found = keys_path(self._home).stat()
        except FileNotFoundError:
            self._seen, self.trouble = None, ""
            self._take(())
            return self._keys
        if self._seen != (found.st_mtime_ns, found.st_ino):
            self._seen = (found.st_mtime_ns, found.st_ino)
            try:
                self._take(read_keys(self._home))
                self.trouble = ""
            except AssetError as error:
                # Read again at the next request: it may be mended, or there were no descriptors to be had.
                self._seen, self.trouble = None, f"no key is taken: {error}"
                self._take(())
        return self._keys

    def _take(self, keys: Sequence[Key]) -> None:
        self._keys = {key.id: key for key in keys}
        # Of a tenant's keys with one host the first counts.
        self._by_host = {host: key for key in reversed(keys) for host in key.hosts}
        self._origins = frozenset(origin for key in keys for origin in key.origins)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _write(home: Path, keys: tuple[Key, ...]) -> None:
    write_record(keys_path(home), KeyFile(keys=keys), mode=0o600)


@contextlib.contextmanager
def _changing(home: Path) -> Iterator[None]:
    """Let one command at a time change the keys."""
    home.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
