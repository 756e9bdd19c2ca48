"""A campaign's copy over HTTP: all of it, a person's word on it, and what it is written from."""

import asyncio
from datetime import UTC, datetime

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import Connection
from starlette.requests import Request

from tenfold.ads import campaigns as shelf
from tenfold.ads import library, writing
from tenfold.ads.campaign_routes import Id, PreviewOut, campaign_of, change, preview_of
from tenfold.ads.contract import LONGEST_NAME, NewSources
from tenfold.ads.desk import Desk
from tenfold.ads.money.moment import database_now
from tenfold.core.frozen import Frozen


class Judgement(Frozen):
    """A person's word on a variant."""

    variant: str = Field(max_length=LONGEST_NAME, description="its id, or `all` for those that wait")
    approved: bool


def copy_routes(desk: Desk) -> APIRouter:
    """Make the routes."""
    routes = APIRouter()

    @routes.get("/campaigns/{campaign}/preview")
    async def preview(request: Request, campaign: Id) -> PreviewOut:
        """Show all that may be shown of a campaign."""
        return await preview_of(desk, request, campaign)

    @routes.post("/campaigns/{campaign}/variants")
    async def judge(request: Request, campaign: Id, body: Judgement) -> PreviewOut:
        """Say yes or no to a variant."""
        state: library.State = "approved" if body.approved else "rejected"
        await change(
            desk, request, campaign, lambda connection, _: library.judge(connection, campaign, body.variant, state)
        )
        return await preview_of(desk, request, campaign)

    @routes.post("/campaigns/{campaign}/sources")
    async def renew(request: Request, campaign: Id, body: NewSources) -> PreviewOut:
        """Write from a changed catalog: take down what no longer holds, and add what does by the mode of approval."""
        found = await desk.read(lambda c: campaign_of(c, request, campaign, database_now(c)))
        texts = {source.name: source.text for source in body.sources}
        sheet = await asyncio.to_thread(writing.sheet_of, texts)
        written = await asyncio.to_thread(writing.write_if_possible, sheet, found.campaign)

        def renewing(connection: Connection, now: float) -> None:
            shelf.replace_sources(connection, campaign, body.sources)
            at = datetime.fromtimestamp(now, UTC)
            library.recheck(connection, campaign, lambda each: writing.faults_now(each, sheet, at))
            approval = campaign_of(connection, request, campaign, now).campaign.approval
            library.put(connection, campaign, written, approval, now)

        await change(desk, request, campaign, renewing)
        desk.ask_model(campaign)
        return await preview_of(desk, request, campaign)

    return routes
