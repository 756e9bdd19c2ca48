"""Prices and stock as shops write them: ``$5``, ``1.299,00 €``, ``5 USD``; ``in stock``, ``out_of_stock``, 3.

What can be read in two ways is refused, never guessed: a price is quoted to customers.
"""

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Literal

from tenfold.catalog.money import Money

Mark = Literal[".", ","]

_SYMBOLS = {
    **{"€": "EUR", "£": "GBP", "₹": "INR", "₩": "KRW", "₺": "TRY", "₽": "RUB", "zł": "PLN", "Kč": "CZK", "R$": "BRL"},
    **{"円": "JPY", "元": "CNY", "₴": "UAH", "₫": "VND", "฿": "THB", "₪": "ILS"},
    **{"Fr": "CHF", "SFr": "CHF", "Ft": "HUF", "Rs": "INR"},
    **{"US$": "USD", "C$": "CAD", "CA$": "CAD", "A$": "AUD", "AU$": "AUD", "NZ$": "NZD", "HK$": "HKD", "S$": "SGD"},
}
_SHARED = {
    "$": ("USD", "CAD", "AUD", "NZD", "SGD", "HKD", "MXN", "ARS", "CLP", "COP"),
    "¥": ("JPY", "CNY"),
    "kr": ("SEK", "NOK", "DKK", "ISK"),
}
"""Signs of several currencies: the feed's own if it is among them, else the first."""
_NUMBER = re.compile(r"\d[\d.,'\s\u00a0\u202f]*")
_FREE = frozenset({"free", "gratis", "kostenlos"})

_THERE = frozenset(
    (
        *("instock", "available", "yes", "true", "y", "onlineonly", "instoreonly", "limitedavailability", "lowstock"),
        *("backorder", "backordered", "preorder", "presale", "madetoorder"),
    )
)
_NOT_THERE = frozenset(
    ("outofstock", "soldout", "unavailable", "no", "false", "n", "discontinued", "notavailable", "oos")
)


def decimal_mark(prices: Iterable[str]) -> Mark | None:
    """Tell which mark a feed writes before cents, by those of its prices that leave no doubt."""
    for price in prices:
        number = _NUMBER.search(price)
        marks = [letter for letter in number.group().strip() if letter in ".,"] if number else []
        if not marks:
            continue
        decimals = re.split(r"[.,]", number.group().strip())[-1] if number else ""
        if len(set(marks)) == 2 or (len(marks) == 1 and len(decimals) in (1, 2)):
            return "." if marks[-1] == "." else ","
    return None


def read_price(text: str, currency: str, mark: Mark | None = None) -> Money:
    """Read one price.

    Args:
        text: as it is written, with or without a currency.
        currency: ISO 4217 code of a price that names none.
        mark: what stands before cents where the price itself leaves it open, as in ``1.299``; none: thousands.

    Raises:
        ValueError: it is no price, a range, negative, or names a currency that is not known.
    """
    plain = text.strip()
    if plain.casefold() in _FREE:
        return Money.of(0, currency)
    # A dash in place of cents.
    plain = re.sub(r"[.,]\s?[-\u2013\u2014]", "", plain)
    numbers = _NUMBER.findall(plain)
    if not numbers:
        raise ValueError(f"a price is a number, as '19.99 {currency}', not {text!r}")
    if len(numbers) > 1:
        raise ValueError(f"one price is needed, not a range or several: {text!r}")
    around = _NUMBER.sub(" ", plain).replace("\u00a0", " ").strip()
    if "-" in around or "\u2212" in around:
        raise ValueError(f"a price is not negative: {text!r}")
    return Money.of(_amount(numbers[0], mark, text), _currency(around, currency, text))


def _amount(written: str, mark: Mark | None, text: str) -> Decimal:
    number = re.sub(r"['\s\u00a0\u202f]", "", written).rstrip(".,")
    marks = [letter for letter in number if letter in ".,"]
    if not marks:
        return Decimal(number)
    whole, last, decimals = number.rpartition(marks[-1])
    is_decimal = marks.count(last) == 1 and (len(set(marks)) == 2 or last == mark or len(decimals) != 3 or whole == "0")
    groups = re.split(r"[.,]", whole if is_decimal else number)
    # In India groups of two come before the last.
    sizes = {len(group) for group in groups[1:-1]}
    if len(groups) > 1 and (not 1 <= len(groups[0]) <= 3 or len(groups[-1]) != 3 or not (sizes <= {3} or sizes <= {2})):
        raise ValueError(f"a price is a number, as '1,299.00', not {text!r}")
    return Decimal("".join(groups) + (f".{decimals}" if is_decimal else ""))


def _currency(around: str, default: str, text: str) -> str:
    sign = around.strip(" .,:;")
    if not sign:
        return default
    if sign in _SYMBOLS:
        return _SYMBOLS[sign]
    if re.fullmatch(r"[A-Za-z]{3}", sign):
        return sign.upper()
    shared = _SHARED.get(sign) or _SHARED.get(sign.casefold().rstrip("."))
    if shared is not None:
        return default if default in shared else shared[0]
    known = ", ".join((*_SYMBOLS, *_SHARED))
    raise ValueError(f"a price names its currency as 'USD' or one of {known}, not as in {text!r}")


def read_stock(text: str) -> tuple[bool, int | None]:
    """Read whether something can be had, and how many of it there are, if that is counted.

    What can be ordered before it is there can be had. Nothing written: it can be had, and is not counted.

    Raises:
        ValueError: it is neither a number nor a word for one of both.
    """
    said = text.strip().rsplit("/", 1)[-1].casefold()
    word = re.sub(r"[\s_-]", "", said)
    if not word:
        return True, None
    if word in _THERE:
        return True, None
    if word in _NOT_THERE:
        return False, None
    number = re.fullmatch(r"([+-]?\d+)(?:[.,]0+)?\s*(?:pcs?|pieces?|in stock|available|left|units?)?", said)
    if number is None:
        raise ValueError(f"stock is a number, 'in stock' or 'out of stock', not {text!r}")
    pieces = int(number.group(1))
    # Shops count below zero what they owe.
    return pieces > 0, max(pieces, 0)
