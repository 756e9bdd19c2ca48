"""The edge of the OpenAI API: bodies checked before an engine sees them, and errors in the shape its clients read."""

import reprlib
from dataclasses import dataclass

import orjson
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from starlette.responses import Response
from starlette.types import Scope

from tenfold.pool.answer import request_id
from tenfold.serve.bodies import DROPPED, ChatBody, CompletionBody, GenerationBody, ResponseFormat, Tool
from tenfold.serve.json_schema import BadSchema, bounded

DEFAULT_MAX_TOKENS = 256
DEEPEST = 64
"""Levels of lists and objects in a body; a schema within its own bound needs no more, and nothing else needs ten."""

LONGEST_TOKEN = 64
"""Characters: a prompt that is longer than this for each token of the context is refused before an engine splits it."""

_SHOWN = reprlib.Repr()
_SHOWN.maxstring = _SHOWN.maxother = _SHOWN.maxlong = 80
_SHOWN.maxlevel = 3


@dataclass(frozen=True, slots=True)
class Generation:
    """A checked request: ``body`` is what the engine gets, always streaming; ``stream`` is what the client gets."""

    body: bytes
    stream: bool


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


def read_generation(
    raw: bytes, schema: type[GenerationBody], *, model: str, engine_model: str, context_tokens: int, parallel: int
) -> Generation:
    """Check a request's body and write the one that the engine gets: of what was asked, what engines know.

    The model's name becomes the engine's, and the number of tokens is bounded: 256 unless the client says otherwise,
    and never more than the context.

    Raises:
        Rejection: 400 for a body that is not valid or over a bound, 404 for another model.
    """
    try:
        table = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Rejection(400, f"the body is not JSON: {error}") from error
    if _is_deeper(table, DEEPEST):
        raise Rejection(400, f"the body is nested more than {DEEPEST} levels deep")
    try:
        asked = schema.model_validate(table)
    except ValidationError as error:
        raise _explain(error, table) from error
    if asked.model != model:
        message = f"the model {asked.model!r:.80} does not exist; this pool serves {model!r}"
        raise Rejection(404, message, param="model", code="model_not_found")
    if asked.n is not None and asked.n > parallel:
        raise Rejection(400, f"'n': at most {parallel} answers are made together, got {asked.n}", param="n")
    _check_length(asked, context_tokens)
    wanted = asked.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=DROPPED)
    limit = (asked.max_completion_tokens if isinstance(asked, ChatBody) else None) or asked.max_tokens
    wanted |= {
        "model": engine_model,
        "max_tokens": min(limit or DEFAULT_MAX_TOKENS, context_tokens),
        "stream": True,
    }
    wanted.pop("stream_options", None)
    if not asked.stream or (asked.stream_options and asked.stream_options.include_usage):
        # A whole answer is put together from a stream that tells it.
        wanted["stream_options"] = {"include_usage": True}
    if isinstance(asked, ChatBody):
        _refuse_bound_continuation(asked)
        _bound_schemas(asked, wanted)
        for message in wanted["messages"]:
            # The older name, which every model's template knows.
            message["role"] = "system" if message["role"] == "developer" else message["role"]
    return Generation(orjson.dumps(wanted), bool(asked.stream))


def _check_length(asked: GenerationBody, context_tokens: int) -> None:
    if isinstance(asked, ChatBody):
        param, length = "messages", sum(len(message.content or "") for message in asked.messages)
    else:
        assert isinstance(asked, CompletionBody), "chats and completions are all there are"
        param, length = "prompt", len(asked.prompt)
    if length > LONGEST_TOKEN * context_tokens:
        message = f"{param!r}: {length} characters do not fit into a context of {context_tokens} tokens"
        raise Rejection(400, message, param=param, code="context_length_exceeded")


def _refuse_bound_continuation(asked: ChatBody) -> None:
    """An assistant's last message is gone on with; llama.cpp ends its process if a grammar does not fit it."""
    has_grammar = asked.tools or (asked.response_format is not None and asked.response_format.type != "text")
    if asked.messages[-1].role == "assistant" and has_grammar:
        message = (
            "'messages': the last message is the assistant's, which cannot be gone on with in a format or with tools"
        )
        raise Rejection(400, message, param="messages")


def _bound_schemas(asked: ChatBody, wanted: dict[str, object]) -> None:
    """Write schemas as an engine may see them."""
    param = ""
    try:
        if isinstance(asked.response_format, ResponseFormat) and asked.response_format.json_schema is not None:
            param = "response_format.json_schema.schema"
            kept = bounded(asked.response_format.json_schema.schema_ or {})
            wanted["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": kept}}
        tools: list[Tool] = asked.tools or []
        written = []
        for index, tool in enumerate(tools):
            param = f"tools.{index}.function.parameters"
            function: dict[str, object] = {"name": tool.function.name, "description": tool.function.description or ""}
            function["parameters"] = bounded(tool.function.parameters or {"type": "object", "properties": {}})
            written.append({"type": "function", "function": function})
        wanted.pop("tools", None)
        if written:
            wanted["tools"] = written
    except BadSchema as error:
        raise Rejection(400, f"{param!r}: {error}", param=param) from error


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


def _explain(error: ValidationError, table: object) -> Rejection:
    problems = error.errors(include_url=False)
    # Of a field that may be one of several things, what is wrong with the one that went furthest.
    problem = max((p for p in problems if p["loc"][:1] == problems[0]["loc"][:1]), key=lambda p: len(_place(p, table)))
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
