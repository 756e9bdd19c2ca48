"""Webhooks of WhatsApp and Messenger: signed, batched, repeated, in any order."""

import logging
import time

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from tenfold.agents.contract import LONGEST_TEXT
from tenfold.agents.conversations import TooMany
from tenfold.agents.deliveries import DELIVERIES
from tenfold.agents.desk import Desk
from tenfold.agents.sealing import Unreadable
from tenfold.agents.talk import Name
from tenfold.product.channels.hooks import LONGEST_ID, meet_challenge, read_hook, take_all
from tenfold.product.channels.meta import Incoming, MetaChannel
from tenfold.product.channels.settings import Messenger, WhatsApp

log = logging.getLogger(__name__)


def hook_routes(desk: Desk) -> APIRouter:
    """Make the routes of webhooks, below ``/BUSINESS``."""
    routes = APIRouter()

    async def settings_of(business: str, channel: MetaChannel) -> WhatsApp | Messenger:
        known = await desk.business(business)
        try:
            settings = None if known is None else desk.channels_of(known)
        except Unreadable as error:
            log.error("%s of %s: %s; %s", channel, business, error, error.next_step)
            raise HTTPException(503, "the channel's secrets cannot be read", {"retry-after": "60"}) from error
        found = None if settings is None else settings.whatsapp if channel == "whatsapp" else settings.messenger
        if found is None:
            raise HTTPException(404, f"{business!r} has no {channel}; set it by 'tenfold agents set'")
        return found

    @routes.get("/{business}/hooks/{channel}")
    async def challenge(request: Request, business: Name, channel: MetaChannel) -> Response:
        """Answer Meta's check that the address is ours."""
        settings = await settings_of(business, channel)
        return meet_challenge(request, settings)

    @routes.post("/{business}/hooks/{channel}")
    async def take(request: Request, business: Name, channel: MetaChannel) -> Response:
        """Write messages down and answer at once; replies are sent later. What comes again is not taken again."""
        settings = await settings_of(business, channel)
        messages, receipts = await read_hook(request, settings)

        async def take_one(message: Incoming) -> None:
            thread, identity = f"{channel}:{message.sender}", message.id[:LONGEST_ID]
            opening = desk.opening(business, thread, channel, message.sender)
            await desk.conversations.take(business, thread, identity, message.text[:LONGEST_TEXT], opening)

        for each in receipts:
            await desk.conversations.write(lambda c, of=each: DELIVERIES.take_receipt(c, business, of, time.time()))
        await take_all(messages, take_one, TooMany)
        return PlainTextResponse("ok")

    return routes
