"""HTML as text: of a snippet, and of a page by its headings, without what frames every page of a site."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from selectolax.lexbor import LexborHTMLParser, LexborNode

_UNSEEN = "script, style, noscript, template, svg, iframe, form, button, select, dialog"
_FRAME = (
    "nav, header, footer, aside, [role=navigation], [role=banner], [role=contentinfo], [hidden], [aria-hidden=true]"
)
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6", "summary", "dt", "caption", "legend"})
_BLOCKS = frozenset(
    [
        "p",
        "div",
        "li",
        "tr",
        "table",
        "ul",
        "ol",
        "dl",
        "dd",
        "section",
        "article",
        "main",
        "blockquote",
        "pre",
        "br",
        "figure",
        "figcaption",
        "details",
        "address",
        "hr",
    ]
)
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>|&[a-zA-Z]+;|&#\d+;")
_SPACE = re.compile(r"[ \t\u00a0]+")


@dataclass(frozen=True, slots=True)
class Section:
    """Part of a page under one heading; the first may have none."""

    heading: str
    text: str


@dataclass(frozen=True, slots=True)
class Page:
    """What a page says. ``url``: the address that it gives itself. ``json_ld``: blocks of it, as they are written."""

    title: str
    sections: tuple[Section, ...]
    published: datetime | None = None
    url: str = ""
    links: tuple[str, ...] = ()
    json_ld: tuple[str, ...] = field(default=())


def plain_text(text: str) -> str:
    """Give the text of a snippet that may be HTML, one line a block."""
    if not _TAG.search(text):
        return _squeeze(text)
    body = LexborHTMLParser(text).body
    if body is None:
        return ""
    _remove(body, _UNSEEN)
    return "\n".join(part for _, part in _parts(body) if part)


def read_page(html: str) -> Page:
    """Take a page apart at its headings."""
    tree = LexborHTMLParser(html)
    json_ld = tuple(node.text() for node in tree.css('script[type="application/ld+json"]'))
    links = tuple(href for node in tree.css("a[href]") if (href := node.attributes.get("href")))
    title = _title(tree)
    published = _published(tree)
    canonical = tree.css_first('link[rel="canonical"]')
    url = (canonical.attributes.get("href") or "") if canonical is not None else ""
    body = tree.css_first("main") or tree.css_first("article") or tree.body
    sections: tuple[Section, ...] = ()
    if body is not None:
        _remove(body, _UNSEEN)
        _remove(body, _FRAME)
        sections = tuple(_sections(body, title))
    return Page(title, sections, published, url, links, json_ld)


def _sections(body: LexborNode, title: str) -> Iterator[Section]:
    heading, lines = "", list[str]()
    for is_heading, part in _parts(body):
        if is_heading and part:
            if lines:
                yield Section(heading, "\n".join(lines))
            # A heading right under another belongs to it, but for the page's own.
            heading = f"{heading} - {part}" if heading and not lines and part != heading else part
            heading = "" if heading == title else heading.removeprefix(f"{title} - ")
            lines = []
        elif part:
            lines.append(part)
    if lines or heading:
        yield Section(heading, "\n".join(lines))


def _parts(body: LexborNode) -> Iterator[tuple[bool, str]]:
    """Blocks of text in order, and whether each is a heading."""
    held: list[str] = []
    stack: list[tuple[LexborNode, bool]] = [(body, False)]
    while stack:
        node, done = stack.pop()
        tag = node.tag or ""
        if done:
            if tag in ("td", "th"):
                held.append(" | ")
            else:
                yield tag in _HEADINGS, _squeeze("".join(held))
                held = []
            continue
        if tag == "-text":
            held.append(re.sub(r"\s+", " ", node.text(deep=False)))
            continue
        if tag in _HEADINGS or tag in _BLOCKS or node is body:
            yield False, _squeeze("".join(held))
            held = []
            stack.append((node, True))
        elif tag in ("td", "th"):
            stack.append((node, True))
        stack += [(child, False) for child in reversed(list(node.iter(include_text=True)))]


def _title(tree: LexborHTMLParser) -> str:
    heading = tree.css_first("h1")
    shared = tree.css_first('meta[property="og:title"]')
    named = tree.css_first("title")
    found = (
        heading.text() if heading is not None else "",
        (shared.attributes.get("content") or "") if shared is not None else "",
        named.text() if named is not None else "",
    )
    return next((_squeeze(each).replace("\n", " ") for each in found if each.strip()), "")


def _published(tree: LexborHTMLParser) -> datetime | None:
    places = (
        *((f'meta[property="{name}"]', "content") for name in ("article:modified_time", "article:published_time")),
        *((f'meta[name="{name}"]', "content") for name in ("date", "last-modified", "dcterms.modified")),
        ("time[datetime]", "datetime"),
    )
    for selector, attribute in places:
        node = tree.css_first(selector)
        found = read_time(node.attributes.get(attribute) or "") if node is not None else None
        if found is not None:
            return found
    return None


def read_time(text: str) -> datetime | None:
    """Read a time in ISO 8601, as UTC where it has no zone; none if it is not one."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _remove(body: LexborNode, selector: str) -> None:
    for node in body.css(selector):
        if node != body:
            node.decompose()


def _squeeze(text: str) -> str:
    lines = (_SPACE.sub(" ", line).strip(" |") for line in text.split("\n"))
    return "\n".join(line for line in lines if line)
