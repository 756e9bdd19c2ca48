"""The feed in the console: a person's feed on every surface, with reasons and controls; and what its team looks at."""

import asyncio
import time
import uuid
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from urllib.parse import quote, urlencode

import orjson
from nicegui import ui

from tenfold.feed.choose import is_like
from tenfold.feed.contract import Action, Card, Feed, Known
from tenfold.feed.page_html import card_html, history_html, said_html
from tenfold.feed.team import TeamReport
from tenfold.feed.team_html import team_html
from tenfold.page.sheet import lead
from tenfold.pool.asking import Refused, content, rights_of

_STYLE = Path(__file__).with_name("page.css").read_text()
PAGE = 12
FIRST_PERSON = "ann"
TEAM_EVERY_S = 10.0
_ABOUT = (
    "What a person sees on each surface, ordered by what the person did on all of them. Each card says why it is "
    "there; what is not wanted goes from every surface at once. <b>Team</b> shows what ranking adds, and how that is "
    "known."
)
_BLOCKED: Mapping[str, str] = {
    "not_interested": "{title} is gone from every surface.",
    "less": "You get less like {title}, on every surface.",
}


def draw(heading: ui.element, base_url: Callable[[], str]) -> None:
    """Fill one browser's page. ``base_url`` gives the front's own address."""
    ui.add_css(_STYLE)
    asks = Asks(base_url, rights_of(ui.context.client.request.headers))
    with heading:
        said = ui.html("", sanitize=False).classes("feed-by").props("role=status")
    with ui.element("div").classes("desk"):
        ui.html(lead("Feed", _ABOUT), sanitize=False)
        with ui.element("div").classes("feed-bar"):
            ways = ui.element("div").classes("feed-ways").props('role=group aria-label="Surfaces"')
            with ui.element("div").classes("feed-who"):
                person = ui.input(value=FIRST_PERSON).props('dense outlined prefix="Feed of" aria-label="person"')
                go = ui.button("Show", color=None).props("unelevated no-caps").classes("go")
        place = ui.element("div")
        board = ui.element("div")
    board.set_visibility(False)
    scroll = Scroll(asks, place, said)
    team = Team(asks, board, said)
    buttons: dict[str, ui.button] = {}

    def mark(chosen: str) -> None:
        for name, button in buttons.items():
            button.classes(**({"add": "on"} if name == chosen else {"remove": "on"}))
            button.props(f"aria-pressed={'true' if name == chosen else 'false'}")
        team.is_open = chosen == "team"
        place.set_visibility(not team.is_open)
        board.set_visibility(team.is_open)

    async def show(surface: str) -> None:
        mark(surface)
        await scroll.begin((person.value or "").strip(), surface)

    async def show_team() -> None:
        mark("team")
        await team.refresh()

    async def begin() -> None:
        try:
            surfaces = await asks.surfaces()
        except Refused as refusal:
            said.set_content(escape(str(refusal)))
            return
        with ways:
            for surface in surfaces:
                each = ui.button(surface.capitalize(), color=None, on_click=lambda s=surface: show(s))
                buttons[surface] = each.props("flat dense no-caps").classes("feed-way")
            team_button = ui.button("Team", color=None, on_click=show_team).props("flat dense no-caps")
            buttons["team"] = team_button.classes("feed-way feed-team-way")
        await show(surfaces[0])

    async def again() -> None:
        await show(scroll.surface)

    go.on_click(again)
    person.on("keydown.enter", again)
    ui.timer(0.1, begin, once=True)
    ui.timer(TEAM_EVERY_S, team.refresh)


class Asks:
    """What the page asks of the feed, as whoever opened it."""

    def __init__(self, base_url: Callable[[], str], rights: Mapping[str, str]) -> None:
        self._base_url = base_url
        self._rights = rights

    async def surfaces(self) -> list[str]:
        """Surfaces that differ in what they show."""
        return [str(each) for each in orjson.loads(await self._get("/v1/feed/surfaces"))["shown"]]

    async def feed(self, person: str, surface: str, k: int) -> Feed:
        """One page of a feed."""
        return Feed.model_validate_json(
            await self._get(f"/v1/feed?{urlencode({'person': person, 'surface': surface, 'k': k})}")
        )

    async def known(self, person: str) -> Known | None:
        """What is remembered of a person; none if nothing is."""
        try:
            return Known.model_validate_json(await self._get(f"/v1/feed/people/{quote(person, safe='')}"))
        except Refused as refusal:
            if refusal.status == 404:
                return None
            raise

    async def team(self) -> TeamReport:
        """What the team looks at."""
        return TeamReport.model_validate_json(await self._get("/v1/feed/team"))

    async def tell(self, events: list[dict[str, object]]) -> None:
        """Tell what a person did."""
        await content(self._base_url(), self._rights, "/v1/feed/events", method="POST", body={"events": events})

    async def of_ad(self, path: str, *, is_change: bool) -> str:
        """Ask whoever sold an ad why it is here, or to stop it; gives what they say."""
        method = "POST" if is_change else "GET"
        try:
            return str(orjson.loads(await content(self._base_url(), self._rights, path, method=method))["why"])
        except Refused as refusal:
            return str(refusal)

    async def _get(self, path: str) -> bytes:
        return await content(self._base_url(), self._rights, path)


class Team:
    """The team's board of one browser, drawn anew while it is looked at."""

    def __init__(self, asks: Asks, place: ui.element, said: ui.html) -> None:
        self._asks = asks
        self._said = said
        self.is_open = False
        with place:
            self._html = ui.html("", sanitize=False)

    async def refresh(self) -> None:
        """Draw what is known now, if it is looked at."""
        if not self.is_open:
            return
        try:
            report = await self._asks.team()
        except Refused as refusal:
            self._said.set_content(escape(str(refusal)))
            return
        if self.is_open:
            self._said.set_content("what the feed does, for its team")
            self._html.set_content(team_html(report))


class Scroll:
    """The cards that one browser has been shown, of one person on one surface; a browser's page is one visit."""

    def __init__(self, asks: Asks, place: ui.element, said: ui.html) -> None:
        self._asks = asks
        self._said = said
        self._person = ""
        self.surface = ""
        self._visit = uuid.uuid4().hex
        self._shown: dict[int | str, tuple[Card, ui.element]] = {}
        self._busy = asyncio.Lock()
        with place:
            self._history = ui.html("", sanitize=False).classes("feed-history")
            with ui.element("div").classes("feed-note").props("role=status") as self._note:
                self._note_text = ui.html("", sanitize=False)
                self._undo = ui.button("Undo", color=None).props("flat dense no-caps")
            self._cards = ui.element("div").classes("feed-cards")
            more = ui.button("More", color=None).props("unelevated no-caps").classes("go feed-more")
        self._taken_back: Card | None = None
        self._note.set_visibility(False)
        self._undo.on_click(self._take_back)
        more.on_click(self.more)

    async def begin(self, person: str, surface: str) -> None:
        """Show somebody's feed on a surface, from its beginning."""
        self.surface = surface
        if not person:
            self._said.set_content("Give a name: any will do.")
            return
        self._person = person
        self._cards.clear()
        self._shown.clear()
        self._note.set_visibility(False)
        await self._show_page(PAGE)
        await self._show_history()

    async def more(self) -> None:
        """Show the next page of it."""
        if not self._busy.locked():
            await self._show_page(PAGE)

    async def _show_page(self, k: int) -> None:
        person, surface = self._person, self.surface
        async with self._busy:
            try:
                found = await self._asks.feed(person, surface, k)
            except Refused as refusal:
                self._said.set_content(escape(str(refusal)))
                return
            if (person, surface) != (self._person, self.surface):
                # Somebody else's feed, or another surface's, was asked for meanwhile.
                return
            self._said.set_content(said_html(found))
            with self._cards:
                for card in found.cards:
                    self._show(card)
            await self._tell([(card, "shown", 0.0) for card in found.cards])

    async def _show_history(self) -> None:
        try:
            known = await self._asks.known(self._person)
        except Refused as refusal:
            self._said.set_content(escape(str(refusal)))
            return
        self._history.set_content(history_html(known))

    def _show(self, card: Card) -> None:
        with ui.element("article").classes("feed-card") as place:
            ui.html(card_html(card), sanitize=False)
            if card.sponsored is not None:
                self._show_ad_deeds(card)
                self._shown[card.item] = card, place
                return
            with ui.element("div").classes("feed-deeds"):
                watch = ui.button("Watch", color=None).props("unelevated dense no-caps").classes("go")
                like = ui.button("Like", color=None).props("flat dense no-caps")
                with ui.button("Less", color=None).props("flat dense no-caps"), ui.menu().classes("feed-menu"):
                    ui.menu_item("Not interested in this one", lambda: self._block(card, "not_interested"))
                    ui.menu_item("Less like this", lambda: self._block(card, "less"))
        self._shown[card.item] = card, place
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
            await self._show_history()

        async def liked() -> None:
            like.disable()
            await self._tell([(card, "liked", 0.0)])
            await self._show_history()

        watch.on_click(toggle)
        like.on_click(liked)

    def _show_ad_deeds(self, card: Card) -> None:
        """What a person may do with an ad: ask why it is here, and stop it; whoever sold it answers."""
        told = card.sponsored or {}
        why, stop = str(told.get("why", "")), str(told.get("stop", ""))

        async def tell_why() -> None:
            self._note_text.set_content(escape(await self._asks.of_ad(why, is_change=False)))
            self._undo.set_visibility(False)
            self._note.set_visibility(True)

        async def stop_it() -> None:
            self._note_text.set_content(escape(await self._asks.of_ad(stop, is_change=True)))
            self._undo.set_visibility(False)
            self._note.set_visibility(True)
            _, place = self._shown.pop(card.item)
            place.delete()

        with ui.element("div").classes("feed-deeds"):
            if why:
                ui.button("Why this ad?", on_click=tell_why, color=None).props("flat dense no-caps")
            if stop:
                ui.button("Stop it", on_click=stop_it, color=None).props("flat dense no-caps")

    async def _block(self, card: Card, action: Action) -> None:
        """Act on a control at once: what is not wanted goes, and others come in its place."""
        await self._tell([(card, action, 0.0)])
        gone = [
            (item, place)
            for item, (other, place) in self._shown.items()
            if item == card.item or (action == "less" and is_like(other, card))
        ]
        for item, place in gone:
            del self._shown[item]
            place.delete()
        self._taken_back = card
        self._note_text.set_content(escape(_BLOCKED[action].format(title=card.title)))
        self._undo.set_visibility(True)
        self._note.set_visibility(True)
        await self._show_page(len(gone))
        await self._show_history()

    async def _take_back(self) -> None:
        card, self._taken_back = self._taken_back, None
        self._note.set_visibility(False)
        if card is not None:
            await self._tell([(card, "allowed", 0.0)])

    async def _tell(self, deeds: list[tuple[Card, Action, float]]) -> None:
        """Tell the feed what happened; the page says so where it cannot be told."""
        events = [self._event(card, action, seconds) for card, action, seconds in deeds if card.sponsored is None]
        if not events:
            return
        try:
            await self._asks.tell(events)
        except Refused as refusal:
            self._said.set_content(escape(str(refusal)))

    def _event(self, card: Card, action: Action, seconds: float) -> dict[str, object]:
        event: dict[str, object] = {"id": uuid.uuid4().hex, "person": self._person, "session": self._visit}
        event |= {"surface": self.surface, "item": card.item, "action": action}
        return event | ({"seconds": seconds} if action == "watched" else {})
