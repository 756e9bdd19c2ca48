"""The inbox over HTTP: threads of a business, and a human's part in them."""

import time
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from sqlalchemy import Connection
from starlette.exceptions import HTTPException
from starlette.requests import Request

from tenfold.agents import tables
from tenfold.agents.contract import MessageIn, MessageOut, ThreadOut, Threads
from tenfold.agents.deliveries import DELIVERIES
from tenfold.agents.desk import Desk
from tenfold.agents.rights import require_owner
from tenfold.agents.talk import Name, message_out, require_business, require_thread, thread_out

MOST_THREADS = 100


def inbox_routes(desk: Desk) -> APIRouter:
    """Make the routes of the inbox, below ``/BUSINESS``."""
    routes = APIRouter()
    conversations = desk.conversations

    @routes.get("/{business}/threads")
    async def threads(
        request: Request, business: Name, held_by: Annotated[Literal["agent", "human"] | None, Query()] = None
    ) -> Threads:
        """List the threads of a business, those that were written in last first."""
        require_owner(request, business)
        await require_business(desk, business)

        def reading(connection: Connection) -> list[ThreadOut]:
            found = tables.read_threads(connection, business, held_by=held_by, most=MOST_THREADS)
            unsent = DELIVERIES.read_unsent(connection, business)
            return [thread_out(each, [], [one for one in unsent if one.thread == each.id]) for each in found]

        return Threads(threads=tuple(await conversations.read(reading)))

    @routes.post("/{business}/inbox/{thread}/messages")
    async def reply(request: Request, business: Name, thread: Name, body: MessageIn) -> MessageOut:
        """Write to a customer as a human; from then on a human holds the thread."""
        require_owner(request, business)

        def writing(connection: Connection) -> tables.Message | None:
            found, now = tables.read_thread(connection, business, thread), time.time()
            if found is None:
                return None
            before = tables.read_message(connection, business, thread, body.id, "human")
            if before is not None:
                return before
            tables.change_thread(connection, business, thread, held_by="human", last_at=now)
            tables.stop_waiting(connection, business, thread)
            if found.channel in ("whatsapp", "messenger"):
                DELIVERIES.send_later(
                    connection, business, thread, found.channel, found.address, {"text": body.text}, now
                )
            return tables.add_message(connection, business, thread, body.id, "human", body.text, now)

        message = await conversations.write(writing)
        if message is None:
            raise HTTPException(404, f"there is no thread {thread!r}")
        desk.hurry()
        return message_out(message)

    @routes.post("/{business}/inbox/{thread}/hand_back")
    async def hand_back(request: Request, business: Name, thread: Name) -> ThreadOut:
        """Let the agent reply again, from the customer's next message on."""
        require_owner(request, business)
        await conversations.write(
            lambda connection: tables.change_thread(connection, business, thread, held_by="agent")
        )
        return await require_thread(conversations, business, thread)

    return routes
