"""The one shape of an error that the pool's HTTP API answers with, whoever answers: front, gateway or resident."""

import json
from collections.abc import Mapping

from pydantic import Field
from starlette.responses import Response
from starlette.types import Send

from tenfold.core.frozen import Frozen
from tenfold.core.logs import REQUEST

_TYPES = {429: "rate_limit_exceeded", 503: "service_unavailable"}


class ErrorDetail(Frozen):
    """What is wrong, in OpenAI's four fields."""

    message: str = Field(description="what is wrong, where, and what would be right")
    type: str = Field(description="class of the error, e.g. invalid_request_error")
    param: str | None = Field(None, description="the field that is wrong")
    code: str | int | None = Field(None, description="a word for programs, or the status again")


class ErrorBody(Frozen):
    """Body of every answer of 400 and above."""

    error: ErrorDetail
    request_id: str = Field("", description="of the request that it answers, as in x-request-id and in the logs")


def error_body(
    status: int,
    message: str,
    *,
    param: str | None = None,
    code: str | int | None = None,
    request_id: str | None = None,
) -> bytes:
    """Encode an error; ``code`` is the status where no word is given, ``request_id`` that of this context."""
    error_type = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    detail = ErrorDetail(message=message, type=error_type, param=param, code=status if code is None else code)
    request = REQUEST.get() if request_id is None else request_id
    return ErrorBody(error=detail, request_id=request).model_dump_json().encode()


def error_response(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """Make the answer of a route."""
    return Response(error_body(status, message), status, headers, media_type="application/json")


async def send_error(
    send: Send,
    status: int,
    message: str,
    *,
    code: str | int | None = None,
    param: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> None:
    """Answer an HTTP request of an ASGI app with an error."""
    body = error_body(status, message, code=code, param=param)
    lines = {"content-type": "application/json", "content-length": str(len(body)), **(headers or {})}
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in lines.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})


def reason_in(text: str) -> str:
    """The sentence in an error's body: the pool's own shape, or FastAPI's; any other body as it is, cut short."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if isinstance(found, dict):
        if isinstance(found.get("error"), dict) and isinstance(found["error"].get("message"), str):
            return found["error"]["message"]
        if isinstance(found.get("detail"), str):
            return found["detail"]
    return text[:500] or "no reason was given"
