"""What every HTTP answer of the pool has in common: an id of its request, and an end, whatever the app does."""

import logging
import re
import uuid

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tenfold.core.logs import REQUEST
from tenfold.pool.api_error import send_error

log = logging.getLogger(__name__)

REQUEST_ID_HEADER = "x-request-id"
_NAME = REQUEST_ID_HEADER.encode()
_SANE = re.compile(rb"[A-Za-z0-9._:-]{1,128}")


def request_id(scope: Scope) -> str:
    """Return the id of a request that came through ``answered``."""
    return next((value.decode() for name, value in scope["headers"] if name == _NAME), "")


def answered(app: ASGIApp) -> ASGIApp:
    """Wrap an app so that each request has an id and is answered, also where the app fails.

    The id is the client's ``x-request-id`` if it is a sane one, or made. The app finds it among the headers, the client
    in the answer. An app that fails is logged with its request's id; the client gets a 500 and a closed connection, or,
    if the answer had begun, a broken one. An answer that was whole already stays good, and so does its connection.
    """

    async def whole(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        identity = _take_id(scope)
        begun = False

        async def with_id(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                headers = [(name, value) for name, value in message["headers"] if name.lower() != _NAME]
                message = {**message, "headers": [*headers, (_NAME, identity)]}
            await send(message)

        token = REQUEST.set(identity.decode())
        try:
            await app(scope, receive, with_id)
        except Exception as error:
            log.exception("request %s to %r failed", identity.decode(), scope["path"][:200])
            if not begun:
                text = f"an unexpected error, {type(error).__name__}; the log has it under this request's id"
                await send_error(with_id, 500, text, headers={"connection": "close"})
        finally:
            REQUEST.reset(token)

    return whole


def _take_id(scope: Scope) -> bytes:
    """Find a request's id or make one, and see that it is the only one among its headers."""
    told = [value for name, value in scope["headers"] if name == _NAME]
    identity = told[0] if len(told) == 1 and _SANE.fullmatch(told[0]) else uuid.uuid4().hex.encode()
    scope["headers"] = [(name, value) for name, value in scope["headers"] if name != _NAME] + [(_NAME, identity)]
    return identity
