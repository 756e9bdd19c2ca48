"""The advertiser's page: make a campaign, see all its copy, take it live, and watch what it does and adds."""

import asyncio
import time
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from nicegui import ui
from nicegui.events import UploadEventArguments

from tenfold.ads import drawn
from tenfold.ads.amounts import read_micro, usd
from tenfold.ads.campaign import Objective
from tenfold.ads.campaign_routes import PreviewOut
from tenfold.ads.contract import LONGEST_SOURCE, CampaignOut, Campaigns, VariantOut
from tenfold.ads.product import PREFIX
from tenfold.ads.report import ReportOut, SpentOut
from tenfold.core.errors import UsageError
from tenfold.page.sheet import lead
from tenfold.pool.asking import Api, rights_of

_STYLE = Path(__file__).with_name("page.css").read_text()

OBJECTIVES = {
    Objective.SALES.value: "Sales",
    Objective.LEADS.value: "Leads",
    Objective.TRAFFIC.value: "Visits",
    Objective.REACH.value: "Being seen",
}
REFRESH_S = 5.0
MOST_WHYS = 6
_NOTHING = """<h2>No campaign yet</h2><p>Fill in the form. The ads are written at once and stand here as a draft, which
costs nothing until you let it begin.</p>
<p>To see one at work among made-up people and rivals, let the world play a day:</p>
<pre>tenfold load --day 4m --advertise demo --budget 50USD --clicks 0.1</pre>
<p><code>docs/ads.md</code> explains.</p>"""
_ABOUT = (
    "Give an objective, a budget and a page or catalog. The ads are written from what it says, and you see all of them "
    "before anybody else does. Spend never exceeds the budget, and the report tells what they really added."
)
Said = Literal["live", "paused", "ended"]


def draw(heading: ui.element, base_url: Callable[[], str]) -> None:
    """Fill one browser's page. ``base_url`` gives the front's own address."""
    ui.add_css(_STYLE)
    with heading:
        said = ui.html("", sanitize=False).classes("ads-muted").props("role=status")
    office = Office(base_url, rights_of(ui.context.client.request.headers), said)
    ui.timer(0.1, office.begin, once=True)
    ui.timer(REFRESH_S, office.refresh)


class Office:
    """One browser's view of its campaigns, one at a time."""

    def __init__(self, base_url: Callable[[], str], rights: Mapping[str, str], said: ui.html) -> None:
        self._ask = Api(base_url, rights, PREFIX, self._tell).ask
        self._said = said
        self._campaign = ""
        self._has_answered = False
        self._catalog: tuple[str, str] | None = None
        with ui.element("div").classes("desk"):
            ui.html(lead("Ads", _ABOUT), sanitize=False)
            with ui.element("div").classes("ads-page"):
                with ui.element("section").classes("panel ads-new"):
                    ui.html("New campaign", sanitize=False, tag="h2")
                    self._draw_form()
                with ui.element("div").classes("ads-view"):
                    with ui.element("div").classes("ads-who") as self._who:
                        self._choice = ui.select([], label="Campaign", on_change=self._chosen).props("outlined dense")
                        self._steps = ui.element("div").classes("ads-steps")
                    self._view = ui.element("div").classes("ads-parts")

    # ---- making one

    def _draw_form(self) -> None:
        self._objective = ui.select(OBJECTIVES, value=Objective.SALES.value, label="Get more of").props(
            "outlined dense"
        )
        with ui.element("div").classes("ads-pair"):
            self._budget = ui.input("Budget in dollars", value="500").props("outlined dense inputmode=decimal")
            self._days = ui.input("Days", value="7").props("outlined dense inputmode=numeric")
        self._page = ui.input("Address of your page", placeholder="https://shop.example").props("outlined dense")
        # Quasar's own uploader has buttons without a name: it stays unseen, and a button of ours opens it.
        upload = ui.upload(auto_upload=True, on_upload=self._uploaded).classes("ads-upload")
        upload.props(f"max-files=1 max-file-size={4 * LONGEST_SOURCE} accept=.csv,.tsv,.xml,.json,.html,.md,.txt")
        pick = ui.button("Choose a catalog or page: .csv, .xml, .json, .html, .md", color=None)
        pick.props("flat no-caps align=left").classes("ads-pick")
        pick.on("click", js_handler=f"() => getElement({upload.id}).pickFiles()")
        with ui.expansion("Limits").props("dense").classes("ads-limits"):
            self._cost = ui.input("At most so many dollars per action").props("outlined dense inputmode=decimal")
            self._return = ui.input("Sales at least so many times what it costs").props("outlined dense")
            self._excluded = ui.input("Never beside, by commas", placeholder="War, Horror").props("outlined dense")
        self._make = (
            ui.button("Write the ads", on_click=self._create, color=None).props("unelevated no-caps").classes("go")
        )

    async def _uploaded(self, event: UploadEventArguments) -> None:
        text = (await event.file.read()).decode("utf-8", "replace")
        self._catalog = event.file.name, text
        self._tell(f"{event.file.name} is read: {len(text):,} characters")

    async def _create(self) -> None:
        try:
            wish = self._wish()
        except (UsageError, ValueError) as wrong:
            self._tell(str(wrong))
            return
        sources = [{"name": self._catalog[0], "text": self._catalog[1]}] if self._catalog else []
        self._make.disable()
        self._tell("reading, and writing the ads …")
        made = await self._ask(PreviewOut, "/campaigns", {"wish": wish, "sources": sources})
        self._make.enable()
        if made is not None:
            self._campaign = made.campaign.id
            self._has_answered = False
            await self.begin()

    def _wish(self) -> dict[str, object]:
        page, catalog = (self._page.value or "").strip(), self._catalog[0] if self._catalog else ""
        if not page and not catalog:
            raise UsageError("give the address of a page, or a catalog: a click must lead somewhere")
        name = catalog.rpartition(".")[0] or page.removeprefix("https://").removeprefix("http://")
        excluded = tuple(filter(None, (word.strip() for word in (self._excluded.value or "").split(","))))
        return {
            "name": name[:120],
            "objective": self._objective.value,
            "budget_micro": read_micro(self._budget.value or ""),
            "days": float(self._days.value or 7),
            "page": page,
            "catalog": catalog,
            "cost_per_action_micro": read_micro(self._cost.value) if self._cost.value else None,
            "return_on_spend": float(self._return.value) if self._return.value else None,
            "excluded": excluded,
        }

    # ---- one campaign

    async def begin(self) -> None:
        """List the campaigns, and show the one chosen, or the newest."""
        found = await self._ask(Campaigns, "/campaigns")
        if found is None:
            return
        names = {each.id: f"{each.wish.name} ({each.status.value})" for each in found.campaigns}
        self._who.set_visibility(bool(names))
        if not names:
            self._tell_state("No campaign yet: give an objective and a budget.")
            self._view.clear()
            with self._view, ui.element("section").classes("panel ads-wide"):
                ui.html(_NOTHING, sanitize=False)
            return
        chosen = self._campaign if self._campaign in names else next(iter(names))
        self._campaign = chosen
        self._choice.set_options(names, value=chosen)
        await self.show()

    async def _chosen(self) -> None:
        if self._choice.value and self._choice.value != self._campaign:
            self._campaign = str(self._choice.value)
            self._has_answered = False
            await self.show()

    async def refresh(self) -> None:
        """Show a running campaign as it is now."""
        if self._campaign and getattr(self, "_is_live", False):
            await self.show()

    async def show(self) -> None:
        """Show the chosen campaign."""
        id = self._campaign
        preview = await self._ask(PreviewOut, self._path("/preview"))
        if preview is None or id != self._campaign:
            return
        campaign = preview.campaign
        self._is_live = campaign.status == "live"
        self._draw_steps(campaign)
        if campaign.status == "draft":
            self._tell_state(f"{campaign.wish.name}: a draft. Nothing is shown or charged until it begins.")
            self._view.clear()
            with self._view:
                _part("Forecast", f"<p>{escape(drawn.forecast(preview.forecast))}</p>")
                self._draw_copy(preview)
            return
        report, spent = await asyncio.gather(
            self._ask(ReportOut, self._path("/report")), self._ask(SpentOut, self._path(f"/spent?k={MOST_WHYS}"))
        )
        if report is None or spent is None or id != self._campaign:
            return
        self._tell_state(f"{campaign.wish.name}: {campaign.status.value}")
        self._view.clear()
        with self._view:
            for title, content in drawn.parts(campaign, report, spent, time.time()):
                _part(title, content)
            self._draw_copy(preview)

    def _draw_steps(self, campaign: CampaignOut) -> None:
        steps: dict[str, list[tuple[str, Said]]] = {
            "draft": [("Approve all and begin", "live")],
            "live": [("Pause", "paused"), ("End", "ended")],
            "paused": [("Go on", "live"), ("End", "ended")],
        }
        self._steps.clear()
        with self._steps:
            for words, status in steps.get(campaign.status.value, []):

                async def step(status: Said = status) -> None:
                    await self._step(status, is_draft=campaign.status == "draft")

                kind = "unelevated" if status == "live" else "flat"
                ui.button(words, on_click=step, color=None).props(f"{kind} no-caps").classes(
                    "go" if status == "live" else ""
                )
            if campaign.status in ("live", "paused"):
                more = ui.input("Add dollars").props("outlined dense inputmode=decimal").classes("ads-more")

                async def top_up() -> None:
                    await self._top_up(more.value or "")

                ui.button("Top up", on_click=top_up, color=None).props("flat no-caps")

    def _draw_copy(self, preview: PreviewOut) -> None:
        with ui.element("section").classes("panel ads-part ads-wide"):
            ui.html("Everything that may be shown", sanitize=False, tag="h2")
            with ui.element("div").classes("ads-copy"):
                for variant in preview.variants:
                    self._draw_variant(variant)
            if preview.left_out:
                lines = "".join(f"<li>{escape(each)}</li>" for each in preview.left_out[:8])
                more = len(preview.left_out) - 8
                lines += f"<li>and {more} more</li>" if more > 0 else ""
                ui.html(
                    f'<p class="ads-muted ads-left-out">Left out, and why:</p><ul class="ads-muted">{lines}</ul>',
                    sanitize=False,
                )

    def _draw_variant(self, variant: VariantOut) -> None:
        with ui.element("article").classes(f"ads-variant {variant.state}"):
            ui.html(drawn.variant(variant), sanitize=False)
            with ui.element("div").classes("ads-say"):
                for words, approved in (("Yes", True), ("No", False)):
                    if (variant.state == "approved") is approved and variant.state != "waiting":
                        continue

                    async def judge(approved: bool = approved) -> None:
                        body = {"variant": variant.id, "approved": approved}
                        if await self._ask(PreviewOut, self._path("/variants"), body) is not None:
                            await self.show()

                    ui.button(words, on_click=judge, color=None).props("flat dense no-caps")

    async def _step(self, status: Said, *, is_draft: bool) -> None:
        self._has_answered = False
        if is_draft:
            body = {"variant": "all", "approved": True}
            if await self._ask(PreviewOut, self._path("/variants"), body) is None:
                return
        if await self._ask(CampaignOut, self._path("/status"), {"status": status}) is not None:
            await self.begin()

    async def _top_up(self, amount: str) -> None:
        try:
            micro = read_micro(amount)
        except UsageError as wrong:
            self._tell(str(wrong))
            return
        # The same press sent again adds nothing; another press is another name.
        body = {"id": f"page {time.time():.3f}", "micro": micro}
        if await self._ask(CampaignOut, self._path("/top-ups"), body) is not None:
            self._tell(f"{usd(micro)} were added")
            await self.show()

    def _path(self, rest: str) -> str:
        return f"/campaigns/{quote(self._campaign, safe='')}{rest}"

    def _tell(self, text: str) -> None:
        """Answer what somebody did on the page."""
        self._has_answered = True
        self._said.set_content(escape(text))

    def _tell_state(self, text: str) -> None:
        """Say how things are, unless an answer stands there, which a look at the campaign must not take away."""
        if not self._has_answered:
            self._said.set_content(escape(text))


def _part(title: str, content: str) -> None:
    with ui.element("section").classes("panel ads-part"):
        ui.html(escape(title), sanitize=False, tag="h2")
        ui.html(content, sanitize=False)
