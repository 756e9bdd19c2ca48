"""Follows the subscriptions: when each is due it is read, and what is new becomes passages."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy import Connection

from tenfold.assistant import library
from tenfold.assistant.library import Followed
from tenfold.assistant.reading import MOST_PAGES, Page, is_sitemap, read_feed, read_page, read_sitemap
from tenfold.assistant.settings import AssistantSettings
from tenfold.catalog.ingest.web import NotModified, Unreachable, Web
from tenfold.catalog.passage import Passage

log = logging.getLogger(__name__)

MOST_SITEMAPS = 10
LONGEST_PAUSE = 32
"""Times ``poll_s`` that a subscription in trouble is left alone, at most."""


class Following:
    """Reads subscriptions.

    Args:
        settings: how often, and how much is kept.
        web: fetches.
        write: runs what it is given in a transaction that may write.
        clock: Unix seconds.
    """

    def __init__(
        self,
        settings: AssistantSettings,
        web: Web,
        write: Callable[[Callable[[Connection], object]], Awaitable[object]],
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._web = web
        self._write = write
        self._clock = clock

    async def turn(self) -> bool:
        """Read what is due; whether anything is new."""
        rows = await self._write(library.followed)
        assert isinstance(rows, list)
        due = [each for each in rows if each.next_at <= self._clock()]
        changed = [await self._read(each) for each in due]
        before = self._clock() - self._settings.keep_days * 86400
        weeded = await self._write(lambda c: library.weed(c, before, self._settings.most_passages)) if due else 0
        return any(changed) or bool(weeded)

    async def _read(self, known: Followed) -> bool:
        now = self._clock()
        try:
            after, passages = await self._fetch(known, datetime.fromtimestamp(now, UTC))
        except (Unreachable, ValueError) as error:
            await self._leave_alone(known, str(error), now)
            return False
        except Exception as error:
            # What nobody foresaw of one keeps no other from being read.
            log.exception("subscription %s", known.url)
            await self._leave_alone(known, f"it cannot be read ({type(error).__name__}: {error})", now)
            return False
        noted = replace(after, fails=0, trouble="", read_at=now, next_at=now + self._settings.poll_s)

        def keep(connection: Connection) -> int:
            library.note(connection, noted)
            return library.shelve(connection, known.url, passages)

        return bool(await self._write(keep))

    async def _leave_alone(self, known: Followed, trouble: str, now: float) -> None:
        """Note what is wrong with one; it is tried again later, each time later."""
        fails = known.fails + 1
        pause = self._settings.poll_s * min(LONGEST_PAUSE, 2 ** min(fails - 1, 5))
        log.info("subscription %s: %s; tried again in %.0f s", known.url, trouble, pause)
        told = replace(known, fails=fails, trouble=trouble[:500], next_at=now + pause)
        await self._write(lambda c: library.note(c, told))

    async def _fetch(self, known: Followed, now: datetime) -> tuple[Followed, list[Passage]]:
        try:
            found = await self._web.get(known.url, etag=known.etag, modified=known.modified)
        except NotModified:
            return known, []
        seen = replace(known, etag=found.etag, modified=found.modified)
        if is_sitemap(found.body):
            return replace(seen, title=known.title or known.url), await self._site(found.body, known, now)
        title, passages = await asyncio.to_thread(read_feed, found.body, known.url, now)
        return replace(seen, title=title[:200] or known.url), passages

    async def _site(self, content: bytes, known: Followed, now: datetime) -> list[Passage]:
        """Read the latest pages of a sitemap that have changed since it was last read."""
        inner, pages = read_sitemap(content)
        for url in inner[:MOST_SITEMAPS]:
            fetched = await self._web.get(url)
            pages += read_sitemap(fetched.body)[1]
        since = datetime.fromtimestamp(known.read_at, UTC) if known.read_at else None
        wanted = [page for page in pages if since is None or page.changed is None or page.changed >= since]
        passages = []
        for page in wanted[:MOST_PAGES]:
            passage = await self._page(page, known, now)
            if passage is not None:
                passages.append(passage)
        return passages

    async def _page(self, page: Page, known: Followed, now: datetime) -> Passage | None:
        try:
            found = await self._web.get(page.url)
        except Unreachable as error:
            log.info("page of %s: %s", known.url, error)
            return None
        return await asyncio.to_thread(read_page, found.body, page, known.url, now)
