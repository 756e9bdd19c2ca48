"""What a node costs, by category, as sums over its own and its ancestors' variables, in USD of its period."""

from enum import StrEnum

from tenfold.plan.calendar import HOURS_PER_MONTH
from tenfold.plan.columns import Columns
from tenfold.plan.finance import Finance, accelerator_price_usd, rent_usd_per_hour
from tenfold.plan.leads import Leads
from tenfold.plan.study import Study
from tenfold.plan.terms import Term, rise, times

FLOOR_FACTOR = 5.0
"""Where floors bend: what unserved demand below a floor costs, as a multiple of the workload's shortage price."""


class Category(StrEnum):
    """What money goes to. ``CREDIT`` is what of capex is not charged, as things outlive the study."""

    CAPEX = "capex"
    CREDIT = "credit"
    POWER = "power"
    LEASE = "lease"
    RENT = "rent"
    OPERATION = "operation"
    SHORTAGE = "shortage"


def cost_terms(study: Study, cols: Columns, finance: Finance, leads: Leads, period: int) -> dict[Category, list[Term]]:
    """All costs of the nodes of one period."""
    return {
        Category.CAPEX: capex_terms(study, cols, finance, leads, period),
        Category.CREDIT: _credit_terms(study, cols, finance, leads, period),
        Category.POWER: _power_terms(study, cols),
        Category.LEASE: _lease_terms(study, cols, leads),
        Category.RENT: _rent_terms(study, cols, period),
        Category.OPERATION: _operation_terms(study, cols),
        Category.SHORTAGE: _shortage_terms(study, cols),
    }


def capex_terms(study: Study, cols: Columns, finance: Finance, leads: Leads, period: int) -> list[Term]:
    """Cash spent on building and buying: phases evenly while they are built, accelerators at order and delivery."""
    terms: list[Term] = []
    for name, site in study.sites.items():
        for phase, settings in site.phases.items():
            if settings.done_in_months is None:
                variable, span = cols.place["phase", name, phase], max(1, leads.phase[name, phase])
                terms += times(settings.capex_usd / span, [(variable, 0, 1.0), (variable, span, -1.0)])
    if study.fit_out is not None:
        terms += times(study.fit_out.usd_per_mw, rise(cols.place[("fit-out",)]))
    for kind, offer in study.accelerators.items():
        lead, order = leads.order[kind], cols.place["order", kind]
        price = accelerator_price_usd(study, offer, period)
        if lead == 0:
            terms.append((order, 0, price))
            continue
        terms.append((order, 0, offer.deposit_share * price))
        if period >= lead:
            agreed = accelerator_price_usd(study, offer, period - lead)
            terms += times((1 - offer.deposit_share) * agreed, leads.delivered(cols, kind))
        if offer.cancellation is not None and period >= leads.cancel_after[kind]:
            agreed = accelerator_price_usd(study, offer, period - leads.cancel_after[kind])
            fee = offer.cancellation.fee_share - offer.deposit_share
            terms.append((cols.place["cancel", kind], 0, fee * agreed))
    if study.conversion is not None and ("kit-order",) in cols.place:
        terms.append((cols.place[("kit-order",)], 0, study.conversion.price_usd))
    return terms


def _credit_terms(study: Study, cols: Columns, finance: Finance, leads: Leads, period: int) -> list[Term]:
    """What is not charged of things that outlive the study, taken off where they are committed to.

    Nothing is taken off for what would be ready after the study: part of its price falls after the study too.
    """

    def credit(lead: int, life_months: float) -> float:
        if period + lead >= study.periods:
            return 0.0
        return -finance.unused_share(period + lead, leads.periods(life_months)) * finance.discount(lead)

    terms: list[Term] = []
    for name, site in study.sites.items():
        for phase, settings in site.phases.items():
            if settings.done_in_months is None:
                share = credit(leads.phase[name, phase], settings.life_months)
                terms += times(share * settings.capex_usd, rise(cols.place["phase", name, phase]))
    if study.fit_out is not None:
        share = credit(leads.periods(study.fit_out.lead_months), study.fit_out.life_months)
        terms += times(share * study.fit_out.usd_per_mw, rise(cols.place[("fit-out",)]))
    for kind, offer in study.accelerators.items():
        price = accelerator_price_usd(study, offer, period)
        terms.append((cols.place["order", kind], 0, credit(leads.order[kind], offer.life_months) * price))
        if kind in leads.cancel_after and period >= leads.cancel_after[kind]:
            agreed = accelerator_price_usd(study, offer, period - leads.cancel_after[kind])
            share = credit(leads.order[kind] - leads.cancel_after[kind], offer.life_months)
            terms.append((cols.place["cancel", kind], 0, -share * agreed))
    if study.conversion is not None and ("kit-order",) in cols.place:
        share = credit(leads.periods(study.conversion.lead_months), study.conversion.life_months)
        terms.append((cols.place[("kit-order",)], 0, share * study.conversion.price_usd))
    return terms


def _power_terms(study: Study, cols: Columns) -> list[Term]:
    terms: list[Term] = []
    for group in ("used", "unused"):
        for (name,) in cols.keys(group):
            place = study.sites[name] if name in study.sites else study.leases[name]
            usd_per_mw = place.power.usd_per_mwh * place.power.pue * study.calendar.hours
            terms.append((cols.place[group, name], 0, usd_per_mw))
    return terms


def _lease_terms(study: Study, cols: Columns, leads: Leads) -> list[Term]:
    terms: list[Term] = []
    for name, lease in study.leases.items():
        rent_usd = lease.usd_per_mw_month * lease.power_mw * study.calendar.months
        terms += times(rent_usd, leads.leased_share(cols, name))
        if lease.cancellation is not None:
            terms.append((cols.place["break", name], 0, lease.cancellation.fee_usd_per_mw * lease.power_mw))
    return terms


def _rent_terms(study: Study, cols: Columns, period: int) -> list[Term]:
    hours = study.calendar.months * HOURS_PER_MONTH
    return [
        (cols.place["rented", name, workload], 0, rent_usd_per_hour(study, study.rent[name], period) * hours)
        for name, workload in cols.keys("rented")
    ]


def _operation_terms(study: Study, cols: Columns) -> list[Term]:
    return [
        (cols.place["installed", kind], 0, offer.operating_usd_per_month * study.calendar.months)
        for kind, offer in study.accelerators.items()
        if offer.operating_usd_per_month
    ]


def _shortage_terms(study: Study, cols: Columns) -> list[Term]:
    terms: list[Term] = []
    for name, workload in study.workloads.items():
        usd = workload.shortage_usd_per_unit_month * study.calendar.months
        terms.append((cols.place["short", name], 0, usd))
        if ("below", name) in cols.place:
            terms.append((cols.place["below", name], 0, FLOOR_FACTOR * usd))
    terms += [(cols.place["undone", name], 0, run.missed_usd) for name, run in study.runs.items()]
    return terms
