"""When each phase and lease is started, built and ready, over all scenarios.

The height of a bar is a probability: of being ready by a period, and on it of being started and not ready yet. So a
phase that is committed to now is one full bar, and an option grows over the periods in which it may be taken up.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from tenfold.page.drawing import Frame, box, diamond, picture, rule, text, x_labels
from tenfold.page.figures import amount, percent
from tenfold.plan.charts import FULL, PHONE
from tenfold.plan.leads import Leads
from tenfold.plan.result import Item, Plan, Verdict

ROW = 24.0
GAP = 3.0
HEAD = 26.0
LEFT = 250.0
RIGHT = 130.0
ABOVE = 18.0
FAINTEST = 0.02


@dataclass(frozen=True, slots=True)
class Line:
    """One phase or lease.

    Attributes:
        power_mw: MW that it adds, 0 for land and grid.
        building_T: probability of being started and not ready, by period.
        ready_T: probability of being ready for use, by period.
        item: what the plan says of it; None if it was started before the study.
    """

    name: str
    power_mw: float
    building_T: tuple[float, ...]
    ready_T: tuple[float, ...]
    item: Item | None


def groups(plan: Plan) -> Iterator[tuple[str, list[Line]]]:
    """Sites with their phases, then the leases."""
    study, leads = plan.study, Leads.of(plan.study)
    items = {(item.what, item.name): item for item in plan.items}
    for name, site in study.sites.items():
        lines = []
        for phase, settings in site.phases.items():
            item = items.get(("phase", f"{name}/{phase}"))
            if item is None:
                done = leads.periods(settings.done_in_months or 0)
                ready_T = tuple(float(period >= done) for period in range(study.periods))
                building_T = tuple(1 - ready for ready in ready_T)
            else:
                ready_T = _later(item.share_by_period, leads.phase[name, phase])
                building_T = _difference(item.share_by_period, ready_T)
            lines.append(Line(phase, settings.power_mw, building_T, ready_T, item))
        yield name, lines
    leases = []
    for name, lease in study.leases.items():
        item = items["lease", name]
        lead, term = leads.periods(lease.lead_months), leads.periods(lease.term_months)
        begun_T, ended_T = _later(item.share_by_period, lead), _later(item.share_by_period, lead + term)
        building_T = _difference(item.share_by_period, begun_T)
        leases.append(Line(name, lease.power_mw, building_T, _difference(begun_T, ended_T), item))
    if leases:
        yield "leases", leases


def _later(share_T: tuple[float, ...], periods: int) -> tuple[float, ...]:
    return (*(0.0,) * min(periods, len(share_T)), *share_T[: max(0, len(share_T) - periods)])


def _difference(one_T: tuple[float, ...], other_T: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(max(0.0, one - other) for one, other in zip(one_T, other_T, strict=True))


def staging(plan: Plan, *, narrow: bool = False) -> str:
    """The picture: a row per phase and lease, a column per period.

    Args:
        plan: the plan.
        narrow: for a phone: words stand above each row's bars, not beside them.
    """
    found = list(groups(plan))
    rows = sum(len(lines) for _, lines in found)
    row = ROW + (ABOVE if narrow else 0)
    height = HEAD * len(found) + row * rows + 34
    periods = plan.study.periods
    width, left, right = (PHONE, 0.0, 0.0) if narrow else (FULL, LEFT, RIGHT)
    frame = Frame(width, height, left, right, 0, 30, (0, periods), (0, 1))
    labels = [(period + 0.5, label) for period, label in enumerate(plan.study.calendar.labels())]
    parts = [rule((frame.x(period), 8), (frame.x(period), height - 30)) for period in range(periods + 1)]
    parts += x_labels(frame, labels)
    y = 0.0
    for name, lines in found:
        parts.append(text((0, y + 18), name, "group"))
        y += HEAD
        for line in lines:
            parts += _row(plan, frame, y, line)
            y += row
    return picture(width, height, "When phases and leases are started, built and ready", parts)


def _row(plan: Plan, frame: Frame, y: float, line: Line) -> list[str]:
    item, narrow = line.item, frame.left == 0
    firm = item is None or item.verdict is Verdict.COMMIT
    size = f"{amount(line.power_mw)} MW" if line.power_mw else ""
    soft = "label" if firm else "label soft"
    if narrow:
        parts = [text((0, y + 14), f"{line.name}  {size}", soft)]
    else:
        parts = [
            text((14, y + 16), line.name, soft),
            text((LEFT - 12, y + 16), size, "tick", anchor="end", value=line.power_mw or None),
        ]
    said_at, y = y + (14 if narrow else 16), y + (ABOVE if narrow else 0)
    parts.append(box(frame.left, y + ROW - GAP, frame.x(plan.study.periods) - frame.left, 1, "foot"))
    parts += _cells(plan, frame, y, line)
    for trigger in item.triggers if item else ():
        at = frame.x(plan.study.calendar.index(trigger.by) + 0.5)
        parts.append(diamond((at, y + ROW / 2), "watch", trigger.text))
    if item is None:
        words = "there" if line.ready_T[0] else "under way"
    elif firm:
        words = "commit now"
    else:
        words = f"in {percent(item.probability)} of futures" if item.probability else "never"
    value = None if item is None or firm else item.probability
    at = (frame.width, said_at) if narrow else (frame.width - frame.right + 12, said_at)
    parts.append(text(at, words, soft, anchor="end" if narrow else "start", value=value))
    return parts


def _cells(plan: Plan, frame: Frame, y: float, line: Line) -> Iterator[str]:
    """A box per period and state, ready below and building on it; neighbouring periods that are alike are one box."""
    states_T = list(zip(line.ready_T, line.building_T, strict=True))
    start = 0
    for period in range(1, len(states_T) + 1):
        if period < len(states_T) and _alike(states_T[period], states_T[start]):
            continue
        first, last = plan.study.calendar.label(start), plan.study.calendar.label(period - 1)
        when = first if first == last else f"{first} to {last}"
        x, width = frame.x(start), frame.x(period) - frame.x(start)
        foot = y + ROW - GAP
        for state, share in zip(("ready", "building"), states_T[start], strict=True):
            if share > FAINTEST:
                high = share * (ROW - 2 * GAP)
                title = f"{line.name}, {when}: {state} in {percent(share)} of futures"
                yield box(x + 0.5, foot - high, width - 1, high, state, title, round_by=1.5)
                foot -= high
        start = period


def _alike(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return abs(one[0] - other[0]) < 1e-6 and abs(one[1] - other[1]) < 1e-6
