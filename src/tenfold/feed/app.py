"""The feed's HTTP API."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated

from fastapi import FastAPI, Query
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from tenfold.feed.choose import Filters, plain
from tenfold.feed.contract import LONGEST_NAME, MOST_CARDS, MOST_FILTERS, Export, Feed, FeedEvents, Known, Taken
from tenfold.feed.desk import Desk, NoCatalog
from tenfold.feed.experiments import Experiments, read_experiments
from tenfold.feed.item import PLAIN, Item, ItemsTaken, ToldItem, ToldItems, canonical
from tenfold.feed.poster import poster
from tenfold.feed.team import TeamReport, read_team
from tenfold.pool.api_error import error_response
from tenfold.product.context import Context
from tenfold.product.json_api import json_api

Name = Annotated[str, Query(pattern=PLAIN, max_length=LONGEST_NAME)]
Words = Annotated[list[str], Query(max_length=MOST_FILTERS)]


def make_app(context: Context) -> ASGIApp:
    """Build the app of ``feed``."""
    desk = Desk(context)

    @asynccontextmanager
    async def living(_: FastAPI) -> AsyncIterator[None]:
        await desk.open()
        working = asyncio.create_task(desk.run())
        yield
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)

    api = json_api("feed", living)
    api.add_exception_handler(NoCatalog, _as_starting)
    _add_feed(api, desk)
    _add_items(api, desk)
    _add_people(api, desk)
    _add_team(api, desk)
    return api


def _check(desk: Desk, where: str, surface: str) -> None:
    if surface not in desk.surfaces:
        raise HTTPException(422, f"{where}: there is no surface {surface!r}; there are: {', '.join(desk.surfaces)}")


def _add_feed(api: FastAPI, desk: Desk) -> None:
    @api.get("/v1/feed", response_model=Feed)
    async def feed(
        person: Name,
        surface: Name = desk.settings.surfaces[0],
        k: Annotated[int, Query(ge=1, le=MOST_CARDS)] = 10,
        only: Words = [],  # noqa: B006 FastAPI copies it
        without: Words = [],  # noqa: B006
    ) -> Response:
        """Give a person's feed: what they have not seen, best first.

        ``only``, ``without``: attributes of which an item must have one, or none; each may be given several times.
        """
        _check(desk, "surface", surface)
        filters = Filters(frozenset(only), frozenset(without))
        return _json(await desk.feed(person, surface, k, filters or None))

    @api.post("/v1/feed/events", response_model=Taken)
    async def events(body: FeedEvents) -> Response:
        """Take what people did; answered when it is on disk. The next feed of each person knows it."""
        for place, event in enumerate(body.events):
            _check(desk, f"events[{place}].surface", event.surface)
        return _json(await desk.take(body.events))


def _add_items(api: FastAPI, desk: Desk) -> None:
    @api.post("/v1/feed/items", response_model=ItemsTaken)
    async def items(body: ToldItems) -> Response:
        """Take a team's items; answered when they are on disk, and they may be in the next feed."""
        for place, each in enumerate(body.items):
            for surface in each.surfaces:
                if surface not in desk.settings.surfaces:
                    known = ", ".join(desk.settings.surfaces)
                    raise HTTPException(
                        422, f"items[{place}].surfaces: there is no surface {surface!r}; there are: {known}"
                    )
        return _json(await desk.tell_items(body.items))

    @api.put("/v1/feed/items/{item:path}", response_model=ItemsTaken)
    async def item(item: str, body: ToldItem) -> Response:
        """Take one item."""
        if canonical(item) != body.item:
            raise HTTPException(422, f"item: the address says {item!r}, and the body {body.item!r}; give one")
        return await items(ToldItems(items=(body,)))

    @api.get("/v1/feed/items/{item:path}")
    async def told(item: str) -> ToldItem:
        """Tell what is known of an item."""
        return _as_told(_known_item(desk, item))

    @api.delete("/v1/feed/items/{item:path}")
    async def gone(item: str) -> dict[str, int]:
        """Take an item away; no feed that is made after the answer has it."""
        return {"deleted": int(await desk.delete_item(_known_item(desk, item).item))}

    @api.get("/v1/feed/posters/{item:path}.svg")
    async def picture(item: str) -> Response:
        """Draw an item's poster."""
        found = _known_item(desk, item)
        keep = {"cache-control": "private, max-age=86400"}
        drawn = poster(found.title, [plain(each) for each in found.genres])
        return Response(drawn, media_type="image/svg+xml", headers=keep)


def _add_people(api: FastAPI, desk: Desk) -> None:
    @api.get("/v1/feed/people/{person:path}", response_model=Known | Export)
    async def known(person: str, events: bool = False) -> Response:
        """Tell what is remembered of a person; with ``events=true`` all that is kept of them."""
        found = await (desk.export(person) if events else desk.known(person))
        if found is None:
            raise HTTPException(404, f"nothing is remembered of {person[:LONGEST_NAME]!r}")
        return _json(found)

    @api.delete("/v1/feed/people/{person:path}")
    async def forget(person: str) -> dict[str, int]:
        """Delete all that is remembered of a person, and what ranking would learn of them from now on."""
        return {"forgotten": await desk.forget(person)}


def _add_team(api: FastAPI, desk: Desk) -> None:
    @api.get("/v1/feed/surfaces")
    async def surfaces() -> dict[str, tuple[str, ...]]:
        """List the surfaces; ``shown`` are those that differ in what they show."""
        named = desk.catalog.named
        first = desk.settings.surfaces[0]
        return {"surfaces": desk.surfaces, "shown": (first, *(each for each in named if each != first))}

    @api.get("/v1/feed/experiments", response_model=Experiments)
    async def experiments() -> Response:
        """Tell how the experiments stand."""
        return _json(await desk.read(partial(read_experiments, settings=desk.settings)))

    @api.get("/v1/feed/team", response_model=TeamReport)
    async def team() -> Response:
        """Tell what a team wants to know of its feed."""
        return _json(await desk.read(partial(read_team, desk=desk, learned=await desk.learned())))


def _known_item(desk: Desk, item: str) -> Item:
    found = desk.item(canonical(item))
    if found is None:
        raise HTTPException(404, f"there is no item {item[:LONGEST_NAME]}")
    return found


def _as_told(item: Item) -> ToldItem:
    # As it is kept: what ranking's catalog says keeps to no bounds of ours.
    return ToldItem.model_construct(
        item=item.item,
        title=item.title,
        text=item.text,
        attributes=item.genres,
        author=item.author,
        surfaces=item.surfaces,
        image=item.image,
        length_s=item.length_s,
        born_at=item.born_at,
    )


def _json(found: BaseModel) -> Response:
    """Write it at once; FastAPI would validate it again first."""
    return Response(found.model_dump_json(), media_type="application/json")


def _as_starting(_request: Request, _error_: Exception) -> Response:
    return error_response(503, "the feed has not read its catalog yet; try again in a second", {"retry-after": "1"})
