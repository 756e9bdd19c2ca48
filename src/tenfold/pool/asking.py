"""Requests that a page makes of the gateway, as the person who opened it would."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp

from tenfold.pool.asker import KEY_HEADER

_PATIENCE = aiohttp.ClientTimeout(total=120, sock_connect=5, sock_read=30)


class Refused(Exception):
    """The gateway did not answer; the message is for the person at the page."""


def rights_of(headers: Mapping[str, str]) -> dict[str, str]:
    """Take from the request that opened a page what shows who sent it: what the page asks for is asked by them.

    The page asks on loopback, where no key is needed. One that was opened with a key says that it asks for somebody
    elsewhere: so it may do nothing once that key is revoked.
    """
    rights = {name: headers[name] for name in ("authorization", "cookie") if name in headers}
    return rights | ({"via": "1.1 console"} if headers.get(KEY_HEADER) else {})


@asynccontextmanager
async def asking(base_url: str, rights: Mapping[str, str]) -> AsyncIterator[aiohttp.ClientSession]:
    """Open a session with the gateway.

    Args:
        base_url: the gateway's own address.
        rights: of whoever asks, see ``rights_of``.

    Raises:
        Refused: it cannot be reached, or breaks off.
    """
    try:
        async with aiohttp.ClientSession(base_url, timeout=_PATIENCE, headers=rights) as session:
            yield session
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Refused(f"no answer from the gateway: {error or type(error).__name__}") from error


async def accept(response: aiohttp.ClientResponse) -> None:
    """See that an answer is one.

    Raises:
        Refused: the gateway shed the request, or failed.
    """
    if response.status == 200:
        return
    if response.status == 429:
        after = response.headers.get("Retry-After", "a few")
        raise Refused(f"the pool is full and sheds requests; try again in {after} s")
    text = (await response.text())[:200]
    raise Refused(f"the gateway answered {response.status}: {text}")
