"""A simulation as one page with its pictures, in one file that asks the network for nothing."""

from html import escape
from pathlib import Path

from tenfold.page.drawing import Frame, line, picture, ticks, x_labels, y_axis
from tenfold.page.figures import percent, usd
from tenfold.page.sheet import data, document, footer, header, heat, pair, percent_data, section, tiles, usd_data
from tenfold.plan.charts import HALF, end_labels, fan, year_labels
from tenfold.plan.costs import FLOOR_FACTOR
from tenfold.plan.result import WorkloadOutlook
from tenfold.plan.simulation import Simulation

DRAWN = 95
"""Percentile of costs up to which they are drawn: beyond it, a few futures would flatten all others."""
WAYS = (("re-planned", "c0"), ("static", "c2"))


def report(found: Simulation) -> str:
    """The page."""
    style = Path(__file__).with_name("report.css").read_text()
    body = "\n".join(
        [_header(found), _tiles(found), pair(_costs(found), _capex(found)), _shortages(found), _footer(found)]
    )
    return document(f"{found.study.name}: the plan on futures it has not seen", style, body)


def _header(found: Simulation) -> str:
    study = found.study
    span = f"{study.calendar.label(0)} to {study.calendar.label(study.periods - 1)}"
    words = (
        f"{span} · followed along {data(found.futures, f'{found.futures:,}')} futures that the plan has not seen, "
        "once made anew every period and once held as it is"
    )
    return header(study.name, words)


def _tiles(found: Simulation) -> str:
    saved, worst = found.saved, percent(1 - found.study.risk.alpha)
    share = "" if saved.share is None else f"{data(saved.share, f'{saved.share:.1%}')}, "
    shown = [
        ("Re-planned", usd_data(found.replanned.cost_usd.mean), _tail(found.replanned.cvar_usd, worst)),
        ("Static", usd_data(found.static.cost_usd.mean), _tail(found.static.cvar_usd, worst)),
        (
            "Re-planning saves",
            usd_data(saved.usd),
            f"{share}{usd_data(saved.low_usd)} to {usd_data(saved.high_usd)} with 95% certainty",
        ),
        ("The plan expected", usd_data(found.plan_cost_usd.mean), "mean cost on its own tree of futures"),
        ("Had it been known", usd_data(found.foreseen_usd.mean), "the least that these futures could cost"),
    ]
    return tiles(shown)


def _tail(cvar_usd: float, worst: str) -> str:
    return f"mean cost; {usd_data(cvar_usd)} in the worst {worst} of futures"


def _key() -> str:
    return f'<div class="key">{"".join(f"<span><i class={cls!r}></i>{name}</span>" for name, cls in WAYS)}</div>'


def _costs(found: Simulation) -> str:
    about = (
        f"What share of futures stays below a cost, up to {DRAWN}%. The plan's own tree holds few futures and "
        "averages over those near each other, so it expects too little: these costs are what its commitments lead to."
    )
    return section("Cost of a future", about, _key() + cost_curves(found))


def cost_curves(found: Simulation) -> str:
    """Costs by the share of futures that stay below them, one line for each way."""
    costs = [course.cost_by_percentile_usd[: DRAWN + 1] for course in (found.replanned, found.static)]
    top = ticks(max(max(cost) for cost in costs) * 1.02)
    frame = Frame(HALF, 300, 62, 84, 16, 34, (0, DRAWN), (min(0.0, *costs[0], *costs[1]), top[-1]))
    parts = y_axis(frame, top, usd)
    parts += x_labels(frame, [(share, f"{share}%") for share in range(0, DRAWN + 1, 20)])
    ends = []
    for cost, (name, cls) in zip(costs, WAYS, strict=True):
        parts.append(line([frame.point(share, value) for share, value in enumerate(cost)], f"line {cls}"))
        ends.append((frame.point(DRAWN, cost[-1]), name, cls))
    return picture(HALF, 300, "Cost by the share of futures that stay below it", [*parts, *end_labels(ends, frame)])


def _capex(found: Simulation) -> str:
    if not any(year.capex_usd.p90 for course in (found.replanned, found.static) for year in course.capex):
        return ""
    about = "Cash for building and buying: the median, and the range that holds 80% of futures."
    return section("Capex by year", about, _key() + capex_fans(found))


def capex_fans(found: Simulation) -> str:
    """Capex by calendar year, a fan for each way."""
    courses = [[year.capex_usd for year in course.capex] for course in (found.replanned, found.static)]
    top = ticks(max(spread.p90 for spreads in courses for spread in spreads) * 1.04)
    last = max(len(courses[0]) - 1, 1)
    frame = Frame(HALF, 300, 62, 84, 16, 34, (0, last), (0, top[-1]))
    labels = year_labels(found.study)
    parts = y_axis(frame, top, usd)
    parts += x_labels(frame, [(place, labels[year.year]) for place, year in enumerate(found.replanned.capex)])
    ends = []
    for spreads, (name, cls) in zip(courses, WAYS, strict=True):
        parts += fan(frame, spreads, cls, name)
        ends.append((frame.point(len(spreads) - 1, spreads[-1].p50), name, cls))
    return picture(HALF, 300, "Capex by year, 10th to 90th percentile and median", [*parts, *end_labels(ends, frame)])


def _shortages(found: Simulation) -> str:
    head = "".join(f"<th>{period.period}</th>" for period in found.replanned.workloads[0].periods)
    rows = []
    for outlooks in zip(found.replanned.workloads, found.static.workloads, strict=True):
        for outlook, (name, _) in zip(outlooks, WAYS, strict=True):
            rows.append(_shortage(outlook, name))
    floors = "".join(
        f'<p class="about">{escape(name)} once falls below its floor in '
        f"{percent_data(found.replanned.below_floor[name])} of futures re-planned, "
        f"in {percent_data(found.static.below_floor[name])} static</p>"
        for name, workload in found.study.workloads.items()
        if workload.floor
    )
    about = "Share of demand that is not served, by period, and over all periods."
    table = f'<table class="heat">\n<tr><th></th>{head}<th>all</th></tr>\n{"".join(rows)}\n</table>'
    return section("Shortage", about, table + floors, "wide")


def _shortage(outlook: WorkloadOutlook, way: str) -> str:
    cells = "".join(heat(period.unserved_share, period.period) for period in outlook.periods)
    return f"<tr><td>{escape(outlook.workload)}, {way}</td>{cells}{heat(outlook.unserved_share, 'all')}</tr>"


def _footer(found: Simulation) -> str:
    lines = [
        "Re-planned: what the plan commits to now is done. From the second period on, each period plans the rest of "
        "the study for one forecast, the mean of what may follow its demand, raised by "
        f"{data(found.buffer, f'{found.buffer:.0%}')} for a year ahead (tuned on futures of its own), and does the "
        "first period of that.",
        "Static: the same commitments now, and one schedule of all later ones, fixed now as well as can be for the "
        "plan's tree; only what runs where adapts.",
        f"The futures are drawn from the study's own demand with seed {data(found.seed, str(found.seed))}. They cannot "
        "show a demand that its ranges do not hold. Demand unserved below a floor is charged "
        f"{FLOOR_FACTOR:g} times the price of a shortage. Shares are of all futures; the saving's interval holds "
        "95% of draws.",
        f"Planned in {data(found.planning_s, f'{found.planning_s:.0f} s')} to a gap of "
        f"{data(found.plan_gap, f'{found.plan_gap:.2%}')}, followed in "
        f"{data(found.following_s, f'{found.following_s:.0f} s')}.",
    ]
    return footer(lines)
