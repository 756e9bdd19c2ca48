"""The assistant in the console: threads, what is said in them with its sources, and how fresh these are.

The browser keeps the person's key in its local storage; the server keeps it for as long as the page is open.
"""

import asyncio
import base64
import json
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from html import escape
from pathlib import Path
from typing import TypeVar

from nicegui import ui

from tenfold.assistant.contract import (
    PERSON_KEY,
    Invite,
    MadePerson,
    Memory,
    Messages,
    Posted,
    Said,
    Subscriptions,
    ThreadRow,
    Threads,
)
from tenfold.assistant.plan import as_text
from tenfold.core.frozen import Frozen
from tenfold.page.sheet import lead
from tenfold.pool.asking import Refused, content, rights_of

_STYLE = Path(__file__).with_name("page.css").read_text()
V1 = "/v1/assistant"
STORED = "tenfold.assistant.key"
LOOK_EVERY_S = 3.0
BROWSER_PATIENCE_S = 30.0
"""For a browser to say whom it keeps: a slow one is no new person."""
_ABOUT = (
    "Threads for one person or several, with an assistant that answers from feeds and pages it follows: who said it "
    "and when, newer before older, and what no source tells is said to be unknown."
)
_BEFORE = (
    "Give a name, make a thread or join one by its code. In a thread of your own the assistant answers everything; "
    "where others are, it answers what begins with @assistant."
)

Found = TypeVar("Found", bound=Frozen)


def draw(heading: ui.element, base_url: Callable[[], str]) -> None:
    """Fill one browser's page. ``base_url`` gives the front's own address."""
    ui.add_css(_STYLE)
    with heading:
        told = ui.html("", sanitize=False).classes("asst-small").props("role=status")
    page = Page(base_url, rights_of(ui.context.client.request.headers), told)
    page.build()
    ui.timer(0.1, page.begin, once=True)
    ui.timer(LOOK_EVERY_S, page.look)


class Api:
    """Asks the assistant's API as one person."""

    def __init__(self, base_url: Callable[[], str], rights: Mapping[str, str]) -> None:
        self._base_url = base_url
        self._rights = rights
        self.key = ""

    async def ask(self, kind: type[Found], method: str, path: str, body: Mapping[str, object] | None = None) -> Found:
        """Ask for JSON.

        Raises:
            Refused: there is no good answer.
        """
        return kind.model_validate_json(await self.content(method, path, body))

    async def content(self, method: str, path: str, body: Mapping[str, object] | None = None) -> bytes:
        """Ask for anything."""
        headers = {PERSON_KEY: self.key} if self.key else {}
        return await content(self._base_url(), self._rights, f"{V1}{path}", method=method, body=body, headers=headers)


class Page:
    """What one browser shows."""

    def __init__(self, base_url: Callable[[], str], rights: Mapping[str, str], told: ui.html) -> None:
        self._api = Api(base_url, rights)
        self._told = told
        self._thread: ThreadRow | None = None
        self._me = ""
        self._last = 0
        self._busy = asyncio.Lock()

    def build(self) -> None:
        """Lay the page out."""
        with ui.element("div").classes("desk"):
            ui.html(lead("Assistant", _ABOUT), sanitize=False)
            self._build_desk()

    def _build_desk(self) -> None:
        with ui.element("div").classes("asst"):
            with ui.element("div").classes("asst-side"):
                self._build_me()
                with _box("Threads"):
                    self._threads = ui.element("div").classes("asst-threads")
                    with ui.element("div").classes("asst-row"):
                        self._name = ui.input(placeholder="New thread").props('dense outlined aria-label="new thread"')
                        self._name.on("keydown.enter", self._make_thread)
                        _button("Make", self._make_thread)
                    with ui.element("div").classes("asst-row"):
                        self._code = ui.input(placeholder="Code").props('dense outlined aria-label="code of an invite"')
                        self._code.on("keydown.enter", self._join)
                        _button("Join", self._join)
            self._build_talk()
            with ui.element("div").classes("asst-side"):
                with _box("Remembered in this thread"):
                    self._memory = ui.element("div")
                    with self._memory:
                        ui.label("Shown once a thread is open.").classes("asst-small")
                with _box("Sources"):
                    self._sources = ui.element("div")
                    with ui.element("div").classes("asst-row"):
                        self._url = ui.input(placeholder="https://... feed or sitemap")
                        self._url.props('dense outlined aria-label="address of a feed or sitemap"')
                        self._url.on("keydown.enter", self._subscribe)
                        _button("Read", self._subscribe)

    def _build_me(self) -> None:
        with _box("Who you are") as self._who, ui.element("div").classes("asst-row"):
            # Until it is known whether this browser was here before.
            self._who.set_visibility(False)
            self._called = ui.input(placeholder="Your name").props('dense outlined aria-label="your name"')
            self._called.on("keydown.enter", self._make_me)
            _button("Begin", self._make_me)

    def _build_talk(self) -> None:
        with ui.element("div").classes("panel asst-box"):
            self._title = ui.html("No thread is open", sanitize=False, tag="h2")
            self._talk = ui.element("div").classes("asst-talk").props('tabindex=0 role=log aria-label="Messages"')
            with self._talk:
                ui.label(_BEFORE).classes("asst-small")
            with ui.element("div").classes("asst-row"):
                self._text = ui.input(placeholder="Write; @assistant asks the assistant")
                self._text.props('dense outlined aria-label="message"').on("keydown.enter", self._post)
                _button("Send", self._post)
            with ui.element("div").classes("asst-row"):
                _button("Invite somebody", self._invite, plain=True)
                _button("Calendar file", self._calendar, plain=True)

    async def begin(self) -> None:
        """Take up the person that this browser was, and show what there is."""
        kept = ui.run_javascript(f"localStorage.getItem({json.dumps(STORED)}) || ''", timeout=BROWSER_PATIENCE_S)
        self._api.key = str(await kept or "")
        await self._show_sources()
        newest = await self._show_threads()
        if newest is not None and self._thread is None:
            await self._open(newest)

    async def look(self) -> None:
        """Show what was said meanwhile."""
        if self._thread is None or self._busy.locked():
            return
        async with self._busy:
            await self._try(self._show_new)

    async def _make_me(self) -> None:
        async def make() -> None:
            made = await self._api.ask(MadePerson, "POST", "/people", {"name": (self._called.value or "").strip()})
            self._api.key = made.key
            ui.run_javascript(f"localStorage.setItem({json.dumps(STORED)}, {json.dumps(made.key)})")
            await self._show_threads()

        await self._try(make)

    async def _show_threads(self) -> ThreadRow | None:
        """List the threads; gives the first."""
        self._who.set_visibility(not self._api.key)
        if not self._api.key:
            self._threads.clear()
            self._told.set_content("Give a name to begin.")
            return None
        first: ThreadRow | None = None

        async def show() -> None:
            nonlocal first
            key = self._api.key
            try:
                found = await self._api.ask(Threads, "GET", "/threads")
            except Refused as refusal:
                # The front answers 401 too, where the pool's own key has ended: that says nothing of the person.
                if refusal.status != 401 or PERSON_KEY not in str(refusal):
                    raise
                if self._api.key == key:
                    self._forget_me()
                return
            first = next(iter(found.threads), None)
            self._threads.clear()
            with self._threads:
                for row in found.threads:
                    button = _button(row.name or "(no name)", lambda row=row: self._open(row), plain=True)
                    button.classes("open" if self._thread and row.thread == self._thread.thread else "")
                if not found.threads:
                    ui.label("None yet.").classes("asst-small")

        await self._try(show)
        return first

    def _forget_me(self) -> None:
        """The key that this browser kept is of nobody here any more, as in a pool that was begun anew."""
        self._api.key, self._thread = "", None
        ui.run_javascript(f"localStorage.removeItem({json.dumps(STORED)})")
        self._who.set_visibility(True)
        self._threads.clear()
        self._told.set_content("This pool does not know you any more: give a name to begin.")

    async def _open(self, row: ThreadRow) -> None:
        async with self._busy:
            self._thread, self._last = row, 0
            names = ", ".join(member.name for member in row.members)
            self._title.set_content(f"{escape(row.name or '(no name)')} <span class=asst-small>{escape(names)}</span>")
            self._talk.clear()
            await self._try(self._show_new)
            await self._try(self._show_memory)
        await self._show_threads()

    async def _make_thread(self) -> None:
        async def make() -> None:
            row = await self._api.ask(ThreadRow, "POST", "/threads", {"name": (self._name.value or "").strip()})
            self._name.set_value("")
            await self._open(row)

        await self._try(make)

    async def _join(self) -> None:
        async def join() -> None:
            row = await self._api.ask(ThreadRow, "POST", "/join", {"code": (self._code.value or "").strip()})
            self._code.set_value("")
            await self._open(row)

        await self._try(join)

    async def _invite(self) -> None:
        async def invite() -> None:
            made = await self._api.ask(Invite, "POST", f"/threads/{self._open_thread()}/invites")
            self._told.set_content(f"Code for one person, good for a week: <b>{escape(made.code)}</b>")

        await self._try(invite)

    async def _calendar(self) -> None:
        async def fetch() -> None:
            ui.download(await self._api.content("GET", f"/threads/{self._open_thread()}/plan.ics"), "plan.ics")

        await self._try(fetch)

    async def _post(self) -> None:
        text = (self._text.value or "").strip()
        if not text:
            return

        async def post() -> None:
            body = {"id": uuid.uuid4().hex, "text": text}
            found = await self._api.ask(Posted, "POST", f"/threads/{self._open_thread()}/messages", body)
            self._text.set_value("")
            self._me = found.message.person or ""
            if found.waiting:
                self._told.set_content("The assistant is still at it; its reply will be here.")
            await self._show_new()
            await self._show_memory()

        async with self._busy:
            await self._try(post)

    def _open_thread(self) -> str:
        if self._thread is None:
            raise Refused("open or make a thread first")
        return self._thread.thread

    async def _show_new(self) -> None:
        found = await self._api.ask(Messages, "GET", f"/threads/{self._open_thread()}/messages?after={self._last}")
        for said in found.messages:
            with self._talk:
                await self._show_said(said)
            self._last = said.number
        if found.messages:
            bottom = f"const e = getHtmlElement({self._talk.id}); e.scrollTop = e.scrollHeight"
            self._talk.client.run_javascript(bottom)

    async def _show_said(self, said: Said) -> None:
        whose = "assistant" if said.person is None else "mine" if said.person == self._me else "theirs"
        with ui.element("div").classes(f"asst-said {whose}"):
            ui.label(said.name).classes("who")
            if not said.claims:
                ui.label(said.text)
            for claim in said.claims:
                with ui.element("div").classes("asst-claim"):
                    ui.label(claim.text)
                    for source in claim.evidence:
                        if source.url.startswith(("http://", "https://")):
                            ui.link(source.url, source.url, new_tab=True).props('rel="noopener noreferrer nofollow"')
            if said.image is not None:
                content = await self._api.content("GET", said.image.removeprefix(V1))
                data = base64.b64encode(content).decode()
                ui.html(f'<img alt="made by a model" src="data:image;base64,{data}">', sanitize=False)

    async def _show_memory(self) -> None:
        found = await self._api.ask(Memory, "GET", f"/threads/{self._open_thread()}/memory")
        self._memory.clear()
        with self._memory, ui.element("ul").classes("asst-list"):
            for fact in found.remembered:
                with ui.element("li"):
                    ui.label(f"{fact.text} ({fact.by})")
                    _button("Forget", lambda number=fact.number: self._forget(f"/{number}"), plain=True)
            if found.plan is not None:
                with ui.element("li"):
                    ui.label(as_text(found.plan))
            # A list has items only, for those who hear it.
            with ui.element("li"):
                if not found.remembered and found.plan is None:
                    ui.label("Nothing beside its messages.").classes("asst-small")
                else:
                    _button("Forget all", lambda: self._forget(""), plain=True)

    async def _forget(self, which: str) -> None:
        async def forget() -> None:
            await self._api.ask(Memory, "DELETE", f"/threads/{self._open_thread()}/memory{which}")
            await self._show_memory()

        await self._try(forget)

    async def _show_sources(self) -> None:
        await self._try(lambda: self._list_sources("GET"))

    async def _subscribe(self) -> None:
        body = {"url": (self._url.value or "").strip()}
        await self._try(lambda: self._list_sources("POST", body))

    async def _list_sources(self, method: str, body: Mapping[str, object] | None = None) -> None:
        found = await self._api.ask(Subscriptions, method, "/subscriptions", body)
        if method == "POST":
            self._url.set_value("")
        self._sources.clear()
        with self._sources, ui.element("ul").classes("asst-list"):
            for each in found.subscriptions:
                with ui.element("li"):
                    ui.label(each.title or each.url)
                    newest = f", the newest {_ago(each.newest)} old" if each.newest else ""
                    read = f"read {_ago(each.read_at)} ago" if each.read_at else "not read yet"
                    ui.label(f"{each.passages} passages{newest}; {read}").classes("asst-small")
                    if each.trouble:
                        ui.label(each.trouble).classes("asst-small asst-trouble")
            if not found.subscriptions:
                with ui.element("li"):
                    ui.label("It reads nothing yet: give it a feed.").classes("asst-small")

    async def _try(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except Refused as refusal:
            self._told.set_content(escape(str(refusal)))


def _box(title: str) -> ui.element:
    box = ui.element("section").classes("panel asst-box")
    with box:
        ui.html(escape(title), sanitize=False, tag="h2")
    return box


def _button(text: str, on_click: Callable[..., object], *, plain: bool = False) -> ui.button:
    button = ui.button(text, on_click=on_click, color=None)
    return button.props("flat dense no-caps" if plain else "unelevated dense no-caps").classes("" if plain else "go")


def _ago(at: float | None) -> str:
    seconds = max(0.0, time.time() - (at or 0.0))
    for size, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = round(seconds / size)
            return f"{count} {name}{'' if count == 1 else 's'}"
    return "a moment"
