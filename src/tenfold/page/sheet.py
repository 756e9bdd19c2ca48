"""The shell of a page and its pieces.

Every number that is shown carries the unrounded one, as ``<data value>`` or ``data-value``: a page can be checked by
machine.
"""

from collections.abc import Iterable
from html import escape
from pathlib import Path

from tenfold.page.figures import amount, percent, usd

ICON = (
    "data:image/svg+xml,%3Csvg xmlns=%22http://www.w3.org/2000/svg%22 viewBox=%220 0 32 32%22%3E"
    "%3Crect x=%223%22 y=%2218%22 width=%227%22 height=%2211%22 rx=%222%22 fill=%22%234863d8%22/%3E"
    "%3Crect x=%2212.5%22 y=%2211%22 width=%227%22 height=%2218%22 rx=%222%22 fill=%22%230d9488%22/%3E"
    "%3Crect x=%2222%22 y=%223%22 width=%227%22 height=%2226%22 rx=%222%22 fill=%22%23e07b26%22/%3E%3C/svg%3E"
)


def document(title: str, style: str, body: str) -> str:
    """A whole page. ``style`` comes after what all pages share; ``title`` is escaped, ``body`` is not."""
    here = Path(__file__)
    shared = here.with_name("tokens.css").read_text() + here.with_name("page.css").read_text()
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="color-scheme" content="light dark">\n<link rel="icon" href="{ICON}">\n'
        f"<style>\n{shared}{style}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def inset(document: str) -> str:
    """What a whole page shows, to stand inside another page: its contents, with a style that reaches no further."""
    style = document.partition("<style>\n")[2].partition("</style>")[0]
    body = document.partition("<main>\n")[2].rpartition("\n</main>")[0]
    return f'<style>.sheet{{{style}}}</style><div class="sheet">{body}</div>'


def section(title: str, about: str, content: str, cls: str = "") -> str:
    """A card with a heading, a sentence, and what it shows; one that is ``wide`` can be scrolled, by keyboard too."""
    reach = f' tabindex="0" role="region" aria-label="{escape(title)}"' if "wide" in cls.split() else ""
    head = f'<h2>{escape(title)}</h2>\n<p class="about">{about}</p>'
    return f'<section class="{cls}"{reach}>\n{head}\n{content}\n</section>'


def either(broad: str, narrow: str) -> str:
    """Two drawings of the same: one for wide screens and paper, one for phones."""
    return f'<div class="broad">{broad}</div><div class="narrow">{narrow}</div>'


def pair(*sections: str) -> str:
    """Cards side by side; empty ones are left out."""
    shown = [each for each in sections if each]
    return f'<div class="pair">\n{"".join(shown)}\n</div>' if len(shown) > 1 else "".join(shown)


def header(title: str, words: str) -> str:
    """The page's title, and a line below it."""
    return f'<header>\n<h1>{escape(title)}</h1>\n<p class="sub">{words}</p>\n</header>'


def lead(title: str, words: str) -> str:
    """A page of the console says what it is for; ``words`` are HTML."""
    return f'<div class="lead"><h1>{escape(title)}</h1><p>{words}</p></div>'


def footer(lines: Iterable[str]) -> str:
    """Small print, a paragraph each."""
    return f"<footer>\n{''.join(f'<p>{line}</p>' for line in lines)}\n</footer>"


def tiles(shown: Iterable[tuple[str, str, str]]) -> str:
    """Figures side by side, each with its name above and what it means below."""
    found = (
        f'<div class="tile"><div class="name">{name}</div><div class="big">{big}</div>'
        f'<div class="small">{small}</div></div>'
        for name, big, small in shown
    )
    return f'<div class="tiles">\n{"".join(found)}\n</div>'


def heat(share: float, label: str = "", below: str = "") -> str:
    """A cell of a table, the darker the larger the share.

    Args:
        share: the share.
        label: its column, shown with it where a screen has no room for a row of cells.
        below: what else is in the cell, as HTML.
    """
    dark = ' class="dark"' if share > 0.6 else ""
    more = f"<br>{below}" if below else ""
    named = f' data-label="{escape(label)}"' if label else ""
    return f'<td{named}><span{dark} style="--p:{90 * share:.0f}%">{percent_data(share)}{more}</span></td>'


def data(value: float, words: str) -> str:
    """A number as words that carry it."""
    return f'<data value="{value!r}">{escape(words)}</data>'


def usd_data(value: float) -> str:
    """Dollars."""
    return data(value, usd(value))


def percent_data(value: float) -> str:
    """A share."""
    return data(value, percent(value))


def amount_data(value: float) -> str:
    """A count or a rate."""
    return data(value, amount(value))
