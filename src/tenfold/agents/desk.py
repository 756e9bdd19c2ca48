"""All that agents do, joined: conversations, what they may do for customers, and what goes out by itself."""

import asyncio
import datetime as dt
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

import aiohttp
from sqlalchemy import Connection

from tenfold.agents import tables
from tenfold.agents.acting import Kept
from tenfold.agents.answering import Answering
from tenfold.agents.business_settings import BusinessSettings
from tenfold.agents.conversations import Conversations
from tenfold.agents.corrections import SOURCE as CORRECTIONS
from tenfold.agents.corrections import check, gathered, read_corrections
from tenfold.agents.deeds import Deeds, summary_of
from tenfold.agents.deliveries import DELIVERIES
from tenfold.agents.notices import post_notice, send_mail
from tenfold.agents.orders import Ask, Line, Orders
from tenfold.agents.own_orders import OwnOrders
from tenfold.agents.sealing import Seal, Unreadable, is_sealed
from tenfold.agents.serve_writer import ServeWriter
from tenfold.agents.settings import AgentsSettings
from tenfold.agents.settling import Settled, Settling
from tenfold.agents.shop_orders import ShopOrders
from tenfold.agents.shops import Shops
from tenfold.agents.tables import Business, Message, Opening, Thread
from tenfold.agents.uploads import PartIn, PartOut, Uploads
from tenfold.agents.worth import draw, has_untold, resolve, sell, take_untold
from tenfold.catalog.shelf import Shelf
from tenfold.core.links import connector
from tenfold.pool.loops import for_ever
from tenfold.product.channels import meta
from tenfold.product.channels.courier import Courier
from tenfold.product.channels.deliveries import (
    OUTSIDE,
    ChannelRefused,
    Delivery,
    NotSent,
    OutsideWindow,
    Refusal,
)
from tenfold.product.context import Context

EARN_EVERY_S = 2.0
MOST_TOLD = 3
"""Channels that an alarm names."""

Made = TypeVar("Made")

log = logging.getLogger(__name__)


class Desk:
    """Everything that the agents' process does, without its HTTP."""

    def __init__(self, context: Context) -> None:
        assert isinstance(context.settings, AgentsSettings)
        self.settings = context.settings
        self.context = context
        self.shelf = Shelf(context.store)
        self.seal = Seal(context.home)
        self.shops = Shops(context.store, self.shelf, context.cache)
        self._writer = ServeWriter(context.pool, self.settings)
        self.answering = Answering(context.store, self.shelf, self.shops, self._settle, self._writer.of)
        self.conversations = Conversations(context.store, self.answering, self._sent)
        self.deeds = Deeds(self.conversations.read, self.conversations.write)
        self.settling = Settling(self.deeds, self.business, self.orders_of, self.summary_now)
        read, write, keep_days = self.conversations.read, self.conversations.write, self.settings.deliveries_keep_days
        self._courier = Courier(DELIVERIES, read, write, self._send, self._tell_refusals, keep_days)
        self._uploads = Uploads(self.shelf)
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work for as long as this lasts."""
        async with aiohttp.ClientSession(connector=connector()) as self._session:
            await self.conversations.write(self._seal_all)
            await self.conversations.open()
            warming = asyncio.create_task(self._warm())
            sending = asyncio.create_task(for_ever("sending", self._courier.turn, self.context.say))
            telling = asyncio.create_task(for_ever("telling earnings", self._tell, self.context.say))
            try:
                yield
            finally:
                tasks = sending, warming, telling
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await self.conversations.close()

    async def business(self, identity: str) -> Business | None:
        """Read a business; none if there is none of this name."""
        return await self.conversations.read(lambda connection: tables.read_business(connection, identity))

    def settings_of(self, business: Business) -> BusinessSettings:
        """Read a business's own settings; the secrets of its channels are sealed."""
        return BusinessSettings.model_validate(business.settings)

    def channels_of(self, business: Business) -> BusinessSettings:
        """Read a business's own settings with the secrets of its channels.

        Raises:
            Unreadable: these cannot be opened.
        """
        return BusinessSettings.model_validate(self.seal.opened(business.settings))

    def opening(self, business: str, thread: str, channel: str, address: str) -> Opening:
        """Say what a thread begins with, if it is new."""
        share = self.settings.holdout if self.settings.writer == "serve" else 0.0
        return Opening(channel, address, held_out=draw(business, thread, share), share=share)

    def orders_of(self, business: Business) -> Orders:
        """Give the carts and orders of a business: the shop's own, or those kept here."""
        assert self._session is not None
        settings = self.settings_of(business)
        if settings.orders_url:
            return ShopOrders(business, settings.orders_url, self._session)
        return OwnOrders(
            business.id,
            self.conversations.read,
            self.conversations.write,
            lambda variants: self.shelf.offers(business.id, variants),
            settings.checkout_url,
        )

    def summary_now(self, business: str) -> Callable[[Ask], str]:
        """Give what says what a tool would do at the prices of now."""

        def say(ask: Ask) -> str:
            held = self.shops.get(business)
            assert held is not None
            offers = self.shelf.offers(business, [line.variant for line in ask.lines])
            return summary_of(ask, held.title_of, offers)

        return say

    async def in_thread(self, work: Callable[[], Made]) -> Made:
        """Compute where replies are computed, so that the loop never waits."""
        return await asyncio.get_running_loop().run_in_executor(self.answering.thinkers, work)

    async def upload(self, business: str, part: PartIn) -> PartOut:
        """Take a part of a source; with the last one the agent knows it.

        Raises:
            ValueError: the part does not belong to its upload.
        """
        done = await self.in_thread(lambda: self._uploads.take(business, part))
        if not done.missing:
            await self.look_again(business)
        return done

    async def forget_source(self, business: str, source: str) -> None:
        """Forget a source of a business, and all that it brought."""
        await self.in_thread(lambda: self.shelf.forget(business, source, dt.datetime.now(dt.UTC)))
        await self.look_again(business)

    async def corrected(self, business: str) -> None:
        """Take up the owner's answers as they are now."""
        found = await self.conversations.read(lambda connection: read_corrections(connection, business))
        now = dt.datetime.now(dt.UTC)
        await self.in_thread(lambda: self.shelf.put(business, CORRECTIONS, gathered(found), now))
        await self.look_again(business)

    async def look_again(self, business: str) -> None:
        """Take up what a business's agent knows now, and ask again what its owner has answered."""
        found = await self.conversations.read(lambda connection: read_corrections(connection, business))
        held = await self.in_thread(lambda: self.shops.get(business))
        if held is not None and found:
            now = dt.datetime.now(dt.UTC)
            await self.conversations.write(await self.in_thread(lambda: check(held.shop, found, now)))

    def note_sold(self, connection: Connection, business: Business, thread: str, lines: Sequence[Line]) -> None:
        """Note that a conversation has sold something."""
        offers = self.shelf.offers(business.id, [line.variant for line in lines])
        sell(connection, business, thread, lines, offers)

    async def note_resolved(self, business: str, thread: str, by: str) -> None:
        """Note how a thread is known to be resolved, or that it is not (empty)."""

        def noting(connection: Connection) -> None:
            known = tables.read_business(connection, business)
            if known is not None:
                resolve(connection, known, thread, by)

        await self.conversations.write(noting)

    def hurry(self) -> None:
        """Send what was written to be sent."""
        self._courier.hurry()

    async def _warm(self) -> None:
        """Go on with what was begun in a life before, and read all shops."""
        await self.deeds.resume(self._orders_by_name)
        await self.answering.warm()

    def _seal_all(self, connection: Connection) -> None:
        """Seal what a Tenfold before this one kept as it is."""
        for business in tables.read_businesses(connection):
            if not is_sealed(business.settings):
                tables.set_settings(connection, business.id, self.seal.sealed(business.settings))

    async def _orders_by_name(self, business: str) -> Orders | None:
        found = await self.business(business)
        return None if found is None else self.orders_of(found)

    async def _tell(self) -> None:
        """Tell what serve's words earned since the last time."""
        await asyncio.sleep(EARN_EVERY_S)
        tokens, self._writer.tokens = self._writer.tokens, 0

        def telling(connection: Connection) -> None:
            usd = take_untold(connection)
            if usd is not None or tokens:
                self.context.earned(connection, "serve", usd or 0.0, tokens, "resolved conversations")

        try:
            if tokens or await self.conversations.read(has_untold):
                await self.conversations.write(telling)
        except BaseException:
            self._writer.tokens += tokens
            raise

    async def change_settings(self, business: str, given: Mapping[str, object]) -> BusinessSettings:
        """Have a business go by these settings from now on, and by its others; a channel with other ones is tried.

        Raises:
            ValidationError: they are not what settings may be.
        """
        now = time.time()

        def changing(connection: Connection) -> BusinessSettings:
            known = tables.read_business(connection, business)
            assert known is not None, "no business ever goes"
            before = self.settings_of(known)
            after = BusinessSettings.model_validate({**known.settings, **given})
            row = self.seal.sealed(after.model_dump(mode="json", exclude_defaults=True))
            tables.set_settings(connection, business, row)
            if after.whatsapp != before.whatsapp:
                DELIVERIES.renew(connection, business, "whatsapp", now)
            if after.messenger != before.messenger:
                DELIVERIES.renew(connection, business, "messenger", now)
            return after

        after = await self.conversations.write(changing)
        self.hurry()
        return after

    def _tell_refusals(self, refusals: Sequence[Refusal]) -> None:
        """Say whose channels take nothing, and what to do."""
        said = [
            f"{each.told(each.business)}; give it what works by 'tenfold agents set {each.business}'"
            for each in refusals[:MOST_TOLD]
        ]
        more = len(refusals) - len(said)
        self.context.say("channels", "; ".join(said) + (f"; and {more} more channels" if more else ""))

    async def _settle(self, thread: Thread, message: Message, kept: Kept) -> Settled | None:
        return await self.settling.settle(thread, message, kept)

    def _sent(self, _: Message) -> None:
        self._courier.hurry()

    async def _send(self, delivery: Delivery) -> None:
        assert self._session is not None
        business = await self.business(delivery.business)
        if business is None:
            raise NotSent(f"there is no business {delivery.business!r} any more", for_good=True)
        if delivery.channel == "webhook":
            await post_notice(self._session, delivery.address, delivery.content, business.secret)
        elif delivery.channel == "email":
            await send_mail(self.settings, delivery.address, delivery.content)
        else:
            await self._send_by_meta(self._session, business, delivery)

    async def _send_by_meta(self, session: aiohttp.ClientSession, business: Business, delivery: Delivery) -> None:
        thread = delivery.business, delivery.thread
        if not await self.conversations.read(lambda connection: DELIVERIES.is_open(connection, *thread, time.time())):
            raise OutsideWindow(OUTSIDE)
        try:
            settings = self.channels_of(business)
        except Unreadable as error:
            raise ChannelRefused(str(error)) from error
        channel = settings.whatsapp if delivery.channel == "whatsapp" else settings.messenger
        await meta.send(session, self.settings.graph_url, delivery, channel)
