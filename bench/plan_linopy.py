"""The plan's model once more, written in linopy straight from the study: it shares no code with the node template.

It is the second build that must agree (tests/plan/test_linopy.py) and the one whose build time is compared
(bench/plan_speed.py). Costs are in USD, counts in accelerators; nothing is scaled.
"""

import math

import linopy
import numpy as np
import xarray as xr

from tenfold.plan.study import Study
from tenfold.plan.tree import Tree

HOURS_PER_MONTH = 8766 / 12


def build(study: Study, tree: Tree) -> tuple[linopy.Model, float]:
    """The extensive form of a study on a tree, and a constant to add to its objective."""
    built = _Build(study, tree)
    return built.model, built.constant


class _Build:
    def __init__(self, study: Study, tree: Tree) -> None:
        self.study, self.tree = study, tree
        self.model = linopy.Model()
        self.months = study.calendar.months
        self.factor = (1 + study.discount_rate) ** (-self.months / 12)
        self.nodes = xr.DataArray(np.arange(len(tree)), dims="node", coords={"node": np.arange(len(tree))})
        self.stage = self.nodes.copy(data=tree.stage_n)
        self.up = [np.arange(len(tree))]
        for _ in range(study.periods + 1):
            last = self.up[-1]
            self.up.append(np.where(last >= 0, tree.parent_n[last], -1))
        self.costs = []
        self.capex = []
        self.used = {}
        self.assigned = {}
        self.rented = {}
        self.build_sites()
        self.build_leases()
        self.build_accelerators()
        self.build_kit()
        self.build_demand()
        self.build_limits()
        self.build_objective()

    def lag(self, months: float) -> int:
        return math.ceil(months / self.months - 1e-9)

    def add(self, name: str, upper: object = np.inf, *, binary: bool = False, integer: bool = False) -> linopy.Variable:
        coords = [self.nodes.indexes["node"]]
        if binary:
            return self.model.add_variables(coords=coords, name=name, binary=True)
        return self.model.add_variables(lower=0, upper=upper, coords=coords, name=name, integer=integer)

    def ago(self, amount: linopy.Variable | linopy.LinearExpression, lag: int) -> linopy.LinearExpression:
        """What an amount was ``lag`` periods ago; nothing before the study."""
        if lag == 0:
            return 1 * amount
        above = self.up[min(lag, len(self.up) - 1)] if lag <= self.study.periods else np.full(len(self.tree), -1)
        shifted = (1 * amount).isel(node=np.maximum(above, 0)).assign_coords(node=self.nodes.indexes["node"])
        return shifted * self.nodes.copy(data=(above >= 0).astype(float))

    def before(self, amount: linopy.Variable, start: float) -> linopy.LinearExpression:
        """A cumulative amount one period ago."""
        return self.ago(amount, 1) + self.nodes.copy(data=np.where(self.up[1] < 0, start, 0.0))

    def per_stage(self, values: list[float]) -> xr.DataArray:
        return self.nodes.copy(data=np.array(values, dtype=float)[self.tree.stage_n])

    def open(self, label: str | None, lead: int = 0) -> xr.DataArray:
        """1 where something can be ordered that takes ``lead``."""
        first = 0 if label is None else self.study.calendar.index(label)
        return self.per_stage([float(first <= t and t + lead < self.study.periods) for t in range(self.study.periods)])

    def unused(self, lead: int, life_months: float) -> xr.DataArray:
        """Share of a price not charged, as money of the order's period."""
        life = self.lag(life_months)

        def annuity(periods: int) -> float:
            return sum(self.factor**i for i in range(periods))

        shares = []
        for t in range(self.study.periods):
            use = max(0, min(life, self.study.periods - t - lead))
            if self.study.horizon == "annualised":
                share = 1 - annuity(use) / annuity(life)
            else:
                share = self.study.salvage_share * (1 - use / life) * self.factor ** (self.study.periods - t - lead)
            shares.append(share * self.factor**lead)
        return self.per_stage(shares)

    def build_sites(self) -> None:
        m, study = self.model, self.study
        self.built = {}
        for name, site in study.sites.items():
            started, ended = {}, {}
            for phase, p in site.phases.items():
                z = self.add(f"start {name} {phase}", binary=True)
                lead, going = self.lag(p.lead_months), p.done_in_months is not None
                started[phase] = z
                if going:
                    m.add_constraints(1 * z == 1, name=f"going {name} {phase}")
                    left = self.lag(p.done_in_months)
                    ended[phase] = 1 * z * self.per_stage([float(t >= left) for t in range(study.periods)])
                else:
                    fresh = z - self.before(z, 0.0)
                    m.add_constraints(fresh >= 0, name=f"stays {name} {phase}")
                    m.add_constraints(fresh <= self.open(p.earliest, lead), name=f"open {name} {phase}")
                    ended[phase] = self.ago(z, lead)
                    span = max(1, lead)
                    for step in range(span):
                        self.capex.append(self.ago(fresh, step) * (p.capex_usd / span))
                    self.costs.append(fresh * (-p.capex_usd * self.unused(lead, p.life_months)))
            for phase, p in site.phases.items():
                if p.done_in_months is None:
                    for other in p.after:
                        m.add_constraints(started[phase] - ended[other] <= 0, name=f"after {name} {phase} {other}")
            mw = sum((ended[phase] * p.power_mw for phase, p in site.phases.items()), 0 * started[phase])
            self.built[name] = [(started[phase], p) for phase, p in site.phases.items()]
            used = self.used[name] = self.add(f"used {name}")
            m.add_constraints(used - mw <= 0, name=f"power {name}")
            paid = 1 * used
            if site.power.take_or_pay_share:
                idle = self.add(f"idle {name}")
                m.add_constraints(used + idle - mw * site.power.take_or_pay_share >= 0, name=f"take or pay {name}")
                paid = used + idle
            self.costs.append(paid * (site.power.usd_per_mwh * site.power.pue * self.months * HOURS_PER_MONTH))
        if study.fit_out is not None:
            self.build_fit_out()

    def build_fit_out(self) -> None:
        m, offer = self.model, self.study.fit_out
        lead = self.lag(offer.lead_months)
        fitted = self.add("fitted")
        fresh = fitted - self.before(fitted, offer.done_mw)
        m.add_constraints(fresh >= 0, name="fitted stays")
        useful = self.per_stage([math.inf if t + lead < self.study.periods else 0.0 for t in range(self.study.periods)])
        closed = self.nodes.where(np.isfinite(useful) & (useful == 0), drop=True).astype(int)
        if closed.size:
            m.add_constraints(fresh.isel(node=closed.values) <= 0, name="fitted too late")
        room = 0 * fitted
        for phases in self.built.values():
            for z, p in phases:
                if p.done_in_months is not None:
                    left = self.lag(p.done_in_months)
                    ready = [float(t + lead >= left) * p.power_mw for t in range(self.study.periods)]
                    room = room + 1 * z * self.per_stage(ready)
                else:
                    room = room + self.ago(z, max(0, self.lag(p.lead_months) - lead)) * p.power_mw
        m.add_constraints(fitted - room <= 0, name="fitted within phases")
        there = self.ago(fitted, lead) + self.nodes.copy(
            data=np.where(self.up[min(lead, len(self.up) - 1)] < 0, offer.done_mw, 0.0)
        )
        drawn = sum((1 * self.used[name] for name in self.study.sites), 0 * fitted)
        m.add_constraints(drawn - there <= 0, name="drawn is fitted")
        self.capex.append(fresh * offer.usd_per_mw)
        self.costs.append(fresh * (-offer.usd_per_mw * self.unused(lead, offer.life_months)))

    def build_leases(self) -> None:
        m = self.model
        for name, lease in self.study.leases.items():
            lead, term = self.lag(lease.lead_months), self.lag(lease.term_months)
            y = self.add(f"sign {name}", binary=True)
            fresh = y - self.before(y, 0.0)
            m.add_constraints(fresh >= 0, name=f"signed stays {name}")
            m.add_constraints(fresh <= self.open(lease.earliest, lead), name=f"may sign {name}")
            held = self.ago(y, lead) - self.ago(y, lead + term)
            back, longer = lease.cancellation, lease.extension
            options = []
            if back is not None:
                notice, rest = self.lag(back.notice_months), term - self.lag(back.after_months)
                b = self.add(f"break {name}", upper=1)
                held = held - sum((self.ago(b, notice + i) for i in range(rest)), 0 * b)
                options.append((max(0, lead + self.lag(back.after_months) - notice), b))
                self.costs.append(b * (back.fee_usd_per_mw * lease.power_mw))
            if longer is not None:
                notice = self.lag(longer.notice_months)
                e = self.add(f"extend {name}", upper=1)
                held = held + sum((self.ago(e, notice + i) for i in range(self.lag(longer.months))), 0 * e)
                options.append((max(0, lead + term - notice), e))
            options.sort(key=lambda option: option[0])
            for place, (when, option) in enumerate(options):
                space = self.ago(fresh, when)
                for earlier, other in options[:place]:
                    space = space - self.ago(other, when - earlier)
                m.add_constraints(option - space <= 0, name=f"option {place} {name}")
            used = self.used[name] = self.add(f"used {name}")
            m.add_constraints(used - held * lease.power_mw <= 0, name=f"held {name}")
            self.costs.append(held * (lease.usd_per_mw_month * self.months * lease.power_mw))
            per_mw = lease.power.usd_per_mwh * lease.power.pue * self.months * HOURS_PER_MONTH
            self.costs.append(used * per_mw)

    def price(self, offer: object, t: int) -> float:
        known = [(self.study.calendar.index(label), usd) for label, usd in offer.prices_usd.items()]
        reached = [usd for at, usd in sorted(known) if at <= t]
        return reached[-1] if reached else offer.price_usd * (1 + offer.price_change_per_year) ** (t * self.months / 12)

    def build_accelerators(self) -> None:
        m, periods = self.model, self.study.periods
        for kind, offer in self.study.accelerators.items():
            lead, life = self.lag(offer.lead_months), self.lag(offer.life_months)
            size = offer.lot or 1
            most = np.inf if offer.limit_per_period is None else offer.limit_per_period / size
            most = math.floor(most) if offer.lot and np.isfinite(most) else most
            first = 0 if offer.available_from is None else self.study.calendar.index(offer.available_from)
            top = self.per_stage([most if first <= t and t + lead < periods else 0.0 for t in range(periods)])
            order = self.add(f"order {kind}", upper=top, integer=offer.lot is not None) * size
            prices = self.per_stage([self.price(offer, t) for t in range(periods)])
            arriving, spent_later = self.ago(order, lead), self.ago(order * prices, lead)
            self.costs.append(order * prices * (-1 * self.unused(lead, offer.life_months)))
            if offer.cancellation is not None:
                late = lead - self.lag(offer.cancellation.notice_months)
                c = self.add(f"cancel {kind}")
                m.add_constraints(c - self.ago(order, late) <= 0, name=f"cancel ordered {kind}")
                agreed = self.per_stage([self.price(offer, t - late) if t >= late else 0.0 for t in range(periods)])
                arriving = arriving - self.ago(c, lead - late)
                spent_later = spent_later - self.ago(c * agreed, lead - late)
                self.capex.append(c * (agreed * (offer.cancellation.fee_share - offer.deposit_share)))
                shares = self.unused(0, offer.life_months)
                back = [
                    float(shares.values[self.tree.at(min(t + lead - late, periods - 1))[0]])
                    if t + lead - late < periods
                    else 0.0
                    for t in range(periods)
                ]
                self.costs.append(c * (agreed * self.per_stage(back) * self.factor ** (lead - late)))
            if lead == 0:
                self.capex.append(order * prices)
            else:
                self.capex.append(order * prices * offer.deposit_share)
                self.capex.append(spent_later * (1 - offer.deposit_share))
            owned = [
                sum(o.count for o in offer.owned if self.lag(offer.life_months - o.age_months) > t)
                for t in range(periods)
            ]
            # What is there now is what arrived within the last ``life`` periods.
            there = sum((self.ago(arriving, i) for i in range(min(life, periods))), 0 * order)
            self.costs.append((there + self.per_stage(owned)) * (offer.operating_usd_per_month * self.months))
            work = 0 * order
            for workload in offer.throughput:
                a = self.assigned[kind, workload] = self.add(f"work {kind} {workload}")
                work = work + a
            m.add_constraints(work - there <= self.per_stage(owned), name=f"at work {kind}")

    def build_kit(self) -> None:
        kit = self.study.conversion
        need = [self.assigned[kind, w] for kind, o in self.study.accelerators.items() for w in o.needs_conversion]
        if kit is None or not need:
            return
        lead, life, periods = self.lag(kit.lead_months), self.lag(kit.life_months), self.study.periods
        order = self.add("order kit")
        there = sum((self.ago(order, lead + i) for i in range(min(life, periods))), 0 * order)
        owned = self.per_stage([kit.owned if t < life else 0.0 for t in range(periods)])
        self.model.add_constraints(sum((1 * a for a in need), 0 * order) - there <= owned, name="kit")
        self.capex.append(order * kit.price_usd)
        self.costs.append(order * (-kit.price_usd * self.unused(lead, kit.life_months)))

    def build_demand(self) -> None:
        m = self.model
        for name, offer in self.study.rent.items():
            first = 0 if offer.available_from is None else self.study.calendar.index(offer.available_from)
            top = self.per_stage([np.inf if first <= t else 0.0 for t in range(self.study.periods)])
            rate = [
                offer.usd_per_hour * (1 + offer.price_change_per_year) ** (t * self.months / 12)
                for t in range(self.study.periods)
            ]
            total = None
            for workload in offer.throughput:
                r = self.rented[name, workload] = self.add(f"rent {name} {workload}", upper=top)
                total = 1 * r if total is None else total + r
            if offer.limit is not None:
                m.add_constraints(total <= offer.limit, name=f"rent limit {name}")
            self.costs.append(total * (self.per_stage(rate) * self.months * HOURS_PER_MONTH))
        drawn = sum(
            (a * (self.study.accelerators[kind].power_kw / 1000) for (kind, _), a in self.assigned.items()),
            0 * next(iter([*self.assigned.values(), *self.rented.values()])),
        )
        there = sum((1 * used for used in self.used.values()), 0 * drawn)
        m.add_constraints(drawn - there <= 0, name="power balance")
        for k, (name, workload) in enumerate(self.study.workloads.items()):
            demand = self.nodes.copy(data=self.tree.demand_nK[:, k])
            short = self.add(f"short {name}", upper=(1 - workload.floor) * demand)
            served = 1 * short
            for (kind, w), a in self.assigned.items():
                if w == name:
                    served = served + a * self.study.accelerators[kind].throughput[w]
            for (offer, w), r in self.rented.items():
                if w == name:
                    served = served + r * self.study.rent[offer].throughput[w]
            m.add_constraints(served >= demand, name=f"demand {name}")
            self.costs.append(short * (workload.shortage_usd_per_unit_month * self.months))

    def build_limits(self) -> None:
        calendar, periods = self.study.calendar, self.study.periods
        for year, limit in self.study.capex_limit_usd.items():
            inside = [float(str(calendar.year(t)) == year) for t in range(periods)]
            last = max(t for t in range(periods) if inside[t])
            total = sum(self.capex[1:], self.capex[0]) * self.per_stage(inside)
            so_far = sum((self.ago(total, i) for i in range(1, int(sum(inside)))), total)
            self.model.add_constraints(so_far.isel(node=self.tree.at(last)) <= limit, name=f"capex {year}")

    def build_objective(self) -> None:
        discount = self.per_stage([self.factor**t for t in range(self.study.periods)])
        cost = sum([*self.capex, *self.costs[1:]], self.costs[0]) * discount
        weight = self.nodes.copy(data=self.tree.probability_n)
        objective = (cost * weight).sum()
        risk = self.study.risk
        if risk.weight:
            m, leaves = self.model, self.tree.leaves()
            spent = m.add_variables(lower=-np.inf, coords=[self.nodes.indexes["node"]], name="spent")
            m.add_constraints(spent - self.ago(spent, 1) - cost == 0, name="spent so far")
            eta = m.add_variables(lower=-np.inf, name="eta")
            tail = m.add_variables(lower=0, coords=[self.nodes.indexes["node"][leaves]], name="tail")
            m.add_constraints(tail + eta - (1 * spent).isel(node=leaves) >= 0, name="tail")
            chance = self.nodes.isel(node=leaves).copy(data=self.tree.probability_n[leaves])
            objective = objective + risk.weight * eta + (tail * (chance * (risk.weight / (1 - risk.alpha)))).sum()
        # linopy takes no constant in an objective.
        self.constant = float(objective.const)
        self.model.add_objective(objective - self.constant)
