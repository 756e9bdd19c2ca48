"""Which methods a path takes: one place says so for the gateway's paths and the front's own."""

from collections.abc import Collection, Mapping

from starlette.types import ASGIApp, Receive, Scope, Send

from tenfold.pool.api_error import send_error


def take_methods(app: ASGIApp, methods: Mapping[str, Collection[str]]) -> ASGIApp:
    """Wrap an app so that a path of ``methods`` asked with another method is answered with 405 and the right ones."""

    async def asked(scope: Scope, receive: Receive, send: Send) -> None:
        takes = methods.get(scope["path"]) if scope["type"] == "http" else None
        if takes is None or scope["method"] in takes:
            await app(scope, receive, send)
        else:
            allow = ", ".join(sorted(takes))
            text = f"{scope['path']} takes {allow}, not {scope['method']}"
            await send_error(send, 405, text, headers={"allow": allow})

    return asked
