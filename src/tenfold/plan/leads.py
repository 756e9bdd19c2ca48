"""Lead times, lives and terms of a study in periods, and when a thing may be ordered at all."""

from dataclasses import dataclass
from typing import Self

from tenfold.plan.calendar import Calendar
from tenfold.plan.columns import Columns
from tenfold.plan.study import Study
from tenfold.plan.terms import Term, times


@dataclass(frozen=True, slots=True)
class Leads:
    """Times of a study in periods.

    Attributes:
        order, life, cancel_after: by kind; ``cancel_after`` is how long after the order one last may cancel.
        phase: by (site, phase), at least 0.
        due: by run, the last period in which it may run.
    """

    study: Study
    calendar: Calendar
    order: dict[str, int]
    life: dict[str, int]
    cancel_after: dict[str, int]
    phase: dict[tuple[str, str], int]
    due: dict[str, int]

    @classmethod
    def of(cls, study: Study) -> Self:
        """Round all times of a study up to periods."""
        calendar = study.calendar
        periods = calendar.periods
        order = {kind: periods(offer.lead_months) for kind, offer in study.accelerators.items()}
        return cls(
            study=study,
            calendar=calendar,
            order=order,
            life={kind: periods(offer.life_months) for kind, offer in study.accelerators.items()},
            cancel_after={
                kind: order[kind] - periods(offer.cancellation.notice_months)
                for kind, offer in study.accelerators.items()
                if offer.cancellation is not None
            },
            phase={
                (name, phase): periods(settings.lead_months)
                for name, site in study.sites.items()
                for phase, settings in site.phases.items()
            },
            due={name: calendar.index(run.due) for name, run in study.runs.items()},
        )

    def _reached(self, label: str | None, period: int) -> bool:
        return label is None or self.calendar.index(label) <= period

    def may_order(self, kind: str, period: int) -> bool:
        """Whether accelerators can be ordered, and arrive within the study."""
        offer = self.study.accelerators[kind]
        return self._reached(offer.available_from, period) and period + self.order[kind] < self.study.periods

    def may_rent(self, name: str, period: int) -> bool:
        """Whether a rent is on offer."""
        return self._reached(self.study.rent[name].available_from, period)

    def may_run(self, name: str, period: int) -> bool:
        """Whether accelerators may work on a run."""
        return self._reached(self.study.runs[name].earliest, period) and period <= self.due[name]

    def may_start(self, site: str, phase: str, period: int) -> bool:
        """Whether a phase can be started, and ends within the study."""
        earliest = self.study.sites[site].phases[phase].earliest
        return self._reached(earliest, period) and period + self.phase[site, phase] < self.study.periods

    def may_sign(self, name: str, period: int) -> bool:
        """Whether a lease can be signed, and begins within the study."""
        lease = self.study.leases[name]
        return self._reached(lease.earliest, period) and period + self.periods(lease.lead_months) < self.study.periods

    def periods(self, months: float) -> int:
        """Months in periods, rounded up."""
        return self.calendar.periods(months)

    def finished(self, cols: Columns, site: str, phase: str, period: int, ago: int = 0) -> list[Term]:
        """1 if a phase has ended ``ago`` periods before ``period``, as a sum."""
        variable = cols.place["phase", site, phase]
        under_way = self.study.sites[site].phases[phase].done_in_months
        if under_way is None:
            return [(variable, self.phase[site, phase] + ago, 1.0)]
        return [(variable, ago, 1.0)] if period - ago >= self.periods(under_way) else []

    def finished_mw(self, cols: Columns, site: str, period: int, *, ahead: int = 0) -> list[Term]:
        """MW of the phases of a site that end within ``ahead`` periods from ``period``, as a sum."""
        terms: list[Term] = []
        for phase, settings in self.study.sites[site].phases.items():
            if not settings.power_mw:
                continue
            variable = cols.place["phase", site, phase]
            if settings.done_in_months is None:
                ended = [(variable, max(0, self.phase[site, phase] - ahead), 1.0)]
            else:
                ended = [(variable, 0, 1.0)] if period + ahead >= self.periods(settings.done_in_months) else []
            terms += times(settings.power_mw, ended)
        return terms

    def leased_share(self, cols: Columns, name: str) -> list[Term]:
        """Share of a lease's space that is held, as a sum."""
        lease = self.study.leases[name]
        lead, term = self.periods(lease.lead_months), self.periods(lease.term_months)
        signed = cols.place["lease", name]
        terms: list[Term] = [(signed, lead, 1.0), (signed, lead + term, -1.0)]
        if lease.extension is not None:
            notice, longer = self.periods(lease.extension.notice_months), self.periods(lease.extension.months)
            terms += [(cols.place["extend", name], notice + step, 1.0) for step in range(longer)]
        if lease.cancellation is not None:
            notice = self.periods(lease.cancellation.notice_months)
            rest = term - self.periods(lease.cancellation.after_months)
            terms += [(cols.place["break", name], notice + step, -1.0) for step in range(rest)]
        return terms

    def break_lag(self, name: str) -> int:
        """Periods from the signing of a lease until one must say that space is given back."""
        lease = self.study.leases[name]
        assert lease.cancellation is not None
        begun = self.periods(lease.lead_months) + self.periods(lease.cancellation.after_months)
        return max(0, begun - self.periods(lease.cancellation.notice_months))

    def extend_lag(self, name: str) -> int:
        """Periods from the signing of a lease until one must say that space is kept."""
        lease = self.study.leases[name]
        assert lease.extension is not None
        ended = self.periods(lease.lead_months) + self.periods(lease.term_months)
        return max(0, ended - self.periods(lease.extension.notice_months))

    def delivered(self, cols: Columns, kind: str, ago: int = 0) -> list[Term]:
        """Accelerators that arrive, cancelled ones taken off, ``ago`` periods earlier."""
        terms: list[Term] = [(cols.place["order", kind], self.order[kind] + ago, 1.0)]
        if kind in self.cancel_after:
            terms.append((cols.place["cancel", kind], self.order[kind] - self.cancel_after[kind] + ago, -1.0))
        return terms

    def owned_change(self, kind: str, period: int) -> float:
        """Owned accelerators that appear (in period 0) or retire (later), as a number to add."""
        change = 0.0
        for owned in self.study.accelerators[kind].owned:
            left = max(0, self.periods(self.study.accelerators[kind].life_months - owned.age_months))
            change += owned.count * ((period == 0 and left > 0) - (period == left and left > 0))
        return change
