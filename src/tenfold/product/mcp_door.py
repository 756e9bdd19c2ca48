"""A product's tools over MCP (streamable HTTP), spoken by the official SDK's server.

It keeps no sessions, so that a process may be started again between two calls.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import orjson
from mcp import types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from pydantic import BaseModel
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from tenfold import __version__

Json = dict[str, object]

_READ = types.ToolAnnotations(read_only_hint=True)
_WRITE = types.ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=True)


@dataclass(frozen=True, slots=True)
class McpTool:
    """A tool: what it takes, what it does in a sentence, and whether it only reads."""

    name: str
    takes: type[BaseModel]
    about: str
    is_read: bool


class McpDoor:
    """An ASGI endpoint.

    Args:
        name: what the server calls itself.
        tools: which there are.
        admit: sees that whoever asks may; raises ``HTTPException`` where not.
        call: runs a tool by its name and arguments; gives its result, and whether it did what was asked.
    """

    def __init__(
        self,
        name: str,
        tools: Sequence[McpTool],
        admit: Callable[[Request], Awaitable[None]],
        call: Callable[[Request, str, Mapping[str, object]], Awaitable[tuple[Json, bool]]],
    ) -> None:
        self._tools = [
            types.Tool(
                name=tool.name,
                description=tool.about,
                input_schema=tool.takes.model_json_schema(by_alias=True),
                annotations=_READ if tool.is_read else _WRITE,
            )
            for tool in tools
        ]
        self._admit = admit
        self._run = call
        server: Server = Server(name, version=__version__, on_list_tools=self._list, on_call_tool=self._call)
        self._sessions = StreamableHTTPSessionManager(server, json_response=True, stateless=True)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve for as long as this lasts."""
        async with self._sessions.run():
            yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._admit(Request(scope))
        await self._sessions.handle_request(scope, receive, send)

    async def _list(
        self, _: ServerRequestContext, _params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(tools=self._tools)

    async def _call(self, context: ServerRequestContext, params: types.CallToolRequestParams) -> types.CallToolResult:
        assert isinstance(context.request, Request)
        found, is_done = await self._run(context.request, params.name, params.arguments or {})
        text = types.TextContent(type="text", text=orjson.dumps(found).decode())
        return types.CallToolResult(content=[text], structured_content=found, is_error=not is_done)
