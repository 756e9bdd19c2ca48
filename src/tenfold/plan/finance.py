"""Money over time: discounting, price curves, and what of a purchase is charged when it outlives the study."""

from dataclasses import dataclass
from typing import Self

from tenfold.plan.study import Accelerator, Rent, Study


@dataclass(frozen=True, slots=True)
class Finance:
    """A study's rules of money.

    Attributes:
        periods: periods of the study.
        period_factor: value now of a dollar one period later.
        salvage_share: what unused life is worth at the study's end, as a share of its price; None charges annuities.
    """

    periods: int
    period_factor: float
    salvage_share: float | None

    @classmethod
    def of(cls, study: Study) -> Self:
        """The rules that a study states."""
        factor = (1 + study.discount_rate) ** (-study.calendar.months / 12)
        return cls(study.periods, factor, study.salvage_share if study.horizon == "salvage" else None)

    def discount(self, periods: int) -> float:
        """Value now of a dollar ``periods`` later."""
        return self.period_factor**periods

    def annuity(self, periods: int) -> float:
        """Value now of a dollar at the start of each of so many periods."""
        return sum(self.discount(period) for period in range(periods))

    def unused_share(self, ready: int, life: int) -> float:
        """Share of a price, as of when the thing is ready, that the study does not charge.

        By annuities: the thing costs the same in each period of its life, and only those within the study are charged.
        By salvage: what is left of its life at the study's end, times ``salvage_share``, discounted.
        """
        assert ready <= self.periods, "of what is ready after the study, part of the price falls after it too"
        used = min(life, self.periods - ready)
        if self.salvage_share is None:
            return 1 - self.annuity(used) / self.annuity(life)
        return self.salvage_share * (1 - used / life) * self.discount(self.periods - ready)


def accelerator_price_usd(study: Study, offer: Accelerator, period: int) -> float:
    """USD per accelerator ordered in ``period``."""
    calendar = study.calendar
    steps = sorted((calendar.index(label), price) for label, price in offer.prices_usd.items())
    reached = [price for at, price in steps if at <= period]
    if reached:
        return reached[-1]
    return offer.price_usd * (1 + offer.price_change_per_year) ** (period * calendar.months / 12)


def rent_usd_per_hour(study: Study, offer: Rent, period: int) -> float:
    """USD per accelerator-hour rented in ``period``."""
    return offer.usd_per_hour * (1 + offer.price_change_per_year) ** (period * study.calendar.months / 12)
