"""The ranked list for a user of the data set, for the console."""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path

from nicegui import ui

from tenfold.pool.asking import Refused, content, rights_of
from tenfold.rank.contract import RankedItem, RankResponse

_STYLE = Path(__file__).with_name("page.css").read_text()
FIRST_USER, LAST_USER = 1, 943
LIST_LENGTH = 12


def ranked_list(base_url: Callable[[], str]) -> None:
    """Add a form that shows the top items for a user of MovieLens-100K."""
    ui.add_css(_STYLE)
    rights = rights_of(ui.context.client.request.headers)
    ui.html("Ranked list <em>for a user of MovieLens-100K</em>", sanitize=False, tag="h2").classes("title")
    with ui.element("div").classes("scroll").props('tabindex=0 role=region aria-label="Ranked list"'):
        results = ui.html("", sanitize=False).classes("fill")
        results.set_content(f'<div class="blank">Choose a user, {FIRST_USER} to {LAST_USER}.</div>')

    async def show() -> None:
        user = user_of(number.value)
        if user is None:
            results.set_content(f'<div class="said refused">Users are {FIRST_USER} to {LAST_USER}.</div>')
            return
        rank_button.disable()
        try:
            results.set_content(list_html(await rank(base_url(), user, LIST_LENGTH, rights)))
        except Refused as refusal:
            results.set_content(f'<div class="said refused">{escape(str(refusal))}</div>')
        rank_button.enable()

    with ui.element("div").classes("ask"):
        number = (
            ui.input(value="196", placeholder="user")
            .props('dense outlined inputmode=numeric prefix="user" aria-label="user"')
            .on("keydown.enter", show)
        )
        rank_button = ui.button("Rank", on_click=show, color=None).props("unelevated").classes("go")


async def rank(base_url: str, user: int, k: int, rights: Mapping[str, str]) -> Sequence[RankedItem]:
    """Ask for the top ``k`` items for ``user``.

    Raises:
        Refused: the gateway shed the request, failed, or cannot be reached.
    """
    body = {"user": user, "k": k}
    return RankResponse.model_validate_json(await content(base_url, rights, "/v1/rank", method="POST", body=body)).items


def user_of(text: str | None) -> int | None:
    """Read a user id as typed; None when it is none."""
    cleaned = (text or "").strip()
    user = int(cleaned) if cleaned.isascii() and cleaned.isdigit() else 0
    return user if FIRST_USER <= user <= LAST_USER else None


def list_html(items: Sequence[RankedItem]) -> str:
    """Give a ranked list as HTML; the bars compare scores with the best and the last of the list."""
    if not items:
        return '<div class="blank">Nothing to rank: this user has seen everything.</div>'
    best, last = items[0].score, items[-1].score
    spread = (best - last) or 1.0
    return "".join(
        f'<div class="item" title="score {item.score:.3f}"><span class="n">{place}</span>'
        f'<span class="t">{escape(item.title)}<em>{escape(", ".join(item.genres))}</em></span>'
        f'<span class="bar"><i style="width:{20 + 80 * (item.score - last) / spread:.0f}%"></i></span></div>'
        for place, item in enumerate(items, 1)
    )
