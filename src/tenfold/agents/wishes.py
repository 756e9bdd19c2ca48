"""What a customer wants done, over HTTP: who they are, and their yes or no to what was proposed."""

import time

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import Connection
from starlette.exceptions import HTTPException
from starlette.requests import Request

from tenfold.agents import identity, tables
from tenfold.agents.contract import Said, ThreadOut
from tenfold.agents.deeds import NotDone
from tenfold.agents.desk import Desk
from tenfold.agents.identity import NotProven
from tenfold.agents.rights import require_customer
from tenfold.agents.said import said_of
from tenfold.agents.settling import told
from tenfold.agents.talk import Name, WebThread, require_business, require_thread
from tenfold.core.frozen import Frozen

STATUS = {"unknown": 404, "identity_required": 403, "confirmation_required": 409}


class TokenIn(Frozen):
    """Who the customer is: a token that the shop signed, or the code that was sent to them."""

    token: str = Field("", max_length=4000)
    code: str = Field("", max_length=20)


class ConfirmIn(Frozen):
    """A customer's yes to a proposal. ``confirm``: as the proposal has it."""

    confirm: str = Field("", max_length=100)
    token: str = Field("", max_length=4000, description="proves who the customer is, where the thread does not yet")


def wish_routes(desk: Desk) -> APIRouter:
    """Make the routes of proposals, below ``/BUSINESS/threads/THREAD``."""
    routes = APIRouter()
    conversations = desk.conversations

    @routes.post("/{business}/threads/{thread}/identity")
    async def prove(request: Request, business: Name, thread: WebThread, body: TokenIn) -> ThreadOut:
        """Prove in a thread who its customer is."""
        require_customer(request, business)
        known = await require_business(desk, business)
        now = time.time()
        try:
            customer = identity.customer_of(body.token, known, now) if body.token else ""
        except NotProven as error:
            raise HTTPException(403, str(error)) from error

        def proving(connection: Connection) -> bool:
            if customer:
                identity.prove(connection, business, thread, customer, now)
                return True
            return identity.try_code(connection, business, thread, body.code, now)

        if not await conversations.write(proving):
            raise HTTPException(403, "that is not the code that was sent, or it is too old")
        return await require_thread(conversations, business, thread)

    @routes.post("/{business}/threads/{thread}/proposals/{proposal}/confirm")
    async def confirm(request: Request, business: Name, thread: WebThread, proposal: Name, body: ConfirmIn) -> Said:
        """Do what was proposed, once; the same confirmation again gets the same."""
        require_customer(request, business)
        known = await require_business(desk, business)
        now = time.time()
        found = await conversations.read(lambda connection: tables.read_thread(connection, business, thread))
        try:
            customer = identity.customer_of(body.token, known, now) if body.token else ""
            done = await desk.deeds.carry_out(
                business,
                proposal,
                orders=desk.orders_of(known),
                customer=customer or (found.customer_at(now) if found is not None else ""),
                confirmed=body.confirm,
                summary_now=desk.summary_now(business),
                thread=thread,
            )
        except NotProven as error:
            raise HTTPException(403, str(error)) from error
        except NotDone as error:
            raise HTTPException(STATUS.get(error.code, 409), f"{error.code}: {error}") from error
        except OSError as error:
            raise HTTPException(503, f"{error}; confirm again in a moment", {"retry-after": "5"}) from error
        return said_of(told(done))

    @routes.post("/{business}/threads/{thread}/proposals/{proposal}/decline")
    async def decline(request: Request, business: Name, thread: WebThread, proposal: Name) -> dict[str, bool]:
        """Leave what was proposed."""
        require_customer(request, business)
        await desk.deeds.decline(business, proposal, thread)
        return {"declined": True}

    return routes
