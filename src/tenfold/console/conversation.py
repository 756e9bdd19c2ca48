"""Requests that the page itself makes of the gateway: a streamed chat and a ranked list."""

import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

import aiohttp

_PATIENCE = aiohttp.ClientTimeout(total=120, sock_connect=5, sock_read=30)
_REPLY_TOKENS = 160


class Refused(Exception):
    """The gateway did not answer; the message is for the person at the page."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a chat; ``role`` is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class RankedItem:
    """One line of a ranked list."""

    item: int
    title: str
    genres: str
    score: float


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a streamed reply and the seconds since the request."""

    text: str
    after_s: float


async def chat(
    base_url: str, turns: Sequence[Turn], *, clock: Callable[[], float] = time.monotonic
) -> AsyncIterator[Piece]:
    """Stream a reply to the conversation, piece by piece.

    Raises:
        Refused: the gateway shed the request, failed, or cannot be reached.
    """
    began = clock()
    messages = [{"role": turn.role, "content": turn.content} for turn in turns]
    try:
        async with aiohttp.ClientSession(base_url, timeout=_PATIENCE) as session:
            model = await _model(session)
            body = {"model": model, "messages": messages, "stream": True, "max_tokens": _REPLY_TOKENS}
            async with session.post("/v1/chat/completions", json=body) as response:
                await _accept(response)
                async for line in response.content:
                    if text := _text_of(line):
                        yield Piece(text, clock() - began)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Refused(f"no answer from the gateway: {error or type(error).__name__}") from error


async def rank(base_url: str, user: int, k: int) -> list[RankedItem]:
    """Ask for the top ``k`` items for ``user``.

    Raises:
        Refused: the gateway shed the request, failed, or cannot be reached.
    """
    try:
        async with (
            aiohttp.ClientSession(base_url, timeout=_PATIENCE) as session,
            session.post("/v1/rank", json={"user": user, "k": k}) as response,
        ):
            await _accept(response)
            items = (await response.json())["items"]
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Refused(f"no answer from the gateway: {error or type(error).__name__}") from error
    return [
        RankedItem(
            item=int(item["item"]),
            title=str(item["title"]),
            genres=item["genres"] if isinstance(item["genres"], str) else ", ".join(item["genres"]),
            score=float(item["score"]),
        )
        for item in items
    ]


async def _model(session: aiohttp.ClientSession) -> str:
    async with session.get("/v1/models") as response:
        await _accept(response)
        models = (await response.json())["data"]
    if not models:
        raise Refused("the gateway lists no model")
    return str(models[0]["id"])


async def _accept(response: aiohttp.ClientResponse) -> None:
    if response.status == 200:
        return
    if response.status == 429:
        after = response.headers.get("Retry-After", "a few")
        raise Refused(f"the pool is full and sheds requests; try again in {after} s")
    text = (await response.text())[:200]
    raise Refused(f"the gateway answered {response.status}: {text}")


def _text_of(line: bytes) -> str:
    """Give the text of one server-sent event of the OpenAI stream; empty for any other line."""
    if not line.startswith(b"data:"):
        return ""
    data = line[5:].strip()
    if data == b"[DONE]":
        return ""
    event = json.loads(data)
    if "error" in event:
        raise Refused(str(event["error"].get("message", event["error"])))
    choices = event.get("choices") or [{}]
    return str(choices[0].get("delta", {}).get("content") or "")
