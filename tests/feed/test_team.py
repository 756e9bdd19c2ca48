"""What the team sees: each surface's figures, slices, cold items, freshness; as figures and as a page."""

import re
import time

from tenfold.feed.contract import Card, Feed, FeedEvent, Known
from tenfold.feed.experiments import IntervalView
from tenfold.feed.item import Item, ToldItem
from tenfold.feed.learned import Epoch, Learned, Quality
from tenfold.feed.learned_html import learned_html, since
from tenfold.feed.page_html import card_html, history_html, said_html
from tenfold.feed.team import read_team
from tenfold.feed.team_html import interval_chart, team_html

ITEMS = [Item(1, "One <b>", ("a",)), Item(2, "Two", surfaces=("shop",))]


def event(number, item, action, surface, person="ann", **more):
    return FeedEvent(id=str(number), person=person, surface=surface, item=item, action=action, **more)


async def test_a_report_says_what_was_done_where_by_whom_and_with_what(make_desk):
    desk = await make_desk(ITEMS)
    await desk.tell_items([ToldItem(item="new", title="New & cold", born_at=time.time() - 7200)])
    await desk.take(
        [
            *(event(n, 1, "shown", "home") for n in range(4)),
            event(4, 1, "opened", "home"),
            event(5, 1, "watched", "home", seconds=120),
            event(6, "new", "shown", "shop"),
            event(7, "new", "bought", "shop"),
            event(8, 2, "less", "shop", "bob"),
        ]
    )
    desk.archive.export()
    await desk.take([event(10 + n, n, "opened", "home", "cid") for n in range(20)])
    await desk.take([event(40, 1, "shown", "home", "cid")])
    report = await desk.read(lambda connection: read_team(connection, desk))
    home, shop = (next(each for each in report.surfaces if each.surface == name) for name in ("home", "shop"))
    assert (home.shown, home.opened, home.watched_minutes, home.items) == (5, 21, 2.0, 3)
    assert (shop.shown, shop.approved, shop.refused) == (1, 1, 1)
    slices = {each.name: (each.shown, each.opened) for each in report.slices}
    assert slices["newcomers"] == (5, 21) and slices["everybody else"] == (1, 0)
    assert slices["cold items"] == (1, 0)
    assert (report.items, report.cold_items, report.people) == (3, 1, 3)
    (cold,) = report.cold
    assert (cold.item, cold.people, cold.opened) == ("new", 1, 1)
    assert report.freshness.in_files_up_to <= report.freshness.newest_event_at
    page = team_html(report)
    assert "New &amp; cold" in page and "2 h ago" in page and "Too early to compare" in page
    assert page.count("<section") == page.count("</section>") == 4
    # Names that people gave are shown as text.
    assert "One <b>" not in page


def test_an_interval_is_drawn_between_its_ends_on_the_side_of_its_sign():
    drawn = interval_chart([("unified", IntervalView(estimate=0.2, low=0.1, high=0.3))], "watched")
    x, width = (float(re.search(rf'{name}="([\d.]+)"', drawn.split("<rect")[1]).group(1)) for name in ("x", "width"))
    axis = float(re.search(r'class="axis" x1="([\d.]+)"', drawn).group(1))
    assert axis < x and width > 10 and "sure" in drawn and "unsure" not in drawn
    unknown = interval_chart([("unified", IntervalView(estimate=-0.2, low=None, high=None))], "watched")
    assert "<rect" not in unknown and "<circle" in unknown


def test_cards_and_history_show_text_as_text():
    card = Card(item="a/b", title="<script>", genres=("x",), reason="like <i>", poster="https://x.example/a.jpg",
                author="<me>", terms={"p_open": 0.25})  # fmt: skip
    html = card_html(card)
    assert "<script>" not in html and "<i>" not in html and "<me>" not in html
    assert "p open" in html and "0.25" in html and "feed-title" in html
    known = Known(person="ann", holdout=False, watched=(card,), blocked=(1,), less=(2, 3), events=4)
    assert "less like 2" in history_html(known) and "<script>" not in history_html(known)
    assert "Nothing is known" in history_html(None)
    feed = Feed(person="ann", surface="home", by="popular", because="ranking is <away>", cards=(card,))
    assert said_html(feed) == "chosen by popularity (ranking is &lt;away&gt;)"
    assert since(59) == "59 s ago" and since(3 * 86400) == "3 d ago"


def test_the_model_says_what_it_learned_and_how_good_it_is():
    quality = [
        Quality(system=system, users_kind=kind, ndcg_at_10=ndcg, ndcg_low=ndcg - 0.01, ndcg_high=ndcg + 0.01, queries=9)
        for system, kind, ndcg in (("model", "all", 0.2), ("popularity", "all", 0.1), ("model", "shop", 0.3))
    ]
    found = Learned(
        snapshot="<v1>", model="m", trained_at=0.0, latest_event_at=0.0, people=943, items=1682, events=100_000,
        parameters=220_000, surfaces=("a", "b"), epochs=(Epoch(loss=6.5), Epoch(loss=5.25)), quality=tuple(quality),
    )  # fmt: skip
    html = learned_html(found, 7200.0)
    assert "<b>100k</b> events of 943 people" in html and "Trained 2 h ago" in html and "<v1>" not in html
    assert "6.50" in html and "5.25" in html
    assert "model, shop" in html and "0.190-0.210" in html
