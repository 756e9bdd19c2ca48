"""Passages out of what was fetched: a feed's entries, a sitemap's pages."""

import calendar
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree import ElementTree

import feedparser

from tenfold.catalog.ingest import markup
from tenfold.catalog.ingest.markup import plain_text
from tenfold.catalog.passage import Passage

MOST_ENTRIES = 200
MOST_PAGES = 50
"""Pages of a sitemap that are read at once, the latest first."""
LONGEST_TEXT = 60_000
SHORTEST_PAGE = 80
"""Characters; a page with fewer has no text to speak of."""
_SITEMAP = re.compile(rb"<(?:urlset|sitemapindex)\b")
_DOCTYPE = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Page:
    """A page that a sitemap names; ``changed``: when, if it says."""

    url: str
    changed: datetime | None


def is_sitemap(content: bytes) -> bool:
    """Whether it is a sitemap, or an index of some."""
    return _SITEMAP.search(content[:4000]) is not None


def read_feed(content: bytes, url: str, now: datetime) -> tuple[str, list[Passage]]:
    """Read RSS or Atom: its title, and its entries that have an address and a text.

    Raises:
        ValueError: it is neither.
    """
    # Bytes, and not the address: feedparser would fetch that by itself.
    found = feedparser.parse(content, sanitize_html=True, resolve_relative_uris=False)
    if not found.get("version"):
        raise ValueError("it is no RSS, no Atom and no sitemap")
    head: Mapping[str, object] = found.feed if isinstance(found.feed, dict) else {}
    entries = [_passage(entry, url, now) for entry in found.entries[:MOST_ENTRIES]]
    return plain_text(str(head.get("title", ""))), [each for each in entries if each is not None]


def _passage(entry: Mapping[str, object], url: str, now: datetime) -> Passage | None:
    link = str(entry.get("link") or entry.get("id") or "")
    parts = entry.get("content")
    bodies = [str(each.get("value", "")) for each in parts] if isinstance(parts, list) and parts else []
    text = plain_text(" ".join(bodies or [str(entry.get("summary", ""))]))[:LONGEST_TEXT]
    title = plain_text(str(entry.get("title", "")))
    if not link.startswith(("http://", "https://")) or not (text or title):
        return None
    published = _time(entry.get("published_parsed") or entry.get("updated_parsed"))
    if published is not None and published > now:
        # Nothing is published later than it is read.
        published = now
    return Passage(link, url, link, title, text or title, now, published)


def read_sitemap(content: bytes) -> tuple[list[str], list[Page]]:
    """Read a sitemap: the sitemaps that it names, and its pages, the latest first.

    Raises:
        ValueError: it is no sitemap, or has a document type, by which entities could be made to grow.
    """
    if _DOCTYPE.search(content):
        raise ValueError("a sitemap with a document type is not read")
    try:
        root = ElementTree.fromstring(content)
    except ElementTree.ParseError as error:
        raise ValueError(f"it is no sitemap: {error}") from error
    inner, pages = [], []
    for entry in root:
        kind = entry.tag.rsplit("}", 1)[-1]
        found = {child.tag.rsplit("}", 1)[-1]: (child.text or "").strip() for child in entry}
        if kind == "sitemap" and found.get("loc"):
            inner.append(found["loc"])
        elif kind == "url" and found.get("loc"):
            pages.append(Page(found["loc"], markup.read_time(found.get("lastmod", ""))))
    pages.sort(key=lambda page: page.changed or datetime.min.replace(tzinfo=UTC), reverse=True)
    return inner, pages[:MOST_PAGES]


def read_page(content: bytes, page: Page, document: str, now: datetime) -> Passage | None:
    """Read a page's text with its title and date, as its site frames it or not; none if it has no text to speak of."""
    found = markup.read_page(content.decode(errors="replace"))
    parts = [part for each in found.sections for part in (each.heading, each.text) if part and part != found.title]
    text = "\n\n".join(parts)[:LONGEST_TEXT]
    if len(text) < SHORTEST_PAGE:
        return None
    published = found.published or page.changed
    if published is not None and published > now:
        published = now
    return Passage(page.url, document, page.url, found.title or page.url, text, now, published)


def _time(parsed: object) -> datetime | None:
    return datetime.fromtimestamp(calendar.timegm(parsed), UTC) if isinstance(parsed, time.struct_time) else None
