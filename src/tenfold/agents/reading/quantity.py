"""Numbers with units, made comparable: 1.5 liters and 1500ml are the same."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from tenfold.agents.reading.token import plain

YEAR_H = 8766.0
UNLIKE = 50
"""How many times as large as all values a quantity is that is something else."""
_UNITS: dict[str, tuple[str, dict[str, float]]] = {
    "length": ("m", {
        "mm": 1e-3, "millimeter": 1e-3, "cm": 1e-2, "centimeter": 1e-2, "m": 1.0, "meter": 1.0, "metre": 1.0,
        "km": 1e3, "inch": 0.0254, "inches": 0.0254, "in": 0.0254, '"': 0.0254, "ft": 0.3048, "foot": 0.3048,
        "feet": 0.3048, "yd": 0.9144, "yard": 0.9144, "mile": 1609.34,
    }),
    "volume": ("l", {
        "ml": 1e-3, "milliliter": 1e-3, "millilitre": 1e-3, "cl": 1e-2, "dl": 0.1, "l": 1.0, "liter": 1.0, "litre": 1.0,
        "gallon": 3.785, "gal": 3.785, "pint": 0.473, "quart": 0.946,
    }),
    "cups": ("cups", {"cup": 1.0}),
    "weight": ("kg", {
        "mg": 1e-6, "g": 1e-3, "gram": 1e-3, "kg": 1.0, "kilo": 1.0, "kilogram": 1.0, "lb": 0.4536, "pound": 0.4536,
        "lbs": 0.4536, "oz": 0.02835, "ounce": 0.02835,
    }),
    "data": ("GB", {"kb": 1e-6, "mb": 1e-3, "gb": 1.0, "gigabyte": 1.0, "gig": 1.0, "gigs": 1.0, "tb": 1e3,
                    "terabyte": 1e3}),
    "time": ("h", {
        "second": 1 / 3600, "sec": 1 / 3600, "minute": 1 / 60, "min": 1 / 60, "h": 1.0, "hr": 1.0, "hour": 1.0,
        "day": 24.0, "week": 168.0, "month": 730.0, "year": YEAR_H, "yr": YEAR_H,
    }),
    "power": ("W", {"w": 1.0, "watt": 1.0, "kw": 1e3}),
    "charge": ("Ah", {"mah": 1e-3, "ah": 1.0}),
    "voltage": ("V", {"v": 1.0, "volt": 1.0}),
    "pressure": ("bar", {"bar": 1.0, "psi": 0.0689}),
    "pixels": ("MP", {"mp": 1.0, "megapixel": 1.0}),
    "lines": ("p", {"p": 1.0}),
    "angle": ("degrees", {"degree": 1.0, "°": 1.0, "deg": 1.0}),
    "share": ("%", {"%": 1.0, "percent": 1.0}),
    "times": ("x", {"x": 1.0}),
    "frequency": ("Hz", {"hz": 1.0, "khz": 1e3, "mhz": 1e6, "ghz": 1e9}),
    "count": ("pieces", {"piece": 1.0, "pc": 1.0, "pcs": 1.0, "pack": 1.0, "count": 1.0, "ct": 1.0}),
    "people": ("people", {"person": 1.0, "people": 1.0, "seater": 1.0}),
}  # fmt: skip
_BY_NAME = {
    spelled: (dimension, factor)
    for dimension, (_, units) in _UNITS.items()
    for unit, factor in units.items()
    for spelled in ((unit, f"{unit}s") if len(unit) > 2 and unit.isalpha() else (unit,))
}
_NAMES = "|".join(sorted(map(re.escape, _BY_NAME), key=len, reverse=True))
_QUANTITY = re.compile(rf"(?<![\w.,$€£])(\d+(?:[.,]\d+)*)[\s-]*({_NAMES})(?![\w°]|/[a-z])")


@dataclass(frozen=True, slots=True)
class Quantity:
    """``magnitude`` in the dimension's main unit, as liters; ``start`` and ``end`` are its place in the text."""

    dimension: str
    magnitude: float
    start: int
    end: int

    def same(self, other: "Quantity") -> bool:
        """Whether both are equal, to half a percent."""
        near = abs(self.magnitude - other.magnitude) <= 0.005 * max(abs(self.magnitude), abs(other.magnitude))
        return self.dimension == other.dimension and near


def quantities_of(text: str) -> Iterator[Quantity]:
    """Find numbers with units in a text."""
    for match in _QUANTITY.finditer(plain(text)):
        dimension, factor = _BY_NAME[match.group(2)]
        number = read_number(match.group(1))
        if number is None or (match.group(2) == "in" and not _is_end(text, match.end())):
            continue
        yield Quantity(dimension, number * factor, match.start(), match.end())


def quantity_of(text: str) -> Quantity | None:
    """The one quantity of an option's value, as "512GB SSD"; none where it has several, as "5-25 lbs"."""
    found = list(quantities_of(text))
    numbers = re.findall(r"\d+(?:[.,]\d+)*", text)
    return found[0] if len(found) == 1 and len(numbers) == 1 else None


_OWN = re.compile(r"[+]?(\d+(?:[.,]\d+)*)\s*([^\W\d_][^\s,;]{0,9})?")


@lru_cache(maxsize=100_000)
def measure_of(attribute: str, text: str) -> Quantity | None:
    """What an option's value measures: "1.5 l", in a unit of the catalog's own as "25 dB", or a bare number as "4"."""
    if (known := quantity_of(text)) is not None:
        return known
    found = _OWN.fullmatch(plain(text).strip())
    number = read_number(found.group(1)) if found else None
    if found is None or number is None or (found.group(2) or "") in _BY_NAME:
        return None
    unit = found.group(2) or ""
    # The "s" of "5s" is all of its unit.
    dimension = f"unit {unit.removesuffix('s') or unit}" if unit else f"number of {attribute}"
    return Quantity(dimension, number, 0, len(text))


def own_quantities(text: str, units: Iterable[str]) -> Iterator[Quantity]:
    """Find numbers with units that only the catalog has: its ``units`` as ``measure_of`` names their dimensions."""
    names = {each.removeprefix("unit "): each for each in units if each.startswith("unit ")}
    if names:
        spelled = "|".join(sorted(map(re.escape, names), key=len, reverse=True))
        for match in re.finditer(rf"(?<![\w.,$€£])(\d+(?:[.,]\d+)*)[\s-]*({spelled})s?(?![\w])", text):
            number = read_number(match.group(1))
            if number is not None:
                yield Quantity(names[match.group(2)], number, match.start(), match.end())


@dataclass(frozen=True, slots=True)
class Span:
    """What a value ranges over, as "5 to 12 miles" does; ``dimension`` is empty where it names no known unit.

    ``least`` and ``most`` are in the dimension's main unit; ``is_open``: they are no part of it, as of "over 25 kg".
    """

    dimension: str
    least: float
    most: float
    is_open: bool = False

    def has(self, magnitude: float) -> bool:
        """Whether a magnitude lies in it."""
        if self.is_open:
            return self.least < magnitude < self.most
        return self.least * 0.995 <= magnitude <= self.most * 1.005

    def meets(self, magnitude: float, side: "Side", *, is_strict: bool) -> bool:
        """Whether some of it is what is asked for: the magnitude, or what is above it, or below."""
        if not side:
            return self.has(magnitude)
        is_beyond = self.most > magnitude * 1.005 if side == "least" else self.least < magnitude * 0.995
        return is_beyond or (not is_strict and self.has(magnitude))


Side = Literal["least", "most", ""]
_ABOVE = r"(more than|over|above|larger than|bigger than|longer than|greater than|higher than)"
_BELOW = r"(less than|fewer than|under|below|smaller than|shorter than|lower than)"
_PLAIN = r"(?<!no )(?<!not )"
_LEAST = re.compile(rf"({_PLAIN}{_ABOVE}|(no|not) {_BELOW}|at least|minimum( of)?|>=?)\s*$")
_MOST = re.compile(rf"({_PLAIN}{_BELOW}|(no|not) {_ABOVE}|at most|maximum( of)?|up to|<=?)\s*$")
_STRICT = re.compile(rf"({_PLAIN}({_ABOVE}|{_BELOW})|>|<)\s*$")
_OR_MORE = re.compile(r"\s*(or more|or larger|or bigger|or longer|and up|\+|minimum\b(?!\s+\w)|plus\b)")
_OR_LESS = re.compile(r"\s*(or less|or fewer|or smaller|or shorter|(maximum|max)\b(?!\s+\w))")


def side_of(text: str, start: int, end: int) -> tuple[Side, bool]:
    """Whether what stands there is the least or the most that is wanted, or itself; and whether it is no part of it."""
    before, after = text[:start], text[end:]
    is_strict = _STRICT.search(before) is not None
    if _LEAST.search(before) or _OR_MORE.match(after):
        return "least", is_strict
    if _MOST.search(before) or _OR_LESS.match(after):
        return "most", is_strict
    return "", False


_N = r"(\d+(?:[.,]\d+)*)"
_UNIT = r"[\s-]*([a-z\"°%]*)"
_FROM_TO = re.compile(rf"(?:from |between )?{_N}{_UNIT}\s*(?:to|-|and|until)\s*{_N}{_UNIT}(?![\d:])")
_UP_TO = re.compile(rf"(up to|at most|max\.?|maximum|under|below|less than)\s+{_N}{_UNIT}")
_FROM = re.compile(
    rf"(?:(over|above|more than)|from|at least|min\.?|minimum)\s+{_N}{_UNIT}(?!.*\bto\b)|"
    rf"{_N}{_UNIT}\s*(?:or more|and more|or over|and up|\+)"
)


def span_of(text: str) -> Span | None:
    """What an option's value ranges over; none where it is one value."""
    said = plain(text)
    if found := _FROM_TO.match(said):
        low, high = read_number(found.group(1)), read_number(found.group(3))
        return None if low is None or high is None else _from_to(low, found.group(2), high, found.group(4))
    if found := _UP_TO.match(said):
        high = read_number(found.group(2))
        is_open = found.group(1) in {"under", "below", "less than"}
        return _span(-1.0 if is_open else 0.0, high, found.group(3), is_open=is_open) if high is not None else None
    if found := _FROM.match(said):
        low = read_number(found.group(2) or found.group(4))
        unit = found.group(3) if found.group(2) else found.group(5)
        return _span(low, float("inf"), unit, is_open=found.group(1) is not None) if low is not None else None
    return None


def _from_to(low: float, low_unit: str, high: float, high_unit: str) -> Span | None:
    """A range whose ends may have units of their own, as "1 week to 3 months"; none where it is no range."""
    dimension, low_factor = _BY_NAME.get(low_unit or high_unit, ("", 1.0))
    high_dimension, high_factor = _BY_NAME.get(high_unit or low_unit, ("", 1.0))
    least, most = low * low_factor, high * high_factor
    return Span(dimension, least, most) if dimension == high_dimension and least < most else None


def _span(low: float | None, high: float | None, unit: str, *, is_open: bool = False) -> Span:
    dimension, factor = _BY_NAME.get(unit, ("", 1.0))
    return Span(dimension, (low or 0.0) * factor, (high or 0.0) * factor, is_open)


def read_number(text: str) -> float | None:
    """A number as people write it: 1,000 and 1000 and 1.5 and 1,5."""
    text = re.sub(r",(?=\d{3}(\D|$))", "", text).replace(",", ".")
    try:
        return float(text)
    except ValueError:
        return None


def _is_end(text: str, at: int) -> bool:
    """Whether "in" is inches: before an end or a noun, and not in "10 in black"."""
    return (
        re.match(r"\s*(?:$|[.,;?!)]|screen|display|laptop|tablet|wide|tall|long|deep)", text[at:].lower()) is not None
    )
