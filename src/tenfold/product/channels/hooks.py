"""What every webhook of Meta's does, whoever it is for: the challenge at its setting, and signed bodies."""

import hmac
from collections.abc import Awaitable, Callable, Sequence

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from tenfold.product.channels.deliveries import Receipt
from tenfold.product.channels.meta import SIGNATURE_HEADER, Incoming, is_signed, read_messenger, read_whatsapp
from tenfold.product.channels.settings import Messenger, WhatsApp

LONGEST_ID = 200
"""Characters of a message's id, and of a challenge, that are kept."""


def meet_challenge(request: Request, settings: WhatsApp | Messenger) -> Response:
    """Answer Meta's check that the address is ours.

    Raises:
        HTTPException: who asks does not know the verify token.
    """
    asked = request.query_params
    token = asked.get("hub.verify_token", "")
    if asked.get("hub.mode") != "subscribe" or not hmac.compare_digest(token.encode(), settings.verify_token.encode()):
        raise HTTPException(403, "the verify token is not the one that is set here")
    return PlainTextResponse(asked.get("hub.challenge", "")[:LONGEST_ID])


async def read_hook(request: Request, settings: WhatsApp | Messenger) -> tuple[list[Incoming], list[Receipt]]:
    """Read a webhook's messages, the oldest first, and what is said of our deliveries.

    Raises:
        HTTPException: Meta has not signed it.
    """
    body = await request.body()
    if not is_signed(body, request.headers.get(SIGNATURE_HEADER, ""), settings.app_secret):
        raise HTTPException(401, "the body is not signed with the app's secret")
    return read_whatsapp(body, settings) if isinstance(settings, WhatsApp) else (read_messenger(body, settings), [])


async def take_all(
    messages: Sequence[Incoming], take: Callable[[Incoming], Awaitable[object]], too_many: type[Exception]
) -> None:
    """Take messages, and leave those of a sender who has too many waiting; nobody else waits for that sender.

    Meta sends the batch again, and what was taken of it is not taken twice.

    Args:
        messages: the oldest first.
        take: writes one down.
        too_many: what it raises where its sender has too many waiting.

    Raises:
        HTTPException: not all were taken.
    """
    full: set[str] = set()
    for message in messages:
        # Of a sender of whom one was left the later ones are too, so that they stay in order.
        if message.sender not in full:
            try:
                await take(message)
            except too_many:
                full.add(message.sender)
    if full:
        raise HTTPException(503, "replies are behind; send it again", {"retry-after": "5"})
