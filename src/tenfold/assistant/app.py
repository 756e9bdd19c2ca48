"""The assistant's HTTP API."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.routing import Route
from starlette.types import ASGIApp

from tenfold.assistant.desk import Desk
from tenfold.assistant.hooks import hook_routes
from tenfold.assistant.mcp_tools import mcp_tools
from tenfold.assistant.memory_routes import memory_routes
from tenfold.assistant.source_routes import source_routes
from tenfold.assistant.thread_routes import thread_routes
from tenfold.product.context import Context
from tenfold.product.json_api import json_api

V1 = "/v1/assistant"


def make_app(context: Context) -> ASGIApp:
    """Build the app of ``assistant``."""
    desk = Desk(context)
    mcp = mcp_tools(desk)

    @asynccontextmanager
    async def living(_: FastAPI) -> AsyncIterator[None]:
        async with desk.running(), mcp.running():
            yield

    api = json_api("assistant", living)
    api.include_router(thread_routes(desk), prefix=V1)
    api.include_router(memory_routes(desk), prefix=V1)
    api.include_router(source_routes(desk), prefix=V1)
    api.include_router(hook_routes(desk), prefix=V1)
    api.router.routes.append(Route(f"{V1}/mcp", mcp, methods=["GET", "POST", "DELETE"]))
    return api
