"""The login page: a key typed once becomes a cookie that no script can read and no other site's page can send."""

import html
from urllib.parse import parse_qs, quote, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from tenfold.page.brand import MARK, TOKENS
from tenfold.pool.asker import COOKIE
from tenfold.pool.body import BodyReader, BodyRefused, Disconnected
from tenfold.pool.keys import Keyring

LOGIN_PATH = "/login"
KEPT_S = 7 * 24 * 3600
"""For how long a browser keeps the key; one that is revoked opens nothing from its next request on."""

_BODY_BYTES = 4096
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'"
_STYLE = """
html { color-scheme: light dark; -webkit-text-size-adjust: 100% }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 ui-sans-serif, system-ui, sans-serif }
main { max-width: 23rem; margin: 14vh auto; padding: 0 1rem }
h1 { display: flex; align-items: center; gap: 10px; margin: 0 0 18px; font-size: 22px; letter-spacing: -.01em }
h1 svg { width: 26px; height: 26px }
form { padding: 22px 24px 24px; border: 1px solid var(--rule); border-radius: 12px; background: var(--card) }
label { display: block; font-weight: 600; margin: 0 0 6px }
input, button { box-sizing: border-box; width: 100%; padding: 9px 12px; border-radius: 8px; font: inherit }
input { border: 1px solid var(--faint); background: var(--card); color: var(--ink) }
button { margin-top: 14px; border: 0; background: var(--ink); color: var(--card); font-weight: 500; cursor: pointer }
:focus-visible { outline: 2px solid var(--news); outline-offset: 2px }
[role=alert]:not(:empty) { margin: 8px 0 0; color: var(--warn) }
[role=alert]:empty { margin: 0 }
p { margin: 16px 0 0; color: var(--muted); font-size: 13.5px }
code { display: block; margin-top: 4px; font: 13px ui-monospace, "DejaVu Sans Mono", Menlo, monospace }
"""
_HEAD = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Log in · Tenfold</title><style>{TOKENS}{_STYLE}</style></head><body><main><h1>{MARK}Tenfold</h1>
"""
_FORM = """<form method="post" action="{action}">
<label for="key">API key</label>
<input id="key" name="key" type="password" autocomplete="current-password" required autofocus>
<p role="alert">{fault}</p>
<button>Log in</button></form>
<p>Who runs the pool makes keys, on the machine where it runs: <code>tenfold keys make --role viewer</code></p>
</main></body></html>"""


def way_in(path: str, query: bytes) -> str:
    """Where a browser without a key is sent, to come back to ``path`` with one."""
    wanted = f"{path}?{query.decode('latin-1')}" if query else path
    return f"{LOGIN_PATH}?next={quote(wanted, safe='')}"


class Login:
    """Answers ``LOGIN_PATH``; an ASGI app.

    Args:
        keyring: the pool's keys.
    """

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._bodies = BodyReader(_BODY_BYTES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Show the page, or take a key."""
        request = Request(scope, receive)
        wanted = _own_path(request.query_params.get("next", "/"))
        try:
            answer = await self._take(request, wanted) if request.method == "POST" else _page(wanted)
        except Disconnected:
            return
        answer.headers["cache-control"] = "no-store"
        await answer(scope, receive, send)

    async def _take(self, request: Request, wanted: str) -> Response:
        try:
            body = await self._bodies.read(request.receive)
        except BodyRefused as refusal:
            answer = _page(wanted, str(refusal), refusal.status)
            if not refusal.was_read:
                answer.headers["connection"] = "close"
            return answer
        text = parse_qs(body.decode("latin-1")).get("key", [""])[0].strip()
        if self._keyring.find(text) is None:
            return _page(wanted, "This pool has no such key.", 401)
        answer = RedirectResponse(wanted, 303)
        answer.set_cookie(
            COOKIE, text, max_age=KEPT_S, httponly=True, samesite="strict", secure=_came_by_https(request)
        )
        return answer


def _came_by_https(request: Request) -> bool:
    """Whether the page was opened by https: to the pool, to a proxy that says so, or as the browser itself says."""
    return request.url.scheme == "https" or request.headers.get("origin", "").startswith("https://")


def _page(wanted: str, fault: str = "", status: int = 200) -> Response:
    action = f"{LOGIN_PATH}?next={quote(wanted, safe='')}"
    page = _HEAD + _FORM.format(action=html.escape(action), fault=html.escape(fault))
    return HTMLResponse(page, status, {"content-security-policy": _POLICY})


def _own_path(wanted: str) -> str:
    """A path of this pool; what would lead a browser elsewhere becomes the first page."""
    try:
        parts = urlsplit(wanted)
    except ValueError:
        return "/"
    is_own = not parts.scheme and not parts.netloc and wanted.startswith("/") and "\\" not in wanted
    return wanted if is_own and not wanted.startswith("//") else "/"
