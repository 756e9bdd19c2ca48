"""The chat with the served model, for the console: its replies stream in."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from nicegui import ui

from tenfold.core.minilm import MODEL as EMBEDDER
from tenfold.pool.asking import Refused, accept, asking, rights_of
from tenfold.pool.board.figures import duration

_STYLE = Path(__file__).with_name("page.css").read_text()
_REPLY_TOKENS = 160
_REMEMBERED_TURNS = 8
_LIST_EVERY_S = 3.0
_SEND_EVERY_S = 0.08
"""A reply is sent to the browser at most so often: 30 pieces a second would be 30 messages."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a chat; ``role`` is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a streamed reply and the seconds since the request."""

    text: str
    after_s: float


def chat_box(base_url: Callable[[], str]) -> None:
    """Add a chat whose replies stream in; the conversation lives as long as the page."""
    ui.add_css(_STYLE)
    ui.html("Chat <em>with an awake resident of serve</em>", sanitize=False, tag="h2").classes("title")
    window = ui.element("div").classes("scroll").props('tabindex=0 role=log aria-label="Chat"')
    with window, ui.element("div").classes("talk") as talk:
        blank = ui.html("Ask the model something.", sanitize=False).classes("blank")
    rights = rights_of(ui.context.client.request.headers)
    conversation = Conversation(lambda turns: chat(base_url(), turns, rights, model=choice.value or ""), window, talk)

    async def ask() -> None:
        text = (question.value or "").strip()
        if not text or conversation.is_replying:
            return
        blank.set_visibility(False)
        question.set_value("")
        send.disable()
        if await conversation.ask(text):
            send.enable()

    async def list_models() -> None:
        try:
            names = await chat_models(base_url(), rights)
        except Refused:
            return  # The pool is not up yet; the timer asks again.
        listing.cancel()
        choice.set_options(names, value=names[0] if names else None)
        choice.set_visibility(len(names) > 1)

    with ui.element("div").classes("ask"):
        choice = ui.select([]).props('dense outlined options-dense aria-label="model"').classes("which")
        choice.set_visibility(False)
        question = ui.input(placeholder="Why is the sky blue?").props('dense outlined aria-label="message"')
        question.on("keydown.enter", ask)
        send = ui.button("Send", on_click=ask, color=None).props("unelevated").classes("go")
    listing = ui.timer(_LIST_EVERY_S, list_models)
    # A browser that leaves takes its reply with it, and so frees the slot.
    ui.context.client.on_delete(conversation.stop)


class Conversation:
    """The messages of one page's chat, and the reply that is coming in, if any."""

    def __init__(
        self, answer: Callable[[Sequence[Turn]], AsyncIterator[Piece]], window: ui.element, talk: ui.element
    ) -> None:
        self._answer = answer
        self._window = window
        self._talk = talk
        self._turns: list[Turn] = []
        self._replying: asyncio.Task[None] | None = None

    @property
    def is_replying(self) -> bool:
        """Whether a reply is coming in."""
        return self._replying is not None

    async def ask(self, text: str) -> bool:
        """Send a message and show the reply as it comes; False if the page was closed before its end."""
        self._say(text, "user")
        self._turns.append(Turn("user", text))
        self._replying = asyncio.create_task(self._reply())
        try:
            await self._replying
        except asyncio.CancelledError:
            return False
        finally:
            self._replying = None
        return True

    def stop(self) -> None:
        """Give up the reply that is coming in."""
        if self._replying is not None:
            self._replying.cancel()

    def _say(self, text: str, classes: str) -> ui.label:
        with self._talk:
            return ui.label(text).classes(f"said {classes}")

    async def _reply(self) -> None:
        label = self._say("", "assistant")
        pieces: list[Piece] = []
        shown_s = 0.0
        try:
            async for piece in self._answer(self._turns[-_REMEMBERED_TURNS:]):
                pieces.append(piece)
                if piece.after_s - shown_s > _SEND_EVERY_S:
                    label.set_text("".join(each.text for each in pieces))
                    self._scroll_down()
                    shown_s = piece.after_s
        except Refused as refusal:
            label.delete()
            self._say(str(refusal), "refused")
            self._turns.pop()
        else:
            label.set_text("".join(each.text for each in pieces).strip() or "(no words)")
            self._turns.append(Turn("assistant", label.text))
            with self._talk:
                ui.label(pace_of(pieces)).classes("pace")
        self._scroll_down()

    def _scroll_down(self) -> None:
        bottom = f"const e = getHtmlElement({self._window.id}); e.scrollTop = e.scrollHeight"
        self._window.client.run_javascript(bottom)


def pace_of(pieces: Sequence[Piece]) -> str:
    """Say how fast a reply came; a piece of a stream is one token."""
    if not pieces:
        return "no tokens"
    span_s = pieces[-1].after_s - pieces[0].after_s
    rate = f", then {(len(pieces) - 1) / span_s:.0f} tokens/s" if span_s > 0 else ""
    return f"first token after {duration(pieces[0].after_s)}{rate}"


async def chat(
    base_url: str,
    turns: Sequence[Turn],
    rights: Mapping[str, str],
    *,
    model: str = "",
    clock: Callable[[], float] = time.monotonic,
) -> AsyncIterator[Piece]:
    """Stream a reply to the conversation, piece by piece; from the default model if none is named.

    Raises:
        Refused: the gateway shed the request, failed, or cannot be reached.
    """
    began = clock()
    messages = [{"role": turn.role, "content": turn.content} for turn in turns]
    async with asking(base_url, rights) as session:
        chosen = model or (await _models(session))[0]
        body = {"model": chosen, "messages": messages, "stream": True, "max_tokens": _REPLY_TOKENS}
        async with session.post("/v1/chat/completions", json=body) as response:
            await accept(response)
            async for line in response.content:
                if text := _text_of(line):
                    yield Piece(text, clock() - began)


async def chat_models(base_url: str, rights: Mapping[str, str]) -> list[str]:
    """Names of the models that can chat, the default one first.

    Raises:
        Refused: the gateway lists none, or cannot be reached.
    """
    async with asking(base_url, rights) as session:
        return [model for model in await _models(session) if model != EMBEDDER]


async def _models(session: aiohttp.ClientSession) -> list[str]:
    async with session.get("/v1/models") as response:
        await accept(response)
        models = [str(each["id"]) for each in (await response.json())["data"]]
    if not models:
        raise Refused("the gateway lists no model")
    return models


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
