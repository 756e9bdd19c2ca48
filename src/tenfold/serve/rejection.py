"""What is answered to a request that cannot be worked on, and the first look at a body."""

import reprlib
from dataclasses import dataclass
from typing import TypeVar

import orjson
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from starlette.responses import Response
from starlette.types import Scope

from tenfold.pool.answer import request_id

DEEPEST = 64
"""Levels of lists and objects in a body; a schema within its own bound needs no more, and nothing else needs ten."""

_SHOWN = reprlib.Repr()
_SHOWN.maxstring = _SHOWN.maxother = _SHOWN.maxlong = 80
_SHOWN.maxlevel = 3

Body = TypeVar("Body", bound=BaseModel)


@dataclass(eq=False)
class Rejection(Exception):
    """A request that is answered with an error in OpenAI's shape."""

    status: int
    message: str
    kind: str = "invalid_request_error"
    param: str | None = None
    code: str | None = None

    def to_json(self, request: str) -> bytes:
        """Encode as OpenAI does, ``{"error": {"message", "type", "param", "code"}}``, with the request's id beside."""
        error = {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}
        return orjson.dumps({"error": error, "request_id": request})

    def to_response(self, scope: Scope, headers: dict[str, str] | None = None) -> Response:
        """Build the HTTP response to a request."""
        return Response(self.to_json(request_id(scope)), self.status, headers, media_type="application/json")


def read_body(raw: bytes, schema: type[Body], context: object = None) -> Body:
    """Check a request's body; ``context`` is told to the schema's validators.

    Raises:
        Rejection: 400 for one that is not JSON, nested too deep, or not as ``schema`` says; names the field.
    """
    try:
        table = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Rejection(400, f"the body is not JSON: {error}") from error
    if _is_deeper(table, DEEPEST):
        raise Rejection(400, f"the body is nested more than {DEEPEST} levels deep")
    try:
        return schema.model_validate(table, context=context)
    except ValidationError as error:
        raise _explain(error, table) from error


def no_such_model(asked: str, served: str) -> Rejection:
    """The answer to who asks for a model that is not here."""
    message = f"the model {asked!r:.80} does not exist; this pool serves {served}"
    return Rejection(404, message, param="model", code="model_not_found")


def read_engine_error(status: int, raw: bytes) -> Rejection:
    """Turn an engine's error into OpenAI's shape; llama.cpp's has no ``param`` and a number as ``code``."""
    try:
        error = orjson.loads(raw)["error"]
        message, kind = str(error["message"]), str(error["type"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return Rejection(status, f"the engine answered {status}: {raw[:200]!r}", kind="server_error")
    if kind == "exceed_context_size_error":
        return Rejection(400, message, param="messages", code="context_length_exceeded")
    return Rejection(status, message, kind=kind)


def _is_deeper(table: object, most: int) -> bool:
    """Whether lists and objects are nested more than so deep; level by level, since a recursion would itself end."""
    level = [table]
    for _ in range(most + 1):
        if not level:
            return False
        inner: list[object] = []
        for part in level:
            if isinstance(part, dict):
                inner += [value for value in part.values() if isinstance(value, dict | list)]
            elif isinstance(part, list):
                inner += [value for value in part if isinstance(value, dict | list)]
        level = inner
    return bool(level)


def _explain(error: ValidationError, table: object) -> Rejection:
    problems = error.errors(include_url=False)
    # Of a field that may be one of several things, what is wrong with the one that went furthest, or is of its type.
    problem = max(
        (p for p in problems if p["loc"][:1] == problems[0]["loc"][:1]),
        key=lambda p: (len(_place(p, table)), not p["type"].endswith("_type")),
    )
    param = ".".join(_place(problem, table)) or None
    if problem["type"] == "missing":
        return Rejection(400, f"missing required field {param!r}", param=param)
    if problem["type"] == "extra_forbidden":
        return Rejection(400, f"unknown or unsupported field {param!r}", param=param, code="unknown_parameter")
    where = f"{param!r:.200}: " if param else "the body: "
    return Rejection(400, f"{where}{problem['msg']}, got {_SHOWN.repr(problem['input'])}", param=param)


def _place(problem: ErrorDetails, table: object) -> list[str]:
    """Where in the body: a location also names the alternatives of a union, which the body does not have."""
    place = []
    last = len(problem["loc"]) - 1
    for index, part in enumerate(problem["loc"]):
        if isinstance(table, dict) and part in table:  # noqa: SIM114 - two branches tell pyrefly the types
            table = table[part]
        elif isinstance(table, list) and isinstance(part, int):
            table = table[part]
        elif problem["type"] != "missing" or index != last:
            continue
        place.append(str(part)[:80])
    return place
