"""One colour per workload, the same in every chart, tile and list: each has a custom property of the page's style."""

import re

IDLE = "idle"


def hue_of(workload: str | None) -> str:
    """Name the property of a workload's colour, without its hyphens; ``idle`` for an idle slot."""
    return IDLE if workload is None else "w-" + re.sub(r"[^a-z0-9]+", "-", workload.lower())


def css(workload: str | None) -> str:
    """The colour as a style sheet writes it; it is another by day and by night, and grey for who has none."""
    return f"var(--{hue_of(workload)}, var(--idle))"


def by_night(colour: str) -> str:
    """A colour that is as easy to tell from a dark card as ``colour``, #rrggbb, is from a white one."""
    channels = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round(255 + (channel - 255) * 0.76):02x}" for channel in channels)
