"""The HTTP API of ads."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from tenfold.ads.campaign_routes import campaign_routes
from tenfold.ads.campaigns import NoCampaign
from tenfold.ads.copy_routes import copy_routes
from tenfold.ads.desk import Desk
from tenfold.ads.money_routes import money_routes
from tenfold.ads.people_routes import people_routes
from tenfold.ads.product import PREFIX, PUBLIC
from tenfold.ads.seen_routes import public_routes, seen_routes
from tenfold.ads.tracking import BadToken
from tenfold.core.errors import TenfoldError
from tenfold.pool.api_error import ErrorBody, error_response
from tenfold.product.context import Context
from tenfold.product.json_api import json_api

_ERRORS: dict[int | str, dict[str, Any]] = {
    403: {"model": ErrorBody, "description": "not for this key"},
    404: {"model": ErrorBody, "description": "there is none, or none of the asker's"},
    409: {"model": ErrorBody, "description": "it cannot be had now: what stands against it, and the next step"},
    422: {"model": ErrorBody, "description": "the request makes no sense: which field, and what would be right"},
}


def make_app(context: Context) -> ASGIApp:
    """Build the app of ``ads``."""
    desk = Desk(context)

    @asynccontextmanager
    async def living(_: FastAPI) -> AsyncIterator[None]:
        async with desk.running():
            yield

    api = json_api("ads", living)
    api.state.desk = desk
    api.add_exception_handler(TenfoldError, _as_refused)
    api.add_exception_handler(BadToken, _as_bad)
    api.include_router(public_routes(desk), prefix=PUBLIC, responses=_ERRORS)
    for routes in (seen_routes, campaign_routes, copy_routes, money_routes, people_routes):
        api.include_router(routes(desk), prefix=PREFIX, responses=_ERRORS)
    return api


def _as_refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, TenfoldError)
    status = 404 if isinstance(error, NoCampaign) else 409 if error.exit_code == 3 else 422
    return error_response(status, f"{error}; {error.next_step}" if error.next_step else str(error))


def _as_bad(_: Request, error: Exception) -> Response:
    return error_response(422, str(error))
