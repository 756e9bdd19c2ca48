"""Campaigns over HTTP: make, preview, take live, pause, edit, top up, report."""

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi import Path as InPath
from pydantic import Field
from sqlalchemy import Connection
from starlette.requests import Request

from tenfold.ads import campaigns as shelf
from tenfold.ads import library, writing
from tenfold.ads.campaign import MICROS, Status
from tenfold.ads.contract import (
    LONGEST_NAME,
    PLAIN,
    CampaignOut,
    Campaigns,
    Edit,
    ForecastOut,
    NewCampaign,
    Source,
    TopUp,
    VariantOut,
)
from tenfold.ads.desk import Desk
from tenfold.ads.money.moment import database_now
from tenfold.ads.report import ReportOut, SpentOut, report, spent
from tenfold.ads.rights import account_for, of_asker, sees
from tenfold.core.errors import InfeasibleError
from tenfold.core.frozen import Frozen

Id = Annotated[str, InPath(pattern=PLAIN, max_length=LONGEST_NAME)]


class PreviewOut(Frozen):
    """All that may be shown of a campaign, and what is left out of what the advertiser gave."""

    campaign: CampaignOut
    variants: tuple[VariantOut, ...]
    left_out: tuple[str, ...] = Field(description="what cannot be advertised, or was not understood, and why")
    forecast: ForecastOut | None = Field(None, description="none where too few pages were asked for to say anything")


class Step(Frozen):
    """A step in a campaign's life."""

    status: Literal["live", "paused", "ended"]
    anyway: bool = Field(False, description="take it live although the forecast says that it would not be shown")


def campaign_routes(desk: Desk) -> APIRouter:
    """Make the routes."""
    routes = APIRouter()

    @routes.post("/campaigns")
    async def create(request: Request, body: NewCampaign) -> PreviewOut:
        """Make a campaign as a draft, with copy from what was given; nothing is shown or charged yet."""
        account = account_for(request, body.account)
        sources = body.sources or (_own_words(body),)
        texts = {source.name: source.text for source in sources}
        sheet = await asyncio.to_thread(writing.sheet_of, texts)
        limit_micro = round(desk.settings.account_limit_usd * MICROS)
        body = body.model_copy(update={"sources": sources})
        as_draft = body.wish.campaign("", account, Status.DRAFT, 1, body.wish.budget_micro, None, 0.0)
        written = await asyncio.to_thread(writing.write, sheet, as_draft)

        def making(connection: Connection) -> str:
            now = database_now(connection)
            made = shelf.add(connection, body, account, limit_micro, now)
            library.put(connection, made, written, body.wish.approval, now)
            return made

        made = await desk.write(making)
        desk.ask_model(made)
        return await preview_of(desk, request, made)

    @routes.get("/campaigns")
    async def listed(
        request: Request, account: Annotated[str | None, Query(max_length=LONGEST_NAME)] = None
    ) -> Campaigns:
        """List campaigns, the newest first."""
        whose = of_asker(request) or account

        def reading(connection: Connection) -> tuple[CampaignOut, ...]:
            found = shelf.read_all(connection, database_now(connection), whose)
            return tuple(shelf.out(connection, kept) for kept in found)

        return Campaigns(campaigns=await desk.read(reading))

    @routes.get("/campaigns/{campaign}")
    async def show(request: Request, campaign: Id) -> CampaignOut:
        """Tell a campaign as it is now."""
        return await desk.read(lambda connection: _out(connection, request, campaign))

    @routes.post("/campaigns/{campaign}/status")
    async def step(request: Request, campaign: Id, body: Step) -> CampaignOut:
        """Take a campaign live, pause it, let it go on, or end it. One that would never be shown is refused."""
        if body.status == "live" and not body.anyway:
            _require_feasible(await preview_of(desk, request, campaign))
        return await change(
            desk,
            request,
            campaign,
            lambda connection, now: shelf.set_status(connection, campaign, Status(body.status), now),
        )

    @routes.post("/campaigns/{campaign}/edit")
    async def edit(request: Request, campaign: Id, body: Edit) -> CampaignOut:
        """Change what is asked for, at any time."""
        return await change(
            desk, request, campaign, lambda connection, now: shelf.edit(connection, campaign, body, now)
        )

    @routes.post("/campaigns/{campaign}/top-ups")
    async def top_up(request: Request, campaign: Id, body: TopUp) -> CampaignOut:
        """Add to the budget, once for each id."""
        return await change(
            desk,
            request,
            campaign,
            lambda connection, now: shelf.top_up(connection, campaign, body.id, body.micro, now),
        )

    @routes.get("/campaigns/{campaign}/report")
    async def told(request: Request, campaign: Id) -> ReportOut:
        """Report what a campaign did, why, and what it really added."""

        def reporting(connection: Connection) -> ReportOut:
            now = database_now(connection)
            found = campaign_of(connection, request, campaign, now)
            made = report(connection, found, now, desk.settings.least_people)
            names = {each.id: f"{each.headline}: {each.body}" for each in library.variants_of(connection, campaign)}
            named = tuple(each.model_copy(update={"headline": names.get(each.variant, "")}) for each in made.variants)
            return made.model_copy(update={"variants": named})

        return await desk.read(reporting)

    @routes.get("/campaigns/{campaign}/spent")
    async def why(request: Request, campaign: Id, k: Annotated[int, Query(ge=1, le=500)] = 20) -> SpentOut:
        """Say of the latest impressions why each cost what it did."""

        def asking(connection: Connection) -> SpentOut:
            campaign_of(connection, request, campaign, database_now(connection))
            return spent(connection, campaign, k)

        return await desk.read(asking)

    return routes


async def change(
    desk: Desk, request: Request, campaign: str, work: Callable[[Connection, float], object]
) -> CampaignOut:
    """Change a campaign of the asker's, and let this process know at once."""

    def changing(connection: Connection) -> CampaignOut:
        now = database_now(connection)
        campaign_of(connection, request, campaign, now)
        work(connection, now)
        return _out(connection, request, campaign)

    found = await desk.write(changing)
    await desk.turn()
    return found


async def preview_of(desk: Desk, request: Request, campaign: str) -> PreviewOut:
    """Tell all that may be shown of a campaign of the asker's, and what was left out."""

    def reading(connection: Connection) -> tuple[shelf.Kept, CampaignOut, tuple[VariantOut, ...], dict[str, str]]:
        kept = campaign_of(connection, request, campaign, database_now(connection))
        variants = tuple(library.variants_of(connection, campaign))
        return kept, shelf.out(connection, kept), variants, shelf.sources_of(connection, campaign)

    kept, found, variants, texts = await desk.read(reading)
    sheet = await asyncio.to_thread(writing.sheet_of, texts)
    left_out = tuple(f"{each.where}: {each.why}" for each in sheet.left_out)
    forecast = desk.bidder.forecast(kept.campaign, [each for each in variants if each.state != "rejected"])
    told = None if forecast is None else ForecastOut.model_validate(asdict(forecast))
    return PreviewOut(campaign=found, variants=variants, left_out=left_out, forecast=told)


def _require_feasible(found: PreviewOut) -> None:
    """See that a draft would be shown.

    Raises:
        InfeasibleError: it would not; names what holds it back.
    """
    forecast = found.forecast
    if found.campaign.status is Status.DRAFT and forecast is not None and not forecast.feasible:
        raise InfeasibleError(
            f"campaign {found.campaign.id!r} would not be shown: {'; '.join(forecast.says)}",
            next_step="change it by 'tenfold ads edit', or take it live anyway by --anyway",
        )


def campaign_of(connection: Connection, request: Request, campaign: str, now: float) -> shelf.Kept:
    """Read a campaign of the asker's.

    Raises:
        NoCampaign: there is none, or it is another's.
    """
    found = shelf.read(connection, campaign, now)
    if not sees(request, found.campaign.account):
        raise shelf.NoCampaign(f"there is no campaign {campaign!r}", next_step="tenfold ads list")
    return found


def _out(connection: Connection, request: Request, campaign: str) -> CampaignOut:
    return shelf.out(connection, campaign_of(connection, request, campaign, database_now(connection)))


def _own_words(new: NewCampaign) -> Source:
    """Where nothing was given to write from: a page that has the campaign's name as its title."""
    return Source(name="page.md", text=f"# {new.wish.name}\n\n{new.wish.name}.\n")
