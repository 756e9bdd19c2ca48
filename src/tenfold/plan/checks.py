"""What a study may not say although each of its keys is well-formed: names, periods, orders of phases, sense."""

from collections.abc import Iterable, Iterator

import numpy as np

from tenfold.core.explain import suggest
from tenfold.plan.calendar import Calendar, NotAPeriod
from tenfold.plan.dates import not_periods, too_late
from tenfold.plan.scale import too_far_apart
from tenfold.plan.study import Site, Study, leaves

# Beyond these, powers and products of two numbers of a study overflow on the way to the solver.
LEAST, MOST = 1e-15, 1e30
SIZE = f"is not between {LEAST:g} and {MOST:g}; write what was meant, or use a larger or smaller unit"


def problems(study: Study) -> list[str]:
    """One line per contradiction, each starting with the key; empty if the study makes sense."""
    numbers = [(key, value) for key, value in leaves(study) if isinstance(value, int | float)]
    sizes = [f"'{key}': {value:g} {SIZE}" for key, value in numbers if not _sane(value)]
    if sizes:
        return sizes
    try:
        calendar = study.calendar
        calendar.index(study.start)
    except NotAPeriod as error:
        return [f"'start': {error}"]
    contradictions = [
        *_labels(study, calendar),
        *_demands(study, calendar),
        *_names(study),
        *_correlations(study),
        *_servable(study),
        *_runs(study, calendar),
        *_conversion(study),
        *_terms(study),
        *(line for name, site in study.sites.items() for line in _phases(name, site)),
        *_fit_out(study),
        *_tree(study),
    ]
    return contradictions or list(too_far_apart(study))


def _sane(value: float) -> bool:
    return value == 0 or LEAST <= abs(value) <= MOST


def _unknown(key: str, name: str, known: Iterable[str], what: str) -> str:
    return f"{key!r}: there is no {what} {name!r}; {suggest(name, known)}"


def _labels(study: Study, calendar: Calendar) -> Iterator[str]:
    slips = list(not_periods(study, calendar))
    yield from slips or too_late(study, calendar)
    years = {str(calendar.year(period)) for period in range(calendar.count)}
    for label in study.capex_limit_usd:
        if label not in years:
            yield f"'capex_limit_usd': {label!r} is not a year of the study; its years are {', '.join(sorted(years))}"


def _demands(study: Study, calendar: Calendar) -> Iterator[str]:
    first, last = calendar.label(0), calendar.label(calendar.count - 1)
    for name, workload in study.workloads.items():
        key = f"workloads.{name}.demand"
        demand = workload.demand
        if (demand.ranges is None) == (demand.series is None):
            yield f"{key!r}: give either ranges or series"
        if demand.jumps is not None and demand.jumps.factor == 1:
            yield f"'{key}.jumps.factor': a step by the factor 1 is none; give another or leave jumps out"
        if demand.ranges is None:
            continue
        for label, (low, middle, high) in demand.ranges.items():
            if not low <= middle <= high:
                yield f"'{key}.ranges.{label}': [{low}, {middle}, {high}] must rise: [p10, p50, p90]"
        try:
            given = [calendar.index(label) for label in demand.ranges]
        except NotAPeriod:
            continue
        if not given or min(given) > 0 or max(given) < calendar.count - 1:
            yield f"'{key}.ranges': must reach from the first period {first} to the last {last}"


def _names(study: Study) -> Iterator[str]:
    for group, offers in (("accelerators", study.accelerators), ("rent", study.rent)):
        for name, offer in offers.items():
            for workload in offer.throughput:
                if workload not in study.workloads:
                    yield _unknown(f"{group}.{name}.throughput", workload, study.workloads, "workload")
    for name, offer in study.accelerators.items():
        for workload in offer.needs_conversion:
            if workload not in offer.throughput:
                yield _unknown(f"accelerators.{name}.needs_conversion", workload, offer.throughput, "throughput for")
    for place, correlation in enumerate(study.correlations):
        for workload in correlation.between:
            if workload not in study.workloads:
                yield _unknown(f"correlations.{place}.between", workload, study.workloads, "workload")
    for name in set(study.sites) & set(study.leases):
        yield f"'leases.{name}': a site has this name too; give one of them another"
    for name in set(study.accelerators) & set(study.rent):
        yield f"'rent.{name}': an accelerator has this name too; give one of them another"


def _correlations(study: Study) -> Iterator[str]:
    names = list(study.workloads)
    if any(workload not in names for c in study.correlations for workload in c.between):
        return
    matrix_KK = np.eye(len(names))
    for place, c in enumerate(study.correlations):
        one, other = (names.index(workload) for workload in c.between)
        if one == other:
            yield f"'correlations.{place}.between': {c.between[0]!r} twice; name two workloads"
            return
        matrix_KK[one, other] = matrix_KK[other, one] = c.value
    if np.linalg.eigvalsh(matrix_KK)[0] < -1e-9:
        yield "'correlations': no three demands can move together like this; bring the values closer to 0"


def _servable(study: Study) -> Iterator[str]:
    served = {workload for offer in study.accelerators.values() for workload in offer.throughput}
    served |= {workload for offer in study.rent.values() for workload in offer.throughput}
    for name in study.workloads:
        if name not in served:
            yield (
                f"'workloads.{name}': no accelerator and no rent serves it; "
                f"add {name!r} to some accelerators.<kind>.throughput or rent.<offer>.throughput"
            )
    for group, offers in (("accelerators", study.accelerators), ("rent", study.rent)):
        for name in offers:
            if not study.tasks(name):
                yield f"'{group}.{name}': it does no workload and no run; give throughput, or hours of a run"
    if study.accelerators and not study.sites and not study.leases:
        yield "'accelerators': there is no place to power them; add sites or leases"


def _runs(study: Study, calendar: Calendar) -> Iterator[str]:
    for name, run in study.runs.items():
        key = f"runs.{name}"
        if name in study.workloads:
            yield f"'{key}': a workload has this name too; give one of them another"
        for offer in run.accelerator_hours:
            if offer not in study.accelerators and offer not in study.rent:
                known = [*study.accelerators, *study.rent]
                yield _unknown(f"{key}.accelerator_hours", offer, known, "kind or rent")
        if not run.accelerator_hours:
            yield (
                f"'{key}.accelerator_hours': nothing says how long it takes; give the hours by kind, or params and "
                "tokens, and accelerators.<kind>.accelerator"
            )
        if run.total_params is not None and run.params is not None and run.total_params < run.params:
            yield f"'{key}.total_params': {run.total_params:g} is below params ({run.params:g}), a part of them"
        try:
            late = run.earliest is not None and calendar.index(run.earliest) > calendar.index(run.due)
        except NotAPeriod:
            continue
        if late:
            yield f"'{key}.earliest': {run.earliest} is after it is due ({run.due})"


def _conversion(study: Study) -> Iterator[str]:
    if study.conversion is None:
        for name, offer in study.accelerators.items():
            if offer.needs_conversion:
                yield f"'accelerators.{name}.needs_conversion': there is no conversion kit; add the table 'conversion'"


def _terms(study: Study) -> Iterator[str]:
    for name, offer in study.accelerators.items():
        terms = offer.cancellation
        if terms is not None and terms.notice_months >= offer.lead_months:
            yield (
                f"'accelerators.{name}.cancellation.notice_months': {terms.notice_months:g} leaves no time to cancel; "
                f"it must be below lead_months ({offer.lead_months:g})"
            )
        if terms is not None and terms.fee_share < offer.deposit_share:
            yield (
                f"'accelerators.{name}.cancellation.fee_share': {terms.fee_share:g} is below deposit_share "
                f"({offer.deposit_share:g}); the fee includes the deposit"
            )
    for name, lease in study.leases.items():
        if lease.cancellation is not None and lease.cancellation.after_months >= lease.term_months:
            yield (
                f"'leases.{name}.cancellation.after_months': {lease.cancellation.after_months:g} is not before the "
                f"term's end (term_months {lease.term_months:g})"
            )
        if lease.extension is not None and lease.extension.notice_months > lease.term_months:
            yield f"'leases.{name}.extension.notice_months': longer than the term itself ({lease.term_months:g})"


def _phases(name: str, site: Site) -> Iterator[str]:
    for phase, settings in site.phases.items():
        for before in settings.after:
            if before not in site.phases:
                yield _unknown(f"sites.{name}.phases.{phase}.after", before, site.phases, "phase")
    cycle = _cycle({phase: settings.after for phase, settings in site.phases.items()})
    if cycle:
        yield f"'sites.{name}.phases': {' after '.join(cycle)}: a circle; take one 'after' out"


def _fit_out(study: Study) -> Iterator[str]:
    if study.fit_out is None:
        return
    done = sum(p.power_mw for site in study.sites.values() for p in site.phases.values() if p.done_in_months == 0)
    if study.fit_out.done_mw > done:
        yield f"'fit_out.done_mw': {study.fit_out.done_mw:g} MW, but finished phases have {done:g} MW"


def _cycle(after: dict[str, tuple[str, ...]]) -> list[str]:
    """A circle in the order of phases, its first phase again at the end; empty if there is none."""
    done: set[str] = set()

    def visit(phase: str, trail: list[str]) -> list[str]:
        if phase in trail:
            return [*trail[trail.index(phase) :], phase]
        if phase in done or phase not in after:
            return []
        for before in after[phase]:
            found = visit(before, [*trail, phase])
            if found:
                return found
        done.add(phase)
        return []

    return next((found for phase in after if (found := visit(phase, []))), [])


def _tree(study: Study) -> Iterator[str]:
    if study.tree.nodes < study.periods:
        yield f"'tree.nodes': {study.tree.nodes} is less than one per period; give at least {study.periods}"
