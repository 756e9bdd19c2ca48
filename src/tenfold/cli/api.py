"""The front's own HTTP API: what it answers itself, with errors in one shape."""

import datetime as dt
import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Literal

import sqlalchemy as sa
from fastapi import FastAPI, Query
from fastapi.routing import APIRoute
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tenfold.cli.workload_api import publish
from tenfold.core.errors import StoreError
from tenfold.core.frozen import Frozen
from tenfold.pool.api_error import ErrorBody, error_body, error_response
from tenfold.pool.backends.backends import BackendView
from tenfold.pool.metering.view import MeterView, meter_view
from tenfold.pool.models import Models
from tenfold.pool.state import PoolState
from tenfold.wiring import WORKLOADS

_SAYS = re.compile(r"^(the product \w+ says that something is wrong): .*$", re.DOTALL)
_FILE = re.compile(r"""(?<![\w:/.])~?(?:/[\w.@+-]+){2,}/?""")
"""An absolute path of two parts or more; the slash in ``n0/cpu1`` or in a URL begins none."""


class Health(Frozen):
    """Whether the pool serves."""

    ready: bool = Field(description="every workload answers now")
    alarms: tuple[str, ...] = Field(description="what is wrong now, without the names of files")


class Model(Frozen):
    """A model that can be asked, in OpenAI's shape."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "tenfold"
    reads_images: bool = Field(False, description="a chat may bring images; not in OpenAI's shape")


class ModelList(Frozen):
    """All of them."""

    object: Literal["list"] = "list"
    data: tuple[Model, ...]


def make_api(
    *,
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]],
    ready: Callable[[], bool],
    state: Callable[[], PoolState | None],
    metrics: Callable[[], bytes],
    models: Models,
) -> FastAPI:
    """Build what the front answers without asking a resident.

    Args:
        lifespan: runs while the app does.
        ready: whether every workload answers now.
        state: gives the pool's state, or none while the controller has not answered yet.
        metrics: gives the metrics in Prometheus' text format.
        models: the models that can be asked, and what they were used for.
    """
    # FastAPI's pages of documentation load scripts from a CDN: the schema is published, the pages are not.
    api = FastAPI(title="Tenfold", lifespan=lifespan, docs_url=None, redoc_url=None)
    api.add_exception_handler(HTTPException, _as_error)
    api.add_exception_handler(Exception, _as_server_error)

    @api.get("/healthz", response_model=Health, responses={503: {"model": Health, "description": "not ready"}})
    def healthz() -> Response:
        """Answer 200 while every workload answers."""
        found, is_ready = state(), ready()
        health = Health(ready=is_ready, alarms=tuple(map(without_files, found.alarms)) if found else ())
        return JSONResponse(health.model_dump(mode="json"), 200 if is_ready else 503)

    @api.get("/api/state", response_model=PoolState, responses={503: {"model": ErrorBody, "description": "starting"}})
    def pool_state() -> Response:
        """Describe the pool: slots, workloads, moves, alarms."""
        found = state()
        if found is None:
            return error_response(503, "the controller has not answered yet")
        return Response(found.model_dump_json(), media_type="application/json")

    @api.get("/metrics", response_class=PlainTextResponse)
    async def prometheus() -> Response:
        """Tell Prometheus; docs/metrics.md says what each metric means."""
        return Response(metrics(), media_type=CONTENT_TYPE_LATEST)

    def told(model: str) -> Model:
        return Model(id=model, reads_images=model in models.plan.reads_images)

    @api.get("/v1/models")
    def list_models() -> ModelList:
        """List what can be asked, in the OpenAI shape, the default chat model first; it wakes nobody."""
        return ModelList(data=tuple(map(told, models.plan.models)))

    @api.get(
        "/v1/models/{model:path}",
        responses={
            400: {"model": ErrorBody, "description": "the path could be read in two ways, see pool/target.py"},
            404: {"model": ErrorBody, "description": "there is no such model"},
        },
    )
    def one_model(model: str) -> Response:
        """Tell of one model."""
        if model not in models.plan.models:
            text = f"the model {model!r:.80} does not exist"
            return Response(
                error_body(404, text, param="model", code="model_not_found"), 404, media_type="application/json"
            )
        return Response(told(model).model_dump_json(), media_type="application/json")

    @api.get(
        "/api/meter",
        response_model=MeterView,
        responses={
            400: {"model": ErrorBody, "description": "no date"},
            503: {"model": ErrorBody, "description": "the meter's database is away"},
        },
    )
    async def meter(day: Annotated[str, Query(description="of UTC, as 2026-11-28; default: today")] = "") -> Response:
        """Tell what each product and tenant used of models in a day."""
        try:
            shown = await meter_view(models.meter, dt.date.fromisoformat(day) if day else None)
        except ValueError:
            return error_response(400, f"'day': {day!r:.80} is no date; write it as 2026-11-28")
        except (StoreError, sa.exc.SQLAlchemyError) as error:
            return error_response(503, f"the meter's database cannot be read: {error}")
        return Response(shown.model_dump_json(), media_type="application/json")

    @api.get("/api/backends")
    async def backends() -> tuple[BackendView, ...]:
        """Tell how the backends do that serve further models."""
        return models.backends.views()

    publish(api, WORKLOADS)
    return api


def methods_of(api: FastAPI) -> dict[str, frozenset[str]]:
    """List the methods that each path of an API takes; before the console is mounted, which takes what is left."""
    return {route.path: frozenset(route.methods or ()) for route in api.routes if isinstance(route, APIRoute | Route)}


def without_files(alarm: str) -> str:
    """Leave names of files, and what products say, out of an alarm: ``healthz`` is for anybody."""
    return _SAYS.sub(r"\1", _FILE.sub("<file>", alarm))


def _as_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return error_response(
        error.status_code, f"{request.method} {request.url.path!r:.200}: {error.detail}", error.headers
    )


def _as_server_error(request: Request, error: Exception) -> Response:
    return error_response(
        500, f"{request.method} {request.url.path!r:.200} failed: {type(error).__name__}; see logs/front.log"
    )
