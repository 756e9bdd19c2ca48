"""The tools over MCP, at ``/BUSINESS/mcp``: one server for all businesses."""

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request

from tenfold.agents.desk import Desk
from tenfold.agents.rights import require_reader
from tenfold.agents.tools import Json, Tools
from tenfold.product.mcp_door import McpDoor, McpTool


def mcp_face(desk: Desk) -> McpDoor:
    """Make the endpoint; the path's ``business`` says whose tools they are."""
    tools = Tools(desk)

    async def admit(request: Request) -> None:
        business = request.path_params["business"]
        require_reader(request, business)
        if await desk.business(business) is None:
            raise HTTPException(404, f"there is no business {business!r}; add it by 'tenfold agents add'")

    async def call(request: Request, name: str, arguments: Mapping[str, object]) -> tuple[Json, bool]:
        business = await desk.business(request.path_params["business"])
        if business is None:
            raise LookupError(f"there is no business {request.path_params['business']!r} any more")
        return await tools.call(business, name, arguments)

    known = [
        McpTool(name, takes, about, name.startswith(("search", "lookup", "get", "check")))
        for name, (takes, about, _) in tools.known.items()
    ]
    return McpDoor("tenfold-agents", known, admit, call)
