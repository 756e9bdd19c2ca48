"""The agents' HTTP API."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI
from starlette.routing import Route
from starlette.types import ASGIApp

from tenfold.agents import widget
from tenfold.agents.desk import Desk
from tenfold.agents.hooks import hook_routes
from tenfold.agents.inbox import inbox_routes
from tenfold.agents.intake import intake_routes
from tenfold.agents.mcp_face import mcp_face
from tenfold.agents.office import office_routes
from tenfold.agents.product import PREFIX, PUBLIC
from tenfold.agents.quality import quality_routes
from tenfold.agents.talk import talk_routes
from tenfold.agents.well_known import WELL_KNOWN, well_known
from tenfold.agents.wishes import wish_routes
from tenfold.product.context import Context
from tenfold.product.json_api import json_api


def make_app(context: Context) -> ASGIApp:
    """Build the app of ``agents``."""
    desk = Desk(context)
    mcp = mcp_face(desk)

    @asynccontextmanager
    async def living(_: FastAPI) -> AsyncIterator[None]:
        async with desk.running(), mcp.running():
            yield

    api = json_api("agents", living)
    api.state.desk = desk
    # The longer beginning first: a business may not be called like it.
    api.include_router(talk_routes(desk), prefix=PUBLIC)
    api.include_router(wish_routes(desk), prefix=PUBLIC)
    api.include_router(hook_routes(desk), prefix=PUBLIC)
    api.include_router(inbox_routes(desk), prefix=PREFIX)
    api.include_router(office_routes(desk), prefix=PREFIX)
    api.include_router(intake_routes(desk), prefix=PREFIX)
    api.include_router(quality_routes(desk), prefix=PREFIX)
    api.include_router(talk_routes(desk), prefix=PREFIX)
    api.include_router(wish_routes(desk), prefix=PREFIX)
    for prefix in (PUBLIC, PREFIX):
        api.router.routes.append(Route(f"{prefix}/{{business}}/mcp", mcp, methods=["GET", "POST", "DELETE"]))
    api.router.routes.insert(0, Route(widget.SCRIPT, partial(widget.answer, desk)))
    api.router.routes.append(Route(WELL_KNOWN, well_known(desk)))
    return api
