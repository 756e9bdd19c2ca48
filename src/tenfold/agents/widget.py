"""The widget's script: one file for any page, with whose it is put before it."""

from functools import cache
from pathlib import Path

import orjson
from starlette.requests import Request
from starlette.responses import Response

from tenfold.agents.desk import Desk
from tenfold.agents.product import PUBLIC
from tenfold.pool.api_error import error_response
from tenfold.product.context import asker_of

SCRIPT = f"{PUBLIC}/widget.js"


@cache
def script() -> str:
    """The script without whose it is."""
    return Path(__file__).with_name("widget.js").read_text()


async def answer(desk: Desk, request: Request) -> Response:
    """Give the script for the business whose visitors' key the address has."""
    business = await desk.business(asker_of(request).tenant)
    if business is None:
        return error_response(404, "no business has this key: take the tag that 'tenfold agents add' printed")
    base = (desk.settings.public_url or str(request.base_url)).rstrip("/")
    told = {
        "base": f"{base}{PUBLIC}",
        "business": business.id,
        "name": business.name,
        "key": request.query_params.get("key", ""),
    }
    # In a block, so that a page with two tags has no name twice.
    text = f"{{\nconst WIDGET = {orjson.dumps(told).decode()};\n{script()}}}\n"
    # Another business's visitors must not get this one's from a cache.
    headers = {"cache-control": "private, max-age=300", "cross-origin-resource-policy": "cross-origin"}
    return Response(text, media_type="text/javascript", headers=headers)
