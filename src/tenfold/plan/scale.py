"""Numbers of a study that are too far apart for the solver, which computes with 16 digits: named before it sees them.

Each limit lies well within what HiGHS takes and well beyond any study that means something; measured on a small study,
HiGHS refuses entries above 1e15, ends with 'Unknown' from 1e13 on, and does not see a cost below 1e-7 of its unit.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from tenfold.plan.finance import accelerator_price_usd
from tenfold.plan.study import Accelerator, Power, Rent, Study

MOST_ACCELERATORS, LEAST_ACCELERATORS = 1e10, 1e-10
MOST_MW = 1e12
MOST_TIMES_NEEDED = 1e12
MOST_TIMES_CHEAPER = 1e9
MOST_TIMES_DEARER = 1e10


@dataclass(frozen=True, slots=True)
class Figure:
    """A number of a study under its key, and what it comes to: accelerators, or USD for serving all demand."""

    key: str
    value: float
    size: float

    def __str__(self) -> str:
        return f"'{self.key}' is {self.value:g}"


def too_far_apart(study: Study) -> Iterator[str]:
    """One line per pair of numbers that are too far apart, each with both keys and values."""
    peaks = {name: _peak(study, name) for name in study.workloads}
    counts = list(_counts(study, peaks))
    absurd = [pair for pair in counts if not LEAST_ACCELERATORS <= pair[1].size <= MOST_ACCELERATORS]
    for demand, rate in absurd:
        yield _line(demand, rate, f"that makes {rate.size:.3g} accelerators")
    if absurd:
        return
    hungriest, most = max(counts, key=lambda pair: pair[1].size)
    for there in _there(study):
        if there.size > MOST_TIMES_NEEDED * max(1.0, most.size):
            yield _line(there, hungriest, f"which needs {most.size:.3g} accelerators")
    for place in _places(study):
        if place.size > MOST_MW:
            yield _line(place, hungriest, f"which needs {most.size:.3g} accelerators")
    bills = list(_bills(study, peaks))
    dearest = max(bills, key=lambda bill: bill.size)
    cheapest = max((_cheapest(study, name, peak) for name, peak in peaks.items()), key=lambda bill: bill.size)
    if dearest.size > MOST_TIMES_CHEAPER * cheapest.size:
        yield _line(dearest, cheapest, f"to serve all demand by the one costs {dearest.size / cheapest.size:.0e} times")
    for cost in _costs(study, peaks):
        if cost.size > MOST_TIMES_DEARER * dearest.size:
            yield _line(cost, dearest, f"the one comes to {cost.size / dearest.size:.0e} times the other")


def _line(one: Figure, other: Figure, why: str) -> str:
    return f"{one} and {other}: too far apart for the solver ({why}); mend one, or use another unit"


def _peak(study: Study, name: str) -> Figure:
    """The largest demand that a workload's keys name."""
    demand, key = study.workloads[name].demand, f"workloads.{name}.demand"
    if demand.ranges is not None:
        label = max(demand.ranges, key=lambda label: demand.ranges[label][2] if demand.ranges else 0.0)
        value = demand.ranges[label][2]
        return Figure(f"{key}.ranges.{label}", value, value)
    series = demand.series or ()
    return Figure(f"{key}.series", max(series), max(series))


def _offers(study: Study) -> Iterator[tuple[str, Accelerator | Rent]]:
    yield from ((f"accelerators.{kind}", offer) for kind, offer in study.accelerators.items())
    yield from ((f"rent.{name}", offer) for name, offer in study.rent.items())


def _count(study: Study, name: str, peaks: dict[str, Figure]) -> float:
    """Accelerators of a kind or rent that would do its hungriest task alone."""
    offer = study.accelerators.get(name) or study.rent[name]
    serving = [peaks[workload].size / rate for workload, rate in offer.throughput.items()]
    running = [run.accelerator_hours.get(name, 0.0) / study.calendar.hours for run in study.runs.values()]
    return max([*serving, *running])


def _counts(study: Study, peaks: dict[str, Figure]) -> Iterator[tuple[Figure, Figure]]:
    """Demand of a workload with the throughput of an offer, whose size is the accelerators that serve it alone."""
    for key, offer in _offers(study):
        for workload, rate in offer.throughput.items():
            yield peaks[workload], Figure(f"{key}.throughput.{workload}", rate, peaks[workload].size / rate)
    for name, run in study.runs.items():
        for offer, hours in run.accelerator_hours.items():
            key = f"runs.{name}.accelerator_hours.{offer}"
            # A small run is no slip of the pen, so the count is one at least.
            count = max(1.0, hours / study.calendar.hours)
            yield Figure(key, hours, count), Figure(key, hours, count)


def _there(study: Study) -> Iterator[Figure]:
    """Accelerators and kits that are there, and lots."""
    for kind, offer in study.accelerators.items():
        for place, owned in enumerate(offer.owned):
            yield Figure(f"accelerators.{kind}.owned.{place}.count", owned.count, owned.count)
        if offer.lot is not None:
            yield Figure(f"accelerators.{kind}.lot", offer.lot, offer.lot)
    if study.conversion is not None:
        yield Figure("conversion.owned", study.conversion.owned, study.conversion.owned)


def _places(study: Study) -> Iterator[Figure]:
    """MW of phases and leases."""
    for name, site in study.sites.items():
        for phase, settings in site.phases.items():
            yield Figure(f"sites.{name}.phases.{phase}.power_mw", settings.power_mw, settings.power_mw)
    for name, lease in study.leases.items():
        yield Figure(f"leases.{name}.power_mw", lease.power_mw, lease.power_mw)
    if study.fit_out is not None:
        yield Figure("fit_out.done_mw", study.fit_out.done_mw, study.fit_out.done_mw)


def _bills(study: Study, peaks: dict[str, Figure]) -> Iterator[Figure]:
    """What it costs to serve the hungriest workload by one offer alone; the dearest sets the solver's unit of money."""
    for kind, offer in study.accelerators.items():
        count = _count(study, kind, peaks)
        price = accelerator_price_usd(study, offer, 0)
        yield Figure(f"accelerators.{kind}.price_usd", price, price * count)
    for name, offer in study.rent.items():
        count = _count(study, name, peaks)
        yield _rented(study, name, offer, count)


def _rented(study: Study, name: str, offer: Rent, count: float) -> Figure:
    return Figure(f"rent.{name}.usd_per_hour", offer.usd_per_hour, offer.usd_per_hour * study.calendar.hours * count)


def _short(study: Study, name: str, demand: float) -> Figure:
    usd = study.workloads[name].shortage_usd_per_unit_month
    return Figure(f"workloads.{name}.shortage_usd_per_unit_month", usd, usd * study.calendar.months * demand)


def _cheapest(study: Study, name: str, peak: Figure) -> Figure:
    """What a plan pays for a workload at most, floors apart: rent, or a shortage."""
    ways = [_short(study, name, peak.size)]
    ways += [
        _rented(study, rent, offer, peak.size / offer.throughput[name])
        for rent, offer in study.rent.items()
        if name in offer.throughput
    ]
    return min(ways, key=lambda bill: bill.size)


def _costs(study: Study, peaks: dict[str, Figure]) -> Iterator[Figure]:
    """All other costs, in USD of a period for one MW, one phase or all accelerators."""
    yield from (_short(study, name, peak.size) for name, peak in peaks.items())
    for name, run in study.runs.items():
        yield Figure(f"runs.{name}.missed_usd", run.missed_usd, run.missed_usd)
    for name, site in study.sites.items():
        yield _power(study, f"sites.{name}", site.power)
        for phase, settings in site.phases.items():
            yield Figure(f"sites.{name}.phases.{phase}.capex_usd", settings.capex_usd, settings.capex_usd)
    for name, lease in study.leases.items():
        yield _power(study, f"leases.{name}", lease.power)
        rent_usd = lease.usd_per_mw_month * lease.power_mw * study.calendar.months
        yield Figure(f"leases.{name}.usd_per_mw_month", lease.usd_per_mw_month, rent_usd)
        if lease.cancellation is not None:
            fee = lease.cancellation.fee_usd_per_mw
            yield Figure(f"leases.{name}.cancellation.fee_usd_per_mw", fee, fee * lease.power_mw)
    if study.fit_out is not None:
        yield Figure("fit_out.usd_per_mw", study.fit_out.usd_per_mw, study.fit_out.usd_per_mw)
    for kind, offer in study.accelerators.items():
        count = _count(study, kind, peaks)
        usd = offer.operating_usd_per_month
        yield Figure(f"accelerators.{kind}.operating_usd_per_month", usd, usd * study.calendar.months * count)
    if study.conversion is not None:
        most = max((_count(study, kind, peaks) for kind in study.accelerators), default=0.0)
        yield Figure("conversion.price_usd", study.conversion.price_usd, study.conversion.price_usd * most)


def _power(study: Study, key: str, power: Power) -> Figure:
    return Figure(f"{key}.power.usd_per_mwh", power.usd_per_mwh, power.usd_per_mwh * power.pue * study.calendar.hours)
