"""Services that an owner may have configured: a search of the web, and a maker of images. None is assumed."""

import base64
import binascii
import os
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, urlsplit

import aiohttp
import orjson

from tenfold.assistant.settings import AssistantSettings
from tenfold.catalog.ingest.markup import read_time
from tenfold.catalog.passage import Passage
from tenfold.core.links import connector

MOST_RESULTS = 20
MOST_IMAGE_BYTES = 8 * 1024 * 1024
SEARCH_S, IMAGE_S = 10.0, 120.0
_KINDS = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"RIFF": "image/webp"}


class NoService(Exception):
    """It is not configured, or it does not answer well; the message says so to whoever asked."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image that a model made."""

    kind: str
    content: bytes


class Services:
    """Asks the services of ``[assistant]``."""

    def __init__(self, settings: AssistantSettings) -> None:
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Begin."""
        self._session = aiohttp.ClientSession(connector=connector())

    async def close(self) -> None:
        """End."""
        if self._session is not None:
            await self._session.close()

    @property
    def can_search(self) -> bool:
        """Whether a web search is configured."""
        return bool(self._settings.search_url)

    async def search(self, question: str, now: datetime) -> list[Passage]:
        """Search the web: results with an address and a text, as ``{"results": [{"url", "title", "content"}]}``.

        Raises:
            NoService: it does not answer well.
        """
        url = self._settings.search_url.replace("{query}", quote(question, safe=""))
        found = await self._ask(url, None, SEARCH_S)
        rows = found.get("results")
        if not isinstance(rows, list):
            raise NoService("the web search answered without results")
        passages = []
        for row in rows[:MOST_RESULTS]:
            link = row.get("url") if isinstance(row, dict) else None
            if not isinstance(link, str) or urlsplit(link).scheme not in ("http", "https"):
                continue
            text = str(row.get("text") or row.get("content") or "")
            published = read_time(str(row.get("published") or row.get("publishedDate") or ""))
            if text:
                passages.append(Passage(link, link, link, str(row.get("title") or link), text, now, published))
        return passages

    async def draw(self, what: str) -> Image:
        """Have an image made.

        Raises:
            NoService: no endpoint is configured, or it does not answer well.
        """
        if not self._settings.images_url:
            raise NoService(
                "I cannot make images: no images endpoint is configured ([assistant] images_url). I do not fake photos."
            )
        body: dict[str, object] = {"prompt": what, "n": 1, "response_format": "b64_json"}
        if self._settings.images_model:
            body["model"] = self._settings.images_model
        found = await self._ask(self._settings.images_url, body, IMAGE_S)
        rows = found.get("data")
        first = rows[0] if isinstance(rows, list) and rows else None
        try:
            content = base64.b64decode(str(first["b64_json"]) if isinstance(first, dict) else "-", validate=True)
        except (KeyError, binascii.Error) as error:
            raise NoService("the images endpoint answered without an image") from error
        kind = next((kind for mark, kind in _KINDS.items() if content.startswith(mark)), None)
        if kind is None:
            raise NoService("the images endpoint answered what is no PNG, JPEG or WebP")
        return Image(kind, content)

    async def _ask(self, url: str, body: dict[str, object] | None, patience_s: float) -> dict[str, object]:
        assert self._session is not None
        key = os.environ.get(self._settings.services_key_env, "") if self._settings.services_key_env else ""
        headers = {"authorization": f"Bearer {key}"} if key else {}
        timeout = aiohttp.ClientTimeout(total=patience_s)
        method = "GET" if body is None else "POST"
        host = urlsplit(url).hostname
        try:
            async with self._session.request(method, url, json=body, headers=headers, timeout=timeout) as answer:
                if answer.status != 200:
                    raise NoService(f"{host} answered {answer.status}")
                content = await answer.content.read(2 * MOST_IMAGE_BYTES)
                if not answer.content.at_eof():
                    raise NoService(f"{host} answered more than {2 * MOST_IMAGE_BYTES:,} bytes")
        except (aiohttp.ClientError, TimeoutError) as error:
            raise NoService(f"{host} does not answer: {error or type(error).__name__}") from error
        return _object(content, host)


def _object(content: bytes, host: str | None) -> dict[str, object]:
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise NoService(f"{host} answered what is no JSON") from error
    if not isinstance(found, dict):
        raise NoService(f"{host} answered JSON that is no object")
    return found
