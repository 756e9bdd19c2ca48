"""The team's card of the ranking model: what it has learned, how that went, and how good it was found to be."""

from html import escape

from tenfold.feed.learned import Learned, Quality
from tenfold.page.drawing import dot, line, picture, text
from tenfold.page.figures import amount

_CURVE = (300.0, 96.0)


def learned_html(found: Learned, at: float) -> str:
    """The inside of the card. ``at``: Unix seconds now."""
    facts = (
        f"<p><b>{amount(found.events)}</b> events of {amount(found.people)} people, {amount(found.items)} items, on "
        f"{len(found.surfaces) or 1} surfaces, the last of them {since(at - found.latest_event_at)}. Trained "
        f"{since(at - found.trained_at)}; {amount(found.parameters)} parameters; "
        f"version {escape(found.snapshot[:14])}.</p>"
    )
    curve = f"<figure><figcaption>Loss by epoch</figcaption>{_curve(found)}</figure>" if len(found.epochs) > 1 else ""
    return f'<div class="team-model"><div>{facts}{curve}</div>{_quality(found.quality)}</div>'


def since(seconds: float) -> str:
    """How long ago something was."""
    for size, word in ((86400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= size:
            return f"{seconds / size:,.0f} {word} ago"
    return f"{max(0.0, seconds):.0f} s ago"


def _curve(found: Learned) -> str:
    losses = [epoch.loss for epoch in found.epochs]
    width, height = _CURVE
    low, high = min(losses), max(losses)
    points = [
        (6 + (width - 60) * at / (len(losses) - 1), 10 + (height - 20) * (high - loss) / ((high - low) or 1.0))
        for at, loss in enumerate(losses)
    ]
    last = points[-1]
    parts = [
        line(points, "curve"),
        dot(last, "middle sure"),
        text((last[0] + 8, last[1] + 4), f"{losses[-1]:.2f}", "tick"),
    ]
    parts.append(text((points[0][0] + 8, points[0][1] + 4), f"{losses[0]:.2f}", "tick"))
    return picture(width, height, f"loss by epoch, {losses[0]:.2f} to {losses[-1]:.2f}", parts)


def _quality(rows: tuple[Quality, ...]) -> str:
    if not rows:
        return ""
    of_all = [row for row in rows if row.users_kind == "all"]
    slices = [row for row in rows if row.system == "model" and row.users_kind != "all"]
    most = max([row.ndcg_high for row in (*of_all, *slices)] + [1e-9])
    bars = "".join(_bar(row.system, row, most) for row in of_all)
    bars += "".join(_bar(f"model, {row.users_kind}", row, most) for row in slices)
    return (
        "<div><h3>How well the next choice was foretold <small>NDCG@10 on later events, 95% interval</small></h3>"
        f'<ul class="team-slices">{bars}</ul></div>'
    )


def _bar(name: str, row: Quality, most: float) -> str:
    return (
        f'<li><span>{escape(name)}</span><i style="--p:{100 * row.ndcg_at_10 / most:.0f}%"></i>'
        f"<b>{row.ndcg_at_10:.3f}</b><small>{row.ndcg_low:.3f}-{row.ndcg_high:.3f}</small></li>"
    )
