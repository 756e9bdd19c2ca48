"""The field's rules for bidding, and what they have in common: each knows what `judge.Seen` knows, as Tenfold's does.

They keep the budget as Tenfold's rule does (no bid beyond what is left), and steer the cap in their own way. Constants
were tuned on the markets that Tenfold's rule was tuned on (`kinds.TUNED`).
"""

import numpy as np

from market.judge import Seen
from market.log import Floats, Market
from tenfold.ads.price_curve import Curves, highest_within


class Peer:
    """Remembers what was seen, summed up."""

    def __init__(self, market: Market, scale_A: Floats, seen: Seen) -> None:
        self.market, self.scale_A, self.seen = market, scale_A, seen
        self.budget_A, self.cap_A = market.budget_A, market.cpa_A
        self._day = self._today = Curves.none(scale_A)

    def begin(self) -> None:
        self._day = together(self.seen.before[-1])
        self._today = Curves.none(self.scale_A)

    def observe(self, seen: Curves) -> None:
        self._today = self._today.plus(seen)

    @property
    def tick(self) -> int:
        return len(self.seen.today)

    def best(self, rest: Curves, spent_A: Floats, won_A: Floats) -> Floats:
        """The lower of both multipliers for a foreseen rest of the day."""
        reached = rest.reached()
        by_budget_A = highest_within(reached, reached.cost_AG, self.budget_A - spent_A)
        excess_AG = reached.cost_AG - self.cap_A[:, None] * reached.value_AG
        return self.scale_A * np.minimum(by_budget_A, highest_within(reached, excess_AG, self.cap_A * won_A - spent_A))

    def start(self) -> Floats:
        """The best constant multiplier of the day before."""
        none_A = np.zeros_like(self.budget_A)
        return self.best(self._day, none_A, none_A)

    def spent_by_now(self) -> Floats:
        """The budget's part that the day before's traffic suggests."""
        ticks = self.seen.before[-1]
        return (
            self.budget_A * sum(each.count_A.sum() for each in ticks[: self.tick]) / max(1.0, self._day.count_A.sum())
        )


class FixedCpa(Peer):
    """Bids the cap: safe, and blind to the budget."""

    def multipliers(self, spent_A: Floats, won_A: Floats) -> tuple[Floats, None]:
        return self.cap_A, None


class Naive(Peer):
    """A tenth up where it is behind its plan and within its cap, else a tenth down."""

    def begin(self) -> None:
        super().begin()
        self._multiplier_A = self.start()

    def multipliers(self, spent_A: Floats, won_A: Floats) -> tuple[Floats, None]:
        if self.tick:
            up_A = (spent_A < self.spent_by_now()) & (spent_A <= self.cap_A * won_A)
            self._multiplier_A = self._multiplier_A * np.where(up_A, 1.1, 0.9)
        return self._multiplier_A, None


class Pid(Peer):
    """Steers the logarithm of the multiplier by the lesser of two errors: of the budget spent, and of the cap."""

    proportional, integral, derivative, cap_weight = 0.6, 0.08, 0.2, 4.0

    def begin(self) -> None:
        super().begin()
        self._start_A = self.start()
        self._sum_A = self._last_A = np.zeros_like(self.budget_A)

    def multipliers(self, spent_A: Floats, won_A: Floats) -> tuple[Floats, None]:
        if not self.tick:
            return self._start_A, None
        plan_A, allowed_A = self.spent_by_now(), self.cap_A * won_A
        budget_A = np.divide(plan_A - spent_A, plan_A, out=np.zeros_like(plan_A), where=plan_A > 0)
        cap_A = np.divide(allowed_A - spent_A, allowed_A, out=np.zeros_like(plan_A), where=allowed_A > 0)
        error_A = np.clip(np.minimum(budget_A, self.cap_weight * cap_A), -1.0, 1.0)
        self._sum_A = np.clip(self._sum_A + error_A, -5.0, 5.0)
        steer_A = self.proportional * error_A + self.integral * self._sum_A
        steer_A += self.derivative * (error_A - self._last_A)
        self._last_A = error_A
        return self._start_A * np.exp(steer_A), None


class OnlineLp(Peer):
    """The best constant for what is left, by all that was ever seen, spread evenly over the clock (Agrawal 2014)."""

    def multipliers(self, spent_A: Floats, won_A: Floats) -> tuple[Floats, None]:
        total = self._today
        for day in self.seen.before:
            total = total.plus(together(day))
        past = len(self.seen.before) + self.tick / self.market.ticks
        return self.best(total.times((1.0 - self.tick / self.market.ticks) / past), spent_A, won_A), None


class Mpc(Peer):
    """Plain model-predictive pacing: the best constant for the rest, by today's last hours and yesterday."""

    today, hours = 0.5, 8

    def multipliers(self, spent_A: Floats, won_A: Floats) -> tuple[Floats, None]:
        ticks = self.seen.before[-1]
        rest = together(ticks[self.tick :])
        if self.tick:
            then = together(ticks[: self.tick])
            level = (self._today.count_A.sum() + 1.0) / (then.count_A.sum() + 1.0)
            rest = rest.times(level)
            recent = together(self.seen.today[-self.hours :])
            none_A = np.zeros_like(recent.count_A)
            going_on = recent.times(np.divide(rest.count_A, recent.count_A, out=none_A, where=recent.count_A > 0))
            rest = going_on.times(self.today).plus(rest.times(1.0 - self.today))
        return self.best(rest, spent_A, won_A), None


def together(ticks: list[Curves]) -> Curves:
    """Sum up ticks."""
    total = ticks[0]
    for each in ticks[1:]:
        total = total.plus(each)
    return total


PEERS = {"fixed_cpa": FixedCpa, "naive": Naive, "pid": Pid, "online_lp": OnlineLp, "mpc": Mpc}
