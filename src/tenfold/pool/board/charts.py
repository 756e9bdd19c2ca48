"""The charts: pure functions from the pool's state to ECharts options.

Nothing is animated, no series has more than 240 points, and the x axis of all but the loss curve is seconds before
now, so that the pictures need no time zone. A key that starts with a colon holds JavaScript, which the browser
evaluates: colours are asked for by name (``hue``), since they are others by night.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from tenfold.page.palette import hue_of
from tenfold.pool.state import HistoryPoint, PoolState, WorkloadView

Option = dict[str, object]

POINTS = 240
CURVE_POINTS = 120
_FONT = "Roboto, sans-serif"
_AGO_LABEL = "v => v ? Math.round(v / 60) + ' min' : 'now'"
_AGO = "Math.round(-p[0].axisValue) + ' s ago'"
_NUMBER = "(v => v == null ? '—' : +Number(v).toPrecision(3) + '')"


def slots_chart(state: PoolState) -> Option:
    """Draw the slots awake over time as steps stacked by workload, with the pool's size as the axis's end.

    Only the points at which an allocation changed are kept: a quiet pool sends nothing.
    """
    names = [view.workload for view in state.workloads]
    points = _changes(state.history, lambda point: point.slots)
    size = max(len(state.slots), 1)
    return _frame(state) | {
        "grid": {"left": 26, "right": 10, "top": 8, "bottom": 20},
        "xAxis": _ago_axis(state),
        "yAxis": _value_axis() | {"min": 0, "max": size, "interval": math.ceil(size / 4)},
        "tooltip": _tooltip(
            "p => {title} + p.map(q => '<br>' + q.marker + q.seriesName + ' <b>' + q.value[1] + '</b>').join('')"
        ),
        "series": [
            {
                "type": "line",
                "name": name,
                "stack": "slots",
                "step": "end",
                "symbol": "none",
                "lineStyle": {"width": 0},
                "itemStyle": _coloured(hue_of(name)),
                "areaStyle": _coloured(hue_of(name)) | {"opacity": 0.82},
                "data": [[_ago(state, point), point.slots.get(name, 0)] for point in points],
            }
            for name in names
        ],
    }


def value_chart(state: PoolState) -> Option:
    """Draw what one more slot would be worth to each workload, in µ$/s on a logarithmic axis.

    Four decades at most: smaller values, and zero, lie on the bottom edge, and the tooltip has the true number. The
    workload whose line is on top is the one to get the next slot.
    """
    points = _thinned(state.history)
    positive = [value * 1e6 for point in points for value in point.value_next_slot.values() if value > 1e-12]
    low = 10.0 ** math.floor(math.log10(min(positive))) if positive else 0.1
    high = 10.0 ** math.ceil(math.log10(max(positive) * 1.001)) if positive else 10.0
    low, high = max(low, high / 1e4), max(high, low * 10)
    row = "q.marker + q.seriesName + ' <b>' + {number}(q.value[2]) + ' µ$/s</b>'"
    return _frame(state) | {
        "grid": {"left": 34, "right": 10, "top": 8, "bottom": 20},
        "xAxis": _ago_axis(state),
        "yAxis": _value_axis() | {"type": "log", "min": low, "max": high},
        "tooltip": _tooltip(f"p => {{title}} + p.map(q => '<br>' + {row}).join('')"),
        "series": [
            _line(
                view.workload,
                [
                    [_ago(state, point), max(_figures(value * 1e6), low), _figures(value * 1e6)]
                    for point in points
                    if (value := point.value_next_slot.get(view.workload)) is not None
                ],
            )
            for view in state.workloads
        ],
    }


def workload_chart(state: PoolState, view: WorkloadView) -> Option:
    """Draw a workload's two curves side by side.

    With requests: demand, and p95 latency against its target. Without (training): the loss, and the throughput.
    """
    if view.arrival_per_s is None:
        left, right = _loss_curve(state, view), _over_time(state, view, lambda point: point.units_per_s)
    else:
        left = _over_time(state, view, lambda point: point.demand)
        right = _over_time(state, view, lambda point: point.latency_p95_s)
        if view.latency_target_s is not None:
            right[0]["markLine"] = _target_line(view.latency_target_s)
    series = [*left, *right]
    for index, curve in enumerate(series):
        side = 0 if index < len(left) else 1
        curve |= {"xAxisIndex": side, "yAxisIndex": side}
    loss = view.arrival_per_s is None
    tooltip = "p => p.map(q => q.marker + ' <b>' + {number}(q.value[1]) + '</b>').join('<br>')"
    return _frame(state) | {
        "grid": [
            {"left": 32, "width": "39%", "top": 8, "bottom": 18},
            {"left": "58%", "right": 8, "top": 8, "bottom": 18},
        ],
        "xAxis": [
            _token_axis() | {"gridIndex": 0} if loss else _ago_axis(state, 120),
            _ago_axis(state, 120) | {"gridIndex": 1},
        ],
        "yAxis": [
            _value_axis() | {"gridIndex": 0, "scale": loss, "splitNumber": 3} | ({} if loss else {"min": 0}),
            _value_axis() | {"gridIndex": 1, "min": 0, "splitNumber": 3} | _headroom(state, view),
        ],
        "tooltip": _tooltip(tooltip),
        "series": series,
    }


def changed_parts(before: object, after: object) -> object:
    """Give the part of an option that ECharts must be told to get from ``before`` to ``after``; None if they agree.

    Objects keep only the keys that changed; a list of objects keeps its length, with {} for those that did not change
    (ECharts merges them by index); any other list is given whole.
    """
    if before == after:
        return None
    if isinstance(before, dict) and isinstance(after, dict):
        return {key: changed_parts(before.get(key), value) for key, value in after.items() if before.get(key) != value}
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after) and _all_objects(after):
        return [changed_parts(old, new) or {} for old, new in zip(before, after, strict=True)]
    return after


def _all_objects(items: Iterable[object]) -> bool:
    return all(isinstance(item, dict) for item in items)


def _over_time(state: PoolState, view: WorkloadView, of: Callable[[HistoryPoint], dict[str, float]]) -> list[Option]:
    points = _thinned(state.history)
    data = [[_ago(state, p), _figures(value)] for p in points if (value := of(p).get(view.workload)) is not None]
    return [_line(view.workload, data) | {"areaStyle": _coloured(hue_of(view.workload)) | {"opacity": 0.14}}]


def _loss_curve(state: PoolState, view: WorkloadView) -> list[Option]:
    return [_line(view.workload, [[_figures(p.tokens / 1e6), _figures(p.loss)] for p in state.loss[-POINTS:]])]


def _headroom(state: PoolState, view: WorkloadView) -> Option:
    """Keep the latency target in sight: the axis reaches past it."""
    if view.arrival_per_s is None or view.latency_target_s is None:
        return {}
    seen = max((point.latency_p95_s.get(view.workload, 0.0) for point in state.history), default=0.0)
    return {"max": _figures(1.2 * max(view.latency_target_s, seen), 2), "axisLabel": _value_label(show_max=False)}


def _line(workload: str, data: Sequence[Sequence[float]]) -> Option:
    return {
        "type": "line",
        "name": workload,
        "symbol": "none",
        "lineStyle": _coloured(hue_of(workload)) | {"width": 1.8},
        "itemStyle": _coloured(hue_of(workload)),
        "data": [list(point) for point in data],
    }


def _target_line(target_s: float) -> Option:
    return {
        "silent": True,
        "symbol": "none",
        "lineStyle": _coloured("warn") | {"type": "dashed", "width": 1, "opacity": 0.75},
        "label": {"show": False},
        "data": [{"yAxis": target_s}],
    }


def _frame(state: PoolState) -> Option:
    empty = not state.history
    return {
        "animation": False,
        "textStyle": _coloured("ink") | {"fontFamily": _FONT},
        "title": {
            "show": empty,
            "text": "waiting for the first second",
            "left": "center",
            "top": "middle",
            ":backgroundColor": _hue("card"),
            "textStyle": _coloured("muted") | {"fontSize": 12, "fontWeight": "normal"},
        },
    }


def _coloured(name: str) -> Option:
    return {":color": _hue(name)}


def _hue(name: str) -> str:
    return f"hue('{name}')"


def _tooltip(formatter: str) -> Option:
    return {
        "trigger": "axis",
        "confine": True,
        "padding": [5, 9],
        ":backgroundColor": _hue("card"),
        ":borderColor": _hue("rule"),
        "textStyle": _coloured("ink") | {"fontSize": 12},
        "axisPointer": {"lineStyle": _coloured("faint") | {"type": "solid"}},
        ":formatter": formatter.replace("{title}", _AGO).replace("{number}", _NUMBER),
    }


def _ago_axis(state: PoolState, interval_s: int = 60) -> Option:
    span_s = max(240, math.ceil(-_ago(state, state.history[0]) / 60) * 60) if state.history else 240
    return {
        "type": "value",
        "min": -span_s,
        "max": 0,
        "interval": interval_s * max(1, span_s // 240),
        "splitLine": {"show": False},
        "axisTick": {"show": False},
        "axisLine": {"lineStyle": _coloured("rule"), "onZero": False},
        "axisLabel": {
            ":color": _hue("muted"),
            "fontSize": 11,
            "alignMaxLabel": "right",
            "alignMinLabel": "left",
            ":formatter": _AGO_LABEL,
        },
    }


def _token_axis() -> Option:
    return {
        "type": "value",
        "scale": True,
        "splitNumber": 2,
        "splitLine": {"show": False},
        "axisTick": {"show": False},
        "axisLine": {"lineStyle": _coloured("rule"), "onZero": False},
        "axisLabel": _coloured("muted") | {"fontSize": 11, "hideOverlap": True, ":formatter": "v => v + ' M'"},
    }


def _value_axis() -> Option:
    return {
        "type": "value",
        "axisLine": {"show": False},
        "axisTick": {"show": False},
        "splitLine": {"lineStyle": _coloured("rule")},
        "axisLabel": _value_label(show_max=True),
    }


def _value_label(*, show_max: bool) -> Option:
    formatter = "v => +Number(v).toPrecision(3) + ''"
    return _coloured("muted") | {"fontSize": 11, "showMaxLabel": show_max, ":formatter": formatter}


def _ago(state: PoolState, point: HistoryPoint) -> float:
    # Whole seconds: two clients a fraction of a second apart then get the same picture.
    return min(0.0, float(round(point.at - state.history[-1].at)))


def _figures(value: float, digits: int = 3) -> float:
    return float(f"{value:.{digits}g}")


def _thinned(points: Sequence[HistoryPoint]) -> list[HistoryPoint]:
    """Keep the last point of each span of whole seconds, so that about ``CURVE_POINTS`` are left.

    The spans are fixed on the clock: a kept point stays kept, and a curve does not flicker as it moves on.
    """
    if len(points) <= CURVE_POINTS:
        return list(points)
    width_s = max(1, math.ceil((points[-1].at - points[0].at) / CURVE_POINTS))
    return list({math.floor(point.at / width_s): point for point in points}.values())


def _changes(points: Sequence[HistoryPoint], of: Callable[[HistoryPoint], dict[str, int]]) -> list[HistoryPoint]:
    """Keep the first point, the last, and each that differs from the one before."""
    recent = points[-POINTS:]
    if len(recent) < 2:
        return list(recent)
    return [recent[0], *(b for a, b in pairwise(recent[:-1]) if of(a) != of(b)), recent[-1]]
