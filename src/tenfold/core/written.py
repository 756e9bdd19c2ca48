"""Numbers and lengths of time as people write them: 405B, 15.6T, 16,384; 90s, 5m, 1h30m."""

import re

from tenfold.core.errors import UsageError

SUFFIXES = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
UNITS_S = {"s": 1.0, "m": 60.0, "h": 3600.0}


def number(text: object) -> object:
    """A number as written: "7B" and "1.4 T" with their suffix, "1,082,990" and "1_000" without their separators.

    What is no number is given back as it is, for the schema to refuse.
    """
    if not isinstance(text, str):
        return text
    grouped = re.sub(r"(?<=\d)[,_](?=\d{3}(\D|$))", "", text.strip())
    match = re.fullmatch(r"([+-]?\d+\.?\d*(?:e[+-]?\d+)?)\s*([kmbt]?)", grouped, re.IGNORECASE)
    if match is None:
        return text
    value = float(match[1]) * SUFFIXES[match[2].lower()]
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def parse_duration_s(text: str) -> float:
    """Read a duration such as ``90s``, ``5m``, ``1h`` or ``1m30s``; a bare number is seconds.

    Raises:
        UsageError: it is not one, or not positive.
    """
    cleaned = text.strip().lower()
    if re.fullmatch(r"(?:[0-9]+(?:\.[0-9]+)?[smh])+", cleaned):
        total_s = sum(float(number) * UNITS_S[unit] for number, unit in re.findall(r"([0-9.]+)([smh])", cleaned))
    elif re.fullmatch(r"[0-9]+(?:\.[0-9]+)?", cleaned):
        total_s = float(cleaned)
    else:
        raise UsageError(f"{text!r} is not a duration", next_step="write it as 90s, 5m or 1h")
    if total_s <= 0:
        raise UsageError(f"{text!r} is no time at all", next_step="write it as 90s, 5m or 1h")
    return total_s
