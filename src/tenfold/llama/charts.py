"""The pictures of training runs along tokens: losses of one or two, speed, gradients, learning rate. Pure functions."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tenfold.llama.curve import Stretch
from tenfold.llama.journal import EvaluationLine
from tenfold.page.drawing import (
    Frame,
    band,
    dot,
    line,
    marks_between,
    picture,
    rule,
    text,
    ticks,
    x_labels,
    y_axis,
)
from tenfold.page.figures import amount

FULL, HALF = 960.0, 560.0
FIRST_SHARE = 0.02
"""Of the tokens, left out of the range of losses: they fall from so high that the rest would be flat."""

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Curve:
    """What is drawn of one run's losses."""

    name: str
    stretches: Sequence[Stretch]
    evaluations: Sequence[EvaluationLine]


def loss_chart(curves: Sequence[Curve]) -> str:
    """Losses of runs: a line of the steps' mean, of one run alone with the range of 80% of them; rings are held out."""
    last = max((curve.stretches[-1].tokens for curve in curves if curve.stretches), default=1)
    shown = [value for curve in curves for value in _losses(curve, FIRST_SHARE * last)]
    low, high = (min(shown), max(shown)) if shown else (0.0, 1.0)
    room = 0.04 * max(high - low, 1e-3)
    frame = Frame(FULL, 400, 62, 120 if len(curves) > 1 else 22, 16, 38, (0, last), (low - room, high + room))
    parts = [*_y_marks(frame, marks_between(low - room, high + room)), *_tokens_below(frame)]
    for place, curve in enumerate(curves):
        inside = [each for each in curve.stretches if each.loss is not None and each.loss <= high + room]
        spread = [each for each in inside if each.low is not None and each.high is not None]
        if len(curves) == 1 and len(spread) > 1:
            upper = [frame.point(each.tokens, min(each.high or 0.0, high + room)) for each in spread]
            lower = [frame.point(each.tokens, max(each.low or 0.0, low - room)) for each in spread]
            parts.append(band(upper, lower, f"band c{place}", "80% of the steps"))
        parts += _line([(each.tokens, each.loss) for each in inside if each.loss is not None], frame, f"line c{place}")
        judged = [each for each in curve.evaluations if low - room <= each.loss <= high + room]
        parts += [
            dot(
                frame.point(each.tokens, each.loss),
                f"hollow c{place}",
                f"held out, step {each.step:,}: {each.loss:.4f}",
            )
            for each in judged
        ]
        parts += [
            dot((frame.x(each.tokens), frame.top + 4), "left-out", f"step {each.step:,}: {each.skipped} left out")
            for each in curve.stretches
            if each.skipped
        ]
    parts += _names(frame, curves)
    return picture(FULL, 400, "Loss in nats per token, along the tokens trained on", parts)


def _losses(curve: Curve, after: float) -> list[float]:
    trained = [each.loss for each in curve.stretches if each.loss is not None and each.tokens >= after]
    return trained + [each.loss for each in curve.evaluations if each.tokens >= after and math.isfinite(each.loss)]


def _names(frame: Frame, curves: Sequence[Curve]) -> list[str]:
    """The name of each curve at its end, moved apart where they would touch."""
    if len(curves) < 2:
        return []
    ends = []
    for place, curve in enumerate(curves):
        last = next((each for each in reversed(curve.stretches) if each.loss is not None), None)
        if last is not None and last.loss is not None:
            ends.append((min(frame.y(last.loss), frame.height - frame.bottom), frame.x(last.tokens), curve.name, place))
    parts, above = [], -20.0
    for y, x, name, place in sorted(ends):
        above = max(y + 4, above + 22)
        words = name if len(name) <= 14 else f"{name[:13]}…"
        parts.append(text((x + 8, above), words, f"name c{place}"))
    return parts


def speed_chart(stretches: Sequence[Stretch]) -> str:
    """Tokens per second."""
    points = [(each.tokens, each.tokens_per_s) for each in stretches if each.tokens_per_s is not None]
    return _simple(points, "c1", "Tokens per second, along the tokens trained on", amount)


def workers_chart(stretches: Sequence[Stretch]) -> str:
    """Workers at once."""
    points = [(each.tokens, float(each.workers)) for each in stretches]
    return _simple(points, "c6", "Workers, along the tokens trained on", amount)


def rate_chart(stretches: Sequence[Stretch]) -> str:
    """Learning rate."""
    points = [(each.tokens, each.learning_rate) for each in stretches]
    return _simple(points, "c3", "Learning rate, along the tokens trained on", lambda value: f"{value:.3g}")


def norm_chart(stretches: Sequence[Stretch], limit: float) -> str:
    """Norms of the gradient, on a logarithmic scale, and the length to which longer ones are cut."""
    points = [(each.tokens, math.log10(each.norm)) for each in stretches if each.norm]
    if not points:
        return _simple([], "c4", "Norm of the gradient", amount)
    heights = [*(y for _, y in points), math.log10(limit)]
    frame = _half_frame(points[-1][0], (min(heights) - 0.1, max(heights) + 0.1))
    parts = [*_y_marks(frame, marks_between(*frame.y_range, about=3), lambda value: f"{10**value:.2g}")]
    parts += _tokens_below(frame)
    y = frame.y(math.log10(limit))
    parts += [rule((frame.left, y), (frame.width - frame.right, y), "limit"), *_line(points, frame, "line c4")]
    return picture(HALF, 240, "Norm of the gradient, along the tokens trained on", parts)


def _simple(points: Points, colour: str, label: str, write: Callable[[float], str]) -> str:
    top = ticks(max((y for _, y in points), default=1.0) * 1.04)
    frame = _half_frame(points[-1][0] if points else 1.0, (0, top[-1]))
    parts = [*y_axis(frame, top, write), *_tokens_below(frame), *_line(points, frame, f"line {colour}")]
    return picture(HALF, 240, label, parts)


def _half_frame(last: float, y_range: tuple[float, float]) -> Frame:
    return Frame(HALF, 240, 62, 22, 14, 36, (0, last), y_range)


def _line(points: Points, frame: Frame, cls: str) -> list[str]:
    return [line([frame.point(x, y) for x, y in points], cls)] if points else []


def _y_marks(frame: Frame, values: Sequence[float], write: Callable[[float], str] = "{:.4g}".format) -> list[str]:
    parts = []
    for value in values:
        parts.append(rule((frame.left, frame.y(value)), (frame.width - frame.right, frame.y(value))))
        parts.append(text((frame.left - 8, frame.y(value) + 4), write(value), "tick", anchor="end"))
    return parts


def _tokens_below(frame: Frame) -> list[str]:
    last = frame.x_range[1]
    return x_labels(frame, [(value, amount(value) if value else "0") for value in ticks(last) if value <= last])
