"""Pages are answered from memory: whom an ad suits sees it, money lasts its day, and what became of ads is learned."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from tenfold.ads.bidder import Bidder, Page
from tenfold.ads.campaign import Campaign, CostPerAction, FrequencyCap, Objective, Status, Targeting
from tenfold.ads.candidates import MOST_BID_MICRO
from tenfold.ads.contract import VariantOut
from tenfold.ads.lessons import CLICK_WAIT_S
from tenfold.ads.money.cashier import Cashier
from tenfold.ads.money.lease import Lease
from tenfold.ads.money.purse import Purse
from tenfold.ads.selling import Seller
from tenfold.ads.tracking import Signer
from tenfold.ads.vectors import RANKED, WIDTH, WORDS, Vectors, of_words
from tenfold.product.calls import Late

DAY_S = 86_400.0
RICH = 10**12


class Clock:
    def __init__(self):
        self.now = 1e9

    def __call__(self):
        return self.now


class Rank:
    """Answers as rank does: items and contents have embeddings of one snapshot."""

    def __init__(self):
        self.snapshot, self.asked = "1", []

    async def rank(self, body, *, deadline_s):
        self.asked.append(body)
        if self.snapshot == "":
            return Late("refused", "no such field: embeddings")
        items = body.get("candidates", [])
        vectors = [[1.0 if at == item % RANKED else 0.0 for at in range(RANKED)] for item in items]
        contents = [[1.0] + [0.0] * (RANKED - 1) for _ in body["contents"]]
        told = {"person": vectors[0] if vectors else [], "items": vectors, "contents": contents}
        return {"items": [{"item": item} for item in items], "snapshot": self.snapshot, "embeddings": told}


def campaign(id, **more):
    known = {"account": "shop", "name": id, "objective": Objective.TRAFFIC, "budget_micro": 10_000_000}
    known |= {"starts_at": 1e9, "ends_at": 1e9 + DAY_S, "page": "https://x.example", "status": Status.LIVE}
    return Campaign(id=id, **(known | more))


def variant(id="v1", text="Tents for hikers"):
    return VariantOut(id=id, headline=text, body=text, call_to_action="See", url="https://x.example", state="approved")


class World:
    def __init__(self, *campaigns, pricing="second", lift_holdout=0.0):
        self.clock = Clock()
        cashier = Cashier(dead_after_s=9.0, settle_s=9.0, most_bid_micro=MOST_BID_MICRO, clock=self.clock)
        for each in campaigns:
            lease = Lease(f"l-{each.id}", each.id, 1, RICH, 0, "open")
            cashier.purses[each.id] = Purse(lease, free_micro=RICH)
        self.seller = Seller(cashier, Signer({"k": b"k" * 32}), seen_within_s=300.0, lift_holdout=lift_holdout)
        self.rank = Rank()
        self.spent = {each.id: 0 for each in campaigns}
        budgets = {each.id: each.budget_micro for each in campaigns}
        self.bidder = Bidder(
            seller=self.seller,
            vectors=Vectors(self.rank),
            choose=lambda campaign, variants, person: (variants[0], 1.0, 0),
            free_micro=cashier.free_micro,
            remaining_micro=lambda id: budgets.get(id, 0) - self.spent.get(id, 0),
            now=self.clock,
            pricing=pricing,
        )
        self.bidder.use({each.id: each for each in campaigns}, {each.id: (variant(),) for each in campaigns})

    def page(self, person="ann", stopped=(), seen=True, **more):
        known = {"surface": "home", "slots": 1, "items": (1, 2), "genres": ("Comedy",)}
        sold = self.bidder.answer(Page(person=person, **(known | more)), stopped)
        for one in sold:
            self.spent[one.campaign.id] += one.decision.price_micro
            if seen:
                self.bidder.lessons.seen(self.seller.signer.read_impression(one.token).event, self.clock())
        return sold

    def second(self, seconds=1.0):
        self.clock.now += seconds
        self.bidder.turn()

    def warm(self):
        """One page, so that it is known what a place costs."""
        self.page("first")
        self.second()


def test_an_ad_is_sold_at_the_reserve_where_nobody_else_bids():
    world = World(campaign("a"))
    world.warm()
    (sold,) = world.page()
    assert sold.decision.price_micro == 100
    assert sold.decision.bid_micro >= 100
    assert world.seller.signer.read_impression(sold.token).campaign == "a"


def test_dear_places_are_won_one_after_the_other_within_a_second():
    of = {"objective": Objective.REACH, "budget_micro": 10**9, "cap": CostPerAction(50_000)}
    world = World(*(campaign(id, **of) for id in "abc"))
    prices = []
    for second in range(40):
        world.second()
        sold = [world.page(f"person {second} {number}") for number in range(20)]
        prices.append([one.decision.price_micro for page in sold for one in page])
    assert min(prices[-1]) > 40_000, "who bids for the same people with much money makes them dear"
    assert len(prices[-1]) == 20


def test_a_place_goes_where_it_may_to_whom_it_is_for():
    excluded = campaign("excluded", excluded=frozenset({"Horror"}))
    narrow = campaign("narrow", targeting=Targeting(interests=frozenset({"Comedy"}), broad=False))
    elsewhere = campaign("elsewhere", targeting=Targeting(surfaces=frozenset({"shop"})))
    world = World(excluded, narrow, elsewhere)
    world.page("first", slots=3)
    world.second()
    found = {one.campaign.id for one in world.page("bob", slots=3, genres=("comedy", "horror"))}
    assert found == {"narrow"}
    found = {one.campaign.id for one in world.page("eve", slots=3, genres=("drama",), surface="shop")}
    assert found == {"excluded", "elsewhere"}


def test_nobody_sees_an_ad_more_often_than_its_cap_or_after_a_stop():
    world = World(campaign("a", frequency=FrequencyCap(2, DAY_S)))
    world.warm()
    assert [len(world.page()) for _ in range(4)] == [1, 1, 0, 0]
    assert world.page("bob", stopped={"campaign/a"}) == []
    assert world.page("bob", stopped={"account/shop"}) == []
    assert len(world.page("bob")) == 1
    world.second()
    lost = world.seller.tick("a").lost
    assert lost["this person has seen it often enough, or wants no more of it"] == 4


def test_who_is_held_out_gets_the_next_best_and_is_counted():
    world = World(campaign("a"), campaign("b"), lift_holdout=0.5)
    world.page("first", slots=2)
    world.second()
    found = [len(world.page(f"p{number}", slots=2)) for number in range(40)]
    assert 0.3 < np.mean(found) / 2 < 0.7
    world.second()
    assert world.seller.tick("a").lost["held out, for the comparison"] > 5


@pytest.mark.parametrize("objective", [Objective.REACH, Objective.TRAFFIC])
def test_a_day_of_pages_spends_the_budget_evenly_and_no_more(objective):
    often = FrequencyCap(10**6, DAY_S)
    world = World(campaign("a", objective=objective, budget_micro=120_000, frequency=often))
    rng = np.random.default_rng(0)
    spent = []
    for _ in range(240):
        for _ in range(6):
            world.page(f"p{rng.integers(10**6)}", genres=(("comedy", "drama", "horror")[rng.integers(3)],))
        world.second(360.0)
        spent.append(world.spent["a"])
    assert 0.85 * 120_000 < spent[-1] <= 120_000
    assert 0.3 * 120_000 < spent[120] < 0.75 * 120_000


def test_a_cap_on_the_cost_of_a_click_holds_by_what_is_predicted():
    world = World(campaign("a", cap=CostPerAction(4_000)), campaign("b"))
    for number in range(600):
        world.page(f"p{number}")
        world.second(30.0)
    line = world.bidder.planning.lines[0]
    assert line.won >= 0
    assert line.spent <= 1.05 * 4_000 * line.won + 1e-6


def test_clicks_are_learned_from_by_whom_they_came():
    world = World(campaign("a", frequency=FrequencyCap(10**6, DAY_S), budget_micro=10**10))
    world.warm()
    rng = np.random.default_rng(0)
    for number in range(3000):
        genre = ("comedy", "horror")[number % 2]
        for one in world.page(f"p{number}", genres=(genre,)):
            event = world.seller.signer.read_impression(one.token).event
            world.bidder.lessons.seen(event, world.clock())
            if rng.random() < (0.3 if genre == "comedy" else 0.02):
                world.bidder.lessons.clicked(event, world.clock())
        if number % 50 == 0:
            world.second(CLICK_WAIT_S)
            world.bidder.study()
    chances = {}
    for genre in ("comedy", "horror"):
        (sold,) = world.page("new", genres=(genre,))
        chances[genre] = sold.decision.chance
    assert chances["comedy"] == pytest.approx(0.3, rel=0.35)
    assert chances["horror"] == pytest.approx(0.02, rel=0.8)


async def test_people_and_campaigns_are_where_rank_says_until_its_next_snapshot():
    world = World(campaign("a"))
    vectors = world.bidder.vectors
    assert not vectors.person((1, 2), (), by_rank=True)[WORDS:].any()
    assert await vectors.fetch(world.bidder.contents())
    person_D = vectors.person((1, 2), (), by_rank=True)
    assert person_D.shape == (WIDTH,)
    assert person_D[WORDS + 1] == person_D[WORDS + 2] == pytest.approx(np.sqrt(0.5))
    assert not vectors.person((1, 2), (), by_rank=False)[WORDS:].any()
    assert vectors.campaign("a", ())[WORDS] == 1.0
    assert not await vectors.fetch(world.bidder.contents())
    world.rank.snapshot = "2"
    vectors.person((3,), (), by_rank=True)
    assert await vectors.fetch(world.bidder.contents())
    assert not vectors.person((1,), (), by_rank=True)[WORDS:].any()


async def test_where_rank_gives_no_embeddings_words_do():
    world = World(campaign("a"))
    world.rank.snapshot = ""
    assert not await world.bidder.vectors.fetch(world.bidder.contents())
    assert of_words(["Comedy", "Drama"]) @ of_words(["drama", "comedy"]) == pytest.approx(1.0)
    assert abs(of_words(["comedy"]) @ of_words(["horror"])) < 0.8
    assert len(world.page()) + len(world.page("bob")) >= 0
    await asyncio.sleep(0)


def test_a_campaign_that_is_changed_or_gone_is_taken_up_and_others_keep_what_they_learned():
    world = World(campaign("a"), campaign("b"))
    world.page("first", slots=2)
    world.second()
    before = {line.campaign.id: line for line in world.bidder.planning.lines}
    changed = campaign("a", budget_micro=20_000_000)
    world.bidder.use({"a": changed, "c": campaign("c")} | {}, {"a": (variant(),), "c": (variant(),)})
    lines = {line.campaign.id: line for line in world.bidder.planning.lines}
    assert set(lines) == {"a", "c"}
    assert lines["a"].spent == before["a"].spent
    assert lines["a"].budget == pytest.approx(20_000_000)
    world.bidder.use({}, {})
    assert world.page("bob") == []


def test_a_new_campaign_is_forecast_on_the_pages_of_the_last_day():
    world = World(campaign("a", budget_micro=10**8))
    draft = campaign("draft", budget_micro=10**6, excluded=frozenset({"horror"}), cap=CostPerAction(20_000))
    assert world.bidder.forecast(draft, [variant()]) is None
    for number in range(400):
        world.page(f"p{number}", genres=(("Comedy", "Horror")[number % 2],))
        world.second(10.0)
    found = world.bidder.forecast(draft, [variant()])
    assert found is not None
    assert found.spend_micro.low <= found.spend_micro.middle <= found.spend_micro.high <= 10**6
    assert found.impressions.high <= 0.5 * 8_640 * 2.5
    tight = replace(draft, cap=CostPerAction(1))
    refused = world.bidder.forecast(tight, [variant()])
    assert refused is not None
    assert not refused.feasible


def test_where_winners_pay_their_bid_they_bid_less_than_its_worth():
    often = FrequencyCap(10**6, DAY_S)
    paid = {}
    for pricing in ("second", "first"):
        rich = campaign("rich", budget_micro=10**9, frequency=often, cap=CostPerAction(40_000))
        world = World(rich, campaign("rival", frequency=often, cap=CostPerAction(10_000)), pricing=pricing)
        for number in range(600):
            world.page(f"p{number}")
            world.second(60.0)
        line = world.bidder.planning.lines[0]
        paid[pricing] = line.spent / line.won
    assert paid["first"] < 0.9 * 40_000


def test_what_was_never_seen_is_planned_with_again():
    world = World(campaign("a"))
    world.warm()
    (seen,), (_,) = world.page("bob"), world.page("eve", seen=False)
    line = world.bidder.planning.lines[0]
    before, value = line.spent, line.won
    world.second(200.0)
    assert (line.spent, line.won) == (before, value)
    world.second(200.0)
    assert line.spent == before - seen.decision.price_micro
    assert 0 < line.won < value
