"""Pictures of a campaign: what was spent against the plan, and what its bids were multiplied by. Pure functions."""

import datetime as dt
from collections.abc import Sequence

from tenfold.ads.amounts import usd
from tenfold.ads.report import Minute, ReportOut
from tenfold.page.drawing import Frame, line, picture, rule, text, ticks, x_labels, y_axis

WIDTH, HEIGHT = 420.0, 180.0


def spending(report: ReportOut, budget_micro: int, starts_at: float, ends_at: float, now: float) -> str:
    """Spent by now, and an even spending of the whole budget."""
    points = [(starts_at, 0.0)]
    sold = 0
    for minute in report.minutes:
        sold += minute.sold_micro
        points.append((min(max(minute.at + 60.0, starts_at), max(now, starts_at)), float(sold)))
    # What was sold and not seen is not billed: the line ends at what was.
    billed = float(report.totals.billed_micro)
    if sold:
        points = [(at, micro * billed / sold) for at, micro in points]
    points.append((max(now, starts_at + 1.0), billed))
    high = ticks(max(float(budget_micro), billed))
    frame = _frame((starts_at, max(ends_at, now)), (0.0, high[-1]))
    parts = [
        *y_axis(frame, high, usd),
        *x_labels(frame, _times(starts_at, max(ends_at, now))),
        line([frame.point(starts_at, 0.0), frame.point(ends_at, float(budget_micro))], "ads-plan"),
        line([frame.point(at, micro) for at, micro in points], "ads-spent"),
    ]
    told = f"Spent {usd(billed)} of {usd(budget_micro)}; an even spending would be at {usd(report.plan_micro)}"
    return picture(WIDTH, HEIGHT, told, parts)


def multipliers(minutes: Sequence[Minute]) -> str:
    """What each dollar of expected worth was bid as, by budget and by cap; the lower one counts."""
    if not minutes:
        return ""
    by = {
        "ads-budget": [(each.at, each.budget_multiplier) for each in minutes if each.budget_multiplier is not None],
        "ads-cap": [(each.at, each.cap_multiplier) for each in minutes if each.cap_multiplier is not None],
    }
    values = [value for points in by.values() for _, value in points if value is not None]
    if not values:
        return ""
    high = ticks(max(values))
    first, last = minutes[0].at, max(minutes[-1].at, minutes[0].at + 60.0)
    frame = _frame((first, last), (0.0, high[-1]))
    parts = [
        *y_axis(frame, high, _multiplier),
        *x_labels(frame, _times(first, last)),
        *(line([frame.point(at, value or 0.0) for at, value in points], cls) for cls, points in by.items() if points),
    ]
    return picture(WIDTH, HEIGHT, "Multipliers of budget and cap over time", parts)


def interval(low: float, high: float, estimate: float, attributed: float) -> str:
    """What was really added, with its interval, beside what clicks are credited with."""
    edge = max(abs(low), abs(high), abs(attributed), 1e-9) * 1.1
    frame = Frame(WIDTH, 84.0, 20.0, 20.0, 10.0, 24.0, (-edge if low < 0 else 0.0, edge), (0.0, 2.0))
    parts = [
        rule(frame.point(0.0, 0.0), frame.point(0.0, 2.0)),
        line([frame.point(low, 1.3), frame.point(high, 1.3)], "ads-interval"),
        _bar(frame, estimate, 1.3, "ads-added"),
        _bar(frame, attributed, 0.5, "ads-attributed"),
        text(frame.point(0.0, -0.55), f"0 to {edge:,.4g}", "axis"),
    ]
    return picture(WIDTH, 84.0, f"Really added {estimate:,.2f}, between {low:,.2f} and {high:,.2f}", parts)


def _multiplier(value: float) -> str:
    """Bids per action are in micro-dollars; per dollar that actions bring, they are plain numbers."""
    return usd(value) if value >= 1_000 else f"{value:g}"


def _bar(frame: Frame, value: float, at: float, cls: str) -> str:
    return line([frame.point(value, at - 0.35), frame.point(value, at + 0.35)], cls)


def _frame(x_range: tuple[float, float], y_range: tuple[float, float]) -> Frame:
    return Frame(WIDTH, HEIGHT, 64.0, 12.0, 12.0, 26.0, x_range, y_range)


def _times(first: float, last: float) -> list[tuple[float, str]]:
    how = "%H:%M" if last - first < 2 * 86_400 else "%d %b"
    marks = (first + part * (last - first) for part in (0.0, 0.25, 0.5, 0.75, 1.0))
    return [(at, dt.datetime.fromtimestamp(at, dt.UTC).strftime(how)) for at in marks]
