"""Ads that were seen, clicks and conversions: over the API, and on public paths for browsers."""

import asyncio
from functools import cache
from pathlib import Path
from typing import Annotated

import orjson
from fastapi import APIRouter
from fastapi import Path as InPath
from sqlalchemy import Connection
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tenfold.ads import campaigns as shelf
from tenfold.ads import clicks as clicking
from tenfold.ads.contract import (
    Clicked,
    ClickOut,
    Conversions,
    ConversionsOut,
    Seen,
    SeenOut,
    WhyOut,
)
from tenfold.ads.desk import Desk
from tenfold.ads.money.moment import database_now
from tenfold.ads.offers import CandidatesIn, CandidatesOut, offer_of
from tenfold.ads.product import PUBLIC
from tenfold.ads.rights import account_for, require_pool
from tenfold.ads.wants import note_stop
from tenfold.ads.why import why_shown
from tenfold.product.context import asker_of

Token = Annotated[str, InPath(max_length=4096)]

# The smallest picture that every browser takes: one transparent dot.
_DOT = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")


def seen_routes(desk: Desk) -> APIRouter:
    """Make the routes for surfaces and advertisers' servers."""
    routes = APIRouter()

    @routes.post("/candidates")
    async def candidates(request: Request, body: CandidatesIn) -> CandidatesOut:
        """Give ads for a page; what wins is reserved, and charged when it was seen.

        For surfaces only: an advertiser could spend a rival's money with it.
        """
        require_pool(request)
        if await _has_left(request):
            return CandidatesOut(ads=())
        usd_per_value = desk.settings.usd_per_value
        return CandidatesOut(ads=tuple(offer_of(sold, usd_per_value) for sold in desk.sell(body.page())))

    @routes.post("/impressions")
    async def impressions(request: Request, body: Seen) -> SeenOut:
        """Charge ads that were seen; answered when it is on disk. Late, again and in any order is no harm."""
        require_pool(request)
        return await desk.see(body.tokens)

    @routes.post("/clicks")
    async def clicks(request: Request, body: Clicked) -> ClickOut:
        """Note a click, and say where it leads."""
        require_pool(request)
        return await desk.click(body)

    @routes.post("/conversions")
    async def conversions(request: Request, body: Conversions) -> ConversionsOut:
        """Note what happened on an advertiser's page; answered when it is on disk."""
        return await _convert(desk, account_for(request, body.account), body)

    return routes


def public_routes(desk: Desk) -> APIRouter:
    """Make the routes for browsers, which show no key, or a visitor's."""
    routes = APIRouter()

    @routes.get("/seen/{token}.gif", include_in_schema=False)
    async def seen(token: Token) -> Response:
        """Charge an ad that a browser shows; gives a picture of one dot."""
        await desk.see([token])
        return Response(_DOT, media_type="image/gif", headers={"cache-control": "no-store"})

    @routes.get("/click/{token}", include_in_schema=False)
    async def click(token: Token) -> Response:
        """Lead a browser where an ad leads."""
        found = await desk.click(Clicked(token=token))
        if not found.url:
            raise HTTPException(404, "this ad leads nowhere any more")
        return RedirectResponse(found.url, 302, headers={"cache-control": "no-store", "referrer-policy": "no-referrer"})

    @routes.get("/why/{token}")
    async def why(token: Token) -> WhyOut:
        """Tell whoever was shown an ad why they were; the ad's token says who."""
        seen = desk.signer.read_impression(token)
        advertiser = await desk.read(lambda connection: _account_of(connection, seen.campaign))
        return WhyOut(campaign=seen.campaign, advertiser=advertiser, why=why_shown(advertiser, seen.decision))

    @routes.post("/stop/{token}")
    async def stop(token: Token) -> WhyOut:
        """Show the campaign of an ad no more to whom it was shown."""
        seen = desk.signer.read_impression(token)
        what = f"campaign/{seen.campaign}"

        def stopping(connection: Connection) -> str:
            note_stop(connection, seen.person, what, database_now(connection))
            return _account_of(connection, seen.campaign)

        advertiser = await desk.write(stopping)
        desk.wants.stop(seen.person, what)
        return WhyOut(campaign=seen.campaign, advertiser=advertiser, why="You will not see this campaign again.")

    @routes.get("/tag.js", include_in_schema=False)
    async def tag(request: Request) -> Response:
        """Give the tag of the advertiser whose visitors' key the address has."""
        account = _tenant(request)
        base = (desk.settings.public_url or str(request.base_url)).rstrip("/")
        told = {"to": f"{base}{PUBLIC}/conversions", "key": request.query_params.get("key", ""), "account": account}
        text = f"{{\nconst TAG = {orjson.dumps(told).decode()};\n{_script()}}}\n"
        headers = {"cache-control": "private, max-age=300", "cross-origin-resource-policy": "cross-origin"}
        return Response(text, media_type="text/javascript", headers=headers)

    @routes.post("/conversions")
    async def conversions(request: Request, body: Conversions) -> ConversionsOut:
        """Note what happened on a page that has the tag. A browser says who its person is only by a click."""
        account = _tenant(request)
        if body.account not in ("", account):
            raise HTTPException(404, f"there is no account {body.account!r} of yours")
        anonymous = tuple(each.model_copy(update={"person": ""}) for each in body.conversions)
        return await _convert(desk, account, body.model_copy(update={"conversions": anonymous}))

    return routes


async def _has_left(request: Request) -> bool:
    """Whether who asked has hung up: what is sold to them nobody sees, and its price stays reserved for minutes."""
    # The loop reads of a connection that is closed in the turn after the one in which it read the request.
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return await request.is_disconnected()


def _account_of(connection: Connection, campaign: str) -> str:
    return shelf.read(connection, campaign, 0.0).campaign.account


async def _convert(desk: Desk, account: str, body: Conversions) -> ConversionsOut:
    found = await desk.write(
        lambda connection: clicking.take_conversions(
            connection, account, body.conversions, desk.signer, desk.settings.click_days, database_now(connection)
        )
    )
    desk.note_converted(found.clicks)
    return found.out


def _tenant(request: Request) -> str:
    tenant = asker_of(request).tenant
    if not tenant:
        raise HTTPException(
            403, "this needs the visitors' key of an account: tenfold keys make --role visitor --tenant ACCOUNT"
        )
    return tenant


@cache
def _script() -> str:
    return Path(__file__).with_name("tag.js").read_text()
