"""What a reply says of prices and stock is what the database has when it is sent."""

from dataclasses import replace

import pytest

from tenfold.catalog.item import Item, Offer, Variant
from tenfold.catalog.money import Money
from tenfold.reply.fill import OfferChanged, fill, filled, slots_of
from tenfold.reply.reply import Answer, Claim, Evidence


def offer(price, stock=None, available=True):
    return Offer(Money.of(price, "USD"), available, stock)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{price:a}", "10.00 USD"),
        ("{stock:a}", "in stock (3 pieces)"),
        ("{stock:b}", "in stock (1 piece)"),
        ("{stock:c}", "out of stock"),
        ("{stock:d}", "in stock"),
        ("{total:3:a}", "30.00 USD"),
        ("{gap:a|b}", "2.50 USD"),
        ("{pieces:a|b|c}", "4"),
        ("{price:with:colon}", "7.00 USD"),
        ("no slot {colour:a}", "no slot {colour:a}"),
    ],
)
def test_slots_are_filled_from_offers(text, expected):
    offers = {
        "a": offer(10, 3),
        "b": offer("12.50", 1),
        "c": offer(9, 0),
        "d": offer(8),
        "with:colon": offer(7),
    }
    assert filled(text, offers.__getitem__) == expected


def test_an_offer_that_changed_since_the_reply_was_made_is_refused():
    variant = Variant("a", "i", {}, offer(10, 3))
    answer = Answer((Claim("The cheapest costs {price:a}.", ("v",)),), {"v": Evidence("v", variant)})
    assert fill(answer, lambda _: offer(10, 3)).claims[0].text == "The cheapest costs 10.00 USD."
    for changed in (offer(11, 3), offer(10, 2), offer(10, 3, available=False)):
        with pytest.raises(OfferChanged):
            fill(answer, lambda _, changed=changed: changed)
    item = Item("i", "Thing", (variant, replace(variant, id="b")))
    whole = replace(answer, evidence={"v": Evidence("v", item)})
    with pytest.raises(OfferChanged):
        fill(whole, lambda each: offer(10, 3) if each == "a" else offer(1, 3))


def test_a_slot_of_something_not_sold_is_an_error_and_not_a_blank():
    with pytest.raises(KeyError):
        filled("{price:nowhere}", {}.__getitem__)
    assert slots_of("{price:a} {stock:b} {price:a}") == ("{price:a}", "{price:a}", "{stock:b}")
