"""Bounds on what browsers can make the front hold: open pages, sockets, and the length of a message.

An open page takes about 0.85 MB and is drawn anew each second in the process that also forwards requests: 400 of them
took 340 MB and made ranking wait for 3 s.
"""

from collections.abc import Collection
from urllib.parse import parse_qs

from nicegui import Client, core
from nicegui import app as nicegui_app
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tenfold.console.frame import STYLE
from tenfold.page.brand import MARK
from tenfold.pool.api_error import error_body, send_error
from tenfold.pool.doorkeeper import same_origin

SOCKET_PATH = "/_nicegui_ws/"
LONGEST_MESSAGE_BYTES = 100_000
"""From a browser: a chat message is the longest that it sends."""

_LOOK_EVERY_S = 3.0
_CONNECTS_WITHIN_S = 10.0
"""A page that was fetched and has no socket by then has no browser behind it."""

_TRY_AGAIN_S = 10


class PageBound:
    """An ASGI app around the console that turns away pages and sockets beyond a number.

    Args:
        app: the app that the console is mounted on.
        paths: of the pages that are held for as long as they are open.
        most_pages: pages open at once.
    """

    def __init__(self, app: ASGIApp, paths: Collection[str], most_pages: int) -> None:
        self._app = app
        self._paths = paths
        self._most_pages = most_pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request or connection."""
        if scope["type"] in ("http", "websocket") and scope["path"].startswith(SOCKET_PATH):
            await self._socket(scope, receive, send)
        elif scope["type"] == "http" and scope["path"] in self._paths and open_pages() >= self._most_pages:
            await full_page(self._most_pages)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a socket of an open page. Each has one, and a second one for the moment of a reconnect."""
        is_new = b"sid" not in parse_qs(scope["query_string"])
        if is_new and len(core.sio.eio.sockets) >= 2 * self._most_pages:
            if scope["type"] == "websocket":
                await receive()
                await send({"type": "websocket.close", "code": 1013, "reason": "too many sockets"})
            else:
                await send_error(send, 503, "too many sockets are open", headers={"retry-after": str(_TRY_AGAIN_S)})
        elif scope.get("method") == "POST" and not _is_short(scope):
            # The socket's server reads a whole body before it looks at its length.
            await send_error(send, 413, f"a message is longer than {LONGEST_MESSAGE_BYTES} bytes or its length unknown")
        else:
            await self._app(scope, receive, send)


def bound_sockets() -> None:
    """Let NiceGUI's socket server take short messages from the pool's own page only, and forget who left soon.

    NiceGUI 3.18 makes the server with ``cors_allowed_origins='*'`` and has no option for it; python-engineio reads
    both attributes at each request.
    """
    engine = core.sio.eio
    engine.cors_allowed_origins = lambda origin, environ: same_origin(origin or "", environ.get("HTTP_HOST", ""))
    engine.max_http_buffer_size = LONGEST_MESSAGE_BYTES
    nicegui_app.timer(_LOOK_EVERY_S, lambda: Client.prune_instances(client_age_threshold=_CONNECTS_WITHIN_S))
    # NiceGUI would answer an unknown path with a page, and hold a client for it.
    nicegui_app.exception_handlers[404] = _not_found


def open_pages() -> int:
    """Pages that the front holds: with a browser, or fetched a few seconds ago."""
    return len(Client.instances)


def full_page(most_pages: int) -> Response:
    """Make the page that says that there are enough pages; plain HTML that asks again by itself."""
    html = f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Tenfold: too many open pages</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta http-equiv="refresh" content="{_TRY_AGAIN_S}">
<meta name="color-scheme" content="light dark">
{STYLE}</head><body><main class="full"><div class="brand">{MARK}<span>Tenfold</span></div>
<h1>There is no room for another page</h1>
<p>Each open page is drawn anew every second, so the pool keeps at most {most_pages} open (<code>pool.pages</code> in
<code>tenfold.toml</code>). Close one that nobody watches: this page then opens by itself within {_TRY_AGAIN_S}
seconds.</p>
<p>The pool works on. <code>tenfold status</code> and <code>/api/state</code> show it too.</p></main></body></html>"""
    return HTMLResponse(html, 503, {"retry-after": str(_TRY_AGAIN_S), "cache-control": "no-store"})


def _not_found(request: Request, _: Exception) -> Response:
    return Response(error_body(404, f"there is no {request.url.path!r:.200}"), 404, media_type="application/json")


def _is_short(scope: Scope) -> bool:
    lengths = [value for name, value in scope["headers"] if name == b"content-length"]
    return len(lengths) == 1 and lengths[0].isdigit() and int(lengths[0]) <= LONGEST_MESSAGE_BYTES
