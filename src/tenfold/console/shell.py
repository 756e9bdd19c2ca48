"""The console: hangs up the pages that packages bring, under one head."""

from collections.abc import Sequence

from fastapi import FastAPI
from nicegui import ui
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from tenfold.console.bound import PageBound, bound_sockets
from tenfold.console.frame import STYLE, LivePage, Page, StillPage, brand_and_ways, document
from tenfold.page.brand import MARK

MOST_PAGES = 40
_NOTHING_ELSE = {
    # A still page has no script, and loads nothing but the pool's own typeface.
    "content-security-policy": "default-src 'none'; style-src 'self' 'unsafe-inline'; font-src 'self'; img-src data:; "
    "form-action 'self'",
    "cache-control": "no-store",
}
_HUE = """<script>
window.hue = name => {
  const style = getComputedStyle(document.documentElement);
  return (style.getPropertyValue('--' + name) || style.getPropertyValue('--idle')).trim();
};
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => location.reload());
</script>"""
"""Charts are drawn on a canvas, which knows no style sheet: they ask for a colour by its name."""


def mount(app: FastAPI, pages: Sequence[Page], *, most_pages: int = MOST_PAGES) -> None:
    """Serve the console's pages on ``app``; at most once per process.

    Call it after all other routes and lifespans of ``app`` are in place: the console takes every path that is left,
    and wraps the app's lifespan with its own.

    Args:
        app: the front's own.
        pages: in the order of their links.
        most_pages: live pages open at once; more are turned away.
    """
    live = [page for page in pages if isinstance(page, LivePage)]
    app.add_middleware(PageBound, paths=frozenset(page.path for page in live), most_pages=most_pages)
    bound_sockets()
    for page in pages:
        if isinstance(page, LivePage):
            _hang_live(page, pages)
        else:
            _hang_still(app, page, pages)
    # No Tailwind and no binding loop: pages have their own style sheet, and push what changed themselves.
    ui.run_with(
        app,
        title="Tenfold",
        language="en-US",
        dark=None,
        tailwind=False,
        binding_refresh_interval=None,
        show_welcome_message=False,
    )


def _hang_live(page: LivePage, pages: Sequence[Page]) -> None:
    @ui.page(page.path, title=f"{page.name} · Tenfold", favicon=MARK)
    def show() -> None:
        ui.add_head_html(STYLE + _HUE)
        with ui.element("div").classes("top").props("role=banner"):
            ui.html(brand_and_ways(pages, page), sanitize=False).classes("ways")
            heading = ui.element("div").classes("heading")
        with ui.element("div").props("id=content"):
            page.draw(heading)


def _hang_still(app: FastAPI, page: StillPage, pages: Sequence[Page]) -> None:
    def show(request: Request) -> Response:
        return HTMLResponse(document(pages, page, request.query_params), headers=_NOTHING_ELSE)

    app.add_route(page.path, show, methods=["GET"], include_in_schema=False)
