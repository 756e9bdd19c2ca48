"""What all pages have around them: the head with the brand and the way to every page, and the style they share."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import quote

from nicegui import __version__, ui

from tenfold.page.brand import MARK, TOKENS
from tenfold.page.palette import by_night, hue_of
from tenfold.wiring import WORKLOADS

_FONTS = f"/_nicegui/{__version__}/static/fonts.css"
"""The typeface that live pages have, as NiceGUI serves it."""

_CURRENT = ' aria-current="page"'
_RULES = Path(__file__).with_name("console.css").read_text()


def workload_colours() -> str:
    """The workloads' colours as custom properties, by day and by night."""
    day = "".join(f"--{hue_of(each.name)}:{each.colour};" for each in WORKLOADS)
    night = "".join(f"--{hue_of(each.name)}:{by_night(each.colour)};" for each in WORKLOADS)
    return f":root{{{day}}}@media (prefers-color-scheme: dark){{:root{{{night}}}}}"


STYLE = f"<style>{TOKENS}{workload_colours()}{_RULES}</style>"


@dataclass(frozen=True, slots=True)
class LivePage:
    """A page that is drawn for each browser and changes under its eyes.

    ``draw`` fills it: it is called inside the page, with the place at the head's right for the page's summary.
    """

    path: str
    name: str
    draw: Callable[[ui.element], None]


@dataclass(frozen=True, slots=True)
class StillPage:
    """A page without a script. ``html`` makes its contents of the address's query; ``style`` is its own style sheet."""

    path: str
    name: str
    html: Callable[[Mapping[str, str]], str]
    style: str = ""


Page = LivePage | StillPage


def brand_and_ways(pages: Sequence[Page], current: Page) -> str:
    """The left of the head: the brand, and a link to each page."""
    links = "".join(
        f'<a href="{page.path}"{_CURRENT if page == current else ""}>{escape(page.name)}</a>' for page in pages
    )
    return (
        '<a class="skip" href="#content">Skip to the content</a>'
        f'<a class="brand" href="/">{MARK}<span>Tenfold</span></a><nav aria-label="Pages">{links}</nav>'
    )


def document(pages: Sequence[Page], page: StillPage, query: Mapping[str, str]) -> str:
    """A whole still page."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(page.name)} · Tenfold</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f'<link rel="icon" href="data:image/svg+xml,{quote(MARK)}"><link rel="stylesheet" href="{_FONTS}">{STYLE}'
        f"<style>{page.style}</style></head>"
        f'<body class="still"><header class="top">{brand_and_ways(pages, page)}</header>'
        f'<main id="content">{page.html(query)}</main></body></html>'
    )
