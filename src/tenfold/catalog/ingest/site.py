"""A site's pages, found by its sitemap or else by its links, read one after another.

What was fetched is kept in a folder, so that a reading that was broken off goes on where it stopped, and a later one
asks only whether pages have changed.
"""

import hashlib
import html
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urldefrag, urljoin, urlsplit

from tenfold.catalog.gathered import Gathered, Skipped
from tenfold.catalog.ingest.decode import decode
from tenfold.catalog.ingest.documents import read_document
from tenfold.catalog.ingest.markup import read_page
from tenfold.catalog.ingest.source import Told, feed_of, joined, read_html
from tenfold.catalog.ingest.web import NotModified, Unreachable, Web, site_of
from tenfold.core.errors import Damaged
from tenfold.core.frozen import Frozen
from tenfold.core.paths import replace_file
from tenfold.core.sound import read_record, write_record

MOST_PAGES = 1000
MOST_SITEMAPS = 50
MOST_FEED_PAGES = 100
FRESH = timedelta(hours=1)
"""A page fetched since then is not asked for again: a reading goes on."""
_LOCATION = re.compile(r"<loc>\s*(?:<!\[CDATA\[)?\s*([^<\]]+?)\s*(?:\]\]>)?\s*</loc>", re.IGNORECASE)
_NO_PAGE = re.compile(r"\.(?:jpe?g|png|gif|webp|svg|ico|css|js|pdf|zip|mp4|woff2?|xml|gz)$", re.IGNORECASE)
_ASIDE = re.compile(r"/(?:cart|checkout|login|account|search|wp-admin|wishlist|compare)(?:/|$|\?)", re.IGNORECASE)

Progress = Callable[[str, int, int], None]
"""Told the page, how many are read, and how many are known."""


class KeptPage(Frozen):
    """The note beside a page that was fetched."""

    url: str
    kind: str
    charset: str | None
    etag: str
    modified: str
    fetched: datetime


@dataclass(frozen=True, slots=True)
class _Page:
    note: KeptPage
    body: bytes


async def read_site(
    web: Web,
    url: str,
    folder: Path,
    now: datetime,
    *,
    currency: str = "USD",
    most: int = MOST_PAGES,
    progress: Progress = lambda _url, _done, _all: None,
) -> Gathered:
    """Read a site.

    Args:
        web: fetches.
        url: the site's address, a page to begin at, or its sitemap.
        folder: where pages are kept.
        now: the time.
        currency: of prices that name none.
        most: pages that are read at most.
        progress: told each page.

    Raises:
        Unreachable: the site itself cannot be had, or forbids everything.
    """
    start = url if "://" in url else f"https://{url}"
    if urlsplit(start).path.endswith((".xml", ".xml.gz")):
        sitemaps = [start]
    else:
        # A site that is away or forbids itself is an error, not a site without pages; and it may live elsewhere.
        start = (await _fetch(web, start, folder, now)).note.url
        sitemaps = list((await web.robots(start)).sitemaps) or [urljoin(start, "/sitemap.xml")]
    ahead = deque(await _listed(web, sitemaps, site_of(start)))
    by_links = not ahead
    if by_links:
        ahead.append(start)
    known = set(ahead)
    told: list[Told] = []
    read = 0
    while ahead and read < most:
        page_url = ahead.popleft()
        read += 1
        progress(page_url, read, min(len(known), most))
        try:
            page = await _fetch(web, page_url, folder, now)
        except Unreachable as error:
            told.append(Told(Gathered(skipped=(Skipped(page_url, str(error).removeprefix(f"{page_url}: ")),))))
            continue
        if site_of(page.note.url) != site_of(start):
            told.append(Told(Gathered(skipped=(Skipped(page_url, f"it leads to another site, {page.note.url}"),))))
            continue
        told.append(_told(page, currency))
        if by_links and page.note.kind.endswith("html"):
            for link in _links(page, site_of(start)):
                if link not in known:
                    known.add(link)
                    ahead.append(link)
    if ahead:
        why = f"{len(ahead)} more pages are known, and at most {most} are read"
        told.append(Told(Gathered(skipped=(Skipped(site_of(start), why),))))
    return joined(told, currency)


async def read_web_feed(web: Web, url: str, currency: str = "USD") -> Gathered:
    """Read a product feed by its address.

    Raises:
        Unreachable: it cannot be had.
    """
    if urlsplit(url).path.endswith("/products.json") and not urlsplit(url).query:
        return await _shopify(web, url, currency)
    fetched = await web.get(url)
    return feed_of(decode(fetched.body, fetched.charset), url, currency, site_of(url))


async def _shopify(web: Web, url: str, currency: str) -> Gathered:
    """Shopify gives 250 products a page at most."""
    whole = Gathered()
    for page in range(1, MOST_FEED_PAGES + 1):
        fetched = await web.get(f"{url}?limit=250&page={page}")
        found = feed_of(decode(fetched.body, fetched.charset), f"{url}, page {page}", currency, site_of(url))
        whole += found
        if not found.items:
            return whole
    why = f"it has more than {MOST_FEED_PAGES} pages of products"
    return whole + Gathered(skipped=(Skipped(url, why),))


async def _listed(web: Web, sitemaps: list[str], site: str) -> list[str]:
    """Pages of the site that its sitemaps name, in their order, each once."""
    found: dict[str, None] = {}
    ahead, seen = deque(sitemaps), set(sitemaps)
    while ahead and len(seen) <= MOST_SITEMAPS:
        try:
            fetched = await web.get(ahead.popleft())
        except Unreachable:
            # Having none is usual; pages are found by links then.
            continue
        text = decode(fetched.body, fetched.charset)
        locations = [html.unescape(each) for each in _LOCATION.findall(text)]
        if "<sitemapindex" in text:
            fresh = [each for each in locations if each not in seen and site_of(each) == site]
            seen.update(fresh)
            ahead.extend(fresh)
        else:
            found |= dict.fromkeys(each for each in locations if site_of(each) == site and not _NO_PAGE.search(each))
    return list(found)


async def _fetch(web: Web, url: str, folder: Path, now: datetime) -> _Page:
    name = hashlib.sha256(url.encode()).hexdigest()[:32]
    kept = _kept(folder, name)
    if kept is not None and now - kept.note.fetched < FRESH:
        return kept
    note = kept.note if kept is not None else None
    try:
        came = await web.get(url, etag=note.etag if note else "", modified=note.modified if note else "")
    except NotModified:
        assert kept is not None
        page = _Page(kept.note.model_copy(update={"fetched": now}), kept.body)
    else:
        told = KeptPage(
            url=came.url, kind=came.kind, charset=came.charset, etag=came.etag, modified=came.modified, fetched=now
        )
        page = _Page(told, came.body)
        replace_file(folder / f"{name}.page", came.body)
    write_record(folder / f"{name}.json", page.note)
    return page


def _kept(folder: Path, name: str) -> _Page | None:
    try:
        return _Page(read_record(folder / f"{name}.json", KeptPage), (folder / f"{name}.page").read_bytes())
    except (FileNotFoundError, Damaged):
        return None


def _told(page: _Page, currency: str) -> Told:
    note = page.note
    text = decode(page.body, note.charset)
    if note.kind.endswith("html") or note.kind == "application/xhtml+xml":
        return read_html(text, note.url, note.url, note.fetched)
    if note.kind in ("text/plain", "text/markdown"):
        name = urlsplit(note.url).path.rpartition("/")[2] or "page.txt"
        return Told(read_document(text, name, note.fetched, document=note.url, url=note.url))
    if note.kind == "text/csv":
        return Told(feed_of(text, note.url, currency))
    why = f"pages of kind {note.kind!r} are not read; HTML, plain text, Markdown and CSV are"
    return Told(Gathered(skipped=(Skipped(note.url, why),)))


def _links(page: _Page, site: str) -> list[str]:
    found = read_page(decode(page.body, page.note.charset)).links
    absolute = (urldefrag(urljoin(page.note.url, each)).url for each in found)
    own = (each for each in absolute if site_of(each) == site)
    return [each for each in own if not _NO_PAGE.search(each) and not _ASIDE.search(each)]
