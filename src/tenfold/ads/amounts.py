"""Amounts and days as people write them: ``500USD``, ``$500``, ``7``; and as they read them."""

import re
from decimal import Decimal

from tenfold.ads.campaign import MICROS, MOST_MICRO
from tenfold.core.errors import UsageError

_AMOUNT = re.compile(r"\$?\s*([0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]{1,6})?|[0-9]+(?:\.[0-9]{1,6})?)\s*([A-Za-z]{3})?")
"""A comma stands between thousands only: ``12,50`` is refused, since it may be meant as 12.50, and not as 1,250."""


def read_micro(text: str) -> int:
    """Read an amount of US dollars as micro-dollars.

    Raises:
        UsageError: it is none, is not above zero, or is of another currency.
    """
    match = _AMOUNT.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{text!r} is no amount of money", next_step="write it as 500USD or 12.50")
    if match[2] and match[2].upper() != "USD":
        raise UsageError(f"{text!r} is not in US dollars, in which budgets are kept", next_step="write it as 500USD")
    micro = int(Decimal(match[1].replace(",", "")) * MICROS)
    if micro <= 0:
        raise UsageError(f"{text!r} is nothing", next_step="write it as 500USD or 12.50")
    if micro > MOST_MICRO:
        raise UsageError(f"{text!r} is more than {usd(MOST_MICRO)}", next_step="write it as 500USD or 12.50")
    return micro


def usd(micro: float) -> str:
    """Micro-dollars in dollars, with as many digits as are worth reading."""
    value = micro / MICROS
    return f"${value:,.2f}" if abs(value) >= 1 or not value else f"${value:,.4f}"
