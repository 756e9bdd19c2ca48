"""All that the assistant's process does, without its HTTP: messages in, replies out, subscriptions followed."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from sqlalchemy import Connection

from tenfold.assistant import earning, library, tables
from tenfold.assistant.answering import Outcome, Room, answer, outcome_of, read_room, reply_in
from tenfold.assistant.channels import NO_IMAGES, Channels, is_outside, send_reply
from tenfold.assistant.following import Following
from tenfold.assistant.intent import is_called, read_intent
from tenfold.assistant.services import Image, NoService, Services
from tenfold.assistant.settings import AssistantSettings
from tenfold.assistant.sources import Memo, Sources
from tenfold.assistant.tables import Message, Person, Thread
from tenfold.assistant.writer import Writer
from tenfold.catalog.ingest.web import open_web
from tenfold.core.minilm import load_minilm
from tenfold.pool.loops import for_ever
from tenfold.product.context import Context
from tenfold.product.transactions import Transactions
from tenfold.reply.reply import Answer, Unknown

log = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0
EARN_EVERY_S = 2.0
FAILED = "I failed at this message, and it is noted. Please write it in other words."


class Desk:
    """The assistant. Its database calls and its thinking run in threads, so that the event loop waits for neither."""

    def __init__(self, context: Context, clock: Callable[[], float] = time.time) -> None:
        assert isinstance(context.settings, AssistantSettings)
        self.settings = context.settings
        self._context = context
        self._store = context.store
        self._transactions = Transactions(context.store)
        self.read, self.write = self._transactions.read, self._transactions.write
        self._clock = clock
        self.channels = Channels(self.settings, self._transactions, clock, context.say)
        self._following: Following | None = None
        self._services = Services(self.settings)
        self._writer = Writer(context.pool, self.settings)
        self._embedder: Memo | None = None
        self._sources: Sources | None = None
        self._replied: dict[tuple[str, int], asyncio.Event] = {}
        self._knock = asyncio.Event()
        self._thinking = ThreadPoolExecutor(1, "thinks")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work for as long as this lasts."""
        await self.write(self._begin)
        await self._services.open()
        loops = {"replying": self._reply_turn, "following": self._follow_turn, "telling earnings": self._earn}
        async with open_web(private=self.settings.private_hosts) as web, self.channels.running():
            self._following = Following(self.settings, web, self.write, self._clock)
            tasks = [asyncio.create_task(for_ever(name, turn, self._context.say)) for name, turn in loops.items()]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await self._services.close()
                self._thinking.shutdown(cancel_futures=True)
                self._transactions.close()

    def now(self) -> float:
        """Unix seconds."""
        return self._clock()

    # ---- threads

    async def make_thread(self, person: Person, name: str) -> Thread:
        """Make a thread, drawn into one arm of the comparison."""

        def make(connection: Connection) -> Thread:
            share = self.settings.holdout
            thread = tables.make_thread(connection, name, person.id, share, self.now(), earning.is_without)
            earning.count_thread(connection, thread)
            return thread

        return await self.write(make)

    async def post(self, thread: Thread, person: Person, id: str, text: str) -> tuple[Message, bool]:
        """Take a message; it is on disk when this returns. Whether the assistant was asked.

        Where one person is alone with it, each message is to the assistant.
        """

        def take(connection: Connection) -> tuple[Message, bool]:
            is_alone = len(tables.members_of(connection, thread.id)) == 1
            asked = is_called(text) or is_alone
            message, is_new = tables.take(connection, thread.id, person.id, id, text, self.now(), waiting=asked)
            return message, (asked if is_new else message.waiting or _has_reply(connection, message))

        message, is_asked = await self.write(take)
        if message.waiting:
            self.knock()
        return message, is_asked

    def knock(self) -> None:
        """Reply at once to what waits."""
        self._knock.set()

    async def reply_to(self, message: Message) -> Message | None:
        """Wait for the reply to a message, for as long as a request may."""
        key = (message.thread, message.number)
        event = self._replied.setdefault(key, asyncio.Event())
        found = await self.read(lambda c: tables.reply_to(c, *key))
        if found is None:
            try:
                async with asyncio.timeout(self.settings.reply_wait_s):
                    await event.wait()
            except TimeoutError:
                return None
            found = await self.read(lambda c: tables.reply_to(c, *key))
        self._replied.pop(key, None)
        return found

    # ---- replies

    async def _reply_turn(self) -> None:
        """Reply to all that waits, the oldest first; what a life before left is there too."""
        for message in await self.read(tables.waiting):
            await self._reply(message)
        try:
            async with asyncio.timeout(LOOK_EVERY_S):
                await self._knock.wait()
        except TimeoutError:
            pass
        self._knock.clear()

    async def _reply(self, asked: Message) -> None:
        room = await self.read(lambda c: read_room(c, asked))
        outcome = await self._think(room)
        image: Image | None = None
        if outcome.draw and await self.read(lambda c: is_outside(c, asked.thread)):
            outcome = Outcome(NO_IMAGES)
        elif outcome.draw:
            outcome, image = await self._draw(outcome)
        thread = await self.read(lambda c: tables.thread_of(c, asked.thread))
        tokens = 0
        if thread is not None and isinstance(outcome.reply, Answer) and self.settings.writer and not thread.held_out:
            worded, tokens = await self._writer.word(asked.text, outcome.reply)
            outcome = outcome_of(worded)

        def keep(connection: Connection) -> None:
            said = dict(outcome.said)
            if image is not None:
                tables.write_image(connection, asked.thread, asked.number, image.kind, image.content)
                said["image"] = f"/v1/assistant/threads/{asked.thread}/images/{asked.number}"
            if tables.reply(connection, asked, outcome.text, said, self.now()) is None:
                return
            send_reply(connection, asked, outcome, self.now())
            if outcome.write is not None:
                outcome.write(connection)
            if thread is not None and isinstance(outcome.reply, Answer):
                earning.count_answer(connection, thread, tokens)

        await self.write(keep)
        self.channels.hurry()
        if (event := self._replied.get((asked.thread, asked.number))) is not None:
            event.set()

    async def _think(self, room: Room) -> Outcome:
        loop = asyncio.get_running_loop()
        sources = await loop.run_in_executor(self._thinking, self._ready)
        try:
            return await self._reply_to(room, sources)
        except Exception:
            # It would fail again, and everybody's messages since would wait for it.
            log.exception("no reply to message %d of thread %s", room.asked.number, room.asked.thread)
            return Outcome(FAILED)

    async def _reply_to(self, room: Room, sources: Sources) -> Outcome:
        now = datetime.fromtimestamp(self.now(), UTC)
        loop = asyncio.get_running_loop()
        outcome = await loop.run_in_executor(self._thinking, lambda: reply_in(room, sources, now))
        if isinstance(outcome.reply, Unknown) and self._services.can_search:
            question = read_intent(room.asked.text).what
            try:
                found = await self._services.search(question, now)
            except NoService as refusal:
                log.info("no web search: %s", refusal)
                return outcome
            reply = await loop.run_in_executor(
                self._thinking, lambda: answer(room, question, Sources(found, sources.embedder), now)
            )
            if isinstance(reply, Answer):
                return outcome_of(reply)
        return outcome

    async def _draw(self, outcome: Outcome) -> tuple[Outcome, Image | None]:
        try:
            image = await self._services.draw(outcome.draw)
        except NoService as refusal:
            return Outcome(str(refusal)), None
        return Outcome(f"An image made by a model, no photo: {outcome.draw[:200]}"), image

    # ---- sources

    def _begin(self, connection: Connection) -> None:
        for url in self.settings.subscriptions:
            library.follow(connection, url)

    def _ready(self) -> Sources:
        """What was read, ready to be searched; in the thread that thinks."""
        if self._embedder is None:
            self._embedder = Memo(load_minilm(self._context.cache))
        if self._sources is None:
            with self._store.reading() as connection:
                passages = library.read_passages(connection)
            self._sources = Sources(passages, self._embedder)
        return self._sources

    async def follow(self, url: str) -> bool:
        """Subscribe, and read it soon."""
        return await self.write(lambda c: library.follow(c, url))

    async def unfollow(self, url: str) -> bool:
        """End a subscription."""
        found = await self.write(lambda c: library.unfollow(c, url))
        self._sources = None
        return found

    async def _follow_turn(self) -> None:
        assert self._following is not None
        if await self._following.turn():
            self._sources = None
        await asyncio.sleep(1.0)

    # ---- earnings

    async def _earn(self) -> None:
        await asyncio.sleep(EARN_EVERY_S)

        def tell(connection: Connection) -> None:
            found = earning.take_untold(connection, self.settings.usd_per_answer)
            if found is not None and self.settings.writer:
                self._context.earned(connection, "serve", found.usd, found.tokens, "answered requests")

        if await self.read(earning.has_untold):
            await self.write(tell)


def _has_reply(connection: Connection, message: Message) -> bool:
    return tables.reply_to(connection, message.thread, message.number) is not None
