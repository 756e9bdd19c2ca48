"""One person on several surfaces: items belong to some, controls act on all at once, and each card says why."""

import pytest

from tenfold.feed.contract import FeedEvent
from tenfold.feed.item import Item, ToldItem, ToldItems

ITEMS = [
    Item(1, "Alien", ("Horror", "Sci-Fi"), 9, surfaces=("long",)),
    Item(2, "Aliens", ("Horror", "Sci-Fi"), 8, surfaces=("long",)),
    Item(3, "Space cat", ("Sci-Fi", "Pets"), 7, surfaces=("short",)),
    Item("sku-7", "Space suit", ("Horror", "Sci-Fi"), 6, surfaces=("shop",), author="nasa"),
    Item("sku-8", "Gloves", ("Wear",), 5, surfaces=("shop",), author="nasa"),
    Item(4, "Babe", ("Pets",), 4),
]
SERVED = "ann"


def event(number, item, action, surface="long", person=SERVED, **more):
    return FeedEvent(id=str(number), person=person, surface=surface, item=item, action=action, **more)


async def desk_for(make_desk, **settings):
    desk = await make_desk(ITEMS, holdout=0.01, **settings)
    desk.context.pool.ranked = [{"item": item.item} for item in ITEMS]
    return desk


async def shown(desk, surface, k=10, **more):
    return [card.item for card in (await desk.feed(SERVED, surface, k, **more)).cards]


async def test_a_surface_shows_its_items_and_those_of_none_and_an_unnamed_surface_shows_all(make_desk):
    desk = await desk_for(make_desk)
    assert await shown(desk, "long") == [1, 2, 4]
    assert await shown(desk, "shop") == ["sku-7", "sku-8", 4]
    assert await shown(desk, "home") == [1, 2, 3, "sku-7", "sku-8", 4]
    assert desk.context.pool.asked[0]["candidates"] == [1, 2, 4]
    assert "candidates" not in desk.context.pool.asked[2]
    # The popular list keeps to the surface too.
    desk.context.pool.ranked = []
    assert [card.item for card in (await desk.feed(SERVED, "short", 5)).cards] == []


async def test_a_control_on_one_surface_acts_in_the_next_feed_of_each(make_desk):
    desk = await desk_for(make_desk)
    await desk.take([event(1, 1, "not_interested")])
    assert await shown(desk, "home") == [2, 3, "sku-7", "sku-8", 4]
    # Less of the suit: what shares half of its attributes, or its author, comes last, on every surface.
    await desk.take([event(2, "sku-7", "less", "shop")])
    assert await shown(desk, "home") == [3, 4, 2, "sku-8"]
    assert await shown(desk, "shop") == [4, "sku-8"]
    known = await desk.known(SERVED)
    assert (known.blocked, known.less) == ((1,), ("sku-7",))
    # Both can be taken back.
    await desk.take([event(3, 1, "allowed"), event(4, "sku-7", "allowed", "shop")])
    assert await shown(desk, "home") == [1, 2, 3, "sku-7", "sku-8", 4]


async def test_a_card_says_which_of_the_persons_events_it_rests_on_and_what_its_place_is_made_of(make_desk):
    desk = await desk_for(make_desk)
    await desk.take([event(1, 1, "opened"), event(2, 3, "watched", "short", seconds=20, ratio=0.8)])
    desk.context.pool.ranked = [{"item": "sku-7", "because": [1, 3], "terms": {"opened": 0.4, "value": 1.5}}]
    feed = await desk.feed(SERVED, "shop", 1)
    (card,) = feed.cards
    assert card.reason == "Horror, Sci-Fi, like Alien and Space cat that you watched"
    assert [(each.item, each.surface) for each in card.because] == [(1, "long"), (3, "short")]
    assert card.terms == {"opened": 0.4, "value": 1.5}
    assert feed.snapshot == "v7"


async def test_a_team_tells_items_and_takes_them_away_and_both_act_at_once(make_desk):
    desk = await desk_for(make_desk)
    told = ToldItems.model_validate({"items": [
        {"item": "9", "title": "New", "attributes": ["Pets"], "surfaces": ["short"], "image": "https://x.example/9.jpg"},
        {"item": 4, "title": "Babe again", "text": "A pig."},
    ]}).items  # fmt: skip
    assert (await desk.tell_items(told)).model_dump() == {"new": 1, "changed": 1}
    # The text "9" is the number 9. Ranking does not know it, so it is not asked about it.
    assert (desk.item(9).ranked, desk.item(9).own, desk.item(4).title) == (False, True, "Babe again")
    feed = await desk.feed(SERVED, "short", 5)
    assert [(card.item, card.reason) for card in feed.cards][-1] == (9, "New here")
    assert feed.cards[-1].poster == "https://x.example/9.jpg"
    assert 9 not in await shown(desk, "shop")
    assert 9 not in desk.context.pool.asked[-1]["candidates"]
    assert await desk.delete_item(4) and not await desk.delete_item(4)
    assert 4 not in await shown(desk, "home")
    # Ranking's catalog does not bring it back, nor its old title to what a team has told anew.
    desk.context.pool.catalog = [{"item": 4, "title": "Babe", "genres": [], "viewers": 3}]
    await desk.write(lambda connection: None)
    assert desk.item(4) is None
    await desk.tell_items([ToldItem(item=4, title="Back")])
    assert desk.item(4).title == "Back"


async def test_filters_let_only_some_be_shown(make_desk):
    from tenfold.feed.choose import Filters

    desk = await desk_for(make_desk)
    assert await shown(desk, "home", filters=Filters(without=frozenset({"Horror"}))) == [3, "sku-8", 4]
    assert await shown(desk, "home", filters=Filters(only=frozenset({"Pets"}))) == [3, 4]


@pytest.mark.parametrize(
    "wrong",
    [{"item": -1}, {"item": ""}, {"item": 1.5}, {"item": "a\x00"}, {"title": ""}, {"image": "javascript:alert(1)"}],
)
def test_what_is_no_item_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ToldItem.model_validate({"item": 1, "title": "One"} | wrong)
