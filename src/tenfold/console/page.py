"""The one web page: what the pool does, live at 1 Hz, and a place to try it."""

import time
from collections.abc import Callable

from fastapi import FastAPI
from nicegui import ui

from tenfold.console.bound import PageBound, bound_sockets
from tenfold.console.charts import Option, changed_parts
from tenfold.console.palette import colour_of
from tenfold.console.picture import Picture, Sketchbook
from tenfold.console.style import FAVICON, STYLE
from tenfold.console.trial import chat_box, ranked_list
from tenfold.pool.state import PoolState

PERIOD_S = 1.0
MOST_PAGES = 40


def mount(
    app: FastAPI, *, state: Callable[[], PoolState | None], base_url: Callable[[], str], most_pages: int = MOST_PAGES
) -> None:
    """Serve the console at ``/`` of ``app``; at most once per process.

    Call it after all other routes and lifespans of ``app`` are in place: the console takes every path that is left,
    and wraps the app's lifespan with its own. It starts no loop of its own but one timer per open page.

    Args:
        app: the gateway's app.
        state: gives the latest state that this process has, or None before the first.
        base_url: gives the gateway's own address, for the page's chat box and ranked list.
        most_pages: pages open at once; more are turned away.
    """
    app.add_middleware(PageBound, most_pages=most_pages)
    bound_sockets()
    sketchbook = Sketchbook()

    @ui.page("/", title="Tenfold", favicon=FAVICON)
    def console() -> None:
        ui.add_head_html(STYLE)
        board = Board(lambda: sketchbook.picture(state(), time.time()), base_url)
        ui.timer(PERIOD_S, board.refresh)

    # No Tailwind and no binding loop: the page has its own style sheet, and pushes what changed itself.
    ui.run_with(app, title="Tenfold", tailwind=False, binding_refresh_interval=None, show_welcome_message=False)


class Board:
    """One browser's view: the elements of the page, and the picture that they show."""

    def __init__(self, look: Callable[[], Picture], base_url: Callable[[], str]) -> None:
        self._look = look
        self._html: dict[str, ui.html] = {}
        self._charts: dict[str, ui.echart] = {}
        self._shown = look()
        with ui.element("div").classes("board"):
            with ui.element("div"):
                self._top()
                self._words("banner", "alarms")
            self._pool_band()
            self._work_band = ui.element("div").classes("band work")
            self._fill_work_band()
            self._foot_band(base_url)

    def refresh(self) -> None:
        """Send what has changed since the last second."""
        before, after = self._shown, self._look()
        if after is before:
            return
        self._shown = after
        if after.workloads != before.workloads:
            self._fill_work_band()
        for place, html in after.html.items():
            if html != before.html.get(place):
                self._html[place].set_content(html)
        for place, option in after.options.items():
            self._redraw(place, before.options.get(place), option)

    def _redraw(self, place: str, before: Option | None, after: Option) -> None:
        chart = self._charts[place]
        if before is None or _shape(before) != _shape(after):
            chart.options.clear()
            chart.options.update(after)
            chart.update()
        elif (parts := changed_parts(before, after)) is not None:
            chart.run_chart_method("setOption", parts)

    def _words(self, place: str, classes: str) -> None:
        self._html[place] = ui.html(self._shown.html.get(place, ""), sanitize=False).classes(classes)

    def _chart(self, place: str, classes: str = "chart") -> None:
        self._charts[place] = ui.echart(dict(self._shown.options.get(place, {}))).classes(classes).mark(place)

    def _top(self) -> None:
        brand = f"{FAVICON}<span>Tenfold</span><em>one pool for training, serving and ranking</em>"
        with ui.element("div").classes("top"):
            ui.html(brand, sanitize=False).classes("brand")
            self._words("heading", "heading")

    def _pool_band(self) -> None:
        with ui.element("div").classes("band pool"):
            with ui.element("div").classes("card"):
                with ui.element("div").classes("title"):
                    ui.html("Slots over time", sanitize=False, tag="span")
                    self._words("legend", "key")
                self._chart("slots", "chart big slots-chart")
                ui.html("Value of one more slot <em>µ$ per second, logarithmic</em>", sanitize=False).classes("title")
                self._chart("value", "chart value-chart")
            with ui.element("div").classes("card"):
                ui.html("Slots now <em>● awake, ○ asleep, with process id</em>", sanitize=False).classes("title")
                self._words("tiles", "tilebox")

    def _fill_work_band(self) -> None:
        self._work_band.clear()
        with self._work_band:
            for name in self._shown.workloads:
                with ui.element("div").classes("card").style(f"border-top:3px solid {colour_of(name)}"):
                    self._words(f"{name}.head", "head")
                    self._words(f"{name}.figures", "figures")
                    self._words(f"{name}.captions", "captions")
                    self._chart(name, f"chart {name}-chart")
                    self._words(f"{name}.foot", "counts")
            if not self._shown.workloads:
                with ui.element("div").classes("card"):
                    ui.html("Workloads appear when the controller has started.", sanitize=False).classes("blank")

    def _foot_band(self, base_url: Callable[[], str]) -> None:
        with ui.element("div").classes("band foot"):
            with ui.element("div").classes("card"):
                ui.html("Moves <em>latest first: slot, way, gain, time taken, reason</em>", sanitize=False).classes(
                    "title"
                )
                with ui.element("div").classes("scroll"):
                    self._words("moves", "fill")
            with ui.element("div").classes("card"):
                chat_box(base_url)
            with ui.element("div").classes("card"):
                ranked_list(base_url)


def _shape(option: Option) -> int:
    series = option.get("series")
    return len(series) if isinstance(series, list) else 0
