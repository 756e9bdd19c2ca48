"""The tools over MCP, at ``/BUSINESS/mcp``: spoken by the official SDK's server, one for all businesses.

It keeps no sessions, so that a process may be started again between two calls.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
from mcp import types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from tenfold import __version__
from tenfold.agents.desk import Desk
from tenfold.agents.rights import require_reader
from tenfold.agents.tools import Tools

log = logging.getLogger(__name__)

_READ = types.ToolAnnotations(read_only_hint=True)
_WRITE = types.ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=True)


class McpFace:
    """An ASGI endpoint for all businesses; the path's ``business`` says which."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._tools = Tools(desk)
        server: Server = Server(
            "tenfold-agents", version=__version__, on_list_tools=self._list, on_call_tool=self._call
        )
        self._sessions = StreamableHTTPSessionManager(server, json_response=True, stateless=True)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve for as long as this lasts."""
        async with self._sessions.run():
            yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope)
        business = scope["path_params"]["business"]
        require_reader(request, business)
        if await self._desk.business(business) is None:
            raise HTTPException(404, f"there is no business {business!r}; add it by 'tenfold agents add'")
        await self._sessions.handle_request(scope, receive, send)

    async def _list(
        self, _: ServerRequestContext, _params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(
            tools=[
                types.Tool(
                    name=name,
                    description=about,
                    input_schema=kind.model_json_schema(by_alias=True),
                    annotations=_READ if name.startswith(("search", "lookup", "get", "check")) else _WRITE,
                )
                for name, (kind, about, _) in self._tools.known.items()
            ]
        )

    async def _call(self, context: ServerRequestContext, params: types.CallToolRequestParams) -> types.CallToolResult:
        assert isinstance(context.request, Request)
        name = context.request.path_params["business"]
        business = await self._desk.business(name)
        if business is None:
            raise LookupError(f"there is no business {name!r} any more")
        found, is_done = await self._tools.call(business, params.name, params.arguments or {})
        text = types.TextContent(type="text", text=orjson.dumps(found).decode())
        return types.CallToolResult(content=[text], structured_content=found, is_error=not is_done)
