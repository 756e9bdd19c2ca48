"""The edge of the OpenAI API: bodies checked before an engine sees them, and errors in the shape its clients read."""

from dataclasses import dataclass
from typing import Annotated

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import Response

DEFAULT_MAX_TOKENS = 256


class GenerationBody(BaseModel):
    """Fields that we read; all others are the engine's and pass as they came."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    model: str
    stream: bool | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None


class ChatMessage(BaseModel):
    """One message; its content is the engine's to judge."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    role: str


class ChatBody(GenerationBody):
    """Body of POST /v1/chat/completions."""

    messages: Annotated[list[ChatMessage], Field(min_length=1)]


class CompletionBody(GenerationBody):
    """Body of POST /v1/completions."""

    prompt: str


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

    def to_json(self) -> bytes:
        """Encode it as OpenAI does: ``{"error": {"message", "type", "param", "code"}}``."""
        error = {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}
        return orjson.dumps({"error": error})

    def to_response(self, headers: dict[str, str] | None = None) -> Response:
        """Build the HTTP response."""
        return Response(self.to_json(), self.status, headers, media_type="application/json")


def read_generation(
    raw: bytes, schema: type[GenerationBody], *, model: str, engine_model: str, context_tokens: int
) -> Generation:
    """Check a request's body and write the one that the engine gets.

    The model's name becomes the engine's, and the number of tokens is bounded: 256 unless the client says otherwise,
    and never more than the context.

    Raises:
        Rejection: 400 for a body that is not valid, 404 for another model.
    """
    try:
        table = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Rejection(400, f"the body is not JSON: {error}") from error
    try:
        asked = schema.model_validate(table)
    except ValidationError as error:
        raise _explain(error) from error
    if asked.model != model:
        message = f"the model {asked.model!r} does not exist; this pool serves {model!r}"
        raise Rejection(404, message, param="model", code="model_not_found")
    limit = asked.max_completion_tokens or asked.max_tokens or DEFAULT_MAX_TOKENS
    table.pop("max_completion_tokens", None)
    table |= {"model": engine_model, "max_tokens": min(limit, context_tokens), "stream": True}
    if not asked.stream:
        table["stream_options"] = {"include_usage": True}
    return Generation(orjson.dumps(table), bool(asked.stream))


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


def _explain(error: ValidationError) -> Rejection:
    problem = error.errors(include_url=False)[0]
    param = ".".join(str(part) for part in problem["loc"]) or None
    if problem["type"] == "missing":
        return Rejection(400, f"missing required field {param!r}", param=param)
    where = f"{param!r}: " if param else "the body: "
    return Rejection(400, f"{where}{problem['msg']}, got {problem['input']!r:.80}", param=param)
