"""The pictures of a plan: capex by year, demand and who serves it, power, and what moves the cost. Pure functions."""

from collections.abc import Sequence

from tenfold.page.drawing import LETTER, Frame, band, box, dot, line, picture, rule, text, ticks, x_labels, y_axis
from tenfold.page.figures import amount, percent, usd
from tenfold.plan.result import Plan, Sensitivity, Spread, WorkloadOutlook
from tenfold.plan.study import Study

HALF = 560.0
FULL = 1140.0
PHONE = 360.0
COLOURS = 8
SMALL = LETTER * HALF / PHONE
"""Width of a letter where half a page is shown on a phone, with letters as large."""


def capex_fan(plan: Plan) -> str:
    """Capex by calendar year: p10 to p90, the median, and the limits; hollow dots are years held in part.

    Beside it the median and the p90 on futures that are not in the plan's tree.
    """
    years, unseen = plan.capex, plan.unseen.capex if plan.unseen else ()
    limits = {int(year): usd for year, usd in plan.study.capex_limit_usd.items()}
    top = ticks(max([year.capex_usd.p90 for year in (*years, *unseen)] + list(limits.values())) * 1.06)
    last = max(len(years) - 1, 1)
    frame = Frame(HALF, 300, 62, 22, 16, 34, (-0.25, last + 0.25), (0, top[-1]))
    labels = year_labels(plan.study)
    parts = y_axis(frame, top, usd)
    parts += x_labels(frame, [(place, labels[year.year]) for place, year in enumerate(years)], SMALL)
    upper = [frame.point(place, year.capex_usd.p90) for place, year in enumerate(years)]
    lower = [frame.point(place, year.capex_usd.p10) for place, year in enumerate(years)]
    parts.append(band(upper, lower, "band c0"))
    parts += [line(upper, "edge c0"), line(lower, "edge c0")]
    parts.append(line([frame.point(place, year.capex_usd.p50) for place, year in enumerate(years)], "line c0"))
    if unseen:
        parts.append(line([frame.point(place, year.capex_usd.p90) for place, year in enumerate(unseen)], "edge c2"))
        parts.append(line([frame.point(place, year.capex_usd.p50) for place, year in enumerate(unseen)], "line c2"))
    for place, year in enumerate(unseen):
        words = _spread(f"{year.year}, unseen", year.capex_usd)
        parts.append(dot(frame.point(place, year.capex_usd.p50), "dot c2", words))
    for place, year in enumerate(years):
        spread = year.capex_usd
        at = frame.point(place, spread.p50)
        parts.append(
            dot(at, "dot c0" if labels[year.year].isdigit() else "dot hollow c0", _spread(str(year.year), spread))
        )
        capped = year.year in limits
        words = usd(spread.p50)
        parts.append(text((at[0], at[1] + (20 if capped else -10)), words, "value", anchor="middle", value=spread.p50))
        if capped:
            x, y = frame.point(place, limits[year.year])
            parts.append(rule((x - 18, y), (x + 18, y), "limit"))
            words = f"limit {usd(limits[year.year])}"
            parts.append(text((x, y - 14), words, "note", anchor="middle", value=limits[year.year]))
    return picture(HALF, 300, "Capex by year, 10th to 90th percentile and median", parts)


def year_labels(study: Study) -> dict[int, str]:
    """A year's number, or which periods of it the study holds if not all: 2024H2, 2024Q2-Q4."""
    calendar = study.calendar
    held: dict[int, list[str]] = {}
    for period in range(calendar.count):
        held.setdefault(calendar.year(period), []).append(calendar.label(period))
    labels = {}
    for year, periods in held.items():
        part = periods[0] if len(periods) == 1 else f"{periods[0]}-{periods[-1][4:]}"
        labels[year] = str(year) if len(periods) * calendar.months == 12 else part
    return labels


def power_fan(plan: Plan) -> str:
    """IT power that finished phases and leases give, and what is drawn of it."""
    periods = plan.power
    top = ticks(max(period.available.p90 for period in periods) * 1.04)
    frame = Frame(HALF, 300, 62, 74, 16, 34, (0, max(len(periods) - 1, 1)), (0, top[-1]))
    parts = y_axis(frame, top, amount)
    parts += x_labels(frame, [(place, period.period) for place, period in enumerate(periods)], SMALL)
    ends = []
    for name, cls, spreads in (
        ("available", "c1", [period.available for period in periods]),
        ("drawn", "c2", [period.drawn for period in periods]),
    ):
        parts += fan(frame, spreads, cls, name)
        ends.append((frame.point(len(periods) - 1, spreads[-1].p50), name, cls))
    parts += end_labels(ends, frame)
    return picture(HALF, 300, "IT power available and drawn, MW", parts)


def fan(frame: Frame, spreads: Sequence[Spread], cls: str, name: str) -> list[str]:
    """The range that holds 80% of futures, and the median, at 0, 1, 2, ..."""
    upper = [frame.point(place, spread.p90) for place, spread in enumerate(spreads)]
    lower = [frame.point(place, spread.p10) for place, spread in enumerate(spreads)]
    middle = [frame.point(place, spread.p50) for place, spread in enumerate(spreads)]
    return [band(upper, lower, f"band {cls}", f"{name}, 10th to 90th percentile"), line(middle, f"line {cls}")]


def end_labels(ends: Sequence[tuple[tuple[float, float], str, str]], frame: Frame) -> list[str]:
    """A name at the end of each line, moved apart where they would touch."""
    parts, above = [], -20.0
    for (x, y), name, cls in sorted(ends, key=lambda end: end[0][1]):
        above = max(y + 4, above + 15)
        parts.append(text((x + 8, min(above, frame.height - 8)), name, f"name {cls}"))
    return parts


def demand_against_capacity(outlook: WorkloadOutlook, colour: dict[str, int]) -> str:
    """What a workload asks for, as a fan, over what serves it on average, as bars."""
    periods = outlook.periods
    most = max([period.demand.p90 for period in periods] + [sum(period.served_by.values()) for period in periods])
    top = ticks(most * 1.02)
    frame = Frame(HALF, 260, 62, 16, 14, 34, (-0.5, len(periods) - 0.5), (0, top[-1]))
    parts = y_axis(frame, top, amount)
    parts += x_labels(frame, [(place, period.period) for place, period in enumerate(periods)], SMALL)
    width = min(34.0, 0.56 * (frame.x(1) - frame.x(0)))
    for place, period in enumerate(periods):
        below = 0.0
        for kind, served in period.served_by.items():
            if served <= 0:
                continue
            y = frame.y(below + served)
            label = f"{period.period}: {kind} serves {amount(served)} on average"
            height = frame.y(below) - y
            parts.append(box(frame.x(place) - width / 2, y, width, height, f"bar c{colour[kind]}", label))
            below += served
    demand = [period.demand for period in periods]
    upper = [frame.point(place, spread.p90) for place, spread in enumerate(demand)]
    lower = [frame.point(place, spread.p10) for place, spread in enumerate(demand)]
    parts.append(band(upper, lower, "band ink"))
    parts.append(line([frame.point(place, spread.p50) for place, spread in enumerate(demand)], "line ink"))
    for place, period in enumerate(periods):
        at = frame.point(place, period.demand.p50)
        parts.append(dot(at, "dot ink", _demand(outlook, place), radius=2.5))
    return picture(HALF, 260, f"Demand of {outlook.workload} and what serves it", parts)


def _demand(outlook: WorkloadOutlook, place: int) -> str:
    period = outlook.periods[place]
    spread = period.demand
    return (
        f"{period.period}: demand {amount(spread.p10)} to {amount(spread.p90)}, median {amount(spread.p50)}; "
        f"shortage in {percent(period.shortage_probability)} of futures"
    )


def colours(plan: Plan) -> dict[str, int]:
    """A colour for each kind and rent that serves anything."""
    served = [
        kind
        for kind in [*plan.study.accelerators, *plan.study.rent]
        if any(period.served_by.get(kind, 0) > 0 for outlook in plan.workloads for period in outlook.periods)
    ]
    return {kind: place % COLOURS for place, kind in enumerate(served)}


def tornado_chart(plan: Plan) -> str:
    """What each input, lowered and raised, changes in cost; hatched where no plan is left."""
    assert plan.tornado is not None
    bars = plan.tornado.bars
    changes = [change for bar in bars for change in (bar.low_usd, bar.high_usd) if change is not None]
    low, high = min([0.0, *changes]), max([0.0, *changes])
    margin = 0.16 * (high - low or 1.0)
    height, row = 34 + 30 * len(bars), 30.0
    frame = Frame(FULL, height, 220, 20, 6, 28, (low - margin, high + margin), (0, 1))
    zero = frame.x(0)
    parts = [
        rule((zero, 4), (zero, height - 26), "axis"),
        text((zero, height - 8), "cost as planned", "tick", anchor="middle"),
    ]
    for place, bar in enumerate(bars):
        y = 6 + row * place
        parts.append(text((204, y + 17), bar.name, "label", anchor="end"))
        parts += _tornado_bar(frame, y, bar)
    return picture(FULL, height, "What moves the cost", parts)


def narrow_tornado(plan: Plan) -> str:
    """The same for a phone: each bar below its name, and what it says in a line below it."""
    assert plan.tornado is not None
    bars, row = plan.tornado.bars, 58.0
    changes = [change for bar in bars for change in (bar.low_usd, bar.high_usd) if change is not None]
    height = row * len(bars) + 4
    frame = Frame(PHONE, height, 0, 0, 0, 0, (min([0.0, *changes]), max([1.0, *changes])), (0, 1))
    zero = frame.x(0)
    parts = [rule((zero, 0), (zero, height), "axis")]
    for place, bar in enumerate(bars):
        y = row * place
        parts.append(text((0, y + 14), bar.name, "label"))
        ends = [(bar.low, bar.low_usd, "low"), (bar.high, bar.high_usd, "high")]
        for label, change, cls in sorted(ends, key=lambda end: -abs(end[1] or 0.0)):
            x = zero if change is None else frame.x(change)
            parts.append(box(min(zero, x), y + 19, abs(x - zero), 14, f"tornado {cls}", f"{bar.name} {label}"))
        parts.append(text((0, y + 47), _end(bar.low, bar.low_usd), "note", value=bar.low_usd))
        parts.append(text((PHONE, y + 47), _end(bar.high, bar.high_usd), "note", anchor="end", value=bar.high_usd))
    return picture(PHONE, height, "What moves the cost", parts)


def _end(label: str, change: float | None) -> str:
    if change is None:
        return f"{label}: no plan is left"
    return f"{label}: {'+' if change > 0 else ''}{usd(change)}"


def _tornado_bar(frame: Frame, y: float, bar: Sensitivity) -> list[str]:
    """Both ends; the longer is drawn first where both lie on one side."""
    ends = [(bar.low, bar.low_usd, "low"), (bar.high, bar.high_usd, "high")]
    ends.sort(key=lambda end: -abs(end[1]) if end[1] is not None else float("-inf"))
    known = [change for _, change, _ in ends if change is not None]
    one_side = len(known) == 2 and known[0] * known[1] > 0
    parts, zero = [], frame.x(0)
    for place, (label, change, cls) in enumerate(ends):
        if change is None:
            right = not known or known[0] <= 0
            edge = frame.x(frame.x_range[1]) if right else frame.x(frame.x_range[0])
            start, width = min(zero, edge), abs(edge - zero)
            parts.append(
                box(start, y + 3, width, 18, "none", f"{bar.name} {label}: no plan meets all floors and limits")
            )
            at = (zero + 8 if right else zero - 8, y + 16)
            parts.append(text(at, f"{label}: no plan is left", "note", anchor="start" if right else "end"))
            continue
        x = frame.x(change)
        words = f"{bar.name} {label}: {usd(change)}"
        parts.append(box(min(zero, x), y + 3, abs(x - zero), 18, f"tornado {cls}", words, round_by=2))
        if not (one_side and place):
            right = change > 0 or (change == 0 and cls == "high")
            at = (x + 6 if right else x - 6, y + 16)
            sign = "+" if change > 0 else ""
            parts.append(
                text(at, f"{label}: {sign}{usd(change)}", "value", anchor="start" if right else "end", value=change)
            )
    return parts


def _spread(name: str, spread: Spread) -> str:
    return f"{name}: {usd(spread.p10)} to {usd(spread.p90)}, median {usd(spread.p50)}, mean {usd(spread.mean)}"
