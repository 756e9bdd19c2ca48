"""Amounts that a customer names in another currency than the prices: asked back, and never compared.

Nothing here knows a rate of exchange. "$" and "dollars" are the shop's own where its currency is a dollar, and so with
crowns; a code, as in "20 USD", is that currency.
"""

from collections.abc import Iterable
from dataclasses import replace

from tenfold.agents.reading.cues import Amounts
from tenfold.agents.reading.question import Reading
from tenfold.agents.shop import Shop
from tenfold.catalog.item import Item
from tenfold.reply.reply import Clarify

_KINDS = (
    frozenset({"USD", "CAD", "AUD", "NZD", "SGD", "HKD", "MXN", "ARS", "CLP", "COP"}),
    frozenset({"SEK", "NOK", "DKK", "ISK"}),
)
"""Currencies that share a name or a sign."""


def asked_back(shop: Shop, reading: Reading) -> Clarify | None:
    """What to ask where prices cannot be compared with what the customer named; none where they can."""
    amounts, used = reading.amounts, currencies_of(reading.items or shop.items.values())
    is_bounded = amounts.least is not None or amounts.most is not None
    if is_bounded and is_foreign(reading, used):
        own = " and ".join(used)
        return Clarify(
            f"Prices here are in {own}, and you named an amount in {amounts.currency}. I do not convert one into the "
            f"other. How much is it in {own}?"
        )
    ranks = is_bounded or (reading.best is not None and reading.best.of == "price")
    if ranks and len(used) > 1 and amounts.currency not in used:
        return Clarify("Prices here are in several currencies, which I do not convert. In which do you ask?", used)
    return None


def readable(shop: Shop, reading: Reading) -> Reading:
    """The reading with what can be compared only: no price said in another currency, no item priced in another."""
    used = currencies_of(reading.items or shop.items.values())
    if reading.amounts.exact is not None and is_foreign(reading, used):
        # "Does it cost 24 dollars?": the price is told, in its own currency, without yes or no.
        return replace(reading, amounts=Amounts(), asked="price")
    if len(used) > 1 and reading.amounts.currency in used:
        items = tuple(item for item in reading.items if currencies_of([item]) == (reading.amounts.currency,))
        return replace(reading, items=items or reading.items)
    return reading


def is_foreign(reading: Reading, used: tuple[str, ...]) -> bool:
    """Whether an amount is named in a currency in which nothing here is priced."""
    named = reading.amounts.currency
    if not named or not used or named in used:
        return False
    is_code = named.casefold() in reading.text
    return is_code or not any(named in kind and kind & set(used) for kind in _KINDS)


def currencies_of(items: Iterable[Item]) -> tuple[str, ...]:
    """Currencies of the prices of items."""
    return tuple(dict.fromkeys(variant.offer.price.currency for item in items for variant in item.variants))
