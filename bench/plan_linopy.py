"""The plan's model once more, written in linopy straight from the study: it shares no code with the node template.

It is the second build that must agree (tests/plan/test_model.py), and the one whose build time is compared
(bench/plan_speed.py), so it is written as linopy is meant to be: over arrays of nodes, phases, kinds and pairs of kind
and workload. Costs are in USD, counts in accelerators; nothing is scaled.
"""

import math
from collections.abc import Sequence

import linopy
import numpy as np
import pandas as pd
import xarray as xr

from tenfold.plan.study import Accelerator, Study
from tenfold.plan.tree import Tree

HOURS_PER_MONTH = 8766 / 12
Expression = linopy.LinearExpression


def build(study: Study, tree: Tree) -> tuple[linopy.Model, float]:
    """The extensive form of a study on a tree, and a constant to add to its objective."""
    built = _Build(study, tree)
    return built.model, built.constant


class _Build:
    def __init__(self, study: Study, tree: Tree) -> None:
        self.study, self.tree = study, tree
        self.model = linopy.Model()
        self.months, self.periods = study.calendar.months, study.periods
        self.factor = (1 + study.discount_rate) ** (-self.months / 12)
        self.node = pd.RangeIndex(len(tree), name="node")
        # Ancestor of each node by lag; the last column stands for all that lies before the study.
        before = np.full((len(tree), 1), -1)
        self.up_nT = np.concatenate([tree.ancestors_nT(), before], axis=1)
        self.capex: list[Expression] = []
        self.costs: list[Expression] = []
        self.used: list[Expression] = []
        self.served: dict[str, list[Expression]] = {name: [] for name in study.workloads}
        self.run: dict[str, list[Expression]] = {name: [] for name in study.runs}
        self.build_sites()
        self.build_leases()
        if study.accelerators:
            self.build_accelerators()
        if study.rent:
            self.build_rent()
        self.build_demand()
        self.build_runs()
        self.build_limits()
        self.constant = self.build_objective()

    def lag(self, months: float) -> int:
        return math.ceil(months / self.months - 1e-9)

    def by_stage(self, values: object, member: pd.Index | None = None) -> xr.DataArray:
        """Values by period (and member), as they are in each node."""
        array = np.asarray(values, dtype=float)[self.tree.stage_n]
        return xr.DataArray(array, coords=[self.node] if member is None else [self.node, member])

    def by(self, member: pd.Index, values: object) -> xr.DataArray:
        return xr.DataArray(np.asarray(values, dtype=float), coords=[member])

    def ago(self, amount: object, lag: int | Sequence[int]) -> Expression:
        """What an amount was ``lag`` periods ago (one lag for all, or one per member); nothing before the study."""
        expression = 1 * amount
        lags = np.minimum(lag, self.periods)
        if np.ndim(lags) == 0:
            above = self.up_nT[:, int(lags)]
            shifted = expression.isel(node=np.maximum(above, 0)).assign_coords(node=self.node)
            return shifted * xr.DataArray((above >= 0).astype(float), coords=[self.node])
        dim = next(name for name in expression.coord_dims if name != "node")
        member = expression.indexes[dim]
        above = self.up_nT[:, lags]
        index = {
            "node": xr.DataArray(np.maximum(above, 0), dims=["node", dim]),
            dim: xr.DataArray(np.arange(len(member)), dims=dim),
        }
        shifted = expression.isel(index).assign_coords({"node": self.node, dim: member})
        return shifted * xr.DataArray((above >= 0).astype(float), coords=[self.node, member])

    def open(self, label: str | None, lead: int = 0) -> list[float]:
        """By period, 1 where something can be ordered that takes ``lead``."""
        first = 0 if label is None else self.study.calendar.index(label)
        return [float(first <= t and t + lead < self.periods) for t in range(self.periods)]

    def unused(self, lead: int, life: int) -> list[float]:
        """By period of order, the share of a price not charged, as money of that period."""

        def annuity(periods: int) -> float:
            return sum(self.factor**i for i in range(periods))

        shares = []
        for t in range(self.periods):
            use = max(0, min(life, self.periods - t - lead))
            if self.study.horizon == "annualised":
                share = 1 - annuity(use) / annuity(life)
            else:
                share = self.study.salvage_share * (1 - use / life) * self.factor ** (self.periods - t - lead)
            shares.append(share * self.factor**lead)
        return shares

    def build_sites(self) -> None:
        m, sites = self.model, self.study.sites
        if not sites:
            return
        every = {(name, phase): p for name, site in sites.items() for phase, p in site.phases.items()}
        fresh = {"/".join(key): p for key, p in every.items() if p.done_in_months is None}
        phase = pd.Index(list(fresh), name="phase")
        site = pd.Index(list(sites), name="site")
        lead = [self.lag(p.lead_months) for p in fresh.values()]
        # MW of phases under way, by period and site.
        ready = np.zeros((2 * self.periods, len(sites)))
        for (name, _), p in every.items():
            if p.done_in_months is not None:
                ready[self.lag(p.done_in_months) :, site.get_loc(name)] += p.power_mw
        self.used_site = m.add_variables(lower=0, coords=[self.node, site], name="used at sites")
        here = 1 * self.used_site
        going = self.by_stage(ready[: self.periods], site)
        if len(phase):
            z = m.add_variables(binary=True, coords=[self.node, phase], name="started")
            rise = z - self.ago(z, 1)
            may = np.array([self.open(p.earliest, n) for p, n in zip(fresh.values(), lead, strict=True)]).T
            m.add_constraints(rise >= 0, name="stays started")
            m.add_constraints(rise <= self.by_stage(may, phase), name="may start")
            ended = self.ago(z, lead)
            self.build_orders_of_phases(z, ended, fresh, every)
            mw = self.by(phase, [p.power_mw for p in fresh.values()])
            home = xr.DataArray([name.split("/")[0] for name in phase], coords=[phase], name="site")
            power = (ended * mw).groupby(home).sum().reindex(site=site).fillna(0)
            capex = [p.capex_usd for p in fresh.values()]
            span = np.maximum(lead, 1)
            self.capex.append(((z - self.ago(z, span)) * self.by(phase, np.array(capex) / span)).sum("phase"))
            share = [self.unused(n, self.lag(p.life_months)) for p, n in zip(fresh.values(), lead, strict=True)]
            self.costs.append((rise * self.by_stage(-np.array(share).T * capex, phase)).sum("phase"))
            self.room = (z, mw, lead, ready)
        else:
            power = 0 * here
            self.room = (None, None, lead, ready)
        m.add_constraints(here - power <= going, name="power at sites")
        idle = m.add_variables(lower=0, coords=[self.node, site], name="paid and idle")
        due = self.by(site, [s.power.take_or_pay_share for s in sites.values()])
        m.add_constraints(here + idle - power * due >= going * due, name="take or pay")
        price = [s.power.usd_per_mwh * s.power.pue * self.months * HOURS_PER_MONTH for s in sites.values()]
        self.costs.append(((here + idle) * self.by(site, price)).sum("site"))
        self.used.append(here.sum("site"))
        if self.study.fit_out is not None:
            self.build_fit_out()

    def build_orders_of_phases(
        self, z: linopy.Variable, ended: Expression, fresh: dict[str, object], every: dict[tuple[str, str], object]
    ) -> None:
        for (name, phase), p in every.items():
            for before in p.after if p.done_in_months is None else ():
                started = 1 * z.sel(phase=f"{name}/{phase}", drop=True)
                other = every[name, before]
                if other.done_in_months is None:
                    gate = started - ended.sel(phase=f"{name}/{before}", drop=True)
                    self.model.add_constraints(gate <= 0, name=f"{name}/{phase} after {before}")
                else:
                    done = [float(t >= self.lag(other.done_in_months)) for t in range(self.periods)]
                    self.model.add_constraints(started <= self.by_stage(done), name=f"{name}/{phase} after {before}")

    def build_fit_out(self) -> None:
        m, offer = self.model, self.study.fit_out
        lead = self.lag(offer.lead_months)
        top = [np.inf if t + lead < self.periods else 0.0 for t in range(self.periods)]
        more = m.add_variables(lower=0, upper=self.by_stage(top), coords=[self.node], name="fit out")
        fitted = m.add_variables(lower=0, coords=[self.node], name="fitted")
        first = self.by_stage([offer.done_mw] + [0.0] * (self.periods - 1))
        m.add_constraints(fitted - self.ago(fitted, 1) - more == first, name="fitted stays")
        z, mw, leads, ready = self.room
        going = self.by_stage(ready[lead : lead + self.periods].sum(axis=1))
        room = 1 * fitted
        if z is not None:
            room = fitted - (self.ago(z, [max(0, n - lead) for n in leads]) * mw).sum("phase")
        m.add_constraints(room <= going, name="fitted within phases")
        was = self.by_stage([offer.done_mw if t < lead else 0.0 for t in range(self.periods)])
        m.add_constraints(self.used_site.sum("site") - self.ago(fitted, lead) <= was, name="drawn is fitted")
        self.capex.append(more * offer.usd_per_mw)
        share = np.array(self.unused(lead, self.lag(offer.life_months)))
        self.costs.append(more * self.by_stage(-share * offer.usd_per_mw))

    def build_leases(self) -> None:
        m = self.model
        for name, lease in self.study.leases.items():
            lead, term = self.lag(lease.lead_months), self.lag(lease.term_months)
            y = m.add_variables(binary=True, coords=[self.node], name=f"signed {name}")
            rise = y - self.ago(y, 1)
            m.add_constraints(rise >= 0, name=f"stays signed {name}")
            m.add_constraints(rise <= self.by_stage(self.open(lease.earliest, lead)), name=f"may sign {name}")
            held = [self.ago(y, lead) - self.ago(y, lead + term)]
            back, longer = lease.cancellation, lease.extension
            options = []
            if back is not None:
                notice, rest = self.lag(back.notice_months), term - self.lag(back.after_months)
                given = m.add_variables(lower=0, upper=1, coords=[self.node], name=f"given back {name}")
                held += [-1 * self.ago(given, notice + i) for i in range(rest)]
                options.append((max(0, lead + self.lag(back.after_months) - notice), given))
                self.costs.append(given * (back.fee_usd_per_mw * lease.power_mw))
            if longer is not None:
                notice = self.lag(longer.notice_months)
                kept = m.add_variables(lower=0, upper=1, coords=[self.node], name=f"extended {name}")
                held += [self.ago(kept, notice + i) for i in range(self.lag(longer.months))]
                options.append((max(0, lead + term - notice), kept))
            options.sort(key=lambda option: option[0])
            for place, (when, option) in enumerate(options):
                gone = [self.ago(other, when - earlier) for earlier, other in options[:place]]
                space = linopy.merge([1 * option, -1 * self.ago(rise, when), *gone])
                m.add_constraints(space <= 0, name=f"option {place} of {name}")
            used = m.add_variables(lower=0, coords=[self.node], name=f"used {name}")
            space = linopy.merge(held)
            m.add_constraints(used - space * lease.power_mw <= 0, name=f"held {name}")
            self.costs.append(space * (lease.usd_per_mw_month * self.months * lease.power_mw))
            self.costs.append(used * (lease.power.usd_per_mwh * lease.power.pue * self.months * HOURS_PER_MONTH))
            self.used.append(1 * used)

    def price(self, offer: Accelerator, t: int) -> float:
        known = [(self.study.calendar.index(label), usd) for label, usd in offer.prices_usd.items()]
        reached = [usd for at, usd in sorted(known) if at <= t]
        return reached[-1] if reached else offer.price_usd * (1 + offer.price_change_per_year) ** (t * self.months / 12)

    def build_accelerators(self) -> None:
        m, offers, span = self.model, self.study.accelerators, range(self.periods)
        kind = pd.Index(list(offers), name="kind")
        lead = np.array([self.lag(o.lead_months) for o in offers.values()])
        life = np.array([self.lag(o.life_months) for o in offers.values()])
        price = np.array([[self.price(o, t) for o in offers.values()] for t in span])
        deposit = np.array([o.deposit_share for o in offers.values()])
        most = [np.inf if o.limit_per_period is None else o.limit_per_period for o in offers.values()]
        may = np.array([self.open(o.available_from, n) for o, n in zip(offers.values(), lead, strict=True)]).T
        order = m.add_variables(
            lower=0,
            upper=self.by_stage(np.where(may > 0, most, 0.0), kind),
            coords=[self.node, kind],
            name="ordered",
        )
        lots = {name: float(o.lot) for name, o in offers.items() if o.lot is not None}
        if lots:
            lot = pd.Index(list(lots), name="kind")
            whole = m.add_variables(lower=0, integer=True, coords=[self.node, lot], name="lots")
            m.add_constraints(order.sel(kind=lot) - whole * self.by(lot, list(lots.values())) == 0, name="whole lots")
        arrived = [self.ago(order, lead)]
        paid = [order * self.by_stage(price * np.where(lead == 0, 1.0, deposit), kind)]
        later = np.where(lead == 0, 0.0, 1 - deposit)
        due = np.zeros_like(price)
        for k, n in enumerate(lead):
            due[n:, k] = price[: self.periods - n, k]
        paid.append(self.ago(order, lead) * self.by_stage(due * later, kind))
        share = np.array([self.unused(n, years) for n, years in zip(lead, life, strict=True)]).T
        self.costs.append((order * self.by_stage(-share * price, kind)).sum("kind"))
        terms = {name: o.cancellation for name, o in offers.items() if o.cancellation is not None}
        if terms:
            arrived.append(self.build_cancellations(order, terms, lead, life, price, due * later, deposit))
        self.capex += [part.sum("kind") for part in paid]
        installed = m.add_variables(lower=0, coords=[self.node, kind], name="installed")
        own = np.zeros((self.periods, len(kind)))
        for k, offer in enumerate(offers.values()):
            for owned in offer.owned:
                left = max(0, self.lag(offer.life_months - owned.age_months))
                own[0, k] += owned.count * (left > 0)
                if 0 < left < self.periods:
                    own[left, k] -= owned.count
        coming = linopy.merge(arrived)
        going = self.ago(coming, life)
        balance = installed - self.ago(installed, 1) - coming + going
        m.add_constraints(balance == self.by_stage(own, kind), name="installed")
        running = [o.operating_usd_per_month * self.months for o in offers.values()]
        self.costs.append((installed * self.by(kind, running)).sum("kind"))
        self.build_work(installed)

    def build_cancellations(
        self,
        order: linopy.Variable,
        terms: dict[str, object],
        lead: np.ndarray,
        life: np.ndarray,
        price: np.ndarray,
        due: np.ndarray,
        deposit: np.ndarray,
    ) -> Expression:
        """Orders taken back: what arrives less for it, over all kinds."""
        kind = pd.Index(list(terms), name="kind")
        all_kinds = list(self.study.accelerators)
        at = [all_kinds.index(name) for name in kind]
        notice = np.array([self.lag(t.notice_months) for t in terms.values()])
        wait = lead[at] - notice
        cancel = self.model.add_variables(lower=0, coords=[self.node, kind], name="cancelled")
        self.model.add_constraints(cancel - self.ago(order.sel(kind=kind), wait) <= 0, name="cancelled was ordered")
        agreed, back = np.zeros((self.periods, len(kind))), np.zeros((self.periods, len(kind)))
        for c, (k, n) in enumerate(zip(at, wait, strict=True)):
            agreed[n:, c] = price[: self.periods - n, k]
            rest = int(notice[c])
            shares = self.unused(0, int(life[k]))
            back[: self.periods - rest, c] = np.array(shares[rest:]) * self.factor**rest
        fee = np.array([t.fee_share for t in terms.values()]) - deposit[at]
        less = self.ago(cancel, notice)
        self.capex.append((cancel * self.by_stage(agreed * fee, kind)).sum("kind"))
        self.capex.append((less * self.by_stage(-due[:, at], kind)).sum("kind"))
        self.costs.append((cancel * self.by_stage(agreed * back, kind)).sum("kind"))
        return (-1 * less).reindex(kind=pd.Index(all_kinds, name="kind")).fillna(0)

    def build_work(self, installed: linopy.Variable) -> None:
        m, offers = self.model, self.study.accelerators
        pairs = [(kind, workload) for kind, o in offers.items() for workload in o.throughput]
        pairs += [
            (kind, name) for name, run in self.study.runs.items() for kind in run.accelerator_hours if kind in offers
        ]
        pair = pd.Index([" for ".join(p) for p in pairs], name="pair")
        work = m.add_variables(lower=0, coords=[self.node, pair], name="at work")
        of_kind = xr.DataArray([kind for kind, _ in pairs], coords=[pair], name="kind")
        m.add_constraints((1 * work).groupby(of_kind).sum() - installed <= 0, name="at work is installed")
        for place, (kind, workload) in enumerate(pairs):
            self.add_work(work.isel(pair=place, drop=True), kind, workload)
        draw = self.by(pair, [offers[kind].power_kw / 1000 for kind, _ in pairs])
        drawn = (work * draw).sum("pair")
        m.add_constraints(linopy.merge([drawn, *[-1 * used for used in self.used]]) <= 0, name="power balance")
        need = [place for place, (kind, workload) in enumerate(pairs) if workload in offers[kind].needs_conversion]
        if self.study.conversion is not None and need:
            self.build_kit(work.isel(pair=need).sum("pair"))

    def add_work(self, work: linopy.Variable, offer: str, task: str) -> None:
        """Count accelerators at work towards what a workload is served, or towards the share of a run that is done."""
        if task in self.run:
            self.run[task].append(
                work * (self.months * HOURS_PER_MONTH / self.study.runs[task].accelerator_hours[offer])
            )
        else:
            found = self.study.accelerators.get(offer) or self.study.rent[offer]
            self.served[task].append(work * found.throughput[task])

    def build_kit(self, converted: Expression) -> None:
        m, kit = self.model, self.study.conversion
        lead, life = self.lag(kit.lead_months), self.lag(kit.life_months)
        order = m.add_variables(lower=0, coords=[self.node], name="kits ordered")
        there = linopy.merge([self.ago(order, lead + i) for i in range(min(life, self.periods))])
        owned = self.by_stage([kit.owned if t < life else 0.0 for t in range(self.periods)])
        m.add_constraints(converted - there <= owned, name="kits")
        self.capex.append(order * kit.price_usd)
        self.costs.append(order * self.by_stage(-np.array(self.unused(lead, life)) * kit.price_usd))

    def build_rent(self) -> None:
        m, span = self.model, range(self.periods)
        for name, offer in self.study.rent.items():
            first = 0 if offer.available_from is None else self.study.calendar.index(offer.available_from)
            runs = [run for run, r in self.study.runs.items() if name in r.accelerator_hours]
            workload = pd.Index([*offer.throughput, *runs], name="workload")
            top = [[np.inf if first <= t else 0.0] * len(workload) for t in span]
            coords = [self.node, workload]
            rented = m.add_variables(lower=0, upper=self.by_stage(top, workload), coords=coords, name=f"rented {name}")
            total = rented.sum("workload")
            if offer.limit is not None:
                m.add_constraints(total <= offer.limit, name=f"rent limit {name}")
            hourly = [offer.usd_per_hour * (1 + offer.price_change_per_year) ** (t * self.months / 12) for t in span]
            self.costs.append(total * self.by_stage(np.array(hourly) * self.months * HOURS_PER_MONTH))
            for place, work in enumerate(workload):
                self.add_work(rented.isel(workload=place, drop=True), name, work)

    def build_demand(self) -> None:
        m, workloads = self.model, self.study.workloads
        names = pd.Index(list(workloads), name="workload")
        demand = xr.DataArray(self.tree.demand_nK, coords=[self.node, names])
        most = self.by(names, [1 - w.floor for w in workloads.values()])
        short = m.add_variables(lower=0, upper=demand * most, coords=[self.node, names], name="short")
        for place, name in enumerate(names):
            served = linopy.merge([1 * short.isel(workload=place, drop=True), *self.served[name]])
            m.add_constraints(served >= demand.isel(workload=place, drop=True), name=f"demand {name}")
        price = [w.shortage_usd_per_unit_month * self.months for w in workloads.values()]
        self.costs.append((short * self.by(names, price)).sum("workload"))

    def build_runs(self) -> None:
        calendar = self.study.calendar
        for name, run in self.study.runs.items():
            due = calendar.index(run.due)
            first = 0 if run.earliest is None else calendar.index(run.earliest)
            undone = self.model.add_variables(lower=0, coords=[self.node], name=f"undone {name}")
            work = linopy.merge(self.run[name])
            idle = self.by_stage([float(not first <= t <= due) for t in range(self.periods)])
            self.model.add_constraints(work * idle <= 0, name=f"{name} in its time")
            so_far = linopy.merge([self.ago(work, i) for i in range(due + 1)])
            done = (so_far + undone).isel(node=self.tree.at(due)) >= 1
            self.model.add_constraints(done, name=f"{name} done when due")
            self.costs.append(undone * run.missed_usd)

    def build_limits(self) -> None:
        calendar = self.study.calendar
        for year, limit in self.study.capex_limit_usd.items():
            inside = [float(str(calendar.year(t)) == year) for t in range(self.periods)]
            last = max(t for t in range(self.periods) if inside[t])
            total = linopy.merge(self.capex) * self.by_stage(inside)
            so_far = linopy.merge([self.ago(total, i) for i in range(int(sum(inside)))])
            self.model.add_constraints(so_far.isel(node=self.tree.at(last)) <= limit, name=f"capex {year}")

    def build_objective(self) -> float:
        discount = self.by_stage([self.factor**t for t in range(self.periods)])
        cost = linopy.merge([*self.capex, *self.costs]) * discount
        objective = (cost * xr.DataArray(self.tree.probability_n, coords=[self.node])).sum()
        risk = self.study.risk
        if risk.weight:
            m, leaves = self.model, self.tree.leaves()
            spent = m.add_variables(lower=-np.inf, coords=[self.node], name="spent")
            m.add_constraints(spent - self.ago(spent, 1) - cost == 0, name="spent so far")
            eta = m.add_variables(lower=-np.inf, name="eta")
            tail = m.add_variables(lower=0, coords=[self.node[leaves]], name="tail")
            m.add_constraints(tail + eta - (1 * spent).isel(node=leaves) >= 0, name="tail")
            chance = xr.DataArray(self.tree.probability_n[leaves], coords=[self.node[leaves]])
            objective = objective + risk.weight * eta + (tail * (chance * (risk.weight / (1 - risk.alpha)))).sum()
        # linopy takes no constant in an objective.
        constant = float(objective.const)
        self.model.add_objective(objective - constant)
        return constant
