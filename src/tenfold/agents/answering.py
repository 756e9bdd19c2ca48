"""Computes the agent's replies: what the business has, the brain's answer from it, and what the database says now."""

import asyncio
import datetime as dt
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from tenfold.agents import tables
from tenfold.agents.acting import Kept, is_thanks, wish_of
from tenfold.agents.brain import respond
from tenfold.agents.contract import Proposal, Said
from tenfold.agents.conversations import Replied, ThinkAgain
from tenfold.agents.deeds import digest_of, propose, summary_of
from tenfold.agents.deliveries import DELIVERIES
from tenfold.agents.memory import Memory
from tenfold.agents.notices import tell_of_hand_off
from tenfold.agents.orders import Ask
from tenfold.agents.said import said_of
from tenfold.agents.settling import Settle
from tenfold.agents.shops import Held, Shops, gone
from tenfold.agents.tables import Message, Thread
from tenfold.agents.worth import resolve
from tenfold.catalog.item import Offer
from tenfold.catalog.shelf import Shelf
from tenfold.core.store import Store
from tenfold.reply.fill import OfferChanged, OfferOf, fill, variants_of
from tenfold.reply.reply import Answer, HandOff, Reply
from tenfold.reply.write import Writer, write

log = logging.getLogger(__name__)

THINKERS = 2
"""Threads that compute replies; more would only take turns with the event loop."""


@dataclass(frozen=True, slots=True)
class Thought:
    """What is to be replied, and what the thread keeps. ``ask``: what the customer wants done, to be proposed."""

    reply: Reply
    memory: Memory
    kept: Kept
    ask: Ask | None = None


class Answering:
    """Thinks for ``Conversations``.

    Args:
        store: the database.
        shelf: the catalogs in it.
        shops: the businesses in memory.
        settle: goes on with what waits for a customer's yes or code; none where a message is nothing of the kind.
        writer_for: who words the replies of a thread; none: templates.
    """

    def __init__(
        self,
        store: Store,
        shelf: Shelf,
        shops: Shops,
        settle: Settle,
        writer_for: Callable[[Thread], Writer | None] = lambda _: None,
    ) -> None:
        self._store = store
        self._shelf = shelf
        self._shops = shops
        self._settle = settle
        self._writer_for = writer_for
        self.thinkers = ThreadPoolExecutor(THINKERS, "thinks")

    async def warm(self) -> None:
        """Read all shops, so that no customer waits for it."""
        with self._store.reading() as connection:
            names = [business.id for business in tables.read_businesses(connection)]
        for name in names:
            await asyncio.get_running_loop().run_in_executor(self.thinkers, self._shops.get, name)

    async def think(self, thread: Thread, message: Message) -> Callable[[Connection], Replied]:
        """Find what to reply; what the brain fails at goes to a human."""
        memory, kept = _memory_of(thread), Kept.of(_part(thread.memory, "kept"))
        settled = await self._settle(thread, message, kept)
        if settled is not None:
            return self._finish(thread, message, Thought(settled.reply, memory, settled.kept), None)
        loop = asyncio.get_running_loop()
        thought, held = await loop.run_in_executor(self.thinkers, self._think, thread, message, memory, kept)
        if isinstance(thought.reply, Answer):
            written = await write(message.text, thought.reply, self._writer_for(thread))
            if written.refused:
                log.info("kept from thread %s of %s: %s", thread.id, thread.business, "; ".join(written.refused))
            thought = replace(thought, reply=written.answer)
        return self._finish(thread, message, thought, held)

    def _think(self, thread: Thread, message: Message, memory: Memory, kept: Kept) -> tuple[Thought, Held | None]:
        try:
            held = self._shops.get(thread.business)
            if held is None:
                raise LookupError(f"there is no business {thread.business!r} any more")
            now = dt.datetime.fromtimestamp(message.at, dt.UTC)
            reply, after = respond(held.shop, message.text, memory, now)
        except Exception:
            log.exception("no reply to message %d of %s; a human is asked", message.number, thread.business)
            return Thought(HandOff("failed", message.text), memory, kept), None
        is_proven = bool(thread.customer_at(time.time()))
        ask = wish_of(message.text, reply, after.shown, kept, is_proven=is_proven)
        return Thought(reply, after, kept, ask), held

    def _finish(
        self, thread: Thread, message: Message, thought: Thought, held: Held | None
    ) -> Callable[[Connection], Replied]:
        """What writes the reply: prices and stock are filled in within the transaction that sends it."""

        def finish(connection: Connection) -> Replied:
            now, kept = time.time(), thought.kept
            said = said_of(self._filled(thread.business, thought.reply, held))
            if thought.ask is not None and held is not None:
                said, kept = self._proposed(connection, thread, message, thought.ask, held, kept, now)
            elif isinstance(thought.reply, HandOff):
                self._hand_over(connection, thread, thought.reply, now)
            elif is_thanks(message.text) and thread.memory and not thread.resolved_by:
                self._thanked(connection, thread)
            if thread.channel in ("whatsapp", "messenger"):
                text = {"text": _plain_text(said)}
                DELIVERIES.send_later(connection, thread.business, thread.id, thread.channel, thread.address, text, now)
            memory = {**thought.memory.to_json(), "kept": kept.to_json()}
            return Replied(said.type, said.text, said.model_dump(mode="json"), memory)

        return finish

    def _filled(self, business: str, reply: Reply, held: Held | None) -> Reply:
        if not isinstance(reply, Answer) or held is None:
            return reply
        named = {variant.id for each in reply.evidence.values() for variant in variants_of(each)}
        try:
            return fill(reply, self._offers_now(business, held, sorted(named)))
        except OfferChanged as changed:
            held.offers.doubt()
            raise ThinkAgain from changed

    def _offers_now(self, business: str, held: Held, variants: list[str]) -> OfferOf:
        # No other transaction writes meanwhile, so these are the offers as of this one.
        found = self._shelf.offers(business, variants)

        def offer_of(variant: str) -> Offer:
            return found[variant] if variant in found else gone(held.shop.variants[variant].offer)

        return offer_of

    def _proposed(
        self, connection: Connection, thread: Thread, message: Message, ask: Ask, held: Held, kept: Kept, now: float
    ) -> tuple[Said, Kept]:
        """Propose what the customer wants done, in words with prices of now."""
        offers = self._shelf.offers(thread.business, [line.variant for line in ask.lines])
        summary = summary_of(ask, held.title_of, offers)
        deed = propose(connection, thread.business, thread.id, ask, f"{thread.id}/{message.number}", summary, now)
        proposal = Proposal(id=deed.id, tool=ask.tool, summary=summary, confirm=digest_of(summary))
        said = Said(type="clarify", text=f"{summary} Shall I?", choices=("Yes", "No"), proposal=proposal)
        return said, replace(kept, deed=deed.id, coded=False)

    def _thanked(self, connection: Connection, thread: Thread) -> None:
        business = tables.read_business(connection, thread.business)
        if business is not None:
            resolve(connection, business, thread.id, "thanks")

    def _hand_over(self, connection: Connection, thread: Thread, reply: HandOff, now: float) -> None:
        tables.change_thread(connection, thread.business, thread.id, held_by="human", handed_off=True)
        business = tables.read_business(connection, thread.business)
        if business is not None:
            tell_of_hand_off(connection, business, thread, reply.reason, reply.summary, now)


def _memory_of(thread: Thread) -> Memory:
    found = {key: value for key, value in thread.memory.items() if key != "kept"}
    return Memory.from_json(found) if found else Memory()


def _plain_text(said: Said) -> str:
    """The reply for a channel that has no buttons."""
    return f"{said.text} ({' / '.join(said.choices)})" if said.proposal is not None else said.text


def _part(of: tables.Json, key: str) -> tables.Json:
    part = of.get(key)
    return part if isinstance(part, dict) else {}
