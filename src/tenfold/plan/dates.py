"""Where a study names periods, and whether the study reaches as far."""

from collections.abc import Iterator

from tenfold.plan.calendar import Calendar, NotAPeriod
from tenfold.plan.leads import Leads
from tenfold.plan.study import Study

Named = tuple[str, str]
"""A key, and a period that it names."""


def openings(study: Study) -> list[Named]:
    """First periods in which something can be ordered, rented, signed or started."""
    given = [
        *((f"accelerators.{name}.available_from", offer.available_from) for name, offer in study.accelerators.items()),
        *((f"rent.{name}.available_from", offer.available_from) for name, offer in study.rent.items()),
        *((f"leases.{name}.earliest", lease.earliest) for name, lease in study.leases.items()),
        *(
            (f"sites.{name}.phases.{phase}.earliest", settings.earliest)
            for name, site in study.sites.items()
            for phase, settings in site.phases.items()
        ),
        *((f"runs.{name}.earliest", run.earliest) for name, run in study.runs.items()),
    ]
    return [(key, label) for key, label in given if label is not None]


def dues(study: Study) -> list[Named]:
    """Last periods of runs."""
    return [(f"runs.{name}.due", run.due) for name, run in study.runs.items()]


def tables(study: Study) -> list[Named]:
    """Periods of tables, which may reach further than the study."""
    ranges = [
        (f"workloads.{name}.demand.ranges", label)
        for name, workload in study.workloads.items()
        for label in workload.demand.ranges or ()
    ]
    prices = [
        (f"accelerators.{name}.prices_usd", label)
        for name, offer in study.accelerators.items()
        for label in offer.prices_usd
    ]
    return ranges + prices


def not_periods(study: Study, calendar: Calendar) -> Iterator[str]:
    """Labels that are no periods of the study's length, one line each."""
    for key, label in tables(study) + openings(study) + dues(study):
        try:
            calendar.index(label)
        except NotAPeriod as error:
            yield f"{key!r}: {error}"


def too_late(study: Study, calendar: Calendar) -> Iterator[str]:
    """What could be begun only after the study's end: a slip of the pen, or nothing to do with this study."""
    for key, label in openings(study):
        if calendar.index(label) >= calendar.count:
            yield (
                f"{key!r}: {label} is after the study's last period {calendar.label(calendar.count - 1)}; "
                f"mend it, leave out {key.rsplit('.', 1)[0]!r}, or give more periods"
            )
    for key, label in dues(study):
        if not 0 <= calendar.index(label) < calendar.count:
            first, last = calendar.label(0), calendar.label(calendar.count - 1)
            yield f"{key!r}: {label} is not between the study's first period {first} and its last {last}"


def remarks(study: Study) -> list[str]:
    """What may be meant but has no effect, one line each: dates before the study, tables beyond it, what ends too late.

    A study that was written earlier names dates that have passed since, and a price list may reach further.
    """
    calendar, leads = study.calendar, Leads.of(study)
    first, last = calendar.label(0), calendar.label(calendar.count - 1)
    passed = [
        f"{key!r}: {label} is before the study's first period {first}; it is open from the start"
        for key, label in openings(study)
        if calendar.index(label) < 0
    ]
    beyond = [
        f"{key!r}: {label} is after the study's last period {last}"
        for key, label in tables(study)
        if calendar.index(label) >= calendar.count
    ]
    return [*passed, *beyond, *_retired(study), *_never_ready(study, leads, last), *_repeats(study)]


def _retired(study: Study) -> Iterator[str]:
    for kind, offer in study.accelerators.items():
        for place, owned in enumerate(offer.owned):
            if owned.age_months >= offer.life_months:
                yield (
                    f"'accelerators.{kind}.owned.{place}': the {owned.count:,.0f} are {owned.age_months:g} months old "
                    f"and live {offer.life_months:g}: they have retired and do not count; raise life_months if they "
                    "still work"
                )


def _repeats(study: Study) -> Iterator[str]:
    for name, run in study.runs.items():
        data = run.data
        if data is None or data.owned_tokens >= data.unique_tokens:
            continue
        missing = data.unique_tokens - data.owned_tokens
        if run.tokens is None or not data.owned_tokens:
            repeats = ""
        else:
            repeats = f", so that each is seen {run.tokens / data.owned_tokens:.1f} times"
        yield (
            f"'runs.{name}.data': {data.owned_tokens:.3g} of the {data.unique_tokens:.3g} different tokens are "
            f"there{repeats}; {missing:.3g} are to be found, which the plan does not pay for"
        )


def _never_ready(study: Study, leads: Leads, last: str) -> Iterator[str]:
    periods = range(study.periods)
    for kind in study.accelerators:
        if not any(leads.may_order(kind, period) for period in periods):
            yield f"'accelerators.{kind}.lead_months': no order arrives by the last period {last}; none is made"
    for name in study.leases:
        if not any(leads.may_sign(name, period) for period in periods):
            yield f"'leases.{name}.lead_months': it would begin after the last period {last}; it is not signed"
    for name, site in study.sites.items():
        for phase, settings in site.phases.items():
            key = f"sites.{name}.phases.{phase}"
            if settings.done_in_months is not None:
                if leads.periods(settings.done_in_months) >= study.periods:
                    yield f"'{key}.done_in_months': it ends after the last period {last}; its power is never there"
            elif not any(leads.may_start(name, phase, period) for period in periods):
                yield f"'{key}.lead_months': it would end after the last period {last}; it is not started"
