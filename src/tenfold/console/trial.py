"""The two things to try on the page: a chat with the served model, and a ranked list for a user."""

import asyncio
from collections.abc import Callable, Sequence
from html import escape

from nicegui import ui

from tenfold.console.conversation import Piece, RankedItem, Refused, Turn, chat, rank
from tenfold.console.figures import duration

FIRST_USER, LAST_USER = 1, 943
LIST_LENGTH = 12
_REMEMBERED_TURNS = 8
_SEND_EVERY_S = 0.08
"""A reply is sent to the browser at most so often: 30 pieces a second would be 30 messages."""


def chat_box(base_url: Callable[[], str]) -> None:
    """Add a chat whose replies stream in; the conversation lives as long as the page."""
    ui.html("Chat <em>served by the awake serve residents</em>", sanitize=False).classes("title")
    with ui.element("div").classes("scroll") as window, ui.element("div").classes("talk") as talk:
        blank = ui.html("Ask the model something.", sanitize=False).classes("blank")
    conversation = Conversation(base_url, window, talk)

    async def ask() -> None:
        text = (question.value or "").strip()
        if not text or conversation.is_replying:
            return
        blank.set_visibility(False)
        question.set_value("")
        send.disable()
        if await conversation.ask(text):
            send.enable()

    with ui.element("div").classes("ask"):
        question = ui.input(placeholder="Why is the sky blue?").props('dense outlined aria-label="message"')
        question.on("keydown.enter", ask)
        send = ui.button("Send", on_click=ask, color=None).props("unelevated").classes("go-serve")
    # A browser that leaves takes its reply with it, and so frees the slot.
    ui.context.client.on_delete(conversation.stop)


class Conversation:
    """The messages of one page's chat, and the reply that is coming in, if any."""

    def __init__(self, base_url: Callable[[], str], window: ui.element, talk: ui.element) -> None:
        self._base_url = base_url
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
            async for piece in chat(self._base_url(), self._turns[-_REMEMBERED_TURNS:]):
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


def ranked_list(base_url: Callable[[], str]) -> None:
    """Add a form that shows the top items for a user of MovieLens-100K."""
    ui.html("Ranked list <em>for a user of MovieLens-100K</em>", sanitize=False).classes("title")
    with ui.element("div").classes("scroll"):
        results = ui.html("", sanitize=False).classes("fill")
        results.set_content(f'<div class="blank">Choose a user, {FIRST_USER} to {LAST_USER}.</div>')

    async def show() -> None:
        user = user_of(number.value)
        if user is None:
            results.set_content(f'<div class="said refused">Users are {FIRST_USER} to {LAST_USER}.</div>')
            return
        rank_button.disable()
        try:
            results.set_content(list_html(await rank(base_url(), user, LIST_LENGTH)))
        except Refused as refusal:
            results.set_content(f'<div class="said refused">{escape(str(refusal))}</div>')
        rank_button.enable()

    with ui.element("div").classes("ask"):
        number = (
            ui.input(value="196", placeholder="user")
            .props('dense outlined inputmode=numeric prefix="user" aria-label="user"')
            .on("keydown.enter", show)
        )
        rank_button = ui.button("Rank", on_click=show, color=None).props("unelevated").classes("go-rank")


def user_of(text: str | None) -> int | None:
    """Read a user id as typed; None when it is none."""
    cleaned = (text or "").strip()
    user = int(cleaned) if cleaned.isascii() and cleaned.isdigit() else 0
    return user if FIRST_USER <= user <= LAST_USER else None


def list_html(items: list[RankedItem]) -> str:
    """Give a ranked list as HTML; the bars compare scores with the best and the last of the list."""
    if not items:
        return '<div class="blank">Nothing to rank: this user has seen everything.</div>'
    best, last = items[0].score, items[-1].score
    spread = (best - last) or 1.0
    return "".join(
        f'<div class="item" title="score {item.score:.3f}"><span class="n">{place}</span>'
        f'<span class="t">{escape(item.title)}<em>{escape(item.genres)}</em></span>'
        f'<span class="bar"><i style="width:{20 + 80 * (item.score - last) / spread:.0f}%"></i></span></div>'
        for place, item in enumerate(items, 1)
    )
