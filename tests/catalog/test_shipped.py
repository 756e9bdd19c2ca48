"""The shop that comes with the package is whole, and what customers ask is found in it."""

from datetime import UTC, datetime

import pytest

from tenfold.catalog.search import ItemIndex, PassageIndex
from tenfold.catalog.shipped import demo_shop


@pytest.fixture(scope="module")
def shop():
    return demo_shop(datetime(2026, 11, 28, tzinfo=UTC))


def test_it_has_items_with_variants_and_passages_and_nothing_was_skipped(shop):
    assert (len(shop.items), sum(len(item.variants) for item in shop.items), shop.skipped) == (25, 86, ())
    parka = next(item for item in shop.items if item.title == "Harbour Parka")
    assert parka.attributes["waterproof"] == "5,000 mm" and parka.brand == "Larch"
    assert {str(variant.offer.list_price) for variant in parka.variants} == {"289.00 EUR"}
    card = next(item for item in shop.items if item.title == "Gift Card")
    assert [variant.offer.stock for variant in card.variants] == [None] * 3
    assert not [passage for passage in shop.passages if len(passage.text.split()) < 5]


@pytest.fixture(scope="module")
def index(shop, minilm):
    return PassageIndex(shop.passages, minilm)


@pytest.mark.parametrize(
    ("asked", "title"),
    [
        ("Do you deliver to Oslo?", "Shipping - Where we ship, and how long it takes"),
        ("can i get my money back", "Returns and refunds - When you get your money"),
        ("when do you close on thursdays", "Our shop and opening hours - Opening hours"),
        ("may I pay with Amex", "Payment - How you can pay"),
        ("how do I wash a rain jacket", "Caring for what you bought - Waterproof jackets and suits"),
        ("is there a student discount", "Questions that customers ask - Do you have a discount for students?"),
    ],
)
def test_what_customers_ask_is_found(index, asked, title):
    assert title in [each.what.title for each in index.search(asked, 3)]


def test_things_are_found_by_what_they_are_for(shop, minilm):
    index = ItemIndex(shop.items, minilm)
    assert index.search("something to keep my tea hot", 1)[0].what.title == "Creek Bottle"
    found = index.search("a tocrh for camping at night", 3)
    assert "Head Torch" in [each.what.title for each in found]
