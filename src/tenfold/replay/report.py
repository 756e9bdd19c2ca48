"""A comparison of policies as one page with its pictures, in one file that asks the network for nothing."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np

from tenfold.page.figures import amount
from tenfold.page.sheet import amount_data, data, document, footer, header, percent_data, section, tiles
from tenfold.replay.charts import (
    TRAINING,
    Held,
    bucketed,
    family_colours,
    frontier,
    short_over_time,
    short_slots,
    slots_over_time,
)
from tenfold.replay.compare import Comparison, Played
from tenfold.replay.outcome import Outcome
from tenfold.replay.summary import CLUSTER, UNKNOWN, attainment, notes, size_of
from tenfold.replay.waits import Waits, duration, hours, recorded_waits, waits_of
from tenfold.replay.week import Recorded, Week

OURS = "tenfold"
ALIKE = 0.001
"""So much more of a family may another policy have answered, and its training be compared all the same."""


def report(comparison: Comparison) -> str:
    """The page; a comparison's ``settings`` make the frontier's lines."""
    style = Path(__file__).with_name("report.css").read_text()
    body = "\n".join(
        [
            _header(comparison),
            _tiles(comparison),
            _policies(comparison),
            _frontier(comparison),
            _courses(comparison),
            _services(comparison),
            _footer(comparison),
        ]
    )
    return document(f"{comparison.week.name}: policies compared", style, body)


def _header(comparison: Comparison) -> str:
    return header(comparison.week.name, " · ".join(map(escape, size_of(comparison.week))))


def _tiles(comparison: Comparison) -> str:
    """The figures of Tenfold's policy, or of the first, with the best other one beside its training."""
    ours = next((each for each in comparison.played if each.outcome.policy == OURS), comparison.played[0]).outcome
    shown = []
    waits = waits_of(comparison.week, ours)
    if waits is not None:
        shown.append(("Jobs waited", data(waits.mean_s, duration(waits.mean_s)), _waits_beside(comparison, ours)))
    shown.append(("Training", f"{amount_data(ours.useful_training_h)} h", _beside(comparison, ours)))
    for family in comparison.families:
        share = ours.attainment(family)
        target = f"answered in time; target {100 * comparison.targets[family]:g}%"
        shown.append((escape(family), data(share, attainment(share)), target))
    possible = comparison.share_of_bound(ours)
    if possible is not None:
        shown.append(("Of what was possible", percent_data(possible), "of training, at the same answers"))
    shown.append(("Work lost", data(ours.work_lost, f"{ours.work_lost:.2%}"), "of training's slot-hours"))
    return f'<p class="about">Under the policy {escape(ours.policy)}:</p>\n{tiles(shown[:6])}'


def _waits_beside(comparison: Comparison, ours: Outcome) -> str:
    """The cluster's own wait, or else the shortest of the other policies'."""
    recorded = recorded_waits(comparison.week)
    if recorded is not None:
        return f"on average; in {CLUSTER} {data(recorded.mean_s, duration(recorded.mean_s))}"
    found = [(waits_of(comparison.week, other), other.policy) for other in _others(comparison, ours)]
    least = min(((each.mean_s, policy) for each, policy in found if each is not None), default=None)
    if least is None:
        return "on average for their first slots"
    return f"on average; {data(least[0], duration(least[0]))} under {escape(least[1])}"


def _others(comparison: Comparison, ours: Outcome) -> list[Outcome]:
    """Outcomes of other policies; one policy's variants, "x" and "x, warm", are no others."""
    own = ours.policy.partition(",")[0]
    return [each.outcome for each in comparison.played if each.outcome.policy.partition(",")[0] != own]


def _beside(comparison: Comparison, ours: Outcome) -> str:
    """The best other policy that meets the targets. How many times as much is said only of who answered no more."""
    others = _others(comparison, ours)
    best = max(filter(comparison.meets, others), key=lambda outcome: outcome.useful_training_h, default=None)
    if best is None or best.useful_training_h <= 0:
        return "no other policy met all targets" if others else "accelerator-hours"
    if not comparison.meets(ours):
        return "not comparable: a target is missed"
    more = [family for family in comparison.families if best.attainment(family) > ours.attainment(family) + ALIKE]
    if more and comparison.tuned_on is None:
        answered = ", ".join(f"{attainment(best.attainment(family))} of {escape(family)}" for family in more)
        trained = f"{escape(best.policy)}: {amount_data(best.useful_training_h)} h"
        return f"{trained}, but not tuned: it answered {answered}"
    times = ours.useful_training_h / best.useful_training_h
    return f"{data(times, f'{times:.2f}')} times that of {escape(best.policy)}"


def _policies(comparison: Comparison) -> str:
    heads = ["policy", *(["jobs waited", "a tenth longer than"] if comparison.week.jobs else [])]
    heads += [f"{escape(family)}, in time" for family in comparison.families]
    heads += ["training, h", *(["of possible"] if comparison.bounded else []), "lost to kills", "to moves", "moves/day"]
    heads += ["idle", "frag.", "jobs", "deadlines", "CPU, s"]
    head = "".join(f'<th class="{"n" if place else ""}">{words}</th>' for place, words in enumerate(heads))
    rows = [_policy(comparison, each, heads[1:]) for each in comparison.played]
    if comparison.week.recorded is not None:
        rows.append(_cluster(comparison, comparison.week.recorded, heads[1:]))
    about = (
        "Jobs waited: mean, from their arrival to their first slots; who never started counts until the week's end. "
        "In time: share of requests answered within the service's queue; a tick means that every target is met. "
        "Training: work done and not undone, at speed 1. Frag.: share of slot-hours idle while a job waited that "
        "would have fit by number. Jobs, deadlines: how many were done and met, of those that arrived."
    )
    table = f'<table class="policies">\n<tr>{head}</tr>\n{"".join(rows)}\n</table>'
    return section("Policies", about, table, "wide table")


def _policy(comparison: Comparison, each: Played, heads: Sequence[str]) -> str:
    outcome = each.outcome
    cells = _wait_cells(waits_of(comparison.week, outcome)) if comparison.week.jobs else []
    for family in comparison.families:
        share, full = outcome.attainment(family), outcome.steps_in_full(family)
        missed = "" if share >= comparison.targets[family] else " missed"
        in_full = f"98% or more was answered in {attainment(full)} of steps"
        cells.append(f'<td class="n{missed}" title="{in_full}">{data(share, attainment(share))}</td>')
    held_h = outcome.training_slot_h or 1.0
    kills, moves = outcome.lost_to_kills_h / held_h, outcome.lost_to_moves_h / held_h
    figures = [data(outcome.useful_training_h, hours(outcome.useful_training_h))]
    if comparison.bounded:
        possible = comparison.share_of_bound(outcome)
        figures.append(UNKNOWN if possible is None else percent_data(possible))
    figures += [data(kills, f"{kills:.2%}"), data(moves, f"{moves:.2%}")]
    figures += [data(outcome.moves_per_day, f"{outcome.moves_per_day:,.0f}")]
    figures += [percent_data(outcome.idle_share), percent_data(outcome.fragmentation)]
    figures += [f"{data(outcome.jobs_done, f'{outcome.jobs_done:,}')}/{outcome.jobs_arrived:,}"]
    figures += [f"{data(outcome.deadlines_met, f'{outcome.deadlines_met:,}')}/{outcome.deadlines:,}"]
    figures += [data(each.cpu_s, f"{each.cpu_s:.1f}")]
    cells += [f'<td class="n">{figure}</td>' for figure in figures]
    met = ' class="met"' if comparison.meets(outcome) else ""
    return f'<tr{met}><td><span class="what">{escape(outcome.policy)}</span></td>{_labelled(cells, heads)}</tr>'


def _labelled(cells: Sequence[str], heads: Sequence[str]) -> str:
    """Cells that say their heading themselves, for a phone, where a row is a card."""
    return "".join(
        cell.replace("<td ", f'<td data-label="{head}" ', 1) for cell, head in zip(cells, heads, strict=True)
    )


def _cluster(comparison: Comparison, recorded: Recorded, heads: Sequence[str]) -> str:
    week = comparison.week
    shares = [recorded.attainment(week.members(family)) for family in comparison.families]
    figures = [UNKNOWN if share is None else data(share, attainment(share)) for share in shares]
    trained_h = recorded.training_h
    figures.append(UNKNOWN if trained_h is None else data(trained_h, hours(trained_h)))
    cells = _wait_cells(recorded_waits(week)) if week.jobs else []
    cells += [f'<td class="n">{figure}</td>' for figure in figures]
    cells += [f'<td class="n">{UNKNOWN}</td>'] * (len(heads) - len(cells))
    if trained_h is not None:
        cells[-3] = f'<td class="n">{data(recorded.jobs_done, f"{recorded.jobs_done:,}")}</td>'
    return f'<tr class="cluster"><td><span class="what">{CLUSTER}</span></td>{_labelled(cells, heads)}</tr>'


def _wait_cells(waits: Waits | None) -> list[str]:
    if waits is None:
        return [f'<td class="n">{UNKNOWN}</td>'] * 2
    return [f'<td class="n">{data(seconds, duration(seconds))}</td>' for seconds in (waits.mean_s, waits.p90_s)]


def _frontier(comparison: Comparison) -> str:
    if not comparison.families:
        return ""
    outcomes = [*(each.outcome for each in comparison.played), *comparison.settings]
    charts = [
        f'<div><h3>{escape(family)} <span class="kind">not answered in time</span></h3>'
        f"{frontier(comparison.week, outcomes, family, comparison.targets[family], comparison.bound_h)}</div>"
        for family in comparison.families
    ]
    about = (
        "Useful training in accelerator-hours (up is better) against the share of requests not answered in time (left "
        "is better), on a logarithmic axis. What lies right of the dashed line misses the target."
    )
    if comparison.settings:
        about += (
            " A line joins the settings of a policy, found on the other week, that no other of its settings beats here."
        )
    return section("Attainment against training", about, f'<div class="quarter">\n{"".join(charts)}\n</div>')


def _courses(comparison: Comparison) -> str:
    week = comparison.week
    colours = [*family_colours(week).items(), ("training", TRAINING)]
    marks = "".join(f'<span><i class="c{colour}"></i>{escape(name)}</span>' for name, colour in colours)
    marks += '<span><i class="ink"></i>what services\' demand takes</span><span><i class="short"></i>slots short</span>'
    most = max(float(bucketed(short_slots(each.outcome)).max()) for each in comparison.played)
    charts = [_course(comparison, each.outcome, most) for each in comparison.played]
    if comparison.week.recorded is not None:
        charts.insert(0, _recorded_course(comparison.week, comparison.week.recorded))
    about = (
        "Who held the slots, as means of some minutes; what is white below the fleet's size idled or changed hands. "
        "The line is what would have answered all demand, in slots of the fastest kind; below, what services lacked of "
        "it, summed over them."
    )
    key = f'<div class="key">{marks}</div>'
    return section("Slots over time", about, f'{key}<div class="quarter">\n{"".join(charts)}\n</div>')


def _course(comparison: Comparison, outcome: Outcome, most: float) -> str:
    training = float(outcome.training_slots_T.mean())
    short = float(short_slots(outcome).mean())
    return (
        f'<div class="policy"><h3>{escape(outcome.policy)}</h3>'
        f'<p class="about">training held {data(training, amount(training))} slots on average, services lacked '
        f"{data(short, amount(short))}</p>"
        f"{slots_over_time(comparison.week, Held.by(outcome))}{short_over_time(comparison.week, outcome, most)}</div>"
    )


def _recorded_course(week: Week, recorded: Recorded) -> str:
    unknown = [
        service.name
        for place, service in enumerate(week.services)
        if np.isnan(recorded.service_slots_TS[:, place]).all()
    ]
    missing = f"; what {', '.join(unknown)} held is not recorded" if unknown else ""
    training = float(recorded.training_slots_T.mean())
    jobs = f"jobs held {data(training, amount(training))} slots on average"
    if recorded.training_h is None:
        jobs = "what jobs held is not recorded"
    held = Held(CLUSTER, recorded.service_slots_TS, recorded.training_slots_T)
    return (
        f'<div class="policy"><h3>{CLUSTER}</h3>'
        f'<p class="about">{jobs}{escape(missing)}</p>'
        f"{slots_over_time(week, held)}</div>"
    )


def _services(comparison: Comparison) -> str:
    if not comparison.week.services:
        return ""
    head = "".join(f'<th class="n">{escape(each.outcome.policy)}</th>' for each in comparison.played)
    rows = []
    for place, service in enumerate(comparison.week.services):
        target = comparison.targets[service.family]
        shares = [each.outcome.services[place].attainment for each in comparison.played]
        cells = "".join(
            f'<td class="n{"" if share >= target else " missed"}">{data(share, attainment(share))}</td>'
            for share in shares
        )
        name = f'{escape(service.name)} <span class="kind">{escape(service.family)}</span>'
        rows.append(f"<tr><td>{name}</td>{cells}</tr>")
    table = f'<table class="services">\n<tr><th></th>{head}</tr>\n{"".join(rows)}\n</table>'
    about = "Share of requests answered in time; coloured where it is below the family's target."
    return section("Services", about, table, "wide table")


def _footer(comparison: Comparison) -> str:
    lines = [escape(line) for line in notes(comparison)]
    lines.append(
        "Every policy saw what was measured before a step began, and the same forecast; it paid the same times for "
        "moves of its sort (warm: a loaded process wakes; cold: a process starts)."
    )
    return footer(lines)
