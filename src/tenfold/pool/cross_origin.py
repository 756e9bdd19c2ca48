"""What a browser is told about pages: which other site's may read an answer, and which may show it in a frame."""

import re

from starlette.types import Message, Send

_NAMES = re.compile(r"[A-Za-z0-9_, -]{1,500}")
_CORS = b"access-control-allow-origin"
_POLICY = b"content-security-policy"


def sheltered(send: Send) -> Send:
    """Let no page show an answer in a frame, where a click meant for that page would act here.

    An answer that has a policy of its own about frames keeps it: a widget's page names the tenant's origins. No answer
    is taken for another type than it says, and no other site is told the address of a page, which may hold a key.
    """

    async def kept(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            told = {name.lower(): value for name, value in message["headers"]}
            added = [(b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"same-origin")]
            added = [line for line in added if line[0] not in told]
            policies = (value for name, value in message["headers"] if name.lower() == _POLICY)
            if not any(b"frame-ancestors" in policy.lower() for policy in policies):
                # Beside a policy of the answer's own; browsers hold to both.
                added += [(_POLICY, b"frame-ancestors 'none'"), (b"x-frame-options", b"DENY")]
            message = {**message, "headers": [*message["headers"], *added]}
        await send(message)

    return kept


def confined(send: Send) -> Send:
    """Let the page of a public path load and run nothing but files of this site, unless it has a policy of its own.

    What a tenant or a visitor wrote may be in it, and it is of the same site as the console.
    """

    async def kept(message: Message) -> None:
        if message["type"] == "http.response.start":
            told = [name.lower() for name, _ in message["headers"]]
            if _POLICY not in told:
                message = {
                    **message,
                    "headers": [*message["headers"], (_POLICY, b"default-src 'self'; base-uri 'none'")],
                }
        await send(message)

    return kept


def with_origin(send: Send, origin: str | None) -> Send:
    """Let the page of ``origin`` read the answer of a public path; none: only what the answer itself says."""

    async def allowed(message: Message) -> None:
        if message["type"] == "http.response.start":
            # For a cache between: another page's answer says something else.
            headers = [*message["headers"], (b"vary", b"origin")]
            if origin is not None:
                headers = [line for line in headers if line[0].lower() != _CORS]
                headers.append((_CORS, origin.encode("latin-1")))
            message = {**message, "headers": headers}
        await send(message)

    return allowed


async def answer_preflight(send: Send, asked: str | None) -> None:
    """Tell a browser that the page may send its request, with the headers that it ``asked`` for."""
    names = asked if asked and _NAMES.fullmatch(asked) else "authorization, content-type"
    headers = [
        (b"access-control-allow-methods", b"GET, POST, PUT, PATCH, DELETE"),
        (b"access-control-allow-headers", names.encode()),
        (b"access-control-max-age", b"600"),
        (b"content-length", b"0"),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
