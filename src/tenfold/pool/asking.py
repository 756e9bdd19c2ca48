"""Requests that a page makes of the gateway, as the person who opened it would."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import aiohttp
from pydantic import BaseModel

from tenfold.pool.api_error import reason_in
from tenfold.pool.asker import KEY_HEADER

Given = TypeVar("Given", bound=BaseModel)

_PATIENCE = aiohttp.ClientTimeout(total=120, sock_connect=5, sock_read=30)


class Refused(Exception):
    """The gateway did not answer; the message is for the person at the page.

    ``status``: of its answer, where it gave one.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


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
    if response.ok:
        return
    if response.status == 429:
        after = response.headers.get("Retry-After", "a few")
        raise Refused(f"the pool is full and sheds requests; try again in {after} s")
    raise Refused(f"{reason_in(await response.text())[:300]} ({response.status})", response.status)


async def content(
    base_url: str,
    rights: Mapping[str, str],
    path: str,
    *,
    method: str = "GET",
    body: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """Ask for a whole answer.

    Raises:
        Refused: there is none, or no good one.
    """
    async with (
        asking(base_url, rights) as session,
        session.request(method, path, json=body, headers=headers) as response,
    ):
        await accept(response)
        return await response.read()


@dataclass(frozen=True, slots=True)
class Api:
    """A product's JSON API, as a page asks it.

    ``base_url`` gives the gateway's own address, ``rights`` are of whoever opened the page (``rights_of``), ``prefix``
    is what all of the product's paths begin with, and ``tell`` says on the page why something was refused.
    """

    base_url: Callable[[], str]
    rights: Mapping[str, str]
    prefix: str
    tell: Callable[[str], None]

    async def ask(self, kind: type[Given], path: str, body: Mapping[str, object] | None = None) -> Given | None:
        """Ask: GET, or POST where there is a body; none where it is refused, which the page then says."""
        method = "GET" if body is None else "POST"
        try:
            found = await content(self.base_url(), self.rights, f"{self.prefix}{path}", method=method, body=body)
            return kind.model_validate_json(found)
        except Refused as refusal:
            self.tell(str(refusal))
            return None
