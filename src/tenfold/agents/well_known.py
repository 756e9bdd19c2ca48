"""``/.well-known/ucp``: where other programs find a business's agent."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tenfold.agents import tables
from tenfold.agents.desk import Desk
from tenfold.agents.product import PUBLIC
from tenfold.agents.ucp import profile
from tenfold.pool.api_error import error_response
from tenfold.product.context import asker_of

WELL_KNOWN = "/.well-known/ucp"


def well_known(desk: Desk) -> Callable[[Request], Awaitable[Response]]:
    """Make the route: whose profile it is, is told by the host's name or ``?key=``, or there is but one business."""

    async def answer(request: Request) -> Response:
        tenant = asker_of(request).tenant
        found = await desk.conversations.read(tables.read_businesses)
        mine = [each for each in found if each.id == tenant] if tenant else found
        if len(mine) != 1:
            return error_response(404, "whose profile? Ask under the business's own host name, or with ?key=...")
        business = mine[0]
        base = desk.settings.public_url or str(request.base_url)
        mcp_url = f"{base.rstrip('/')}{PUBLIC}/{business.id}/mcp"
        headers = {"cache-control": "public, max-age=300"}
        return JSONResponse(profile(business, mcp_url), headers=headers)

    return answer
