"""The assistant's webhooks of WhatsApp and Messenger: signed, batched, repeated, in any order."""

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from tenfold.assistant.channels import NotSet, TooMany
from tenfold.assistant.desk import Desk
from tenfold.product.channels.hooks import meet_challenge, read_hook, take_all
from tenfold.product.channels.meta import MetaChannel
from tenfold.product.channels.settings import Messenger, WhatsApp


def hook_routes(desk: Desk) -> APIRouter:
    """Make the routes of webhooks."""
    routes = APIRouter()

    def settings_of(channel: MetaChannel) -> WhatsApp | Messenger:
        try:
            return desk.channels.of(channel)
        except NotSet as error:
            raise HTTPException(404, str(error)) from error

    @routes.get("/hooks/{channel}")
    async def challenge(request: Request, channel: MetaChannel) -> Response:
        """Answer Meta's check that the address is ours."""
        return meet_challenge(request, settings_of(channel))

    @routes.post("/hooks/{channel}")
    async def take(request: Request, channel: MetaChannel) -> Response:
        """Write messages down and answer at once; replies are sent later. What comes again is not taken again."""
        messages, receipts = await read_hook(request, settings_of(channel))
        await desk.channels.take_receipts(receipts)
        try:
            await take_all(messages, lambda message: desk.channels.take(channel, message), TooMany)
        finally:
            desk.knock()
        return PlainTextResponse("ok")

    return routes
