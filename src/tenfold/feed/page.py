"""The feed in the console: cards to scroll, each with a reason; what a person does with one counts in the next page."""

import asyncio
import time
import uuid
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from urllib.parse import urlencode

from nicegui import ui

from tenfold.feed.contract import Action, Card, Feed
from tenfold.pool.asking import Refused, accept, asking, rights_of

_STYLE = Path(__file__).with_name("page.css").read_text()
PAGE = 12
FIRST_PERSON = "ann"
SURFACE = "home"


def draw(heading: ui.element, base_url: Callable[[], str]) -> None:
    """Fill one browser's page. ``base_url`` gives the front's own address."""
    ui.add_css(_STYLE)
    ui.html("The feed", sanitize=False, tag="h1").classes("unseen")
    with heading:
        said = ui.html("", sanitize=False).classes("feed-by").props("role=status")
    with ui.element("div").classes("feed-page"):
        with ui.element("div").classes("feed-who"):
            person = ui.input(value=FIRST_PERSON).props('dense outlined prefix="Feed of" aria-label="person"')
            go = ui.button("Show", color=None).props("unelevated no-caps").classes("go")
        cards = ui.element("div").classes("feed-cards")
        more = ui.button("More", color=None).props("unelevated no-caps").classes("go feed-more")
    scroll = Scroll(base_url, rights_of(ui.context.client.request.headers), cards, said)

    async def begin() -> None:
        await scroll.begin((person.value or "").strip())

    go.on_click(begin)
    person.on("keydown.enter", begin)
    more.on_click(scroll.more)
    ui.timer(0.1, begin, once=True)


class Scroll:
    """The cards that one browser has been shown, of one person."""

    def __init__(
        self, base_url: Callable[[], str], rights: Mapping[str, str], cards: ui.element, said: ui.html
    ) -> None:
        self._base_url = base_url
        self._rights = rights
        self._cards = cards
        self._said = said
        self._person = ""
        self._busy = asyncio.Lock()

    async def begin(self, person: str) -> None:
        """Show somebody's feed from its beginning."""
        if not person:
            self._said.set_content("Give a name: any will do.")
            return
        self._person = person
        self._cards.clear()
        await self._show_page(person)

    async def more(self) -> None:
        """Show the next page of it."""
        if not self._busy.locked():
            await self._show_page(self._person)

    async def _show_page(self, person: str) -> None:
        async with self._busy:
            try:
                found = await self._fetch(person)
            except Refused as refusal:
                self._said.set_content(escape(str(refusal)))
                return
            if person != self._person:
                # Somebody else's feed was asked for meanwhile.
                return
            chosen = "the ranking model" if found.by == "rank" else f"popularity ({escape(found.because)})"
            self._said.set_content(f"chosen by {chosen}" if found.cards else "nothing is left to show")
            with self._cards:
                for card in found.cards:
                    self._show(card)
            await self._tell([(card, "shown", 0.0) for card in found.cards])

    def _show(self, card: Card) -> None:
        with ui.element("article").classes("feed-card") as place:
            ui.html(f'<img src="{card.poster}" alt="" loading="lazy" width="240" height="340">', sanitize=False)
            ui.html(f'<h2 class="unseen">{escape(card.title)}</h2><p>{escape(card.reason)}</p>', sanitize=False)
            with ui.element("div").classes("feed-deeds"):
                watch = ui.button("Watch", color=None).props("unelevated dense no-caps").classes("go")
                like = ui.button("Like", color=None).props("flat dense no-caps")
                block = ui.button("Not for me", color=None).props("flat dense no-caps")
        began_s = 0.0

        async def toggle() -> None:
            nonlocal began_s
            if not began_s:
                began_s = time.monotonic()
                watch.set_text("Stop watching")
                place.classes("watching")
                await self._tell([(card, "opened", 0.0)])
                return
            watched_s, began_s = time.monotonic() - began_s, 0.0
            watch.set_text("Watch")
            place.classes(remove="watching", add="watched")
            await self._tell([(card, "watched", round(watched_s, 1))])

        async def liked() -> None:
            like.disable()
            await self._tell([(card, "liked", 0.0)])

        async def blocked() -> None:
            place.delete()
            await self._tell([(card, "not_interested", 0.0)])

        watch.on_click(toggle)
        like.on_click(liked)
        block.on_click(blocked)

    async def _fetch(self, person: str) -> Feed:
        asked = urlencode({"person": person, "surface": SURFACE, "k": PAGE})
        async with asking(self._base_url(), self._rights) as session, session.get(f"/v1/feed?{asked}") as response:
            await accept(response)
            return Feed.model_validate_json(await response.read())

    async def _tell(self, deeds: list[tuple[Card, Action, float]]) -> None:
        """Tell the feed what happened; the page says so where it cannot be told."""
        events = [
            {"id": uuid.uuid4().hex, "person": self._person, "surface": SURFACE, "item": card.item, "action": action}
            | ({"seconds": seconds} if action == "watched" else {})
            for card, action, seconds in deeds
        ]
        if not events:
            return
        try:
            async with (
                asking(self._base_url(), self._rights) as session,
                session.post("/v1/feed/events", json={"events": events}) as response,
            ):
                await accept(response)
        except Refused as refusal:
            self._said.set_content(escape(str(refusal)))
