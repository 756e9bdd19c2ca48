"""The variables of one node: their names, their units, and what they were before the study.

A group's members are named by tuples: ("phase", "north", "hall-1"). One unit of a variable stands for ``unit`` of the
real thing, so that the solver sees numbers of similar size.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tenfold.plan.study import Accelerator, Rent, Study

Floats = NDArray[np.float64]
Key = tuple[str, ...]
Group = Literal[
    "phase",  # (site, phase): 1 once it has been started
    "lease",  # (lease,): 1 once it has been signed
    "break",  # (lease,): share of the space given back in this node
    "extend",  # (lease,): share of the space extended in this node
    "fit-out",  # (): MW ordered so far, over all sites
    "order",  # (kind,): accelerators ordered in this node
    "cancel",  # (kind,): accelerators whose order is cancelled in this node
    "kit-order",  # (): conversion kits ordered in this node, each for one accelerator
    "installed",  # (kind,): accelerators there
    "kit",  # (): conversion kits there
    "assigned",  # (kind, task): accelerators at work on a workload or a run
    "rented",  # (offer, task): rented accelerators at work
    "used",  # (place,): MW of IT power drawn at a site or lease
    "unused",  # (site,): MW paid for and not drawn
    "undone",  # (run,): share of it that is not done when it is due
    "short",  # (workload,): demand not served
    "below",  # (workload,): demand not served although its floor asks for it; where floors bend
    "dedicated",  # (kind, task): accelerators that may do only this; without fungibility
    "released",  # (kind, task): those of them that retire in this node; without fungibility
    "spent",  # (): discounted cost from the root to this node; with a weight on risk
]
DECISIONS: tuple[Group, ...] = ("phase", "lease", "break", "extend", "fit-out", "order", "cancel", "kit-order")
WORKING: tuple[Group, ...] = ("assigned", "rented")
CUMULATIVE: tuple[Group, ...] = ("phase", "lease", "fit-out")


@dataclass(frozen=True, slots=True)
class Restriction:
    """What of a study is taken away: from a planner, to learn what it is worth; or from demand.

    Attributes:
        fungible: False: an accelerator does only the work that it was first put to.
        staged: False: a site's phases are one decision; each follows the one before at once.
        floors: False: floors bend. Demand below one may stay unserved, at ``FLOOR_FACTOR`` times the shortage's price.
    """

    fungible: bool = True
    staged: bool = True
    floors: bool = True


FREE = Restriction()


@dataclass(frozen=True, slots=True)
class Columns:
    """The variables of a node; V in all.

    Attributes:
        names: (group, *key) of each variable.
        place: position of each name.
        unit_V: how much of the real thing one unit of the variable is.
        integer_V: whether it must be whole.
        initial_V: its value before the study; not 0 only for cumulative ones.
        money_unit_usd: USD per unit of the objective.
    """

    names: tuple[Key, ...]
    place: Mapping[Key, int]
    unit_V: Floats
    integer_V: NDArray[np.bool_]
    initial_V: Floats
    money_unit_usd: float

    def __len__(self) -> int:
        return len(self.names)

    def keys(self, group: Group) -> list[Key]:
        """The members of a group, without the group's name."""
        return [name[1:] for name in self.names if name[0] == group]

    def of(self, groups: Iterable[Group]) -> NDArray[np.int64]:
        """Positions of all variables of some groups."""
        wanted = set(groups)
        return np.array([place for place, name in enumerate(self.names) if name[0] in wanted], dtype=np.int64)


def columns(study: Study, largest_demand_K: Floats, restriction: Restriction = FREE) -> Columns:
    """The variables that a study needs.

    Args:
        study: the study.
        largest_demand_K: the largest demand of each workload, to choose units by.
        restriction: what is denied.
    """
    largest = dict(zip(study.workloads, largest_demand_K, strict=True))
    accelerators, rented = _largest_counts(study, largest)
    units = {
        kind: 1.0 if offer.lot else _power_of_ten(accelerators[kind] / 100)
        for kind, offer in study.accelerators.items()
    }
    book = _Book([])
    _add_places(book, study)
    _add_accelerators(book, study, units, restriction)
    for name in study.rent:
        for task in study.tasks(name):
            book.add("rented", name, task, unit=_power_of_ten(rented[name] / 100))
    for run in study.runs:
        book.add("undone", run)
    for workload in study.workloads:
        book.add("short", workload, unit=_power_of_ten(largest[workload] / 100))
    if not restriction.floors:
        for name, workload in study.workloads.items():
            if workload.floor:
                book.add("below", name, unit=_power_of_ten(largest[name] / 100))
    if study.risk.weight:
        book.add("spent")
    names = tuple(name for name, *_ in book.found)
    return Columns(
        names=names,
        place={name: place for place, name in enumerate(names)},
        unit_V=np.array([unit for _, unit, _, _ in book.found]),
        integer_V=np.array([integer for _, _, integer, _ in book.found]),
        initial_V=np.array([initial for *_, initial in book.found]),
        money_unit_usd=_money_unit(study, accelerators, rented),
    )


@dataclass(frozen=True, slots=True)
class _Book:
    """Variables found so far: name, unit, whether whole, initial value."""

    found: list[tuple[Key, float, bool, float]]

    def add(self, group: Group, *key: str, unit: float = 1.0, integer: bool = False, initial: float = 0.0) -> None:
        self.found.append(((group, *key), unit, integer, initial))


def _add_places(book: _Book, study: Study) -> None:
    for name, site in study.sites.items():
        for phase, settings in site.phases.items():
            book.add("phase", name, phase, integer=True, initial=float(settings.done_in_months is not None))
        book.add("used", name)
        if site.power.take_or_pay_share:
            book.add("unused", name)
    if study.fit_out is not None:
        book.add("fit-out", initial=study.fit_out.done_mw)
    for name, lease in study.leases.items():
        book.add("lease", name, integer=True)
        if lease.cancellation is not None:
            book.add("break", name)
        if lease.extension is not None:
            book.add("extend", name)
        book.add("used", name)


def _add_accelerators(book: _Book, study: Study, units: Mapping[str, float], restriction: Restriction) -> None:
    for kind, offer in study.accelerators.items():
        unit = units[kind]
        book.add("order", kind, unit=float(offer.lot or unit), integer=offer.lot is not None)
        if offer.cancellation is not None:
            book.add("cancel", kind, unit=unit)
        book.add("installed", kind, unit=unit)
        tasks = study.tasks(kind)
        for task in tasks:
            book.add("assigned", kind, task, unit=unit)
        if not restriction.fungible and len(tasks) > 1:
            for task in tasks:
                book.add("dedicated", kind, task, unit=unit)
                book.add("released", kind, task, unit=unit)
    converted = [units[kind] for kind, offer in study.accelerators.items() if offer.needs_conversion]
    if study.conversion is not None and converted:
        book.add("kit-order", unit=max(converted))
        book.add("kit", unit=max(converted))


def _largest_counts(study: Study, largest: Mapping[str, float]) -> tuple[dict[str, float], dict[str, float]]:
    """Accelerators of each kind, and of each rent, that would do the hungriest task alone."""

    def count(name: str, offer: Accelerator | Rent) -> float:
        serving = [largest[workload] / rate for workload, rate in offer.throughput.items()]
        running = [run.accelerator_hours.get(name, 0.0) / study.calendar.hours for run in study.runs.values()]
        return max([*serving, *running])

    own = {kind: count(kind, offer) for kind, offer in study.accelerators.items()}
    return own, {name: count(name, offer) for name, offer in study.rent.items()}


def _money_unit(study: Study, accelerators: Mapping[str, float], rented: Mapping[str, float]) -> float:
    """A power of ten of USD such that a plan costs some hundred thousands of it.

    With a thousand, costs of rare nodes fall below the solver's tolerances, and 970 nodes took 29 s in place of 5 s.
    """
    bills = [study.accelerators[kind].price_usd * count for kind, count in accelerators.items()]
    bills += [study.rent[name].usd_per_hour * study.calendar.hours * count for name, count in rented.items()]
    return _power_of_ten(max(bills) / 1e5)


def _power_of_ten(size: float) -> float:
    return 10.0 ** math.floor(math.log10(size)) if size > 0 else 1.0
