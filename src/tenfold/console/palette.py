"""One colour per workload, the same in every chart, tile and list."""

from tenfold.wiring import WORKLOADS

INK = "#1b2433"
MUTED = "#6b7688"
FAINT = "#a3adbb"
RULE = "#e8ebf0"
IDLE = "#cdd4de"
WARN = "#c2410c"

_KNOWN = {workload.name: workload.colour for workload in WORKLOADS}
_MORE = ("#8b5cc7", "#c2477f", "#5f8a2f", "#3b8fc4", "#9a7b4f")


def colour_of(workload: str | None) -> str:
    """Give the colour of a workload, as #rrggbb; grey for an idle slot.

    A workload that is not wired gets one of five further colours by its name, so that it keeps it over restarts.
    """
    if workload is None:
        return IDLE
    return _KNOWN.get(workload) or _MORE[sum(workload.encode()) % len(_MORE)]


def tint(colour: str, strength: float) -> str:
    """Give ``colour`` mixed with white, as #rrggbb; ``strength`` 0 is white and 1 is the colour."""
    channels = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round(255 + (channel - 255) * strength):02x}" for channel in channels)
