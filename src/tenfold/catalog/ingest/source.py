"""A source on this machine, whatever it is: a feed, an FAQ file, a folder of documents or of a site's pages."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tenfold.catalog.gathered import Gathered, Skipped
from tenfold.catalog.ingest.csv_feed import read_csv
from tenfold.catalog.ingest.decode import decode
from tenfold.catalog.ingest.documents import TEXT_FILES, page_passages, question_passages, read_document
from tenfold.catalog.ingest.google import read_google
from tenfold.catalog.ingest.markup import read_page
from tenfold.catalog.ingest.rows import FeedRow, items_of
from tenfold.catalog.ingest.schema_org import read_json_ld
from tenfold.catalog.ingest.shopify import read_shopify
from tenfold.core.errors import UsageError

LARGEST_BYTES = 64 << 20
"""Of one file; larger ones are skipped."""
_TABLES = frozenset({".csv", ".tsv", ".tab"})
_FEEDS = frozenset({".xml", ".rss", ".atom"})

Progress = Callable[[str, int, int], None]
"""Told what is being read, how many of how many."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a page gave beside its text: rows of things for sale. Rows of all pages are joined to items at the end."""

    gathered: Gathered
    rows: tuple[FeedRow, ...] = ()


def read_feed(path: Path, now: datetime, currency: str = "USD") -> Gathered:
    """Read a product feed: CSV, tabs, Google Merchant's XML, Shopify's ``products.json``, a page with JSON-LD.

    Raises:
        UsageError: there is no such file, or its name does not say what it is.
    """
    if not path.is_file():
        raise UsageError(f"there is no feed {str(path)!r}", next_step="give the path of a CSV, XML or JSON file")
    kind = path.suffix.lower()
    if kind in (".html", ".htm"):
        return joined([read_html(decode(path.read_bytes()), path.stem, path.resolve().as_uri(), now)], currency)
    if kind not in _TABLES | _FEEDS | {".txt", ".json"}:
        raise UsageError(
            f"a feed is a CSV, XML or JSON file, not {path.name!r}", next_step="name it by what it is, as products.csv"
        )
    return feed_of(decode(path.read_bytes()), path.name, currency)


def feed_of(text: str, name: str, currency: str, site: str = "") -> Gathered:
    """Read a feed by what its text looks like; ``site``: address of the shop, for links."""
    begin = text.lstrip()[:1]
    if begin == "<":
        return read_google(text, name, currency)
    if begin in ("{", "["):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            return Gathered(skipped=(Skipped(name, f"it is no JSON: {error}"),))
        products = value.get("products") if isinstance(value, Mapping) else value
        if not isinstance(products, list):
            why = "it has no list 'products', as Shopify's products.json has"
            return Gathered(skipped=(Skipped(name, why),))
        return read_shopify(products, name, currency, site)
    return read_csv(text, name, currency)


def read_folder(
    folder: Path, now: datetime, currency: str = "USD", progress: Progress = lambda _what, _done, _all: None
) -> Gathered:
    """Read all documents in a folder and the folders in it, and feeds and pages with things for sale among them.

    The id of a document is its file's name without ending; with its folder where two would have the same.

    Raises:
        UsageError: there is no such folder.
    """
    if not folder.is_dir():
        raise UsageError(f"there is no folder {str(folder)!r}", next_step="give the path of a folder of documents")
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    stems = [path.stem for path in paths]
    told = []
    for number, path in enumerate(paths, 1):
        progress(path.name, number, len(paths))
        name = path.relative_to(folder).as_posix()
        document = path.stem if stems.count(path.stem) == 1 else name.removesuffix(path.suffix)
        told.append(_read_file(path, name, document, now, currency))
    return joined(told, currency)


def read_file(path: Path, now: datetime, currency: str = "USD") -> Gathered:
    """Read one file of text, such as an FAQ.

    Raises:
        UsageError: there is no such file.
    """
    if not path.is_file():
        raise UsageError(f"there is no file {str(path)!r}", next_step="give the path of a file or folder")
    return joined([_read_file(path, path.name, path.stem, now, currency)], currency)


def _read_file(path: Path, name: str, document: str, now: datetime, currency: str) -> Told:
    why, text = _text_in(path)
    if why:
        return Told(Gathered(skipped=(Skipped(name, why),)))
    kind = path.suffix.lower()
    if kind in _TABLES | _FEEDS or path.name == "products.json":
        return Told(feed_of(text, name, currency))
    if kind in (".html", ".htm"):
        return read_html(text, document, "", now, name)
    return Told(read_document(text, name, now, document=document))


def _text_in(path: Path) -> tuple[str, str]:
    """Why a file is skipped, or else its text."""
    kind = path.suffix.lower()
    if kind not in TEXT_FILES | _TABLES | _FEEDS:
        known = ".md, .txt, .html, .json, .jsonl, .csv and .xml"
        return f"files of kind {kind or 'no ending'!r} are not read; {known} are", ""
    try:
        if path.stat().st_size > LARGEST_BYTES:
            return f"it is larger than {LARGEST_BYTES >> 20} MB", ""
        text = decode(path.read_bytes())
    except OSError as error:
        return f"it cannot be read: {error.strerror}", ""
    return ("", text) if text.strip() else ("it is empty", "")


def read_html(text: str, document: str, url: str, now: datetime, where: str = "") -> Told:
    """Read a page: its text, its questions, and rows of what it sells."""
    page = read_page(text)
    address = url or page.url
    said = read_json_ld(page.json_ld, address or where or document)
    passages = page_passages(page, document, address, now)
    asked = {passage.title.rpartition(" - ")[2].casefold() for passage in passages}
    questions = [each for each in said.questions if each.question.casefold() not in asked]
    passages += question_passages(questions, document, address, now)
    return Told(Gathered((), passages, said.skipped), said.rows)


def joined(told: Sequence[Told], currency: str) -> Gathered:
    """Put together what pages and files gave; rows of one item may come from several."""
    whole = Gathered(
        tuple(item for each in told for item in each.gathered.items),
        tuple(passage for each in told for passage in each.gathered.passages),
        tuple(skip for each in told for skip in each.gathered.skipped),
    )
    return whole + items_of([row for each in told for row in each.rows], currency)
