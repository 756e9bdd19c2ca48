"""The assistant on WhatsApp and Messenger: whoever writes there is alone with it, in a thread of their own.

What comes is on disk before Meta is answered, and is replied to like any other message; the reply is written in one
transaction with its delivery, which is tried until Meta has it.
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import cast

import aiohttp
import sqlalchemy as sa
from sqlalchemy import Connection

from tenfold.assistant import earning, tables
from tenfold.assistant.answering import Outcome
from tenfold.assistant.contract import LONGEST_TEXT
from tenfold.assistant.settings import AssistantSettings
from tenfold.assistant.tables import Message, Person
from tenfold.core.links import connector
from tenfold.pool.loops import for_ever
from tenfold.product.channels import meta
from tenfold.product.channels.courier import Courier
from tenfold.product.channels.deliveries import (
    OUTSIDE,
    ChannelRefused,
    Deliveries,
    Delivery,
    NotSent,
    OutsideWindow,
    Receipt,
    Refusal,
)
from tenfold.product.channels.hooks import LONGEST_ID
from tenfold.product.channels.meta import Incoming, MetaChannel
from tenfold.product.channels.settings import Messenger, WhatsApp
from tenfold.product.transactions import Transactions

log = logging.getLogger(__name__)

OWN = ""
"""Whose channels they are, in the table of deliveries: the assistant's own."""
MOST_WAITING = 20
"""Messages of one thread that wait for a reply; more are sent again by Meta."""
_SECRETS = ("access_token", "app_secret", "verify_token")
NO_IMAGES = "I can send no images here."

addresses = sa.Table(
    "addresses",
    tables.metadata,
    sa.Column("channel", sa.String, primary_key=True),
    sa.Column("address", sa.String, primary_key=True),
    sa.Column("thread", sa.String, nullable=False, unique=True),
    sa.Column("person", sa.String, nullable=False),
)


def _last_of(_: sa.ColumnElement[str], thread: sa.ColumnElement[str]) -> sa.ScalarSelect[float]:
    """When somebody who is not the assistant wrote last in a thread."""
    mine = (tables.messages.c.thread == thread) & (tables.messages.c.person != tables.ASSISTANT)
    return sa.select(sa.func.max(tables.messages.c.at)).where(mine).scalar_subquery()


DELIVERIES = Deliveries(tables.metadata, _last_of)


class NotSet(Exception):
    """A channel that is not configured, or only in part; the message says what is missing."""


class TooMany(Exception):
    """Somebody has as many messages waiting as they may have."""


class Channels:
    """What comes from WhatsApp and Messenger, and what goes there.

    Args:
        settings: ``[assistant]``.
        transactions: of the assistant's database.
        clock: Unix seconds.
        say: told under a name what is wrong now; nothing (empty) once it is right again.
        environment: where the secrets are.
    """

    def __init__(
        self,
        settings: AssistantSettings,
        transactions: Transactions,
        clock: Callable[[], float],
        say: Callable[[str, str], None],
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._settings = settings
        self._identities: dict[MetaChannel, tuple[str, str]] = {
            "whatsapp": ("whatsapp_number", settings.whatsapp_number),
            "messenger": ("messenger_page", settings.messenger_page),
        }
        self._transactions = transactions
        self._clock = clock
        self._environment, self._say = environment, say
        keep_days = settings.deliveries_keep_days
        self._courier = Courier(
            DELIVERIES, transactions.read, transactions.write, self._send, self._tell, keep_days, clock
        )
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send what is due for as long as this lasts."""
        for channel, (_, identity) in self._identities.items():
            if identity:
                try:
                    self.of(channel)
                except NotSet as error:
                    log.error("%s", error)
            # Number and secrets are read as this process starts, so what was known of those before counts no more.
            await self._transactions.write(lambda c, which=channel: DELIVERIES.renew(c, OWN, which, self._clock()))
        async with aiohttp.ClientSession(connector=connector()) as self._session:
            sending = asyncio.create_task(for_ever("sending", self._courier.turn, self._say))
            try:
                yield
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)

    def of(self, channel: MetaChannel) -> WhatsApp | Messenger:
        """Give what a channel is told.

        Raises:
            NotSet: it has no number or page, or a secret is missing.
        """
        key, identity = self._identities[channel]
        if not identity:
            raise NotSet(f"the assistant has no {channel}; set [assistant] {key}")
        names = {each: f"ASSISTANT_{channel}_{each}".upper() for each in _SECRETS}
        missing = [name for name in names.values() if not self._environment.get(name)]
        if missing:
            raise NotSet(f"[assistant] {key} is set; set {', '.join(missing)} in the environment too")
        secrets = {each: self._environment[name] for each, name in names.items()}
        if channel == "whatsapp":
            return WhatsApp(phone_number_id=identity, **secrets)
        return Messenger(page_id=identity, **secrets)

    async def take(self, channel: MetaChannel, message: Incoming) -> None:
        """Write a message down; one that comes again is not taken again.

        Raises:
            TooMany: the sender's messages before are not replied to yet.
        """
        text, now, share = message.text[:LONGEST_TEXT], self._clock(), self._settings.holdout

        def taking(connection: Connection) -> None:
            thread, person = _room_of(connection, channel, message.sender, share, now)
            _, is_new = tables.take(connection, thread, person, message.id[:LONGEST_ID], text, now, waiting=True)
            if is_new and _count_waiting(connection, thread) > MOST_WAITING:
                raise TooMany(f"{MOST_WAITING} messages of this sender wait for a reply")

        await self._transactions.write(taking)

    async def take_receipts(self, receipts: Sequence[Receipt]) -> None:
        """Note what a channel says of deliveries."""
        for each in receipts:
            await self._transactions.write(lambda c, of=each: DELIVERIES.take_receipt(c, OWN, of, self._clock()))

    def hurry(self) -> None:
        """Send what was written to be sent."""
        self._courier.hurry()

    async def _send(self, delivery: Delivery) -> None:
        assert self._session is not None
        now = self._clock()
        if not await self._transactions.read(lambda c: DELIVERIES.is_open(c, OWN, delivery.thread, now)):
            raise OutsideWindow(OUTSIDE)
        channel = cast(MetaChannel, delivery.channel)
        try:
            settings = self.of(channel)
        except NotSet as error:
            if not self._identities[channel][1]:
                raise NotSent(str(error), for_good=True) from error
            # A secret that is missing may be set at the next start.
            raise ChannelRefused(str(error)) from error
        await meta.send(self._session, self._settings.graph_url, delivery, settings)

    def _tell(self, refusals: Sequence[Refusal]) -> None:
        """Say which channels take nothing, and what to do."""
        for channel in self._identities:
            of = next((each for each in refusals if each.channel == channel), None)
            secret = f"ASSISTANT_{channel}_ACCESS_TOKEN".upper()
            cure = f"; start again with a {secret} that works" if of and "ASSISTANT_" not in of.why else ""
            self._say(channel, "" if of is None else f"{of.told('the assistant')}{cure}")


def is_outside(connection: Connection, thread: str) -> bool:
    """Whether a thread is read on WhatsApp or Messenger."""
    return connection.execute(sa.select(addresses.c.thread).where(addresses.c.thread == thread)).first() is not None


def send_reply(connection: Connection, asked: Message, outcome: Outcome, now: float) -> None:
    """Have a reply sent to whoever asked outside, in the transaction that writes it; others read it here."""
    place = connection.execute(sa.select(addresses).where(addresses.c.thread == asked.thread)).first()
    if place is not None:
        text = {"text": "\n".join([outcome.text, *_sources_of(outcome)])}
        DELIVERIES.send_later(connection, OWN, asked.thread, place.channel, place.address, text, now)


def _sources_of(outcome: Outcome) -> list[str]:
    """Addresses of what an answer rests on, each once: there is no page beside the words that could show them."""
    claims = cast("Sequence[Mapping[str, Sequence[Mapping[str, str]]]]", outcome.said.get("claims", ()))
    return list(dict.fromkeys(cited["url"] for claim in claims for cited in claim["evidence"] if cited["url"]))


def _room_of(connection: Connection, channel: str, address: str, share: float, now: float) -> tuple[str, str]:
    """Thread and person of a sender, made at their first message."""
    here = (addresses.c.channel == channel) & (addresses.c.address == address)
    row = connection.execute(sa.select(addresses.c.thread, addresses.c.person).where(here)).first()
    if row is not None:
        return row.thread, row.person
    person: Person = tables.make_person(connection, f"{channel} …{address[-4:]}", now)[0]
    thread = tables.make_thread(connection, channel, person.id, share, now, earning.is_without)
    earning.count_thread(connection, thread)
    made = {"channel": channel, "address": address, "thread": thread.id, "person": person.id}
    connection.execute(sa.insert(addresses).values(made))
    return thread.id, person.id


def _count_waiting(connection: Connection, thread: str) -> int:
    waiting = (tables.messages.c.thread == thread) & tables.messages.c.waiting
    return connection.execute(sa.select(sa.func.count()).select_from(tables.messages).where(waiting)).scalar_one()
