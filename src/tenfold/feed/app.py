"""The feed's HTTP API."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import FastAPI, Query
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from tenfold.feed.contract import LONGEST_NAME, MOST_CARDS, PLAIN, Feed, FeedEvents, Known, Taken
from tenfold.feed.desk import Desk, NoCatalog
from tenfold.feed.poster import poster
from tenfold.pool.api_error import error_response
from tenfold.product.context import Context
from tenfold.product.json_api import json_api

Name = Annotated[str, Query(pattern=PLAIN, max_length=LONGEST_NAME)]


def make_app(context: Context) -> ASGIApp:
    """Build the app of ``feed``."""
    desk = Desk(context)
    surfaces = desk.settings.surfaces

    @asynccontextmanager
    async def living(_: FastAPI) -> AsyncIterator[None]:
        await desk.open()
        working = asyncio.create_task(desk.run())
        yield
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)

    api = json_api("feed", living)
    api.add_exception_handler(NoCatalog, _as_starting)

    def check(where: str, surface: str) -> None:
        if surface not in surfaces:
            raise HTTPException(422, f"{where}: there is no surface {surface!r}; there are: {', '.join(surfaces)}")

    @api.get("/v1/feed", response_model=Feed)
    async def feed(
        person: Name, surface: Name = surfaces[0], k: Annotated[int, Query(ge=1, le=MOST_CARDS)] = 10
    ) -> Response:
        """Give a person's feed: what they have not seen, best first."""
        check("surface", surface)
        return _json(await desk.feed(person, surface, k))

    @api.post("/v1/feed/events", response_model=Taken)
    async def events(body: FeedEvents) -> Response:
        """Take what people did; answered when it is on disk. The next feed of each person knows it."""
        for place, event in enumerate(body.events):
            check(f"events[{place}].surface", event.surface)
        return _json(await desk.take(body.events))

    @api.get("/v1/feed/people/{person:path}")
    async def known(person: str) -> Known:
        """Tell what is remembered of a person."""
        found = await desk.known(person)
        if found is None:
            raise HTTPException(404, f"nothing is remembered of {person[:LONGEST_NAME]!r}")
        return found

    @api.delete("/v1/feed/people/{person:path}")
    async def forget(person: str) -> dict[str, int]:
        """Delete all that is remembered of a person."""
        return {"forgotten": await desk.forget(person)}

    @api.get("/v1/feed/posters/{item}.svg")
    async def picture(item: int) -> Response:
        """Draw an item's poster."""
        film = desk.film(item)
        if film is None:
            raise HTTPException(404, f"there is no item {item}")
        keep = {"cache-control": "private, max-age=86400"}
        return Response(poster(film.title, film.genres), media_type="image/svg+xml", headers=keep)

    return api


def _json(found: BaseModel) -> Response:
    """Write it at once; FastAPI would validate it again first."""
    return Response(found.model_dump_json(), media_type="application/json")


def _as_starting(_request: Request, _error_: Exception) -> Response:
    return error_response(503, "the feed has not read its catalog yet; try again in a second", {"retry-after": "1"})
