"""Lets rules bid for a logged market, and compares what they win with the best constant multiplier in hindsight.

After its first day, which every rule may learn from, each day is judged by itself. At each tick a rule gives its
multipliers; then it learns what the tick's opportunities were and what each would have cost. No rule spends beyond its
budget: an opportunity that costs more than what is left is lost.

Letters: as in `log`, and R days that are judged; W rows that a multiplier would win.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

import numpy as np

from market.log import Floats, Ints, Market
from tenfold.ads.price_curve import Curves, first_scale


@dataclass(slots=True)
class Seen:
    """What all rules know by now: the days before, and the ticks of today that are over."""

    before: list[list[Curves]] = field(default_factory=list)
    today: list[Curves] = field(default_factory=list)


class Rule(Protocol):
    """Bids for all advertisers of a market."""

    def begin(self) -> None:
        """Begin a day."""
        ...

    def multipliers(self, spent_A: Floats, won_A: Floats) -> tuple[Floats, Floats | None]:
        """Money per value until the next tick, and the overdraft of ``ads.bid``, or none for no such limit."""
        ...

    def observe(self, seen: Curves) -> None:
        """Learn what came in the tick that is over."""
        ...


Maker = Callable[[Market, Floats, Seen], Rule]
"""Makes a rule: the market's limits, a scale for each advertiser, and what is seen as time goes on."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What a rule came to.

    ``share_RA``: of the best value in hindsight, NaN where that is 0. ``excess_RA``: by what share the cost per value
    was above the cap; 0 where it was not.
    """

    share_RA: Floats
    excess_RA: Floats
    cpu_s: float

    def figures(self) -> dict[str, float]:
        """Figures in percent."""
        return {
            "share_of_hindsight": round(100 * float(np.nanmean(self.share_RA)), 2),
            "mean_excess": round(100 * float(self.excess_RA.mean()), 3),
            "worst_excess": round(100 * float(self.excess_RA.max()), 2),
        }


def judge(market: Market, makers: dict[str, Maker], told: "Told | None" = None) -> dict[str, Judged]:
    """Let rules bid side by side; they meet the same market, and none meets another."""
    scale_A = _scale(market)
    seen = Seen()
    rules = {name: make(market, scale_A, seen) for name, make in makers.items()}
    shares: dict[str, list[Floats]] = {name: [] for name in rules}
    excesses: dict[str, list[Floats]] = {name: [] for name in rules}
    cpu_s = dict.fromkeys(rules, 0.0)
    for day in range(market.days):
        curves = [Curves.of(*market.tick(day, tick), scale_A) for tick in range(market.ticks)]
        if told is not None:
            told.day = curves
        best_A = best_constant(market, day)
        for name, rule in rules.items():
            began = time.process_time()
            if day:
                rule.begin()
            spent_A, won_A = np.zeros(market.advertisers), np.zeros(market.advertisers)
            seen.today = []
            for tick in range(market.ticks):
                if day:
                    multiplier_A, overdraft_A = rule.multipliers(spent_A, won_A)
                    spent_A, won_A = settle(market, market.tick(day, tick), multiplier_A, overdraft_A, spent_A, won_A)
                seen.today.append(curves[tick])
                rule.observe(curves[tick])
            cpu_s[name] += time.process_time() - began
            if day:
                shares[name].append(np.divide(won_A, best_A, out=np.full_like(won_A, np.nan), where=best_A > 0))
                excesses[name].append(excess(spent_A, won_A, market.cpa_A))
        seen.before.append(curves)
    return {name: Judged(np.stack(shares[name]), np.stack(excesses[name]), cpu_s[name]) for name in rules}


@dataclass(slots=True)
class Told:
    """What only those are told who are not judged: all that comes today."""

    day: list[Curves] = field(default_factory=list)


def excess(spent_A: Floats, won_A: Floats, cpa_A: Floats) -> Floats:
    """By what share money spent per value won is above the cap; 1 where money was spent for nothing."""
    cost_A = np.divide(spent_A, won_A * cpa_A, out=np.zeros_like(spent_A), where=won_A > 0)
    return np.where(won_A > 0, np.maximum(cost_A - 1.0, 0.0), (spent_A > 0).astype(np.float64))


def best_constant(market: Market, day: int) -> Floats:
    """Find the value that the best constant multiplier wins within budget and cap, by advertiser.

    By rising price per value, both the money and the money per value of what a multiplier wins only rise, so the best
    multiplier is the last one within both. It wins all of the same price per value or none.
    """
    rows = slice(market.starts_DT[day, 0], market.starts_DT[day, -1])
    advertiser_N, value_N, price_N = market.advertiser_N[rows], market.value_N[rows], market.price_N[rows]
    ratio_N = price_N / value_N
    order_N = np.lexsort((ratio_N, advertiser_N))
    advertiser_N, value_N, price_N, ratio_N = (each[order_N] for each in (advertiser_N, value_N, price_N, ratio_N))
    best_A = np.zeros(market.advertisers)
    bounds = np.searchsorted(advertiser_N, np.arange(market.advertisers + 1))
    for advertiser, (begin, end) in enumerate(pairwise(bounds)):
        if begin == end:
            continue
        cost_W, won_W, ratio_W = np.cumsum(price_N[begin:end]), np.cumsum(value_N[begin:end]), ratio_N[begin:end]
        within_W = (cost_W <= market.budget_A[advertiser]) & (cost_W <= market.cpa_A[advertiser] * won_W)
        within_W &= np.append(ratio_W[1:] > ratio_W[:-1], True)
        best_A[advertiser] = won_W[within_W].max(initial=0.0)
    return best_A


def settle(
    market: Market,
    tick: tuple[Ints, Floats, Floats],
    multiplier_A: Floats,
    overdraft_A: Floats | None,
    spent_A: Floats,
    won_A: Floats,
) -> tuple[Floats, Floats]:
    """Bid for a tick's opportunities one after the other; gives the money spent and the value won after it."""
    advertiser_N, value_N, price_N = tick
    wins_N = np.flatnonzero(multiplier_A[advertiser_N] * value_N >= price_N)
    if not len(wins_N):
        return spent_A, won_A
    of_W, value_W, price_W = advertiser_N[wins_N], value_N[wins_N], price_N[wins_N]
    count_A = np.bincount(of_W, minlength=market.advertisers)
    after_A = spent_A + np.bincount(of_W, price_W, market.advertisers)
    held_A = won_A + np.bincount(of_W, value_W, market.advertisers)
    limited_A = after_A > market.budget_A
    if overdraft_A is not None:
        limited_A |= _lowest(of_W, market.cpa_A[of_W] * value_W - price_W, market.advertisers) < -(
            market.cpa_A * won_A - spent_A + overdraft_A
        )
    ends_A = np.cumsum(count_A)
    for advertiser in np.flatnonzero(limited_A & (count_A > 0)):
        rows = slice(ends_A[advertiser] - count_A[advertiser], ends_A[advertiser])
        after_A[advertiser], held_A[advertiser] = _one_by_one(
            price_W[rows].tolist(),
            value_W[rows].tolist(),
            float(spent_A[advertiser]),
            float(won_A[advertiser]),
            float(market.budget_A[advertiser]),
            float(market.cpa_A[advertiser]),
            None if overdraft_A is None else float(overdraft_A[advertiser]),
        )
    return after_A, held_A


def _lowest(of_W: Ints, change_W: Floats, advertisers: int) -> Floats:
    """Find the lowest that each advertiser's running sum comes to; 0 if it never falls below."""
    running_W = np.cumsum(change_W)
    first_W = np.searchsorted(of_W, of_W)
    lowest_A = np.zeros(advertisers)
    np.minimum.at(lowest_A, of_W, running_W - (running_W - change_W)[first_W])
    return lowest_A


def _one_by_one(
    prices: Sequence[float],
    values: Sequence[float],
    spent: float,
    won: float,
    budget: float,
    cpa: float,
    overdraft: float | None,
) -> tuple[float, float]:
    """Win what a bid reaches; the limits are those of ``ads.bid.bid``, in plain numbers as there are millions."""
    for price, value in zip(prices, values, strict=True):
        if spent + price > budget:
            continue
        if overdraft is None or price <= cpa * value + max(0.0, cpa * won - spent + overdraft):
            spent += price
            won += value
    return spent, won


def _scale(market: Market) -> Floats:
    """Find a price per value to centre each advertiser's bins on, from the first day in which it has any."""
    scale_A = np.full(market.advertisers, np.nan)
    for day in range(market.days):
        rows = slice(market.starts_DT[day, 0], market.starts_DT[day, -1])
        found_A = first_scale(market.advertiser_N[rows], market.value_N[rows], market.price_N[rows], market.advertisers)
        scale_A = np.where(np.isnan(scale_A), found_A, scale_A)
    return np.where(np.isnan(scale_A), 1.0, scale_A)
