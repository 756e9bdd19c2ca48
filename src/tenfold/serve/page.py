"""The chat with the served model, for the console: its replies stream in."""

import asyncio
import json
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from nicegui import ui
from nicegui.events import GenericEventArguments

from tenfold.core.minilm import MODEL as EMBEDDER
from tenfold.pool.asking import Refused, accept, asking, rights_of
from tenfold.pool.board.figures import duration

_STYLE = Path(__file__).with_name("page.css").read_text()
_PICK = Path(__file__).with_name("pick.js").read_text()
"""Lets the browser choose a picture, makes it small, and sends it as the event ``_PICKED``; empty if it is none."""
_PICKED = "chat_picture"
_LONGEST_PICTURE = 400_000
"""Characters of its ``data:`` URL; pick.js makes about 40,000."""
_REPLY_TOKENS = 160
_REMEMBERED_TURNS = 8
_LIST_EVERY_S = 3.0
_SEND_EVERY_S = 0.08
"""A reply is sent to the browser at most so often: 30 pieces a second would be 30 messages."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a chat; ``role`` is system, user or assistant, ``picture`` a ``data:`` URL or empty."""

    role: str
    content: str
    picture: str = ""

    def message(self) -> dict[str, object]:
        """As the OpenAI API has it."""
        if not self.picture:
            return {"role": self.role, "content": self.content}
        parts: list[dict[str, object]] = [{"type": "image_url", "image_url": {"url": self.picture}}]
        if self.content:
            parts.append({"type": "text", "text": self.content})
        return {"role": self.role, "content": parts}

    def in_words(self) -> "Turn":
        """For a model that reads no pictures, which would refuse the whole conversation because of one."""
        return Turn(self.role, self.content or "(a picture)")


@dataclass(frozen=True, slots=True)
class ChatModel:
    """A model that can chat, and whether it takes pictures."""

    name: str
    reads_images: bool


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
    sees: dict[str, bool] = {}

    def answer(turns: Sequence[Turn]) -> AsyncIterator[Piece]:
        model = choice.value or ""
        shown = turns if sees.get(model, False) else [turn.in_words() for turn in turns]
        return chat(base_url(), shown, rights, model=model)

    conversation = Conversation(answer, window, talk)

    async def ask() -> None:
        text = (question.value or "").strip()
        if not (text or picture.url) or conversation.is_replying:
            return
        blank.set_visibility(False)
        question.set_value("")
        send.disable()
        if await conversation.ask(text, picture.take()):
            send.enable()

    async def list_models() -> None:
        try:
            found = await chat_models(base_url(), rights)
        except Refused:
            return  # The pool is not up yet; the timer asks again.
        listing.cancel()
        sees.update({each.name: each.reads_images for each in found})
        names = list(sees)
        choice.set_options(names, value=names[0] if names else None)
        choice.set_visibility(len(names) > 1)

    def offer_picture() -> None:
        picture.show(sees.get(choice.value or "", False))

    with ui.element("div").classes("ask"):
        choice = ui.select([], on_change=offer_picture).props('dense outlined options-dense aria-label="model"')
        choice.classes("which").set_visibility(False)
        picture = Picture()
        question = ui.input(placeholder="Why is the sky blue?").props('dense outlined aria-label="message"')
        question.on("keydown.enter", ask)
        send = ui.button("Send", on_click=ask, color=None).props("unelevated").classes("go")
    listing = ui.timer(_LIST_EVERY_S, list_models)
    # A browser that leaves takes its reply with it, and so frees the slot.
    ui.context.client.on_delete(conversation.stop)


class Picture:
    """The button that takes a picture for the next message, and the one that was taken; ``url`` is empty without."""

    def __init__(self) -> None:
        self.url = ""
        self._button = ui.button("Picture", color=None).props('flat dense no-caps aria-label="add a picture"')
        # In the browser at once: it opens its window of files only for a click of its own.
        self._button.on("click", js_handler=_PICK)
        ui.on(_PICKED, self._take_in)
        self.show(is_possible=False)

    def show(self, is_possible: bool) -> None:
        """Offer it, or not; then what was taken is dropped."""
        self._button.set_visibility(is_possible)
        if not is_possible:
            self.take()

    def take(self) -> str:
        """Give the picture away."""
        url, self.url = self.url, ""
        self._button.props(remove="color")
        return url

    def _take_in(self, event: GenericEventArguments) -> None:
        url = event.args
        if not isinstance(url, str) or not url.startswith("data:image/") or len(url) > _LONGEST_PICTURE:
            ui.notify("This file is no picture that the browser can read.")
            return
        self.url = url
        self._button.props("color=primary")


class Conversation:
    """The messages of one page's chat, and the reply that is coming in, if any."""

    def __init__(
        self, answer: Callable[[Sequence[Turn]], AsyncIterator[Piece]], window: ui.element, talk: ui.element
    ) -> None:
        self._answer = answer
        self._window = window
        self._talk = talk
        self._turns: deque[Turn] = deque(maxlen=_REMEMBERED_TURNS)
        self._pictures: deque[ui.element] = deque()
        self._replying: asyncio.Task[None] | None = None

    @property
    def is_replying(self) -> bool:
        """Whether a reply is coming in."""
        return self._replying is not None

    async def ask(self, text: str, picture: str = "") -> bool:
        """Send a message and show the reply as it comes; False if the page was closed before its end."""
        if picture:
            self._show(picture)
        if text:
            self._say(text, "user")
        self._turns.append(Turn("user", text, picture))
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

    def _show(self, picture: str) -> None:
        """Show a picture; one that the model is told of no more is forgotten, for each is kept here in whole."""
        with self._talk, ui.element("div").classes("said user shown") as place:
            ui.image(picture).props('alt="your picture"')
        self._pictures.append(place)
        if len(self._pictures) > _REMEMBERED_TURNS:
            oldest = self._pictures.popleft()
            oldest.clear()
            with oldest.classes(remove="shown"):
                ui.label("(a picture)")

    def _say(self, text: str, classes: str) -> ui.label:
        with self._talk:
            return ui.label(text).classes(f"said {classes}")

    async def _reply(self) -> None:
        label = self._say("", "assistant")
        pieces: list[Piece] = []
        shown_s = 0.0
        try:
            async for piece in self._answer(tuple(self._turns)):
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
    messages = [turn.message() for turn in turns]
    async with asking(base_url, rights) as session:
        chosen = model or (await _models(session))[0].name
        body = {"model": chosen, "messages": messages, "stream": True, "max_tokens": _REPLY_TOKENS}
        async with session.post("/v1/chat/completions", json=body) as response:
            await accept(response)
            async for line in response.content:
                if text := _text_of(line):
                    yield Piece(text, clock() - began)


async def chat_models(base_url: str, rights: Mapping[str, str]) -> list[ChatModel]:
    """The models that can chat, the default one first.

    Raises:
        Refused: the gateway lists none, or cannot be reached.
    """
    async with asking(base_url, rights) as session:
        return [model for model in await _models(session) if model.name != EMBEDDER]


async def _models(session: aiohttp.ClientSession) -> list[ChatModel]:
    async with session.get("/v1/models") as response:
        await accept(response)
        told = (await response.json())["data"]
        models = [ChatModel(str(each["id"]), bool(each.get("reads_images"))) for each in told]
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
