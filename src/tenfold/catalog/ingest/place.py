"""A source wherever it is: a path on this machine, or an address."""

import asyncio
import hashlib
import socket
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from tenfold.catalog.gathered import Gathered
from tenfold.catalog.ingest.site import read_site, read_web_feed
from tenfold.catalog.ingest.source import read_feed, read_file, read_folder
from tenfold.catalog.ingest.web import PAUSE_S, is_public, open_web

Kind = Literal["feed", "site", "docs"]

Say = Callable[[str, int, int], None]
"""Told what is being read, how many are done, and of how many."""


def is_address(place: str) -> bool:
    """Whether a place is to be asked over HTTP."""
    return place.startswith(("http://", "https://"))


def read_place(
    kind: Kind, place: str, now: datetime, currency: str, kept: Path, say: Say, *, pause_s: float = PAUSE_S
) -> Gathered:
    """Read a source.

    Args:
        kind: what it is: a product feed, a site's pages, documents.
        place: its path, or its address.
        now: the time.
        currency: of prices that name none.
        kept: folder in which pages of sites are kept, so that a reading that was broken off goes on.
        say: told how it goes.
        pause_s: seconds between two requests to a site.

    Raises:
        UsageError: there is no such path, or its name does not say what it is.
        Unreachable: the address cannot be had.
    """
    if is_address(place):
        return asyncio.run(_read_address(kind, place, now, currency, kept, say, pause_s))
    path = Path(place)
    if path.is_dir():
        return read_folder(path, now, currency, say)
    return read_feed(path, now, currency) if kind == "feed" else read_file(path, now, currency)


async def _read_address(
    kind: Kind, place: str, now: datetime, currency: str, kept: Path, say: Say, pause_s: float
) -> Gathered:
    # One's own network is read where it is given as such, and never where a page or a redirect leads to it.
    private = not await asyncio.to_thread(_is_of_the_internet, urlsplit(place).hostname or "")
    async with open_web(private=private, pause_s=pause_s) as web:
        if kind == "feed":
            return await read_web_feed(web, place, currency)
        folder = kept / hashlib.sha256(place.encode()).hexdigest()[:16]
        return await read_site(web, place, folder, now, currency=currency, progress=say)


def _is_of_the_internet(host: str) -> bool:
    try:
        found = socket.getaddrinfo(host, None)
    except OSError:
        return True
    return any(is_public(str(address[0])) for *_, address in found)
