"""A product's JSON API: FastAPI, with every error in the one shape that the pool's API has."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from tenfold.pool.api_error import error_response

_MOST_PROBLEMS = 3


def json_api(product: str, lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]]) -> FastAPI:
    """Make the app of a product's API; its schema is at ``/v1/PRODUCT/openapi.json``."""
    api = FastAPI(
        title=f"Tenfold {product}",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=f"/v1/{product}/openapi.json",
        # As of workloads: a body is JSON whatever its header says, as curl's. Other sites' pages end at the doorkeeper.
        strict_content_type=False,
    )
    api.add_exception_handler(HTTPException, _as_error)
    api.add_exception_handler(RequestValidationError, _as_wrong)
    return api


def _as_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    where = f"{request.method} {request.url.path!r:.200}"
    return error_response(error.status_code, f"{where}: {error.detail}", error.headers)


def _as_wrong(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    told = [f"{_place(each['loc'])}: {each['msg']}, got {each['input']!r:.80}" for each in found[:_MOST_PROBLEMS]]
    more = [f"and {len(found) - _MOST_PROBLEMS} more"] if len(found) > _MOST_PROBLEMS else []
    return error_response(422, "; ".join([*told, *more]))


def _place(location: tuple[object, ...]) -> str:
    """Write ``("body", "events", 3, "item")`` as ``events[3].item``."""
    parts = location[1:] or location
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).lstrip(".")
