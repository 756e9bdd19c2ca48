"""``plan.html``: a plan as one page with its pictures, in one file that asks the network for nothing.

Every number of the plan that is shown carries the unrounded one, as ``<data value>`` or ``data-value``.
"""

from collections.abc import Iterator
from html import escape
from pathlib import Path

from tenfold.page.figures import amount, percent
from tenfold.page.sheet import (
    amount_data,
    data,
    document,
    either,
    footer,
    header,
    heat,
    pair,
    percent_data,
    section,
    tiles,
    usd_data,
)
from tenfold.plan.charts import capex_fan, colours, demand_against_capacity, narrow_tornado, power_fan, tornado_chart
from tenfold.plan.gantt import staging
from tenfold.plan.result import Item, Plan, Spread, Verdict, WorkloadOutlook, Worth, count

ORDER = list(Verdict)
PILL = {Verdict.COMMIT: "commit", Verdict.LATER: "option", Verdict.OPTION: "option", Verdict.NOTHING: "nothing"}


def report(plan: Plan) -> str:
    """The page."""
    style = Path(__file__).with_name("report.css").read_text()
    body = "\n".join(
        [
            _header(plan),
            _tiles(plan),
            _actions(plan),
            pair(_capex(plan), _power(plan)),
            _staging(plan),
            _demands(plan),
            _shortages(plan),
            _tornado(plan),
            _worths(plan),
            footer(_small_print(plan)),
        ]
    )
    return document(f"{plan.study.name}: the plan", style, body)


def _header(plan: Plan) -> str:
    study = plan.study
    first, last = study.calendar.label(0), study.calendar.label(study.periods - 1)
    counts = [sum(item.verdict is verdict for item in plan.items) for verdict in ORDER]
    span = first if first == last else f"{first} to {last}"
    words = (
        f"{counts[0]} to commit to now, {counts[1]} to do later, {counts[2]} to keep as options, {counts[3]} to leave"
    )
    return header(study.name, f"{span} · {words}")


def _tiles(plan: Plan) -> str:
    first = plan.capex[0]
    shown = [
        *_costs(plan),
        (f"Capex in {first.year}", usd_data(first.capex_usd.p50), _range(first.capex_usd) + _unseen_capex(plan)),
        _likeliest_shortage(plan),
        ("Proven within", data(plan.solve.gap, f"{plan.solve.gap:.2%}"), "of the cheapest plan there is"),
    ]
    return tiles(shown)


def _costs(plan: Plan) -> list[tuple[str, str, str]]:
    """What the plan costs: on futures that it has not seen, beside what its own tree claims, which is too little."""
    found, worst = plan.unseen, percent(1 - plan.study.risk.alpha)
    claim, bad = usd_data(plan.cost_usd.mean), usd_data(plan.cvar_usd)
    if found is None:
        where = "on the plan's own tree, which claims too little"
        return [
            ("Cost", claim, f"mean {where}, discounted; not followed on other futures: run tenfold plan simulate"),
            ("If it goes badly", bad, f"mean of the worst {worst} of futures {where}"),
        ]
    futures = f"{data(found.futures, str(found.futures))} futures that it has not seen"
    interval = f"{usd_data(found.low_usd)} to {usd_data(found.high_usd)}"
    return [
        (
            "Cost",
            usd_data(found.mean_usd),
            f"mean on {futures} ({interval} at 95%), discounted; the plan's own tree claims {claim}",
        ),
        (
            "If it goes badly",
            usd_data(found.cvar_usd),
            f"mean of the worst {worst} of futures that it has not seen; its tree claims {bad}",
        ),
    ]


def _likeliest_shortage(plan: Plan) -> tuple[str, str, str]:
    worst = max(plan.workloads, key=lambda outlook: outlook.shortage_probability)
    claim = percent_data(worst.shortage_probability)
    unseen = plan.unseen.shortage_probability if plan.unseen else {}
    if not unseen:
        return "Likeliest shortage", claim, f"of futures, in {escape(worst.workload)}, in some period"
    name = max(unseen, key=unseen.__getitem__)
    own = next(outlook for outlook in plan.workloads if outlook.workload == name)
    claim = percent_data(own.shortage_probability)
    return (
        "Likeliest shortage",
        percent_data(unseen[name]),
        f"of futures that it has not seen, in {escape(name)}, in some period; its tree claims {claim}",
    )


def _range(spread: Spread) -> str:
    if spread.p10 == spread.p90:
        return "in all futures"
    return f"{usd_data(spread.p10)} to {usd_data(spread.p90)} in 80% of futures"


def _unseen_capex(plan: Plan) -> str:
    """The same year's on futures that are not in the plan's tree, where it was followed on some."""
    years = plan.unseen.capex if plan.unseen else ()
    return f"; unseen {usd_data(years[0].capex_usd.p10)} to {usd_data(years[0].capex_usd.p90)}" if years else ""


def _actions(plan: Plan) -> str:
    if not plan.items:
        return section("What to do now", "Nothing can be committed to: all that the study offers is rented.", "")
    rows = "\n".join(_action(item) for item in sorted(plan.items, key=lambda item: ORDER.index(item.verdict)))
    head = (
        '<tr><th></th><th>what, and when an option is taken up</th><th class="n">now</th><th class="n">will cost</th>'
        '<th class="n">later, 80% of futures</th><th class="n">ever</th></tr>'
    )
    about = (
        "What is committed to in the first period, and what is left for later. A trigger is the one threshold on one "
        "demand that tells best where the plan takes an option up; beside it, the share of futures in which the plan "
        "decides as it says."
    )
    return section("What to do now", about, f'<table class="stack">\n{head}\n{rows}\n</table>', "wide table")


def _action(item: Item) -> str:
    pill = f'<span class="pill {PILL[item.verdict]}">{item.verdict.value}</span>'
    kind = item.what if item.what in ("phase", "lease") else ""
    name = {"fit-out": "fit-out of finished halls", "conversion": "conversion kit"}.get(item.what, item.name)
    triggers = "".join(
        f'<span class="trigger">{escape(trigger.text)} · {data(trigger.agreement, percent(trigger.agreement))}'
        f"{f'; {trigger.otherwise}' if trigger.otherwise else ''}</span>"
        for trigger in item.triggers
    )
    unit = escape(item.unit) if item.unit != item.name else ""
    now = (f"{amount_data(item.now)} {unit}" if item.unit else "yes") if item.now else ""
    cost = usd_data(item.cost_now_usd) if item.now and item.cost_now_usd else ""
    low, high = (data(value, count(item.what, value)) for value in (item.later.p10, item.later.p90))
    later = f"{low} to {high} {unit}" if item.unit and item.later.p90 else ""
    cells = (("now", now), ("will cost", cost), ("later", later), ("ever", percent_data(item.probability)))
    return (
        f'<tr class="{PILL[item.verdict]}"><td>{pill}</td><td><span class="what">{escape(name)}</span> '
        f'<span class="kind">{kind}</span>{triggers}</td>'
        + "".join(f'<td class="n" data-label="{label}">{words}</td>' for label, words in cells)
        + "</tr>"
    )


def _capex(plan: Plan) -> str:
    if not any(year.capex_usd.p90 for year in plan.capex):
        return ""
    about = "Cash for building and buying: the median, and the range that holds 80% of futures."
    if plan.unseen is None or not plan.unseen.capex:
        return section("Capex by year", about, capex_fan(plan))
    about += " Beside it the median and the 90th percentile on futures that are not in the plan's tree."
    key = _key([("ready", "the plan's own tree"), ("building", "unseen futures: median, 90th percentile above")])
    return section("Capex by year", about, key + capex_fan(plan))


def _power(plan: Plan) -> str:
    if not plan.power:
        return ""
    about = "MW of IT power in finished phases and leases, and what is drawn: median and 80% of futures."
    return section("Power", about, power_fan(plan))


def _staging(plan: Plan) -> str:
    if not plan.study.sites and not plan.study.leases:
        return ""
    key = _key([("building", "started, not ready"), ("ready", "ready for use"), ("watch", "trigger is looked at")])
    about = (
        "The height of a bar is the share of futures: what is committed to now is full at once, an option grows over "
        "the periods in which it may be taken up. Bars end where a lease ends."
    )
    return section("Sites and phases", about, key + either(staging(plan), staging(plan, narrow=True)))


def _key(entries: list[tuple[str, str]]) -> str:
    marks = {"building": "c2", "ready": "c0"}
    shown = [f'<span><i class="{marks.get(cls, cls)}"></i>{escape(words)}</span>' for cls, words in entries]
    return f'<div class="key">{"".join(shown)}</div>'


def _demands(plan: Plan) -> str:
    colour = colours(plan)
    key = _key([(f"c{place}", kind) for kind, place in colour.items()])
    charts = []
    for outlook in plan.workloads:
        chance = percent_data(outlook.shortage_probability)
        charts.append(
            f'<div><h3>{escape(outlook.workload)} <span class="kind">in {escape(outlook.unit)}</span></h3>'
            f'<p class="about">a shortage at some time in {chance} of futures</p>'
            f"{demand_against_capacity(outlook, colour)}</div>"
        )
    about = (
        "The line is the median of demand, the grey band holds 80% of futures; the bars are what is served on average, "
        "by kind. Bars above the line are right: the mean of demand lies above its median where demand can run away."
    )
    return section("Demand against capacity", about, f'{key}<div class="quarter">\n{"".join(charts)}\n</div>')


def _shortages(plan: Plan) -> str:
    unseen = plan.unseen.shortage_probability if plan.unseen else {}
    head = "".join(f"<th>{period.period}</th>" for period in plan.workloads[0].periods)
    more = "<th>unseen</th>" if unseen else ""
    rows = "\n".join(_shortage(outlook, unseen.get(outlook.workload)) for outlook in plan.workloads)
    table = f'<table class="heat">\n<tr><th></th>{head}<th>ever</th>{more}</tr>\n{rows}\n</table>'
    about = (
        "Share of futures in which less than 99.9% of demand is served, and below it how much is unserved then, on "
        "average. A shortage can be right where what would prevent it costs more than it does."
    )
    if unseen:
        about += " Unseen: ever, on futures that are not in the plan's tree."
    return section("Probability of a shortage", about, table, "wide")


def _shortage(outlook: WorkloadOutlook, unseen: float | None) -> str:
    cells = "".join(
        heat(
            period.shortage_probability,
            period.period,
            f"<small>{amount(period.short_by)}</small>" if period.shortage_probability else "",
        )
        for period in outlook.periods
    )
    more = "" if unseen is None else heat(unseen, "unseen")
    name = f'{escape(outlook.workload)} <span class="kind">{escape(outlook.unit)}</span>'
    return f"<tr><td>{name}</td>{cells}{heat(outlook.shortage_probability, 'ever')}{more}</tr>"


def _tornado(plan: Plan) -> str:
    if plan.tornado is None:
        return ""
    about = (
        "One input at a time lowered and raised, and the plan made anew: the change of its cost. Demands move to the "
        "low and high end of their ranges, other inputs by what is written beside the bar. "
        f"Of the linear relaxation, {data(plan.tornado.nodes, str(plan.tornado.nodes))} nodes."
    )
    key = '<div class="key"><span><i class="c1"></i>lowered</span><span><i class="c2"></i>raised</span></div>'
    return section("What moves the cost", about, key + either(tornado_chart(plan), narrow_tornado(plan)))


def _worths(plan: Plan) -> str:
    if not plan.worth:
        return ""
    about = (
        "Each is the difference between two plans' costs, each found by a solve of its own; "
        "the range allows for both solves' gaps."
    )
    return section("What flexibility and foresight are worth", about, "".join(_worth(worth) for worth in plan.worth))


def _worth(worth: Worth) -> str:
    name, how = escape(worth.name), escape(worth.definition)
    amount, words = _worth_figures(worth)
    figures = f'<span class="amount">{amount}</span><span class="within">{words}</span>'
    return f'<div class="worth"><span class="what">{name}</span>{figures}<span class="how">{how}</span></div>'


def _worth_figures(worth: Worth) -> tuple[str, str]:
    """The value, and how sure it is."""
    if worth.usd is None or worth.low_usd is None or worth.high_usd is None:
        return "no figure", worth.missing
    most = f"at most {usd_data(worth.high_usd)}"
    if worth.nothing:
        return "nothing", f"within the gap: {most}" if round(worth.high_usd) > 0 else "within the gap"
    within = f"{usd_data(worth.low_usd)} to {usd_data(worth.high_usd)}" if worth.proven else f"{most}, perhaps nothing"
    share = "" if worth.share is None else f"{data(worth.share, f'{worth.share:.1%}')} of the cost; "
    return usd_data(worth.usd), share + within


def _small_print(plan: Plan) -> Iterator[str]:
    solve, study = plan.solve, plan.study
    steps = "; ".join(
        f"{escape(step.step)} {usd_data(step.bound_usd)}"
        + (f" to {usd_data(step.incumbent_usd)}" if step.incumbent_usd is not None else "")
        for step in solve.steps
    )
    yield (
        f"A scenario tree of {data(solve.nodes, f'{solve.nodes:,}')} nodes; "
        f"{data(solve.columns, f'{solve.columns:,}')} variables, {data(solve.whole, f'{solve.whole:,}')} of them "
        f"whole; solved in "
        f"{data(solve.seconds, f'{solve.seconds:.1f} s')}{', stopped by hand' if solve.stopped else ''}."
    )
    yield f"Bound and best plan by step: {steps}."
    for note in plan.notes:
        yield f"Note: {escape(note)}."
    for key, fact in study.filled_in.items():
        yield f"Filled in: {escape(key)}: {escape(fact)}."
    yield "A year has 8,766 hours, a month 730.5; what a period costs counts as spent at its start."
    yield (
        f"Discounted at {data(study.discount_rate, f'{study.discount_rate:.1%}')} a year; things that outlive the "
        f"study are charged by {'their annuity' if study.horizon == 'annualised' else 'price less salvage'}."
    )
