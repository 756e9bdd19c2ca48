"""The pool's page: what it does, live at 1 Hz, and a place to try it."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from nicegui import ui

from tenfold.page.palette import css
from tenfold.pool.board.charts import Option, changed_parts
from tenfold.pool.board.picture import Picture, Sketchbook
from tenfold.pool.state import PoolState

PERIOD_S = 1.0
_STYLE = Path(__file__).with_name("board").joinpath("board.css").read_text()


class PoolPage:
    """The pool's page, whose picture is drawn once a second for all browsers. Its one loop is a timer per open page.

    Args:
        state: gives the latest state that this process has, or None before the first.
        trials: what fills the cards in which a person tries what the pool serves.
    """

    def __init__(self, state: Callable[[], PoolState | None], trials: Sequence[Callable[[], None]]) -> None:
        self._state = state
        self._trials = trials
        self._sketchbook = Sketchbook()

    def draw(self, heading: ui.element) -> None:
        """Fill a browser's page."""
        ui.add_css(_STYLE)
        board = Board(lambda: self._sketchbook.picture(self._state(), time.time()), heading, self._trials)
        ui.timer(PERIOD_S, board.refresh)


class Board:
    """One browser's view: the elements of the page, and the picture that they show."""

    def __init__(self, look: Callable[[], Picture], heading: ui.element, trials: Sequence[Callable[[], None]]) -> None:
        self._look = look
        self._html: dict[str, ui.html] = {}
        self._charts: dict[str, ui.echart] = {}
        self._shown = look()
        with heading:
            self._words("heading", "heading")
        ui.html("The pool", sanitize=False, tag="h1").classes("unseen")
        with ui.element("div").classes("board"):
            self._words("banner", "alarms").props("role=status")
            self._pool_band()
            self._work_band = ui.element("div").classes("band work")
            self._fill_work_band()
            self._foot_band(trials)

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

    def _words(self, place: str, classes: str) -> ui.html:
        self._html[place] = ui.html(self._shown.html.get(place, ""), sanitize=False).classes(classes)
        return self._html[place]

    def _chart(self, place: str, classes: str, label: str) -> None:
        chart = ui.echart(dict(self._shown.options.get(place, {}))).classes(classes).mark(place)
        self._charts[place] = chart.props(f'role=img aria-label="{label}"')

    def _pool_band(self) -> None:
        with ui.element("div").classes("band pool"):
            with ui.element("div").classes("card"):
                with ui.element("div").classes("title"):
                    ui.html("Slots over time", sanitize=False, tag="h2")
                    self._words("legend", "key")
                self._chart("slots", "chart big slots-chart", "Slots awake over time, by workload")
                _title("Value of one more slot", "µ$ per second, logarithmic")
                self._chart("value", "chart value-chart", "What one more slot would be worth, by workload")
            with ui.element("div").classes("card"):
                _title("Slots now", "● awake, ○ asleep, with process id")
                self._words("tiles", "tilebox").props('tabindex=0 role=region aria-label="Slots now"')

    def _fill_work_band(self) -> None:
        self._work_band.clear()
        with self._work_band:
            for name in self._shown.workloads:
                with ui.element("div").classes("card").style(f"border-top:3px solid {css(name)}"):
                    self._words(f"{name}.head", "head")
                    self._words(f"{name}.figures", "figures")
                    self._words(f"{name}.captions", "captions")
                    self._chart(name, f"chart {name}-chart", f"What {name} is asked for and does, over time")
                    self._words(f"{name}.foot", "counts")
            if not self._shown.workloads:
                with ui.element("div").classes("card"):
                    ui.html("Workloads appear when the controller has started.", sanitize=False).classes("blank")

    def _foot_band(self, trials: Sequence[Callable[[], None]]) -> None:
        with ui.element("div").classes("band foot"):
            with ui.element("div").classes("card"):
                _title("Moves", "latest first: slot, way, gain, time taken, reason")
                with ui.element("div").classes("scroll").props('tabindex=0 role=region aria-label="Moves"'):
                    self._words("moves", "fill")
            for trial in trials:
                with ui.element("div").classes("card"):
                    trial()


def _title(words: str, beside: str) -> None:
    ui.html(f"{words} <em>{beside}</em>", sanitize=False, tag="h2").classes("title")


def _shape(option: Option) -> int:
    series = option.get("series")
    return len(series) if isinstance(series, list) else 0
