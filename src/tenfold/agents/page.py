"""The owner's page: what the agent knows and how fresh it is, what it could not answer, a chat to try it, the inbox."""

import asyncio
import datetime as dt
import secrets
import uuid
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from urllib.parse import quote

from nicegui import ui

from tenfold.agents.contract import Businesses, BusinessOut, Exchange, MessageOut, ThreadOut, Threads
from tenfold.agents.product import PREFIX
from tenfold.agents.quality import Corrections
from tenfold.agents.report import ReportOut, Unanswered
from tenfold.page.sheet import lead
from tenfold.pool.asking import Api, rights_of

_STYLE = Path(__file__).with_name("page.css").read_text()

MOST_SKIPPED = 5
MOST_SHOWN = 10
_NOTHING = """<h2>No agent yet</h2><p>Give a business what it sells and what it wrote; its agent then answers here, on
its web pages, on WhatsApp and Messenger, and other programs over MCP. With a shop that ships with Tenfold:</p>
<pre>tenfold agents add shop.example --feed demo</pre><p>With files of your own, or addresses:</p>
<pre>tenfold agents add shop.example --feed products.csv --docs policies/</pre>
<p>Then open this page again. <code>docs/agents.md</code> explains.</p>"""
_ABOUT = (
    "Each business has an agent that answers its customers from what the business sells and wrote. See how it does, "
    "try it, answer what it could not, and write to customers who wait for a person."
)


def draw(heading: ui.element, base_url: Callable[[], str]) -> None:
    """Fill one browser's page. ``base_url`` gives the front's own address."""
    ui.add_css(_STYLE)
    with heading:
        said = ui.html("", sanitize=False).classes("agents-muted").props("role=status")
    office = Office(base_url, rights_of(ui.context.client.request.headers), said)
    ui.timer(0.1, office.begin, once=True)


class Office:
    """One browser's view of one business at a time."""

    def __init__(self, base_url: Callable[[], str], rights: Mapping[str, str], said: ui.html) -> None:
        self._ask = Api(base_url, rights, PREFIX, self._tell).ask
        self._said = said
        self._business = ""
        with ui.element("div").classes("desk"):
            ui.html(lead("Agents", _ABOUT), sanitize=False)
            self._nothing = ui.html("", sanitize=False).classes("panel")
            with ui.element("div").classes("agents-who") as self._who:
                self._choice = ui.select([], label="Business", on_change=self._chosen).props("outlined dense")
                ui.button("Look again", on_click=self.show, color=None).props("flat no-caps")
            with ui.element("div").classes("agents-page") as self._parts:
                self._figures = _part("How it does")
                self._try = _part("Try it")
                self._inbox = _part("Inbox")
                self._unanswered = _part("Not answered")
                self._corrections = _part("Your answers")
                self._sources = _part("What it knows")
        for each in (self._nothing, self._who, self._parts):
            each.set_visibility(False)

    async def begin(self) -> None:
        """Show the first business."""
        found = await self._ask(Businesses, "/businesses")
        if found is None:
            # There is the button that looks again.
            self._who.set_visibility(True)
            return
        names = [each.id for each in found.businesses]
        self._nothing.set_content("" if names else _NOTHING)
        self._nothing.set_visibility(not names)
        self._who.set_visibility(bool(names))
        self._parts.set_visibility(bool(names))
        if not names:
            self._tell("No business has an agent yet")
            return
        self._choice.set_options(names, value=names[0])

    async def show(self) -> None:
        """Show the chosen business as it is now."""
        if not self._business:
            await self.begin()
            return
        business, report, corrections, waiting = await asyncio.gather(
            self._ask(BusinessOut, self._path("")),
            self._ask(ReportOut, self._path("/report")),
            self._ask(Corrections, self._path("/corrections")),
            self._ask(Threads, self._path("/threads?held_by=human")),
        )
        if business is None or report is None or corrections is None or waiting is None:
            return
        self._tell(f"{business.name}: {business.items} items, {business.passages} passages")
        self._show_figures(report)
        self._show_sources(business)
        self._show_unanswered(report.unanswered)
        self._show_corrections(corrections)
        self._show_inbox(waiting)

    async def _chosen(self) -> None:
        self._business = str(self._choice.value or "")
        self._show_try()
        await self.show()

    # ---- what is shown

    def _show_figures(self, found: ReportOut) -> None:
        figures = [
            ("conversations", str(found.conversations)),
            ("resolved", f"{found.resolution:.0%}" if found.conversations else "-"),
            ("handed over", f"{found.hand_off:.0%}" if found.conversations else "-"),
            ("silent", str(found.silent)),
            ("going on", str(found.open)),
        ]
        by = ", ".join(f"{count} by {how}" for how, count in sorted(found.resolved_by.items())) or "none yet"
        with _emptied(self._figures):
            rows = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in figures)
            ui.html(f'<dl class="agents-figures">{rows}</dl>', sanitize=False)
            ui.html(
                f'<p class="agents-muted">The last {found.days} days. Resolved is known by the customer\'s word or a '
                f"purchase ({escape(by)}); one that ends in silence is not counted as resolved.</p>",
                sanitize=False,
            )

    def _show_sources(self, found: BusinessOut) -> None:
        with _emptied(self._sources):
            for source in found.sources:
                skipped = "".join(
                    f"<li>{escape(each.where)}: {escape(each.why)}</li>" for each in source.skipped[:MOST_SKIPPED]
                )
                more = len(source.skipped) - MOST_SKIPPED
                skipped += f"<li>and {more} more</li>" if more > 0 else ""
                ui.html(
                    f"<p><b>{escape(source.source)}</b>: {source.items} items, {source.passages} passages, read "
                    f"{_age(source.read_at)}{', skipped:' if skipped else ''}</p><ul>{skipped}</ul>",
                    sanitize=False,
                )
            if not found.sources:
                _line("Nothing yet. Give it sources by 'tenfold agents add'.")

    def _show_unanswered(self, found: tuple[Unanswered, ...]) -> None:
        with _emptied(self._unanswered):
            for each in found[:MOST_SHOWN]:
                _line(f"{each.question} ({'no source has it' if each.kind == 'unknown' else 'went to a human'})")
                with ui.element("div").classes("agents-say"):
                    answer = ui.input(label="Your answer").props("dense outlined autogrow")

                    async def correct(question: str = each.question, field: ui.input = answer) -> None:
                        await self._correct(question, field.value or "")

                    ui.button("Answer", on_click=correct, color=None).props("unelevated no-caps").classes("go")
            if not found:
                _line("Nothing that was asked went unanswered. What does is listed here, for you to answer.")

    def _show_corrections(self, found: Corrections) -> None:
        with _emptied(self._corrections):
            if not found.corrections:
                _line("None yet. Once you answer a question here, the agent gives your answer too.")
                return
            _line("The agent gives these answers. Each is asked again whenever a source changes.")
            for each in found.corrections[:MOST_SHOWN]:
                state = "given" if each.holds else f"NOT given; it says: {each.said}" if each.checked_at else "new"
                _line(f"{each.question} → {each.answer} ({state})")

    def _show_inbox(self, found: Threads) -> None:
        with _emptied(self._inbox):
            if not found.threads:
                _line("Nobody waits for a human.")
            for each in found.threads[:MOST_SHOWN]:
                with ui.expansion(f"{each.channel}, {_age(each.last_at)}").classes("w-full") as place:

                    async def opened(thread: str = each.id, inside: ui.expansion = place) -> None:
                        if inside.value:
                            await self._open(thread, inside)

                    place.on_value_change(opened)

    def _show_try(self) -> None:
        path = f"{self._path('/threads')}/{secrets.token_urlsafe(16)}"
        with _emptied(self._try):
            log = ui.element("div").classes("agents-log").props('role="log" aria-live="polite" aria-label="Chat"')
            with ui.element("div").classes("agents-say"):
                box = ui.input(label="Ask as a customer").props("dense outlined")

                async def say() -> None:
                    text = (box.value or "").strip()
                    if text:
                        box.set_value("")
                        await self._say(path, text, log)

                box.on("keydown.enter", say)
                ui.button("Send", on_click=say, color=None).props("unelevated no-caps").classes("go")

    # ---- what is done

    async def _say(self, path: str, text: str, log: ui.element) -> None:
        with log:
            _turn("customer", text)
        body: dict[str, object] = {"id": uuid.uuid4().hex, "text": text}
        found = await self._ask(Exchange, f"{path}/messages", body)
        if found is None:
            return
        with log:
            if found.reply is None:
                _turn("agent", "A human goes on in this thread." if found.state == "with_human" else "Still thinking.")
            else:
                _turn("agent", found.reply.text, _evidence(found.reply))

    async def _correct(self, question: str, answer: str) -> None:
        if not answer.strip():
            self._tell("Write an answer first.")
            return
        body: dict[str, object] = {"question": question[:500], "answer": answer.strip()}
        if await self._ask(Corrections, self._path("/corrections"), body) is not None:
            await self.show()

    async def _open(self, thread: str, inside: ui.element) -> None:
        name = quote(thread, safe="")
        found = await self._ask(ThreadOut, self._path(f"/threads/{name}"))
        if found is None:
            return
        inside.clear()
        with inside:
            for message in found.messages:
                _turn(message.role, message.text)
            for unsent in found.unsent:
                _turn("not sent", f"{unsent.text} ({unsent.why})")
            answer = ui.input(label="Write to the customer").props("dense outlined autogrow")

            async def say() -> None:
                text = (answer.value or "").strip()
                body: dict[str, object] = {"id": uuid.uuid4().hex, "text": text}
                if text and await self._ask(MessageOut, self._path(f"/inbox/{name}/messages"), body) is not None:
                    await self._open(thread, inside)

            async def hand_back() -> None:
                if await self._ask(ThreadOut, self._path(f"/inbox/{name}/hand_back"), {}) is not None:
                    await self.show()

            ui.button("Send", on_click=say, color=None).props("unelevated no-caps").classes("go")
            ui.button("Hand back to the agent", on_click=hand_back, color=None).props("flat no-caps")

    def _path(self, rest: str) -> str:
        return f"/{quote(self._business, safe='')}{rest}"

    def _tell(self, text: str) -> None:
        self._said.set_content(escape(text))


def _part(title: str) -> ui.element:
    """A part of the page; gives what is filled and emptied in it."""
    with ui.element("section").classes("panel agents-part"):
        ui.html(escape(title), sanitize=False, tag="h2")
        return ui.element("div")


def _emptied(place: ui.element) -> ui.element:
    place.clear()
    return place


def _line(text: str) -> None:
    ui.html(escape(text), sanitize=False, tag="p")


def _turn(role: str, text: str, below: str = "") -> None:
    ui.html(f"<small>{role}</small>{escape(text)}{below}", sanitize=False).classes(f"agents-turn {role}")


def _evidence(reply: MessageOut) -> str:
    """What each sentence rests on, as HTML."""
    rows = []
    for claim in reply.said.claims if reply.said is not None else ():
        for each in claim.evidence:
            dated = (each.published or each.fetched or "")[:10]
            told = filter(None, (each.title or each.id, each.url or each.product, each.price, dated))
            rows.append(f"<small>← {escape(', '.join(told))}</small>")
    return "".join(rows)


def _age(at: float) -> str:
    """How long ago, in words."""
    minutes = round((dt.datetime.now(dt.UTC).timestamp() - at) / 60)
    if minutes < 60:
        return f"{minutes} min ago"
    return f"{minutes // 60} h ago" if minutes < 48 * 60 else f"{minutes // (24 * 60)} days ago"
