"""Conversations over HTTP: what a customer's side of a thread asks for."""

import time
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi import Path as InPath
from sqlalchemy import Connection
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from tenfold.agents import tables
from tenfold.agents.contract import (
    LONGEST_NAME,
    PLAIN,
    Exchange,
    MessageIn,
    MessageOut,
    Said,
    ThreadOut,
    Unsent,
)
from tenfold.agents.conversations import Conversations, TooMany
from tenfold.agents.deliveries import DELIVERIES
from tenfold.agents.desk import Desk
from tenfold.agents.rights import is_guest, require_customer
from tenfold.agents.tables import Message, Thread
from tenfold.core.frozen import Frozen
from tenfold.product.channels.deliveries import Delivery

Name = Annotated[str, InPath(pattern=PLAIN, max_length=LONGEST_NAME)]
WebThread = Annotated[str, InPath(pattern=r"^[A-Za-z0-9_-]{8,128}$", description="a secret: who knows it may read it")]
MOST_MESSAGES = 200


class ResolvedIn(Frozen):
    """Whether the customer was helped, as they say."""

    resolved: bool


def talk_routes(desk: Desk) -> APIRouter:
    """Make the routes of threads, below ``/BUSINESS/threads``."""
    routes = APIRouter()
    conversations = desk.conversations

    @routes.post("/{business}/threads/{thread}/messages")
    async def write(
        request: Request, business: Name, thread: WebThread, body: MessageIn, response: Response
    ) -> Exchange:
        """Take a message and reply to it; the same message again gets the same reply."""
        require_customer(request, business)
        await require_business(desk, business)
        try:
            opening = desk.opening(business, thread, "web", "")
            message = await conversations.take(business, thread, body.id, body.text, opening)
        except TooMany as error:
            raise HTTPException(429, "the messages before are not replied to yet", {"retry-after": "2"}) from error
        reply = await conversations.reply_to(message, desk.settings.reply_wait_s)
        if reply is not None:
            return Exchange(number=message.number, state="answered", reply=message_out(reply))
        response.status_code = 202
        return Exchange(number=message.number, state="waiting" if message.waiting else "with_human")

    @routes.get("/{business}/threads/{thread}")
    async def thread(
        request: Request, business: Name, thread: Name, after: Annotated[int, Query(ge=0, le=2**53)] = 0
    ) -> ThreadOut:
        """Read a thread's messages behind a number."""
        require_customer(request, business)
        found = await read_thread(conversations, business, thread, after)
        # The names of threads of other channels are no secrets.
        if found is None or (is_guest(request) and found.channel != "web"):
            raise HTTPException(404, f"there is no thread {thread!r}")
        return found

    @routes.post("/{business}/threads/{thread}/resolved")
    async def resolved(request: Request, business: Name, thread: WebThread, body: ResolvedIn) -> ThreadOut:
        """Take the customer's word on whether they were helped."""
        require_customer(request, business)
        await desk.note_resolved(business, thread, "button" if body.resolved else "")
        return await require_thread(conversations, business, thread)

    return routes


async def require_business(desk: Desk, business: str) -> tables.Business:
    """Read a business.

    Raises:
        HTTPException: there is none of this name.
    """
    found = await desk.business(business)
    if found is None:
        raise HTTPException(404, f"there is no business {business!r}; add it by 'tenfold agents add'")
    return found


async def require_thread(conversations: Conversations, business: str, thread: str) -> ThreadOut:
    """Read a thread.

    Raises:
        HTTPException: there is none of this name.
    """
    found = await read_thread(conversations, business, thread)
    if found is None:
        raise HTTPException(404, f"there is no thread {thread!r}")
    return found


async def read_thread(conversations: Conversations, business: str, thread: str, after: int = 0) -> ThreadOut | None:
    """Read a thread; none if there is none."""

    def reading(connection: Connection) -> ThreadOut | None:
        found = tables.read_thread(connection, business, thread)
        if found is None:
            return None
        unsent = [each for each in DELIVERIES.read_unsent(connection, business) if each.thread == thread]
        found_messages = tables.read_messages(connection, business, thread, after=after, most=MOST_MESSAGES)
        return thread_out(found, found_messages, unsent)

    return await conversations.read(reading)


def thread_out(thread: Thread, messages: Sequence[Message], unsent: Sequence[Delivery] = ()) -> ThreadOut:
    """Tell of a thread."""
    return ThreadOut(
        id=thread.id,
        channel=thread.channel,
        held_by=thread.held_by,
        since=thread.since,
        last_at=thread.last_at,
        customer=thread.customer_at(time.time()),
        resolved_by=thread.resolved_by,
        messages=tuple(message_out(message) for message in messages),
        unsent=tuple(
            Unsent.model_validate({"text": str(each.content["text"]), "state": each.state, "why": each.detail})
            for each in unsent
        ),
    )


def message_out(message: Message) -> MessageOut:
    """Tell of a message."""
    said = Said.model_validate(message.said) if message.role == "agent" else None
    return MessageOut(
        number=message.number, id=message.id, role=message.role, text=message.text, at=message.at, said=said
    )
