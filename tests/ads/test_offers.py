"""What the feed sends and reads is what ads take and give."""

from tenfold.ads.bidder import Sold
from tenfold.ads.campaign import Campaign, Objective
from tenfold.ads.contract import VariantOut
from tenfold.ads.offers import CandidatesIn, CandidatesOut, offer_of
from tenfold.ads.selling import Decision
from tenfold.feed.beside import ads_for, beside
from tenfold.feed.contract import Card


class Peers:
    """The product ads, without its process: answers as its route does."""

    def __init__(self, sold):
        self.sold, self.asked = sold, None

    def has(self, product):
        return product == "ads"

    async def ask(self, product, path, body, deadline_s):
        assert path == "/v1/ads/candidates"
        self.asked = CandidatesIn.model_validate(body)
        return CandidatesOut(ads=tuple(offer_of(one, 0.001) for one in self.sold)).model_dump(mode="json")


def a_sale(bid_micro):
    variant = VariantOut(
        id="v1", headline="Tents", body="Dry ones.", call_to_action="See", url="https://x.example", state="approved"
    )
    campaign = Campaign("c1", "acme", "Tents", Objective.TRAFFIC, 10**7, 0.0, 1e9, "https://x.example")
    return Sold(campaign, variant, "t.o.k", Decision(900.0, bid_micro, 700, 1.0, 1.0, "budget", 0.01))


async def test_the_feed_asks_with_its_page_and_puts_what_wins_by_its_value():
    cards = [Card(item=at, title=f"film {at}", genres=("Comedy",), reason="", poster="") for at in range(10)]
    values = [10.0 - at for at in range(10)]
    peers = Peers([a_sale(bid_micro=3_000)])
    ads = await ads_for(peers, "ann", "home", cards, values, 0.02)
    page = peers.asked.page()
    assert (page.person, page.surface, page.slots) == ("ann", "home", 2)
    assert page.items == tuple(range(10)) and page.genres == ("Comedy",)
    assert ads[0].value == 3.0
    shown = beside(cards, values, ads)
    at = next(place for place, card in enumerate(shown) if card.sponsored)
    assert shown[at].title == "Tents" and shown[at].author == "acme"
    assert shown[at].sponsored["token"] == "t.o.k"
    assert shown[at].sponsored["seen"] == "/v1/ads/public/seen/t.o.k.gif"
    assert values[at - 1] > 3.0 >= values[at]
