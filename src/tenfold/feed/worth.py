"""Tells what ranking earned: what was watched beyond what the popular list would have had watched.

And what training it earned: what was watched beyond what a stale model would have had watched.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from tenfold.feed import arms
from tenfold.feed.freshness import Freshness
from tenfold.feed.settings import FeedSettings
from tenfold.feed.subjects import designs_of
from tenfold.product.context import Context

EARN_EVERY_S = 2.0


class Worth:
    """What ranking earned since it was last told.

    Args:
        context: of the feed.
        writer: the one thread in which all that writes runs.
    """

    def __init__(self, context: Context, writer: ThreadPoolExecutor) -> None:
        assert isinstance(context.settings, FeedSettings)
        self._context = context
        self._usd_per_s = context.settings.usd_per_watched_minute / 60.0
        self._writer = writer
        self.lists = 0
        """Lists that ranking has given since."""
        self.events = 0
        """Events that came since, from which ranking can learn."""
        self._freshness = Freshness(designs_of(context.settings))

    async def earn(self) -> None:
        """Tell it once, a moment from now."""
        await asyncio.sleep(EARN_EVERY_S)
        lists, self.lists = self.lists, 0
        events, self.events = self.events, 0
        try:
            await asyncio.get_running_loop().run_in_executor(self._writer, self._tell, lists, events)
        except BaseException:
            self.lists += lists
            self.events += events
            raise

    def _tell(self, lists: int, events: int) -> None:
        store = self._context.store
        with store.reading() as connection:
            if not lists and not arms.has_untold(connection):
                return
            fresher_s = self._freshness.watched_beyond_s(connection)
        with store.writing() as connection:
            watched_s = arms.take_untold(connection)
            if watched_s is not None:
                self._context.earned(connection, "rank", watched_s * self._usd_per_s, lists, "watched minutes")
            if fresher_s is not None:
                self._context.earned(connection, "rank-train", fresher_s * self._usd_per_s, events, "watched minutes")
