"""No draft goes out that says what its evidence does not."""

from datetime import UTC, datetime

import pytest

from tenfold.catalog.item import Item, Offer, Variant
from tenfold.catalog.money import Money
from tenfold.catalog.passage import Passage
from tenfold.reply.gate import faults
from tenfold.reply.reply import Claim, Evidence

ITEM = Item(
    "lamp", "Aurora Desk Lamp", (Variant("L1", "lamp", {"color": "white"}, Offer(Money.of("35", "USD"), True, 2)),),
    attributes={"material": "brass"}, brand="Aurora",
)  # fmt: skip
PASSAGE = Passage(
    "p",
    "d",
    "u",
    "Returns",
    "Return unused items within 30 days. Orders over $50 ship free.",
    datetime(2026, 1, 1, tzinfo=UTC),
)
EVIDENCE = {
    "item": Evidence("item", ITEM),
    "variant": Evidence("variant", ITEM.variants[0]),
    "passage": Evidence("passage", PASSAGE),
}
CLAIM = Claim("Aurora Desk Lamp (color: white) costs {price:L1} and is {stock:L1}.", ("item", "variant"))


@pytest.mark.parametrize(
    "draft",
    [
        "The Aurora Desk Lamp in white costs {price:L1} and it is {stock:L1}.",
        "Yes! The white Aurora Desk Lamp is {stock:L1} for {price:L1}.",
    ],
)
def test_a_faithful_rewording_goes_out(draft):
    assert faults(draft, CLAIM, EVIDENCE) == ()


@pytest.mark.parametrize(
    "draft",
    [
        "The Aurora Desk Lamp costs $20 and is {stock:L1}. {price:L1}",
        "The Aurora Desk Lamp costs 20 USD. {price:L1} {stock:L1}",
        "The Aurora Desk Lamp costs twenty. {price:L1} {stock:L1}",
        "The Aurora Desk Lamp costs {price:L2} and is {stock:L1}.",
        "The Aurora Desk Lamp costs {price:L1}.",
        "The Aurora Desk Lamp costs {price:L1} {price:L1} and is {stock:L1}.",
        "Our best lamp, the Aurora Desk Lamp, costs {price:L1} and is {stock:L1}.",
        "The cheapest Aurora Desk Lamp costs {price:L1} and is {stock:L1}.",
        "The Aurora Desk Lamp in red costs {price:L1} and is {stock:L1}.",
        "The Aurora Desk Lamp costs {price:L1}, is {stock:L1} and ships on Monday.",
        "The Nova Desk Lamp costs {price:L1} and is {stock:L1}.",
        "The Aurora Desk Lamp costs {price:L1}, is {stock:L1} and is waterproof.",
        "The Aurora Desk Lamp does not cost {price:L1} and is {stock:L1}.",
        "The Aurora Desk Lamp costs {price:L1}, is {stock:L1} and is free.",
        "Der Aurora Desk Lamp kostet {price:L1}, {stock:L1}, gratis.",
        "The Aurora Desk Lamp costs {price:L1} and is {stock:L1}, on 3 May 2027.",
    ],
)
def test_a_draft_that_says_more_or_other_than_its_evidence_is_kept_back(draft):
    assert faults(draft, CLAIM, EVIDENCE)


def test_amounts_of_a_policy_may_be_said_and_others_not():
    claim = Claim("Returns: Orders over $50 ship free.", ("passage",))
    assert faults("Orders over $50 ship free.", claim, EVIDENCE) == ()
    assert faults("Orders over $40 ship free.", claim, EVIDENCE)
    assert faults("Return within 60 days.", claim, EVIDENCE)


def test_the_customers_own_words_may_be_quoted_only_as_the_claim_quotes_them():
    claim = Claim("No. Aurora Desk Lamp: not offered in color “purple”, only in white.", ("item",))
    assert faults("Sorry, no: the Aurora Desk Lamp is not offered in “purple”, only in white.", claim, EVIDENCE) == ()
    assert faults("Yes, the Aurora Desk Lamp is offered in “purple” and white.", claim, EVIDENCE)
    assert faults("Sorry, the Aurora Desk Lamp is not offered in “purple”, only in “gold”.", claim, EVIDENCE)
