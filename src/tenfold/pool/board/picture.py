"""Everything the page shows of the pool at one moment, and what changed since the last one."""

from dataclasses import dataclass, field

from tenfold.pool.board import charts, fragments
from tenfold.pool.state import PoolState

_BEFORE_THE_FIRST = PoolState(
    at=0.0,
    epoch=0,
    policy="",
    controller="starting",
    ready=False,
    alarms=(),
    slots=(),
    workloads=(),
    moves=(),
    history=(),
    loss=(),
)


@dataclass(frozen=True, slots=True)
class Picture:
    """The page's contents: HTML by place, chart options by place, and the workloads that have a card."""

    html: dict[str, str] = field(default_factory=dict)
    options: dict[str, charts.Option] = field(default_factory=dict)
    workloads: tuple[str, ...] = ()


def picture_of(state: PoolState | None, now: float) -> Picture:
    """Draw the pool at ``now`` (Unix seconds)."""
    html = {
        "heading": fragments.heading(state),
        "banner": fragments.banner(state, now),
        "tiles": fragments.tiles(state),
        "moves": fragments.moves_list(state),
    }
    drawn = state or _BEFORE_THE_FIRST
    names = tuple(view.workload for view in drawn.workloads)
    html["legend"] = fragments.legend(names)
    options = {"slots": charts.slots_chart(drawn), "value": charts.value_chart(drawn)}
    for view in drawn.workloads:
        html[f"{view.workload}.head"] = fragments.workload_head(view, len(drawn.slots))
        html[f"{view.workload}.figures"] = fragments.workload_figures(view)
        html[f"{view.workload}.captions"] = fragments.workload_captions(view)
        html[f"{view.workload}.foot"] = fragments.workload_foot(view)
        options[view.workload] = charts.workload_chart(drawn, view)
    return Picture(html=html, options=options, workloads=names)


class Sketchbook:
    """Draws each state once, however many browsers look on."""

    def __init__(self) -> None:
        self._state: PoolState | None = None
        self._second = -1
        self._picture = Picture()

    def picture(self, state: PoolState | None, now: float) -> Picture:
        """Give the picture of ``state`` at ``now``; the same object while neither has moved on."""
        if state is not self._state or int(now) != self._second:
            self._picture = picture_of(state, now)
            self._state, self._second = state, int(now)
        return self._picture
