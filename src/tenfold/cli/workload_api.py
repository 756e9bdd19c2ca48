"""The part of the published schema that residents answer, typed by the models that check and make it there."""

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from tenfold.pool.api_error import ErrorBody
from tenfold.rank.contract import MOST_SAMPLE_USERS, CatalogItems, RankRequest, RankResponse, SampleUsers
from tenfold.serve.answers import ChatAnswer, TextAnswer
from tenfold.serve.bodies import ChatBody, CompletionBody

_PLACE = "#/components/schemas/{model}"
_JSON = "application/json"
_EVENTS = "with `stream`: server-sent events, each a chunk in OpenAI's shape, the last `[DONE]`"


@dataclass(frozen=True, slots=True)
class Operation:
    """A path that a workload answers. ``query``: its parameters' JSON schemas. ``streams``: it can answer in events."""

    path: str
    workload: str
    summary: str
    body: type[BaseModel] | None
    answer: type[BaseModel]
    query: Mapping[str, Mapping[str, object]]
    streams: bool = False


_LIMIT = {"type": "integer", "minimum": 1, "maximum": MOST_SAMPLE_USERS, "default": 10}

OPERATIONS = (
    Operation("/v1/chat/completions", "serve", "Answer a chat", ChatBody, ChatAnswer, {}, streams=True),
    Operation("/v1/completions", "serve", "Continue a prompt", CompletionBody, TextAnswer, {}, streams=True),
    Operation("/v1/rank", "rank", "Rank the catalog for a user or a history", RankRequest, RankResponse, {}),
    Operation("/v1/rank/users", "rank", "Give users to try", None, SampleUsers, {"limit": _LIMIT}),
    Operation("/v1/rank/items", "rank", "Give the whole catalog", None, CatalogItems, {}),
)


def publish(api: FastAPI) -> None:
    """Add the workloads' operations to the schema that ``api`` publishes.

    They are described and not routed, since the gateway answers them before ``api`` is asked.
    """
    own = api.openapi  # Replacing it is how FastAPI's documentation extends a schema.

    def openapi() -> dict[str, object]:
        if api.openapi_schema is None:
            schema = own()
            bodies = [operation.body for operation in OPERATIONS if operation.body is not None]
            models = [ErrorBody, *bodies, *(operation.answer for operation in OPERATIONS)]
            places, shared = models_json_schema([(model, "validation") for model in models], ref_template=_PLACE)
            components = schema.setdefault("components", {}).setdefault("schemas", {})
            components.update(shared["$defs"])
            of: dict[object, object] = {model: place for (model, _), place in places.items()}
            for operation in OPERATIONS:
                method = "post" if operation.body else "get"
                schema["paths"][operation.path] = {method: _describe(operation, of)}
            api.openapi_schema = schema
        return api.openapi_schema

    api.openapi = openapi


def _describe(operation: Operation, of: Mapping[object, object]) -> dict[str, object]:
    answers: dict[str, object] = {_JSON: {"schema": of[operation.answer]}}
    if operation.streams:
        answers["text/event-stream"] = {"schema": {"description": _EVENTS}}
    error = {"description": "what is wrong", "content": {_JSON: {"schema": of[ErrorBody]}}}
    found: dict[str, object] = {
        "tags": [operation.workload],
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
