"""Pages over HTTP, fetched so that neither the site nor this network is harmed.

A site is asked for what its robots.txt allows, one page after another with a pause, and for bounded pages only. An
address given by a stranger never reaches this machine or its network: names are resolved here and private addresses
refused where the connection is made, redirects included.
"""

import asyncio
import ipaddress
import socket
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from protego import Protego

from tenfold.core.errors import TenfoldError

AGENT = "tenfold"
LARGEST_BYTES = 4 << 20
"""Of one page or feed."""
TIMEOUT_S = 20.0
PAUSE_S = 0.3
"""Seconds between two requests to a site, or longer where its robots.txt asks for it."""
LONGEST_PAUSE_S = 10.0
REDIRECTS = 5


class Unreachable(TenfoldError):
    """A page cannot be had: the site is away, forbids it, or is not to be asked."""


class NotModified(Exception):
    """A page is as it was."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came. ``url``: after redirects. ``charset``: as the server says."""

    url: str
    body: bytes
    kind: str
    charset: str | None
    etag: str
    modified: str


class _Guarded(AbstractResolver):
    """Resolves names to public addresses only."""

    def __init__(self) -> None:
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = [each for each in await self._resolver.resolve(host, port, family) if is_public(each["host"])]
        if not found:
            raise OSError(None, f"{host} has no public address")
        return found

    async def close(self) -> None:
        await self._resolver.close()


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the internet, not to a machine or network of one's own."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).is_global and not found.is_multicast


class Web:
    """Fetches pages of any number of sites; made by ``open_web``."""

    def __init__(self, session: aiohttp.ClientSession, *, private: bool, pause_s: float) -> None:
        self._session = session
        self._private = private
        self._pause_s = pause_s
        self._robots: dict[str, Protego] = {}
        self._next_at: dict[str, float] = {}

    async def get(self, url: str, *, etag: str = "", modified: str = "") -> Fetched:
        """Fetch a page, if its site allows it.

        Args:
            url: its address.
            etag: of the page as it is known.
            modified: when that was changed, as the server said.

        Raises:
            NotModified: it is as it is known.
            Unreachable: it cannot be had; says why.
        """
        robots = await self.robots(url)
        if not robots.can_fetch(url, AGENT):
            raise Unreachable(
                f"{url}: the site's robots.txt forbids it", next_step="the site's owner can allow 'tenfold'"
            )
        asked = {"If-None-Match": etag, "If-Modified-Since": modified}
        return await self._get(url, {name: value for name, value in asked.items() if value}, robots.crawl_delay(AGENT))

    async def robots(self, url: str) -> Protego:
        """What a page's site allows, asked for once a site; a site that fails to tell allows nothing.

        Raises:
            Unreachable: the site cannot be asked.
        """
        site = site_of(url)
        if site not in self._robots:
            try:
                told = (await self._get(f"{site}/robots.txt", {}, None)).body.decode("utf-8", errors="replace")
            except _Refused as error:
                told = "User-agent: *\nDisallow: /" if error.status >= 500 else ""
            self._robots[site] = Protego.parse(told)
        return self._robots[site]

    async def _get(self, url: str, headers: dict[str, str], crawl_delay: float | None) -> Fetched:
        for _ in range(REDIRECTS + 1):
            self._check(url)
            await self._take_turn(site_of(url), crawl_delay)
            try:
                async with self._session.get(url, headers=headers, allow_redirects=False) as response:
                    if response.status in (301, 302, 303, 307, 308) and response.headers.get("Location"):
                        url = urljoin(url, response.headers["Location"])
                        continue
                    if response.status == 304:
                        raise NotModified
                    if response.status != 200:
                        raise _Refused(url, response.status)
                    body = await _bounded(response, url)
                    return Fetched(
                        *(url, body, response.content_type, response.charset),
                        *(response.headers.get("ETag", ""), response.headers.get("Last-Modified", "")),
                    )
            except (aiohttp.ClientError, TimeoutError, OSError, UnicodeError, ValueError) as error:
                cause = str(error) or type(error).__name__
                raise Unreachable(
                    f"{url}: {cause}", next_step="see that the address is right and the site is up"
                ) from error
        raise Unreachable(f"{url}: it redirects more than {REDIRECTS} times", next_step="give the address it leads to")

    def _check(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Unreachable(
                f"{url}: only http and https are fetched", next_step="give an address as https://shop.example"
            )
        # Names are looked at where they are resolved; a written address is not resolved.
        written = parts.hostname.strip("[]")
        if not self._private and _is_address(written) and not is_public(written):
            raise Unreachable(f"{url}: it is no public address", next_step="give the site's public address")

    async def _take_turn(self, site: str, crawl_delay: float | None) -> None:
        loop = asyncio.get_running_loop()
        pause = max(self._pause_s, min(crawl_delay or 0.0, LONGEST_PAUSE_S))
        at = max(loop.time(), self._next_at.get(site, 0.0))
        self._next_at[site] = at + pause
        await asyncio.sleep(at - loop.time())


class _Refused(Unreachable):
    def __init__(self, url: str, status: int) -> None:
        super().__init__(f"{url}: HTTP {status}", next_step="open it in a browser to see what is wrong")
        self.status = status


@asynccontextmanager
async def open_web(*, private: bool = False, pause_s: float = PAUSE_S) -> AsyncIterator[Web]:
    """Open connections; ``private``: addresses of this machine and its network may be asked too."""
    connector = aiohttp.TCPConnector(limit=8) if private else aiohttp.TCPConnector(limit=8, resolver=_Guarded())
    session = aiohttp.ClientSession(
        connector=connector,
        headers={
            "User-Agent": f"{AGENT} (reads what a business shows its customers)",
            "Accept-Encoding": "gzip, deflate",
        },
        timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
        cookie_jar=aiohttp.DummyCookieJar(),
        # A sitemap may be a gzip file; what else is packed is unpacked here, within bounds.
        auto_decompress=False,
    )
    async with session:
        yield Web(session, private=private, pause_s=pause_s)


def site_of(url: str) -> str:
    """Scheme and host of an address, with the port."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


async def _bounded(response: aiohttp.ClientResponse, url: str) -> bytes:
    body = bytearray()
    async for part in response.content.iter_chunked(1 << 16):
        body += part
        if len(body) > LARGEST_BYTES:
            raise _too_large(url)
    return unpacked(bytes(body), response.headers.get("Content-Encoding", ""), url)


def unpacked(body: bytes, coding: str, url: str) -> bytes:
    """Unpack gzip and deflate, a file as well as a transfer, to a bounded size.

    Raises:
        Unreachable: it is broken or too large.
    """
    if body[:2] != b"\x1f\x8b" and coding not in ("gzip", "deflate", "x-gzip"):
        return body
    unpack = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    try:
        plain = unpack.decompress(body, LARGEST_BYTES + 1)
    except zlib.error:
        # Some servers send deflate without its head.
        try:
            plain = zlib.decompressobj(wbits=-zlib.MAX_WBITS).decompress(body, LARGEST_BYTES + 1)
        except zlib.error as error:
            why = f"{url}: it is not packed by {coding or 'gzip'} as it says: {error}"
            raise Unreachable(why, next_step="tell the site's owner") from error
    if len(plain) > LARGEST_BYTES:
        raise _too_large(url)
    return plain


def _too_large(url: str) -> Unreachable:
    return Unreachable(f"{url}: it is larger than {LARGEST_BYTES >> 20} MB", next_step="leave it out, or split it")


def _is_address(host: str) -> bool:
    try:
        # As the system reads it: 127.1 and 0x7f000001 are addresses too.
        socket.inet_aton(host)
    except OSError:
        try:
            ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            return False
    return True
