"""The constraints of a node, as sums over its own and its ancestors' variables, in real units."""

import math
from dataclasses import dataclass

from tenfold.plan.columns import WORKING, Columns, Key, Restriction
from tenfold.plan.costs import capex_terms
from tenfold.plan.finance import Finance
from tenfold.plan.leads import Leads
from tenfold.plan.study import Study
from tenfold.plan.terms import Term, later, rise, times


@dataclass(frozen=True, slots=True)
class Row:
    """lower <= terms <= upper, where ``demand_of`` names a workload whose demand is added to ``lower``.

    Attributes:
        label: what it is about, for explanations.
        unit: how much of the real thing one unit is for the solver.
    """

    label: Key
    terms: list[Term]
    lower: float = -math.inf
    upper: float = math.inf
    unit: float = 1.0
    demand_of: str | None = None


def node_rows(study: Study, cols: Columns, leads: Leads, period: int, restriction: Restriction) -> list[Row]:
    """All constraints of the nodes of one period."""
    return [
        *_phase_rows(study, cols, leads, period, restriction),
        *_site_rows(study, cols, leads, period),
        *_fit_out_rows(study, cols, leads, period),
        *_lease_rows(study, cols, leads, period),
        *_power_row(study, cols),
        *_accelerator_rows(study, cols, leads, period),
        *_conversion_rows(study, cols, leads, period),
        *_demand_rows(study, cols),
        *_run_rows(study, cols, leads, period),
        *_capex_rows(study, cols, leads, period),
        *([] if restriction.fungible else _dedication_rows(study, cols, leads, period)),
    ]


def _phase_rows(study: Study, cols: Columns, leads: Leads, period: int, restriction: Restriction) -> list[Row]:
    """Started stays started; nothing starts before what it comes after has ended, nor too late to be of use."""
    rows = []
    for name, site in study.sites.items():
        for phase, settings in site.phases.items():
            variable = cols.place["phase", name, phase]
            can_start = settings.done_in_months is None and leads.may_start(name, phase, period)
            rows.append(Row(("start", name, phase), rise(variable), 0.0, math.inf if can_start else 0.0))
            if settings.done_in_months is None:
                for before in settings.after:
                    ended = leads.finished(cols, name, before, period)
                    rows.append(Row(("after", name, phase), [*ended, (variable, 0, -1.0)], 0.0))
        if not restriction.staged:
            rows += _unstaged_rows(study, cols, leads, period, name)
    return rows


def _unstaged_rows(study: Study, cols: Columns, leads: Leads, period: int, name: str) -> list[Row]:
    """A site as one decision: its first phases start together, each other one as soon as it can.

    As in the free model nothing starts that would end after the study; these rows only ever forbid.
    """
    phases = study.sites[name].phases
    to_start = {phase: settings for phase, settings in phases.items() if settings.done_in_months is None}
    firsts = [phase for phase, settings in to_start.items() if not set(settings.after) & set(to_start)]
    rows = []
    for phase, settings in to_start.items():
        if not leads.may_start(name, phase, period):
            continue
        started = cols.place["phase", name, phase]
        ended = [term for before in settings.after for term in leads.finished(cols, name, before, period)]
        # The row of a cause: it has started where the cause and the ends of all that it comes after are 1.
        together = [[(cols.place["phase", name, first], 0, 1.0)] for first in firsts if first != phase]
        for cause in together if phase in firsts else [[]]:
            terms = [(started, 0, 1.0), *times(-1.0, [*cause, *ended])]
            rows.append(Row(("unstaged", name), terms, 1.0 - len(cause) - len(settings.after)))
    return rows


def _site_rows(study: Study, cols: Columns, leads: Leads, period: int) -> list[Row]:
    """Power drawn is there; take-or-pay power is paid for."""
    rows = []
    for name, site in study.sites.items():
        used = cols.place["used", name]
        built = leads.finished_mw(cols, name, period)
        rows.append(Row(("power", name), [*built, (used, 0, -1.0)], 0.0))
        if site.power.take_or_pay_share:
            unused = cols.place["unused", name]
            due = times(-site.power.take_or_pay_share, built)
            rows.append(Row(("take-or-pay", name), [(used, 0, 1.0), (unused, 0, 1.0), *due], 0.0))
    return rows


def _fit_out_rows(study: Study, cols: Columns, leads: Leads, period: int) -> list[Row]:
    """Power drawn at sites is fitted out; only finished phases can be, and what is fitted stays."""
    if study.fit_out is None:
        return []
    fitted, lead = cols.place[("fit-out",)], leads.periods(study.fit_out.lead_months)
    drawn: list[Term] = [(cols.place["used", name], 0, -1.0) for name in study.sites]
    room = [term for name in study.sites for term in leads.finished_mw(cols, name, period, ahead=lead)]
    useful = period + lead < study.periods
    return [
        Row(("fitted",), [(fitted, lead, 1.0), *drawn], 0.0),
        Row(("fit-out",), [*room, (fitted, 0, -1.0)], 0.0),
        Row(("fit-out",), rise(fitted), 0.0, math.inf if useful else 0.0),
    ]


def _lease_rows(study: Study, cols: Columns, leads: Leads, period: int) -> list[Row]:
    """A lease is signed once; its space is held for the term, less what is given back, plus what is extended."""
    rows = []
    for name, lease in study.leases.items():
        signed = cols.place["lease", name]
        can_sign = leads.may_sign(name, period)
        rows.append(Row(("sign", name), rise(signed), 0.0, math.inf if can_sign else 0.0))
        held = times(lease.power_mw, leads.leased_share(cols, name))
        rows.append(Row(("power", name), [*held, (cols.place["used", name], 0, -1.0)], 0.0))
        choices = []
        if lease.cancellation is not None:
            choices.append((leads.break_lag(name), cols.place["break", name]))
        if lease.extension is not None:
            choices.append((leads.extend_lag(name), cols.place["extend", name]))
        earlier: list[tuple[int, int]] = []
        for lag, variable in sorted(choices):
            space = rise(signed, lag) + [(other, lag - before, -1.0) for before, other in earlier]
            rows.append(Row(("term", name), [*space, (variable, 0, -1.0)], 0.0))
            earlier.append((lag, variable))
    return rows


def _power_row(study: Study, cols: Columns) -> list[Row]:
    """All places together power all accelerators at work: which stands where is not decided here."""
    if not study.accelerators:
        return []
    there: list[Term] = [(cols.place["used", *key], 0, 1.0) for key in cols.keys("used")]
    drawn: list[Term] = [
        (cols.place["assigned", kind, workload], 0, -study.accelerators[kind].power_kw / 1000)
        for kind, workload in cols.keys("assigned")
    ]
    return [Row(("power balance",), [*there, *drawn], 0.0)]


def _accelerator_rows(study: Study, cols: Columns, leads: Leads, period: int) -> list[Row]:
    """Installed = before + delivered - retired; at work <= installed; only what was ordered can be cancelled."""
    rows = []
    for kind in study.accelerators:
        installed = cols.place["installed", kind]
        unit = float(cols.unit_V[installed])
        arrived = leads.delivered(cols, kind)
        retired = leads.delivered(cols, kind, leads.life[kind])
        change = leads.owned_change(kind, period)
        balance = [*rise(installed), *times(-1.0, arrived), *retired]
        rows.append(Row(("installed", kind), balance, change, change, unit))
        work: list[Term] = [(cols.place["assigned", kind, task], 0, -1.0) for task in study.tasks(kind)]
        rows.append(Row(("at work", kind), [(installed, 0, 1.0), *work], 0.0, unit=unit))
        if kind in leads.cancel_after:
            ordered = (cols.place["order", kind], leads.cancel_after[kind], 1.0)
            rows.append(Row(("cancel", kind), [ordered, (cols.place["cancel", kind], 0, -1.0)], 0.0, unit=unit))
    return rows


def _conversion_rows(study: Study, cols: Columns, leads: Leads, period: int) -> list[Row]:
    """Accelerators doing work that needs kit <= kits there."""
    if study.conversion is None or ("kit",) not in cols.place:
        return []
    kit, ordered = cols.place[("kit",)], cols.place[("kit-order",)]
    unit = float(cols.unit_V[kit])
    lead, life = leads.periods(study.conversion.lead_months), leads.periods(study.conversion.life_months)
    change = study.conversion.owned * ((period == 0) - (period == life))
    balance = [*rise(kit), (ordered, lead, -1.0), (ordered, lead + life, 1.0)]
    converted: list[Term] = [
        (cols.place["assigned", kind, workload], 0, -1.0)
        for kind, offer in study.accelerators.items()
        for workload in offer.needs_conversion
    ]
    return [
        Row(("kit",), balance, change, change, unit),
        Row(("conversion",), [(kit, 0, 1.0), *converted], 0.0, unit=unit),
    ]


def _demand_rows(study: Study, cols: Columns) -> list[Row]:
    """Own + rented + short >= demand; rented <= limit."""
    rows = []
    for name in study.workloads:
        short = cols.place["short", name]
        served: list[Term] = [
            (cols.place["assigned", kind, workload], 0, study.accelerators[kind].throughput[workload])
            for kind, workload in cols.keys("assigned")
            if workload == name
        ]
        served += [
            (cols.place["rented", offer, workload], 0, study.rent[offer].throughput[workload])
            for offer, workload in cols.keys("rented")
            if workload == name
        ]
        unit = float(cols.unit_V[short])
        unserved = [(short, 0, 1.0)]
        if ("below", name) in cols.place:
            unserved.append((cols.place["below", name], 0, 1.0))
        rows.append(Row(("demand", name), [*served, *unserved], 0.0, unit=unit, demand_of=name))
    for name, rent in study.rent.items():
        if rent.limit is not None:
            rented = [cols.place["rented", name, task] for task in study.tasks(name)]
            unit = float(cols.unit_V[rented[0]])
            rows.append(Row(("rent limit", name), [(v, 0, 1.0) for v in rented], upper=rent.limit, unit=unit))
    return rows


def _run_rows(study: Study, cols: Columns, leads: Leads, period: int) -> list[Row]:
    """Hours worked on a run, as shares of the hours that the whole of it takes, and what is undone, make 1 when due."""
    rows = []
    for name, run in study.runs.items():
        if leads.due[name] != period:
            continue
        now: list[Term] = []
        for group in WORKING:
            for offer, task in cols.keys(group):
                if task == name:
                    share = study.calendar.hours / run.accelerator_hours[offer]
                    now.append((cols.place[group, offer, task], 0, share))
        done = [term for ago in range(period + 1) for term in later(ago, now)]
        rows.append(Row(("run", name), [*done, (cols.place["undone", name], 0, 1.0)], 1.0))
    return rows


def _capex_rows(study: Study, cols: Columns, leads: Leads, period: int) -> list[Row]:
    """Capex of a calendar year so far <= its limit; one row in the year's last period."""
    calendar = study.calendar
    year = calendar.year(period)
    limit = study.capex_limit_usd.get(str(year))
    last = period == study.periods - 1 or calendar.year(period + 1) != year
    if limit is None or not last:
        return []
    finance = Finance.of(study)
    terms: list[Term] = []
    for earlier in range(period, -1, -1):
        if calendar.year(earlier) != year:
            break
        terms += later(period - earlier, capex_terms(study, cols, finance, leads, earlier))
    return [Row(("capex limit", str(year)), terms, upper=limit, unit=cols.money_unit_usd)]


def _dedication_rows(study: Study, cols: Columns, leads: Leads, period: int) -> list[Row]:
    """Without fungibility: an accelerator is dedicated as it arrives, and stays so until it retires."""
    rows = []
    for kind in study.accelerators:
        pairs = [(kind, task) for task in study.tasks(kind) if ("dedicated", kind, task) in cols.place]
        if not pairs:
            continue
        unit = float(cols.unit_V[cols.place["installed", kind]])
        dedicated = [cols.place["dedicated", *pair] for pair in pairs]
        released = [cols.place["released", *pair] for pair in pairs]
        whole: list[Term] = [(cols.place["installed", kind], 0, -1.0), *((v, 0, 1.0) for v in dedicated)]
        rows.append(Row(("dedicated", kind), whole, 0.0, 0.0, unit))
        retired = leads.delivered(cols, kind, leads.life[kind])
        gone = max(0.0, -leads.owned_change(kind, period))
        leaving: list[Term] = [*((v, 0, 1.0) for v in released), *times(-1.0, retired)]
        rows.append(Row(("dedicated", kind), leaving, gone, gone, unit))
        for pair, held, left in zip(pairs, dedicated, released, strict=True):
            rows.append(Row(("dedicated", kind), [*rise(held), (left, 0, 1.0)], 0.0, unit=unit))
            rows.append(
                Row(("dedicated", kind), [(held, 0, 1.0), (cols.place["assigned", *pair], 0, -1.0)], 0.0, unit=unit)
            )
    return rows
