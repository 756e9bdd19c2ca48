"""What a business tells its agent, over HTTP: its sources as they are now, and its orders."""

import time
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field
from sqlalchemy import Connection
from starlette.exceptions import HTTPException
from starlette.requests import Request

from tenfold.agents.contract import LONGEST_NAME, PLAIN, BusinessOut
from tenfold.agents.corrections import SOURCE as CORRECTIONS
from tenfold.agents.desk import Desk
from tenfold.agents.office import business_out
from tenfold.agents.orders import Line, Order
from tenfold.agents.own_orders import note_order
from tenfold.agents.rights import require_owner
from tenfold.agents.talk import Name, require_business
from tenfold.agents.uploads import PartIn, PartOut
from tenfold.core.frozen import Frozen


class OrderLineIn(Frozen):
    """So many of a variant."""

    variant: str = Field(pattern=PLAIN, max_length=LONGEST_NAME)
    quantity: int = Field(ge=1, le=10_000)


class OrderIn(Frozen):
    """An order of the shop, told by the shop. ``cart``: the agent's cart that it came from."""

    id: str = Field(pattern=PLAIN, max_length=LONGEST_NAME)
    customer: str = Field(pattern=PLAIN, max_length=LONGEST_NAME)
    email: str = Field("", max_length=LONGEST_NAME, description="of the customer: codes that prove identity go there")
    cart: str = Field("", max_length=LONGEST_NAME)
    lines: tuple[OrderLineIn, ...] = Field((), max_length=100)
    state: str = Field(pattern=r"^(placed|shipped|delivered|cancelled|return_asked)$")


def intake_routes(desk: Desk) -> APIRouter:
    """Make the routes of sources and orders, below ``/BUSINESS``."""
    routes = APIRouter()

    @routes.post("/{business}/sources")
    async def upload(request: Request, business: Name, body: PartIn) -> PartOut:
        """Take a part of what a source holds now; with the last part the agent knows it."""
        require_owner(request, business)
        await require_business(desk, business)
        if body.source == CORRECTIONS:
            raise HTTPException(422, f"source: {body.source!r} is what owners' answers are called")
        try:
            done = await desk.upload(business, body)
        except ValueError as error:
            raise HTTPException(422, str(error)) from error
        return done

    @routes.delete("/{business}/sources")
    async def forget(request: Request, business: Name, source: Annotated[str, Query(max_length=500)]) -> BusinessOut:
        """Forget a source and all that it brought."""
        require_owner(request, business)
        known = await require_business(desk, business)
        await desk.forget_source(business, source)
        return await business_out(desk, known)

    @routes.post("/{business}/orders")
    async def order(request: Request, business: Name, body: OrderIn) -> OrderIn:
        """Take the shop's word on an order, new or changed; one that came from a cart of the agent earns."""
        require_owner(request, business)
        known = await require_business(desk, business)
        lines = tuple(Line(line.variant, line.quantity) for line in body.lines)
        told = Order(body.id, body.customer, lines, body.state)

        def noting(connection: Connection) -> None:
            thread = note_order(connection, business, told, email=body.email, cart=body.cart, now=time.time())
            if thread:
                desk.note_sold(connection, known, thread, lines)

        await desk.conversations.write(noting)
        return body

    return routes
