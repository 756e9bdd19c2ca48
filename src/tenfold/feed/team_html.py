"""The team's board as HTML: surfaces, slices, cold items, freshness, experiments. Pure functions of one report."""

from collections.abc import Sequence
from html import escape

from tenfold.feed.experiments import ArmView, ExperimentView, IntervalView, MetricView
from tenfold.feed.learned_html import learned_html, since
from tenfold.feed.show import interval_text
from tenfold.feed.team import Slice, SurfaceFigures, TeamReport
from tenfold.page.drawing import box, dot, picture, rule, text
from tenfold.page.figures import amount, percent

_SPARK = (132.0, 26.0)
_NONE = "-"
_SCROLL = '<div class="team-scroll" tabindex="0" role="region" aria-label="{}">'
"""A table that may be wider than the page: it can be scrolled by keyboard too."""


def team_html(report: TeamReport) -> str:
    """The whole board."""
    return (
        f'<div class="team">{_tiles(report)}{_experiments(report.experiments)}{_model(report)}'
        f'{_surfaces(report.surfaces, report.span_hours)}<div class="team-pair">{_slices(report.slices)}'
        f"{_cold(report)}</div></div>"
    )


def interval_chart(arms: Sequence[tuple[str, IntervalView]], label: str) -> str:
    """Intervals of relative differences on one scale, with a line at 0."""
    ends = [abs(end) for _, each in arms for end in (each.low, each.high, each.estimate) if end is not None]
    reach = 1.1 * max([*ends, 0.02])
    width, row = 420.0, 30.0
    height = row * len(arms) + 22

    def x(value: float) -> float:
        return width / 2 + max(-1.0, min(1.0, value / reach)) * (width / 2 - 8)

    parts = [rule((x(0), 4), (x(0), height - 18), "axis")]
    for at, (name, each) in enumerate(arms):
        y = row * at + 18
        tone = "sure" if each.is_sure else "unsure"
        if each.low is not None and each.high is not None:
            words = f"{name}: {interval_text(each, True)}"
            parts.append(box(x(each.low), y - 5, x(each.high) - x(each.low), 10, f"reach {tone}", words, round_by=5))
        parts.append(dot((x(each.estimate), y), f"middle {tone}", f"{name}: {each.estimate:+.1%}", 5))
    for value in (-reach / 1.1, 0.0, reach / 1.1):
        anchor = "start" if value < 0 else "end" if value > 0 else "middle"
        parts.append(text((x(value), height - 3), f"{value:+.0%}" if value else "0", "tick", anchor=anchor))
    return picture(width, height, label, parts)


def _tiles(report: TeamReport) -> str:
    fresh = report.freshness
    shown = sum(each.shown for each in report.surfaces)
    opened = sum(each.opened for each in report.surfaces)
    minutes = sum(each.watched_minutes for each in report.surfaces)
    newest = "no event yet" if fresh.newest_event_at is None else since(report.at - fresh.newest_event_at)
    files = (
        "none is in files yet"
        if fresh.in_files_up_to is None
        else f"in files: up to {since(report.at - fresh.in_files_up_to)}"
    )
    tiles = (
        ("People", amount(report.people), f"{amount(report.visits)} visits in {report.span_hours} h"),
        ("Cards shown", amount(shown), f"{percent(min(1.0, opened / shown)) if shown else '0%'} of them opened"),
        ("Watched", f"{amount(minutes)} min", f"in {report.span_hours} h, on all surfaces"),
        ("Items", amount(report.items), f"{amount(report.cold_items)} of them cold"),
        ("Newest event", newest, files),
        ("Model", escape(fresh.snapshot[:14] or "none yet"), "version that ranked last"),
    )
    found = "".join(
        f'<div class="card team-tile"><h2>{name}</h2><b>{big}</b><small>{small}</small></div>'
        for name, big, small in tiles
    )
    return f'<div class="team-tiles">{found}</div>'


def _model(report: TeamReport) -> str:
    if report.learned is None:
        return ""
    about = "What the ranking model has learned, and how good it was found to be."
    return _card("The model", about, learned_html(report.learned, report.at))


def _surfaces(surfaces: Sequence[SurfaceFigures], hours: int) -> str:
    used = [each for each in surfaces if each.shown] or surfaces[:1]
    rows = "".join(
        f"<tr><th>{escape(each.surface)}</th><td>{amount(each.items)}</td><td>{amount(each.shown)}</td>"
        f"<td>{percent(min(1.0, each.opened / each.shown)) if each.shown else _NONE}</td>"
        f"<td>{amount(each.watched_minutes)}</td><td>{amount(each.approved)}</td><td>{amount(each.refused)}</td>"
        f'<td class="spark">{_spark(each.opened_by_hour)}</td></tr>'
        for each in used
    )
    names = ("items", "shown", "opened", "watched min", "approved", "refused", f"opened, by hour, {hours} h")
    head = "".join(f"<th>{name}</th>" for name in names)
    return _card(
        "Surfaces",
        "What was done on each surface. Opened: part of the shown cards. Approved: liked, saved, shared, commented, "
        "bought. Refused: not interested, or less like this.",
        f"{_SCROLL.format('Figures of surfaces')}<table><thead><tr><th>surface</th>{head}</tr></thead>"
        f"<tbody>{rows}</tbody></table></div>",
    )


def _spark(rates: Sequence[float | None]) -> str:
    known = [rate for rate in rates if rate is not None]
    if not known:
        return ""
    width, height = _SPARK
    step, most = width / len(rates), max([*known, 0.01])
    bars = [
        box(
            at * step, height - height * rate / most, step - 1.2, height * rate / most, "bar", f"{rate:.0%}", round_by=1
        )
        for at, rate in enumerate(rates)
        if rate is not None
    ]
    return picture(width, height, f"opened by hour, at most {most:.0%}", bars)


def _slices(slices: Sequence[Slice]) -> str:
    rates = {each.name: min(1.0, each.opened / each.shown) if each.shown else 0.0 for each in slices}
    most = max([*rates.values(), 0.01])
    rows = "".join(
        f'<li><span>{escape(each.name)}</span><i style="--p:{100 * rates[each.name] / most:.0f}%"></i>'
        f"<b>{percent(rates[each.name]) if each.shown else _NONE}</b><small>of {amount(each.shown)}</small></li>"
        for each in slices
    )
    return _card(
        "Slices",
        "Part of the shown cards that was opened, by who saw them and by what they were. A newcomer has chosen fewer "
        "than five items.",
        f'<ul class="team-slices">{rows}</ul>',
    )


def _cold(report: TeamReport) -> str:
    if not report.cold:
        return _card(
            "Cold items", "Items that ranking has not learned yet.", '<p class="blank">Ranking knows every item.</p>'
        )
    rows = "".join(
        f"<tr><th>{escape(each.title)}</th><td>{since(report.at - each.born_at)}</td><td>{amount(each.people)}</td>"
        f"<td>{percent(each.opened / each.people) if each.people else _NONE}</td></tr>"
        for each in report.cold
    )
    return _card(
        "Cold items",
        f"The newest of {amount(report.cold_items)} items that ranking has not learned yet.",
        f"{_SCROLL.format('Figures of cold items')}<table><thead><tr><th>item</th><th>came</th><th>shown to</th>"
        "<th>opened</th></tr>"
        f"</thead><tbody>{rows}</tbody></table></div>",
    )


def _experiments(found: Sequence[ExperimentView]) -> str:
    return "".join(_experiment(each) for each in found)


def _experiment(found: ExperimentView) -> str:
    arms = "".join(
        f"<li><b>{escape(arm.arm)}</b>{' <em>control</em>' if arm.arm == found.control else ''} {arm.share:.0%}: "
        f"{escape(arm.gets)}. {arm.people:,} people, {amount(arm.watched_minutes)} min, "
        f"{amount(arm.visits)} visits</li>"
        for arm in found.arms
    )
    title = "Ranked against popular: the holdout" if found.name == "holdout" else f"Experiment {found.name}"
    return _card(
        title,
        f"Counts {escape(found.counts)}. Intervals hold with 95% at all looks together.",
        f'<div class="team-experiment"><ul class="team-arms">{arms}</ul>{_compared(found)}</div>',
    )


def _compared(found: ExperimentView) -> str:
    against: dict[str, list[tuple[ArmView, MetricView]]] = {}
    for arm in found.arms:
        for metric in arm.against_control:
            against.setdefault(metric.metric, []).append((arm, metric))
    if not against:
        return '<p class="blank">Too early to compare: each arm needs 30 people.</p>'
    return f'<div class="team-metrics">{"".join(_metric(name, pairs) for name, pairs in against.items())}</div>'


def _metric(name: str, pairs: Sequence[tuple[ArmView, MetricView]]) -> str:
    shown = [(arm.arm, metric.relative) for arm, metric in pairs if metric.relative is not None]
    lines = "".join(
        f"<p><b>{escape(arm.arm)}</b> {amount(metric.treated)} against {amount(metric.control)}: "
        f"{'unknown' if metric.relative is None else f'{metric.relative.estimate:+.1%}'} "
        f"<em>({'unknown' if metric.relative is None else interval_text(metric.relative, True)})</em></p>"
        for arm, metric in pairs
    )
    chart = interval_chart(shown, f"{name}, relative to control") if shown else ""
    return f"<figure><figcaption>{escape(name)}</figcaption>{chart}{lines}</figure>"


def _card(title: str, about: str, content: str) -> str:
    return (
        f'<section class="card team-card"><h2>{escape(title)}</h2><p class="team-about">{about}</p>{content}</section>'
    )
