"""The pictures of a comparison: who held the slots over the week, and attainment against training. Pure functions.

Letters: T steps, B buckets of steps (as many as a picture can show), F families.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tenfold.page.drawing import Frame, Point, band, dot, line, picture, rule, text, ticks, x_labels, y_axis
from tenfold.page.figures import amount
from tenfold.replay.outcome import Outcome
from tenfold.replay.summary import attainment
from tenfold.replay.week import Floats, Ints, Week

HALF = 560.0
BUCKETS = 336
DAY_S = 86400.0
HOUR_S = 3600.0
TRAINING = 1
NAME_ROW = 15.0


def family_colours(week: Week) -> Mapping[str, int]:
    """A colour for each family; training has its own."""
    families = dict.fromkeys(service.family for service in week.services)
    free = [colour for colour in range(8) if colour != TRAINING]
    return {family: free[place % len(free)] for place, family in enumerate(families)}


def bucketed(series_T: Floats, most: int = BUCKETS) -> Floats:
    """Means over equal runs of steps, at most so many; the last may be shorter."""
    size = math.ceil(len(series_T) / most)
    starts = np.arange(0, len(series_T), size)
    return np.add.reduceat(series_T, starts) / np.diff(np.append(starts, len(series_T)))


@dataclass(frozen=True, slots=True)
class Held:
    """Who held the slots, under ``name``. ``service_slots_TS``: NaN where nobody knows."""

    name: str
    service_slots_TS: Floats | Ints
    training_slots_T: Floats | Ints

    @staticmethod
    def by(outcome: Outcome) -> "Held":
        """Who held them under a policy."""
        return Held(outcome.policy, outcome.service_slots_TS, outcome.training_slots_T)


def slots_over_time(week: Week, held: Held) -> str:
    """Slots by family and of training, stacked, under what the services' demand would have taken as a line."""
    fleet = float(week.slots_K.sum())
    days = week.steps * week.step_s / DAY_S
    demand_B = bucketed((week.rates_TS / week.capacity_SK.max(axis=1)).sum(axis=1))
    top = ticks(max(fleet, float(demand_B.max())))
    frame = Frame(HALF, 230, 50, 10, 10, 26, (0, days), (0, top[-1]))
    parts = y_axis(frame, top, amount)
    below_B = np.zeros_like(demand_B)
    for name, colour, slots_T in _layers(week, held):
        above_B = below_B + bucketed(slots_T)
        mean = f"{name}: {amount(float(slots_T.mean()))} slots on average"
        upper, lower = _points(frame, above_B, days), _points(frame, below_B, days)
        parts.append(band(upper, lower, f"layer c{colour}", mean))
        below_B = above_B
    parts.append(line(_points(frame, demand_B, days), "line ink"))
    parts.append(rule(frame.point(0, fleet), frame.point(days, fleet), "limit"))
    parts += x_labels(frame, _day_labels(days))
    return picture(HALF, 230, f"Slots over the week under {held.name}, and what demand takes", parts)


def short_over_time(week: Week, outcome: Outcome, most: float) -> str:
    """Slots that the services lacked, summed over them; ``most`` lies on the axis, which all policies share."""
    days = len(outcome.training_slots_T) * outcome.step_s / DAY_S
    short_B = bucketed(short_slots(outcome))
    top = ticks(max(most, 1.0), about=1)
    frame = Frame(HALF, 74, 50, 10, 6, 8, (0, days), (0, top[-1]))
    parts = y_axis(frame, (0.0, top[-1]), amount)
    zero = [frame.point(0, 0), frame.point(days, 0)]
    mean = f"short of {amount(float(short_slots(outcome).mean()))} slots on average"
    parts.append(band(_points(frame, short_B, days), zero, "layer short", mean))
    return picture(HALF, 74, f"Slots that services lacked under {outcome.policy}", parts)


def short_slots(outcome: Outcome) -> Floats:
    """Slots that each step's demand took and its service had not, summed over services, shape (T,)."""
    return np.maximum(outcome.demand_slots_TS - outcome.service_slots_TS, 0.0).sum(axis=1)


def frontier(week: Week, outcomes: Sequence[Outcome], family: str, target: float, bound_h: float | None) -> str:
    """Useful training against what a family was not answered in time; up and left is better.

    Of a policy at several settings those are joined that no other of them beats here; the others are not shown, but for
    the first, which is the one chosen. ``bound_h`` holds for who meets the target. The share not answered is on a
    logarithmic axis.
    """
    outcomes = [
        outcome
        for place, outcome in enumerate(outcomes)
        if all(outcome.policy != other.policy for other in outcomes[:place])
        or not any(_beats(other, outcome, family) for other in outcomes if other.policy == outcome.policy)
    ]
    misses = [max(1.0 - outcome.attainment(family), 1e-5) for outcome in outcomes]
    low = math.floor(math.log10(min([*misses, 1.0 - target or 1e-5])))
    high = math.ceil(math.log10(max([*misses, 1.0 - target or 1e-5]) * 1.001))
    most = max([outcome.useful_training_h for outcome in outcomes] + [bound_h or 0.0])
    top = ticks(most * 1.04)
    frame = Frame(HALF, 300, 56, 150, 12, 34, (low, max(high, low + 1)), (0, top[-1]))
    parts = y_axis(frame, top, amount)
    parts += x_labels(frame, [(power, f"{100 * 10.0**power:g}%") for power in range(low, max(high, low + 1) + 1)])
    if target < 1:
        aim = frame.x(math.log10(1 - target))
        parts.append(rule((aim, frame.top), (aim, frame.height - frame.bottom), "limit"))
        parts.append(text((aim + 5, frame.height - frame.bottom - 6), f"target {100 * target:g}%", "note"))
    if bound_h:
        y = frame.y(bound_h)
        aim = frame.x(math.log10(1 - target)) if target < 1 else frame.left
        parts.append(rule((frame.left, y), (aim, y), "bound"))
        parts.append(text((frame.left + 4, y - 4), "no more is possible at the targets", "note"))
    by_policy: dict[str, list[tuple[Point, Outcome]]] = {}
    for outcome, miss in zip(outcomes, misses, strict=True):
        at = frame.point(math.log10(miss), outcome.useful_training_h)
        by_policy.setdefault(outcome.policy, []).append((at, outcome))
    # A policy's variants, "x" and "x, warm", share a colour.
    bases = list(dict.fromkeys(policy.partition(",")[0] for policy in by_policy))
    names, marks = [], []
    for policy, held in by_policy.items():
        place = bases.index(policy.partition(",")[0])
        held.sort(key=lambda pair: pair[0])
        joined = [at for at, each in held if not any(_beats(other, each, family) for _, other in held)]
        if len(joined) > 1:
            marks.append(line(joined, f"line c{place % 8}"))
        for at, outcome in held:
            words = f"{policy}: {attainment(outcome.attainment(family))}, {amount(outcome.useful_training_h)} h"
            marks.append(dot(at, f"dot c{place % 8}", words, radius=4.5))
        names.append((held[-1][0], policy, place % 8))
    parts += [*_names(names, frame), *marks]
    return picture(HALF, 300, f"Training against requests of {family} not answered in time", parts)


def _beats(other: Outcome, outcome: Outcome, family: str) -> bool:
    """Tell whether another outcome answers and trains at least as much, and more of one."""
    mine, theirs = ((each.attainment(family), each.useful_training_h) for each in (outcome, other))
    return theirs != mine and all(b >= a for a, b in zip(mine, theirs, strict=True))


def _names(ends: Sequence[tuple[Point, str, int]], frame: Frame) -> list[str]:
    """Names in a column on the right, in the order of their dots and clear of each other, each tied to its dot."""
    ordered = sorted(ends, key=lambda end: end[0][1])
    last = frame.height - frame.bottom
    spots: list[float] = []
    for (_, y), _, _ in ordered:
        spots.append(max(y, spots[-1] + NAME_ROW if spots else y))
    for place in range(len(spots) - 1, -1, -1):
        spots[place] = min(spots[place], last - NAME_ROW * (len(spots) - 1 - place))
    left = frame.width - frame.right
    parts: list[str] = []
    for (at, name, colour), spot in zip(ordered, spots, strict=True):
        parts.append(line([at, (left + 4, spot), (left + 10, spot)], "tie"))
        parts.append(text((left + 14, spot + 4), name, f"name c{colour}"))
    return parts


def _layers(week: Week, held: Held) -> list[tuple[str, int, Floats]]:
    layers: list[tuple[str, int, Floats]] = []
    for family, colour in family_colours(week).items():
        layers.append((family, colour, np.nansum(held.service_slots_TS[:, week.members(family)], axis=1)))
    layers.append(("training", TRAINING, held.training_slots_T.astype(np.float64)))
    return layers


def _points(frame: Frame, series_B: Floats, days: float) -> list[Point]:
    at_B = (np.arange(len(series_B)) + 0.5) * days / len(series_B)
    at_B[0], at_B[-1] = 0.0, days
    return [frame.point(float(at), float(value)) for at, value in zip(at_B, series_B, strict=True)]


def _day_labels(days: float) -> list[tuple[float, str]]:
    if days < 1.5:
        return [(hour / 24, f"{hour}:00") for hour in range(0, math.ceil(24 * days), 4)]
    return [(day + 0.5, f"day {day + 1}") for day in range(math.floor(days))]
