"""The pool's secret: every process of a pool knows it, and every route of each of them but the front's asks for it."""

import hmac

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

TOKEN_HEADER = "x-tenfold-token"


def ask_for_token(app: ASGIApp, token: str) -> ASGIApp:
    """Wrap an app so that a request without the token is answered with 401, whatever its path."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or _knows(scope, token):
            await app(scope, receive, send)
        elif scope["type"] == "http":
            refusal = JSONResponse({"error": f"the {TOKEN_HEADER} header is missing or wrong"}, 401)
            await refusal(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    return guarded


def _knows(scope: Scope, token: str) -> bool:
    told = Headers(scope=scope).get(TOKEN_HEADER, "")
    # In the same time whatever was told, so that nobody can guess byte by byte.
    return hmac.compare_digest(told.encode(), token.encode())
