"""Webhooks of WhatsApp and Messenger: signed, batched, repeated, in any order."""

import hmac
import logging

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from tenfold.agents.business_settings import Messenger, WhatsApp
from tenfold.agents.contract import LONGEST_NAME, LONGEST_TEXT
from tenfold.agents.conversations import TooMany
from tenfold.agents.deliveries import note_arrived
from tenfold.agents.desk import Desk
from tenfold.agents.meta import SIGNATURE_HEADER, MetaChannel, is_signed, read_messenger, read_whatsapp
from tenfold.agents.sealing import Unreadable
from tenfold.agents.talk import Name

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
        asked = request.query_params
        token = asked.get("hub.verify_token", "")
        if asked.get("hub.mode") != "subscribe" or not hmac.compare_digest(
            token.encode(), settings.verify_token.encode()
        ):
            raise HTTPException(403, "the verify token is not the one that is set here")
        return PlainTextResponse(asked.get("hub.challenge", "")[:LONGEST_NAME])

    @routes.post("/{business}/hooks/{channel}")
    async def take(request: Request, business: Name, channel: MetaChannel) -> Response:
        """Write messages down and answer at once; replies are sent later. What comes again is not taken again."""
        settings = await settings_of(business, channel)
        body = await request.body()
        if not is_signed(body, request.headers.get(SIGNATURE_HEADER, ""), settings.app_secret):
            raise HTTPException(401, "the body is not signed with the app's secret")
        arrived: list[int] = []
        if isinstance(settings, WhatsApp):
            messages, arrived = read_whatsapp(body, settings)
        else:
            messages = read_messenger(body, settings)
        for message in messages:
            opening = desk.opening(business, f"{channel}:{message.sender}", channel, message.sender)
            thread, identity = f"{channel}:{message.sender}", message.id[:LONGEST_NAME]
            try:
                await desk.conversations.take(business, thread, identity, message.text[:LONGEST_TEXT], opening)
            except TooMany as error:
                # Meta sends the batch again, and what was taken of it is not taken twice.
                raise HTTPException(503, "replies are behind; send it again", {"retry-after": "5"}) from error
        for number in arrived:
            await desk.conversations.write(lambda connection, number=number: note_arrived(connection, business, number))
        return PlainTextResponse("ok")

    return routes
