"""The owner's side over HTTP: businesses, their and their settings."""

import asyncio
import time

from fastapi import APIRouter
from pydantic import Field, ValidationError
from sqlalchemy import Connection
from starlette.exceptions import HTTPException
from starlette.requests import Request

from tenfold.agents import tables
from tenfold.agents.business_settings import BusinessSettings, hidden
from tenfold.agents.contract import LONGEST_NAME, Businesses, BusinessOut
from tenfold.agents.desk import Desk
from tenfold.agents.rights import require_owner
from tenfold.agents.talk import Name, require_business
from tenfold.agents.uploads import source_out
from tenfold.core.frozen import Frozen
from tenfold.product.context import asker_of

RESERVED = frozenset({"public", "businesses", "openapi.json"})


class BusinessIn(Frozen):
    """A business that gets an agent."""

    id: str = Field(pattern=r"^[A-Za-z0-9._-]{1,64}$", description="as its keys call the tenant, e.g. shop.example")
    name: str = Field("", max_length=LONGEST_NAME, description="what customers call it; default: the id")


class SecretOut(Frozen):
    """What a shop signs its customers' tokens with."""

    secret: str


def office_routes(desk: Desk) -> APIRouter:
    """Make the routes of businesses."""
    routes = APIRouter()
    conversations = desk.conversations

    @routes.get("/businesses")
    async def businesses(request: Request) -> Businesses:
        """List the businesses that whoever asks may see."""
        found = await conversations.read(tables.read_businesses)
        asker = asker_of(request)
        mine = [each for each in found if asker.role != "owner" or each.id == asker.tenant]
        return Businesses(businesses=tuple([await business_out(desk, each) for each in mine]))

    @routes.post("/businesses")
    async def add(request: Request, body: BusinessIn) -> BusinessOut:
        """Give a business an agent; one that has one keeps it."""
        require_owner(request, body.id)
        if body.id in RESERVED:
            raise HTTPException(422, f"id: no business can be called {body.id!r}")

        def adding(connection: Connection) -> tables.Business:
            return tables.add_business(connection, body.id, body.name or body.id, time.time())

        return await business_out(desk, await conversations.write(adding))

    @routes.get("/{business}")
    async def one(request: Request, business: Name) -> BusinessOut:
        """Give a business, with what its agent knows and when that was read."""
        require_owner(request, business)
        return await business_out(desk, await require_business(desk, business))

    @routes.get("/{business}/secret")
    async def secret(request: Request, business: Name) -> SecretOut:
        """Give what the shop signs its customers' tokens with, and checks what it is told by."""
        require_owner(request, business)
        if asker_of(request).role == "viewer":
            raise HTTPException(403, "who may only read may not read the secret")
        return SecretOut(secret=(await require_business(desk, business)).secret)

    @routes.get("/{business}/settings")
    async def settings(request: Request, business: Name) -> BusinessSettings:
        """Give a business's settings; of its secrets, that they are set."""
        require_owner(request, business)
        return hidden(desk.settings_of(await require_business(desk, business)))

    @routes.post("/{business}/settings")
    async def change(request: Request, business: Name, body: dict[str, object]) -> BusinessSettings:
        """Change those settings that are given, and leave the others."""
        require_owner(request, business)
        await require_business(desk, business)
        try:
            return hidden(await desk.change_settings(business, body))
        except ValidationError as error:
            told = error.errors()[0]
            raise HTTPException(422, f"{'.'.join(map(str, told['loc']))}: {told['msg']}") from error

    return routes


async def business_out(desk: Desk, business: tables.Business) -> BusinessOut:
    """Tell of a business, and of what its agent knows."""
    sources = await asyncio.to_thread(desk.shelf.sources, business.id)
    return BusinessOut(
        id=business.id,
        name=business.name,
        since=business.since,
        items=sum(each.items for each in sources),
        passages=sum(each.passages for each in sources),
        sources=tuple(source_out(each) for each in sources),
    )
