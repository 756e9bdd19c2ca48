"""Slots of a reply, filled from the database when it is sent: a writer can place a price, and never say it.

    {price:V}        19.99 USD                   {stock:V}       in stock (12 pieces), in stock, or out of stock
    {total:3:V}      the price of three          {gap:V|W}       by how much the prices of two differ
    {pieces:V|W}     pieces of all together      {before:V}      what it cost before, where it is reduced

V and W are ids of variants, which the claim cites.
"""

import re
from collections.abc import Callable
from dataclasses import replace

from tenfold.catalog.item import Item, Offer, Variant
from tenfold.catalog.money import Money
from tenfold.reply.reply import Answer, Evidence

SLOT = re.compile(r"\{(price|stock|total|gap|pieces|before):([^{}]+)\}")
OfferOf = Callable[[str], Offer]
"""The offer of a variant by its id, as the database has it now."""


class OfferChanged(Exception):
    """A price or stock is not what the reply was made from: make it again."""


def slots_of(text: str) -> tuple[str, ...]:
    """Slots in a text, sorted."""
    return tuple(sorted(each.group() for each in SLOT.finditer(text)))


def fill(answer: Answer, offer_of: OfferOf) -> Answer:
    """Give the answer with its slots filled.

    Raises:
        OfferChanged: an offer that a claim was made from has changed since, so "the cheapest" may be another.
        KeyError: a slot names a variant that the answer does not cite, or that is not for sale.
    """
    variants = {variant.id: variant for each in answer.evidence.values() for variant in variants_of(each)}
    # Read once, so that all of a reply is of one moment.
    offers = {each: offer_of(each) for each in variants}
    changed = next((each for each, variant in variants.items() if offers[each] != variant.offer), None)
    if changed is not None:
        raise OfferChanged(changed)
    claims = tuple(replace(claim, text=filled(claim.text, offers.__getitem__)) for claim in answer.claims)
    return replace(answer, claims=claims)


def filled(text: str, offer_of: OfferOf) -> str:
    """Fill the slots of one text."""
    return SLOT.sub(lambda slot: _value(slot.group(1), slot.group(2), offer_of), text)


def variants_of(evidence: Evidence) -> tuple[Variant, ...]:
    """Variants that a piece of evidence is about."""
    if isinstance(evidence.source, Variant):
        return (evidence.source,)
    return evidence.source.variants if isinstance(evidence.source, Item) else ()


def stock_text(offer: Offer) -> str:
    """Say whether, and how many, as a customer reads it."""
    if not is_there(offer):
        return "out of stock"
    if offer.stock is None:
        return "in stock"
    return f"in stock ({offer.stock} {'piece' if offer.stock == 1 else 'pieces'})"


def is_there(offer: Offer) -> bool:
    """Whether it can be had now."""
    return offer.available and offer.stock != 0


def _value(kind: str, about: str, offer_of: OfferOf) -> str:
    if kind == "price":
        return str(offer_of(about).price)
    if kind == "stock":
        return stock_text(offer_of(about))
    if kind == "before":
        offer = offer_of(about)
        return str(offer.list_price or offer.price)
    if kind == "total":
        count, _, variant = about.partition(":")
        price = offer_of(variant).price
        return str(Money(price.currency, price.micros * int(count)))
    if kind == "gap":
        first, second = (offer_of(each).price for each in about.split("|"))
        return str(Money(first.currency, abs(first.micros - second.micros)))
    return str(sum(offer.stock or 0 for offer in map(offer_of, about.split("|")) if is_there(offer)))
