"""The part of the published schema that residents answer, typed by the models that check and make it there."""

from collections.abc import Iterable, Mapping
from typing import Any

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from tenfold.pool.api_error import ErrorBody
from tenfold.pool.workload import Operation, Workload

_PLACE = "#/components/schemas/{model}"
_JSON = "application/json"
_EVENTS = "with `stream`: server-sent events, each a chunk in OpenAI's shape, the last `[DONE]`"


def publish(api: FastAPI, workloads: Iterable[Workload[Any]]) -> None:
    """Add the workloads' operations to the schema that ``api`` publishes.

    They are described and not routed, since the gateway answers them before ``api`` is asked.
    """
    asked = [(workload.name, operation) for workload in workloads for operation in workload.operations]
    own = api.openapi  # Replacing it is how FastAPI's documentation extends a schema.

    def openapi() -> dict[str, object]:
        if api.openapi_schema is None:
            schema = own()
            bodies = [operation.body for _, operation in asked if operation.body is not None]
            models = [ErrorBody, *bodies, *(operation.answer for _, operation in asked)]
            places, shared = models_json_schema([(model, "validation") for model in models], ref_template=_PLACE)
            components = schema.setdefault("components", {}).setdefault("schemas", {})
            components.update(shared["$defs"])
            of: dict[object, object] = {model: place for (model, _), place in places.items()}
            for workload, operation in asked:
                schema["paths"][operation.path] = {operation.method.lower(): _describe(workload, operation, of)}
            api.openapi_schema = schema
        return api.openapi_schema

    api.openapi = openapi


def _describe(workload: str, operation: Operation, of: Mapping[object, object]) -> dict[str, object]:
    answers: dict[str, object] = {_JSON: {"schema": of[operation.answer]}}
    if operation.streams:
        answers["text/event-stream"] = {"schema": {"description": _EVENTS}}
    error = {"description": "what is wrong", "content": {_JSON: {"schema": of[ErrorBody]}}}
    found: dict[str, object] = {
        "tags": [workload],
        "summary": operation.summary,
        "operationId": operation.path.removeprefix("/v1/").replace("/", "_"),
        "responses": {"200": {"description": "the answer", "content": answers}, "4XX": error, "5XX": error},
    }
    if operation.body is not None:
        found["requestBody"] = {"required": True, "content": {_JSON: {"schema": of[operation.body]}}}
    if operation.query:
        found["parameters"] = [
            {"name": name, "in": "query", "required": False, "schema": dict(schema)}
            for name, schema in operation.query.items()
        ]
    return found
