"""Ads stand beside organic cards by total value, keep their distance, and are gone without when they are late."""

from itertools import pairwise

import pytest

from tenfold.feed.beside import EVERY, Sponsored, beside
from tenfold.feed.contract import Card
from tenfold.feed.item import Item
from tenfold.feed.page_html import card_html
from tenfold.product.peers import Peers

CARDS = [Card(item=n, title=f"Film {n}", genres=(), reason="", poster="") for n in range(1, 13)]
VALUES = [12.0 - n for n in range(12)]


def ads(*values):
    return [Sponsored(item=f"ad:{n}", title="Buy", advertiser="Acme", value=value) for n, value in enumerate(values)]


def places(found):
    return [at for at, card in enumerate(found) if card.sponsored is not None]


def test_an_ad_stands_before_the_first_card_that_is_worth_less():
    found = beside(CARDS, VALUES, ads(6.5))
    assert places(found) == [6]
    assert [card.item for card in found if card.sponsored is None] == list(range(1, 12))
    assert found[6].reason == "An ad by Acme"
    assert places(beside(CARDS, VALUES, ads(0.5))) == []


def test_ads_are_never_first_and_keep_apart_whatever_they_are_worth():
    found = places(beside(CARDS, VALUES, ads(99.0, 98.0, 97.0)))
    assert found[0] >= EVERY - 1
    assert all(later - before >= EVERY for before, later in pairwise(found))


def test_an_ad_is_marked_as_one_counts_as_seen_when_it_is_loaded_and_is_text_whatever_it_says():
    told = {"text": "<script>", "seen": "/v1/ads/public/seen/t.gif", "click": "/v1/ads/public/click/t"}
    ad = Card(item="ad:1", title="<b>Buy</b>", genres=(), reason="An ad by Acme", poster="", sponsored=told)
    html = card_html(ad)
    assert '<span class="feed-ad">Ad</span>' in html and "An ad by Acme" in html
    assert 'src="/v1/ads/public/seen/t.gif"' in html and 'href="/v1/ads/public/click/t"' in html
    assert "<script>" not in html and "<b>" not in html
    assert "feed-ad" not in card_html(CARDS[0])


class Others(Peers):
    """Answers as the test says."""

    def __init__(self, answer):
        super().__init__(None, {"ads": "http://127.0.0.1:9"}, "", "feed")
        self.answer, self.asked = answer, []

    async def ask(self, product, path, body, deadline_s):
        self.asked.append((product, path, body, deadline_s))
        return self.answer


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ({"ads": [{"item": "ad:1", "title": "Buy", "value": 3.0, "tell": {"click": "/x"}}]}, 1),
        (None, 0),
        ({"ads": [{"item": "ad:1"}]}, 0),
    ],
)
async def test_a_page_has_ads_where_they_come_in_time_and_are_what_the_feed_takes(make_desk, answer, shown):
    others = Others(answer)
    desk = await make_desk([Item(n, f"Film {n}") for n in range(1, 13)], others, holdout=0.01)
    desk.context.pool.ranked = [{"item": n, "terms": {"value": 6.0 - 0.5 * n}} for n in range(1, 13)]
    feed = await desk.feed("ann", "shop", 10)
    assert len(feed.cards) == 10
    found = [card for card in feed.cards if card.sponsored is not None]
    assert [card.sponsored["click"] for card in found] == ["/x"] * shown
    ((product, path, body, deadline_s),) = others.asked
    assert (product, path, deadline_s) == ("ads", "/v1/ads/candidates", 0.02)
    assert (body["person"], body["surface"], body["slots"]) == ("ann", "shop", 2)
    assert body["organic"][0] == {"item": 1, "genres": (), "value": 5.5}


async def test_without_ads_in_the_pool_nobody_is_asked(make_desk):
    desk = await make_desk([Item(1, "One")])
    desk.context.pool.ranked = [{"item": 1}]
    await desk.feed("ann", "home", 1)
    assert not desk.context.peers.late
