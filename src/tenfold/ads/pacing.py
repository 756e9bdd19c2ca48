"""Plans what each campaign pays per unit of value for the rest of its day: within its budget, and within its cap.

Model-predictive: at each tick the rest of the day is foreseen from the days before and from today, and the best
constant multiplier for it is found anew. A foreseen rest is a pair of curves (``price_curve.py``): what each multiplier
would cost and bring. The budget multiplier is the highest whose cost is within what is left of the budget; the cap
multiplier is the highest at which the average cost per value of the whole day stays within the cap; the plan is the
lower one (Balseiro 2023: applied one after the other they can lose without limit, the lower of both cannot).

Several rests are foreseen: each of the days before, as it went on from this hour, mixed with today's last hours. One
over a multiplier is what a unit of money kept would bring, so multipliers are averaged by their reciprocals.

A plan that keeps a cap on most days is no promise. ``bid.bid`` keeps it: the overdraft that a plan allows is covered by
what every foreseen rest gains, and is never above a small share of what was won.

Letters: A campaigns, T ticks of a day, G bins of a curve.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np

from tenfold.ads.bid import NO_CAP
from tenfold.ads.price_curve import Curves, Floats, at_multiplier, highest_within

OVERDRAFT = 0.045
"""The average cost per value is never further above the cap than this share, at no moment."""

LEAN = 6.0
"""So many times the gain below the cap, of the foreseen rest that gains least, may be spent before it came: rests are
foreseen as if bids went no higher than the cap, and bring more. Raised from 1 to 6, it won 0.2 to 0.4 points, and the
mean excess rose from 0.26% to 0.30%. Near the end of a day little is left to gain, so little may be overdrawn."""

UNSEEN = 2.0
"""Before a tick is over, a campaign bids so many times the usual price."""


@dataclass(frozen=True, slots=True)
class Dials:
    """How much the plan trusts what; tuned in the markets of ``bench/ads_value.py``, where none matters much.

    ``days``: days before that are remembered. ``recent``: share of a day that counts as today's last hours. ``today``:
    their weight, once so much of the day is over, against the days before. ``moment``: share of a day over which the
    present traffic is counted. ``passing``: share of a day after which its difference from today's level has faded to
    the e-th part. ``level_after``: share of a day after which half of today's difference from a day before is taken to
    be today's level.
    """

    days: int = 7
    recent: float = 0.25
    today: float = 0.15
    moment: float = 1 / 16
    passing: float = 0.1
    level_after: float = 0.8


@dataclass(frozen=True, slots=True)
class Plan:
    """What to bid until the next tick.

    ``multiplier_A``: money per value, the lower of the next two. ``budget_A``, ``cap_A``: what budget and cap alone
    would allow. ``overdraft_A``: by how much money the average may be above the cap until then.
    """

    multiplier_A: Floats
    budget_A: Floats
    cap_A: Floats
    overdraft_A: Floats


@dataclass(frozen=True, slots=True)
class _Day:
    """A day that is over: what was still to come at each tick, summed up along the multiplier."""

    cost_TAG: Floats
    value_TAG: Floats
    count_TA: Floats


class Pacer:
    """Plans for A campaigns at once, tick by tick and day by day.

    Args:
        budget_A: money for a day.
        cap_A: most money per value on average; infinite for none.
        scale_A: a price per value of the right order, to centre the bins on (``price_curve.first_scale``).
        ticks: of a day.
    """

    def __init__(
        self, budget_A: Floats, cap_A: Floats, scale_A: Floats, ticks: int, dials: Dials | None = None
    ) -> None:
        self.dials = dials or Dials()
        self.budget_A = budget_A
        self.cap_A = np.minimum(cap_A, NO_CAP)
        self.scale_A = scale_A
        self.ticks = ticks
        self._before: deque[_Day] = deque(maxlen=self.dials.days)
        self._today: list[Curves] = []

    @property
    def tick(self) -> int:
        """Ticks of today that are over."""
        return len(self._today)

    @property
    def has_seen(self) -> bool:
        """Whether any tick is over, so that a plan rests on more than a scale."""
        return bool(self._before or self._today)

    def observe(self, seen: Curves) -> None:
        """Take what came in the tick that is over, won or not. After the day's last tick a new day begins."""
        self._today.append(seen)
        if self.tick == self.ticks:
            self._before.append(_day(self._today))
            self._today = []

    def plan(self, spent_A: Floats, won_A: Floats) -> Plan:
        """Plan the next tick.

        Args:
            spent_A: money spent today.
            won_A: value won today.
        """
        rests = self._rests()
        if not rests:
            usual_A = UNSEEN * self.scale_A
            return Plan(np.minimum(self.cap_A, usual_A), usual_A, self.cap_A, np.zeros_like(usual_A))
        kept_A, kept_for_cap_A = np.zeros_like(spent_A), np.zeros_like(spent_A)
        gain_A = np.full_like(spent_A, np.inf)
        for rest, share_A in zip(rests, _shares(rests), strict=True):
            excess_AG = rest.cost_AG - self.cap_A[:, None] * rest.value_AG
            budget_A = self.scale_A * highest_within(rest, rest.cost_AG, self.budget_A - spent_A)
            cap_A = self.scale_A * highest_within(rest, excess_AG, self.cap_A * won_A - spent_A)
            cap_A = np.maximum(cap_A, self.cap_A)  # What costs no more than the cap never harms the average.
            kept_A += share_A / budget_A
            kept_for_cap_A += share_A / cap_A
            gains_A = -at_multiplier(excess_AG, np.minimum(self.cap_A, budget_A) / self.scale_A)
            gain_A = np.where(share_A > 0, np.minimum(gain_A, gains_A), gain_A)
        budget_A, cap_A = 1.0 / kept_A, 1.0 / kept_for_cap_A
        overdraft_A = np.minimum(LEAN * np.maximum(gain_A, 0.0), OVERDRAFT * self.cap_A * won_A)
        return Plan(np.minimum(budget_A, cap_A), budget_A, cap_A, overdraft_A)

    def _rests(self) -> list[Curves]:
        """Foresee the rest of the day in several ways, equally likely; none before anything was seen."""
        recent = self._recent()
        going_on = [self._as_before(day) for day in self._before]
        if recent is None:
            return going_on
        if not going_on:
            return [recent.times((self.ticks - self.tick) / self._span())]
        count_A = np.mean([rest.count_A for rest in going_on], axis=0)
        today = recent.times(np.divide(count_A, recent.count_A, out=np.zeros_like(count_A), where=recent.count_A > 0))
        share_A = self.dials.today * min(1.0, self.tick / (self.dials.recent * self.ticks)) * (recent.count_A > 0)
        return [today.times(share_A).plus(rest.times(1.0 - share_A)) for rest in going_on]

    def _span(self) -> int:
        """How many ticks today's last hours are."""
        return min(self.tick, max(1, round(self.dials.recent * self.ticks)))

    def _recent(self) -> Curves | None:
        """Sum up today's last hours; none before the first tick of the day is over."""
        if not self.tick:
            return None
        total = self._today[-1]
        for seen in self._today[-self._span() : -1]:
            total = total.plus(seen)
        return total.reached()

    def _as_before(self, day: _Day) -> Curves:
        """Take a day before as it went on from this tick, with today's traffic as far as that is likely to last."""
        rest = Curves(day.cost_TAG[self.tick], day.value_TAG[self.tick], day.count_TA[self.tick], self.scale_A)
        return rest.times(self._traffic(day)) if self.tick else rest

    def _traffic(self, day: _Day) -> float:
        """Foresee how many times as many opportunities are still to come today as came from this tick on that day.

        All campaigns together say it, as one alone has few. Today's difference so far is part level, which lasts, and
        part chance; the latest difference from that level fades.
        """
        tick, dials = self.tick, self.dials
        then_T = -np.diff(day.count_TA.sum(axis=1), append=0.0)
        now_T = np.array([seen.count_A.sum() for seen in self._today])
        latest = min(tick, max(1, round(dials.moment * self.ticks)))

        def difference(ticks: int) -> float:
            return float(np.log((now_T[-ticks:].sum() + 1.0) / (then_T[tick - ticks : tick].sum() + 1.0)))

        level = difference(tick) * tick / (tick + dials.level_after * self.ticks)
        moment = difference(latest) * latest / (latest + dials.moment * self.ticks / 3.0)
        ahead_T = (np.arange(self.ticks - tick) + 1.0) / self.ticks
        factor_T = np.exp(level + (moment - level) * np.exp(-ahead_T / dials.passing))
        return float(then_T[tick:] @ factor_T / max(then_T[tick:].sum(), 1.0))


def _shares(rests: list[Curves]) -> Floats:
    """How likely each rest is: a day on which nothing came for a campaign says nothing of what will, if others do."""
    comes_KA = np.array([rest.count_A > 0 for rest in rests], dtype=np.float64)
    count_A = comes_KA.sum(axis=0)
    return np.where(count_A > 0, comes_KA / np.maximum(count_A, 1.0), 1.0 / len(rests))


def _day(ticks: list[Curves]) -> _Day:
    """Sum a day up backwards: what was still to come at each tick, its own opportunities included."""
    reached = [seen.reached() for seen in ticks]

    def still(parts: list[Floats]) -> Floats:
        return np.cumsum(np.stack(parts)[::-1], axis=0)[::-1]

    return _Day(
        still([seen.cost_AG for seen in reached]),
        still([seen.value_AG for seen in reached]),
        still([seen.count_A for seen in reached]),
    )
