"""Scalable pictures as text: a frame with scales and axes, bands, lines and labels. Pure functions, no dependency.

Colours are classes, so that one style sheet sets them for light, dark and print.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

Point = tuple[float, float]
STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)

LETTER = 7.0
"""Width of a letter of a label."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a chart's data lie in its picture, in pixels, and the ranges that they span."""

    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    x_range: tuple[float, float]
    y_range: tuple[float, float]

    def x(self, value: float) -> float:
        """Pixel of a value along x."""
        low, high = self.x_range
        return self.left + (value - low) / (high - low) * (self.width - self.left - self.right)

    def y(self, value: float) -> float:
        """Pixel of a value along y; up is more."""
        low, high = self.y_range
        return self.height - self.bottom - (value - low) / (high - low) * (self.height - self.top - self.bottom)

    def point(self, x: float, y: float) -> Point:
        """Pixels of a pair of values."""
        return self.x(x), self.y(y)


def ticks(high: float, about: int = 4) -> tuple[float, ...]:
    """Round numbers from 0 to at least ``high``, in about so many steps."""
    if high <= 0:
        return 0.0, 1.0
    rough = high / about
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * size for factor in STEPS if factor * size >= rough * (1 - 1e-9))
    return tuple(step * place for place in range(math.ceil(high / step - 1e-9) + 1))


def marks_between(low: float, high: float, about: int = 5) -> tuple[float, ...]:
    """Round numbers within a range that need not begin at 0, in about so many steps."""
    rough = (high - low) / about
    if rough <= 0:
        return (low,)
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * size for factor in STEPS if factor * size >= rough * (1 - 1e-9))
    return tuple(step * place for place in range(math.ceil(low / step), math.floor(high / step) + 1))


def picture(width: float, height: float, label: str, parts: Iterable[str]) -> str:
    """A whole picture, with a description for those who do not see it; at most a fifth larger than drawn."""
    size = f'viewBox="0 0 {_px(width)} {_px(height)}" style="max-width:{_px(1.2 * width)}px"'
    return f'<svg {size} role="img" aria-label="{escape(label)}">{"".join(parts)}</svg>'


def line(points: Sequence[Point], cls: str) -> str:
    """A line through points."""
    return f'<path class="{cls}" d="{_path(points)}"/>'


def band(upper: Sequence[Point], lower: Sequence[Point], cls: str, title: str = "") -> str:
    """The area between two lines."""
    return f'<path class="{cls}" d="{_path([*upper, *reversed(lower)])}Z">{_title(title)}</path>'


def box(
    x: float,
    y: float,
    width: float,
    height: float,
    cls: str,
    title: str = "",
    *,
    round_by: float = 0,
) -> str:
    """A rectangle."""
    more = f' rx="{_px(round_by)}"' if round_by else ""
    place = f'x="{_px(x)}" y="{_px(y)}" width="{_px(max(0.0, width))}" height="{_px(max(0.0, height))}"'
    return f'<rect class="{cls}" {place}{more}>{_title(title)}</rect>'


def dot(at: Point, cls: str, title: str = "", radius: float = 3.5) -> str:
    """A dot."""
    return f'<circle class="{cls}" cx="{_px(at[0])}" cy="{_px(at[1])}" r="{_px(radius)}">{_title(title)}</circle>'


def diamond(at: Point, cls: str, title: str = "", radius: float = 5.0) -> str:
    """A diamond."""
    x, y = at
    corners = [(x, y - radius), (x + radius, y), (x, y + radius), (x - radius, y)]
    return f'<path class="{cls}" d="{_path(corners)}Z">{_title(title)}</path>'


def text(
    at: Point,
    words: str,
    cls: str = "",
    *,
    anchor: Literal["start", "middle", "end"] = "start",
    value: float | None = None,
) -> str:
    """Words; ``value`` is the number of the plan that they show, unrounded."""
    more = f' data-value="{value!r}"' if value is not None else ""
    more += f' text-anchor="{anchor}"' if anchor != "start" else ""
    more += f' class="{cls}"' if cls else ""
    return f'<text x="{_px(at[0])}" y="{_px(at[1])}"{more}>{escape(words)}</text>'


def rule(start: Point, end: Point, cls: str = "grid") -> str:
    """A straight line."""
    return f'<line class="{cls}" x1="{_px(start[0])}" y1="{_px(start[1])}" x2="{_px(end[0])}" y2="{_px(end[1])}"/>'


def y_axis(frame: Frame, values: Sequence[float], write: Callable[[float], str]) -> list[str]:
    """Grid lines with their labels on the left."""
    parts = []
    for value in values:
        y = frame.y(value)
        parts.append(rule((frame.left, y), (frame.width - frame.right, y), "grid" if value else "axis"))
        parts.append(text((frame.left - 8, y + 4), write(value) if value else "0", "tick", anchor="end"))
    return parts


def x_labels(frame: Frame, labels: Sequence[tuple[float, str]], letter: float = LETTER) -> list[str]:
    """Labels below, as many as there is room for.

    Args:
        frame: of the picture.
        labels: where, and what.
        letter: width of a letter; more than ``LETTER`` where the picture is also shown smaller, with letters as large.
    """
    if not labels:
        return []
    room = (frame.width - frame.left - frame.right) / len(labels)
    widest = letter * max(len(label) for _, label in labels) + 8
    every = max(1, math.ceil(widest / room))
    y = frame.height - frame.bottom + 18
    return [
        text((frame.x(at), y), label, "tick", anchor="middle")
        for place, (at, label) in enumerate(labels)
        if place % every == 0
    ]


def _title(words: str) -> str:
    return f"<title>{escape(words)}</title>" if words else ""


def _path(points: Iterable[Point]) -> str:
    return "M" + "L".join(f"{_px(x)} {_px(y)}" for x, y in points)


def _px(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
