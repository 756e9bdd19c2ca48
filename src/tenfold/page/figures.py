"""How amounts are written for people: three figures, a unit, no more."""

import math


def usd(amount: float) -> str:
    """Dollars: $1.24B, $310M, $45k, -$2.1B."""
    sign = "-" if amount < 0 else ""
    size = abs(amount)
    for scale, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if size >= 0.9995 * scale:
            return f"{sign}${size / scale:.3g}{letter}"
    return f"{sign if round(size) else ''}${size:.0f}"


def amount(value: float) -> str:
    """A count or a rate: 15.6T, 1.24M, 310k, 4,500, 12.5, 0.04."""
    size = abs(value)
    for scale, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M")):
        if size >= 0.9995 * scale:
            return f"{value / scale:.3g}{letter}"
    if size >= 0.9995e4:
        return f"{value / 1e3:.3g}k"
    if size >= 99.95:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def counted(count: int, noun: str) -> str:
    """A count with its noun: 1 job, 1,234 jobs."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def percent(share: float) -> str:
    """A share: 37%, <1%, >99%; 0% and 100% only if it is so."""
    if 0 < share < 0.01:
        return "<1%"
    if 0.99 < share < 1:
        return ">99%"
    return f"{share:.0%}"


def percent_down(share: float) -> float:
    """A share in percent, rounded down to two decimals: what is nearly attained is not attained."""
    return math.floor(1e4 * share + 1e-9) / 100
