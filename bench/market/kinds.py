"""Markets from a stated model, as logs of bids are nowhere to be had.

People of a few sorts come through the day. How many, of which sorts, and what rivals bid for them, follows a profile of
the hours, and differs from day to day as a kind of market says. An advertiser's value for a person is a taste for the
sort, a quality that all advertisers see and rivals pay for, and noise of its own. Half the advertisers are short of
money and half bound by their cap, by an amount drawn for each; both limits are set against an average day, so that on
any one day either may bind, or neither. Units are drawn for each market and advertiser: nothing may depend on them.

Letters: as in `log`, and S sorts of people, O opportunities of a day.
"""

from dataclasses import dataclass, replace

import numpy as np

from market.log import Floats, Market, make_market
from tenfold.ads.bid import NO_CAP

DAYS, TICKS, ADVERTISERS = 6, 48, 48
RANDOM = "random"
"""Markets whose days differ at random; the others are called steady."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How a market is. Spreads are of logarithms.

    ``day``, ``hour``: of how many come, between days and within one. ``sorts``: of who they are. ``price_day``,
    ``price_hour``: of what rivals bid. ``hours``: ticks over which an hour's differences last. ``rate``: opportunities
    in an average tick. ``part``: share of them that an advertiser may bid for. ``bursts``: share of ticks with four to
    twelve times as many. ``drift``: of prices from the first day to the last. ``tight_cap``, ``tight_budget``: factors
    on the limits. ``noise``: of each chance's value.
    """

    day: float = 0.35
    hour: float = 0.5
    sorts: float = 0.9
    price_day: float = 0.25
    price_hour: float = 0.3
    hours: float = 5.0
    rate: float = 24.0
    part: float = 1.0
    bursts: float = 0.0
    drift: float = 0.0
    tight_cap: float = 1.0
    tight_budget: float = 1.0
    noise: float = 0.9
    family: str = RANDOM


_STEADY = Kind(day=0.0, hour=0.0, sorts=0.0, price_day=0.0, price_hour=0.0, rate=60.0, family="steady")
KINDS = {
    "random days": Kind(),
    "short of money": Kind(day=0.4, hour=0.6, tight_budget=0.3),
    "dear hours": Kind(day=0.15, hour=0.2, sorts=0.4, price_day=0.4, price_hour=0.5),
    "steady": _STEADY,
    "bursts": Kind(day=0.2, hour=0.3, bursts=0.06),
    "drift": Kind(day=0.2, hour=0.3, drift=0.8),
    "few": Kind(rate=40.0, part=0.05),
    "tight caps": Kind(tight_cap=0.6),
    "tight budgets": Kind(tight_budget=0.15),
    "wild": Kind(day=0.5, hour=0.7, sorts=1.2, price_day=0.4, price_hour=0.4, hours=4.0),
    "steady, dense": replace(_STEADY, rate=120.0, noise=0.6),
}
TUNED = ("random days", "short of money", "dear hours", "steady")
"""Kinds, with seeds below 100, on which constants were tuned; the others were kept, and so were seeds from 100 on."""


def make(name: str, seed: int, days: int = DAYS, ticks: int = TICKS, advertisers: int = ADVERTISERS) -> Market:
    """Make a market of a kind."""
    kind = KINDS[name]
    rng = np.random.default_rng([seed, *name.encode()])
    sorts = 6
    hours_T = 1.0 + 0.5 * np.sin(np.linspace(0.0, 2 * np.pi, ticks, endpoint=False) - 1.5)
    share_ST = rng.dirichlet(np.full(sorts, 2.0))[:, None] * np.exp(_waves(rng, 0.5, 8.0, sorts, ticks))
    level_T = np.exp(_waves(rng, 0.2, 8.0, 1, ticks)[0])
    taste_AS = np.exp(0.8 * rng.standard_normal((advertisers, sorts)))
    dear_S = np.exp(0.4 * rng.standard_normal(sorts))
    unit_A = 10.0 ** rng.uniform(-4.0, -1.0) * np.exp(rng.standard_normal(advertisers))
    rival_A = 10.0 ** rng.uniform(-4.0, 4.0) * np.exp(0.5 * rng.standard_normal(advertisers))
    columns: list[tuple[Floats, ...]] = []
    for day in range(days):
        come_T = hours_T * np.exp(_day_and_hours(rng, kind.day, kind.hour, kind.hours, ticks))
        come_T *= np.where(rng.random(ticks) < kind.bursts, rng.uniform(4.0, 12.0, ticks), 1.0)
        mix_ST = share_ST * np.exp(_waves(rng, kind.sorts, kind.hours, sorts, ticks))
        bids_T = level_T * np.exp(_day_and_hours(rng, kind.price_day, kind.price_hour, kind.hours, ticks))
        bids_T *= np.exp(kind.drift * day / max(1, days - 1))
        tick_O = np.repeat(np.arange(ticks), rng.poisson(kind.rate * come_T))
        count = len(tick_O)
        below_SO = np.cumsum(mix_ST / mix_ST.sum(axis=0), axis=0)[:, tick_O]
        sort_O = np.minimum((rng.random(count) > below_SO).sum(axis=0), sorts - 1)
        quality_O = rng.standard_normal(count)
        own_OA = 0.5 * quality_O[:, None] + 0.87 * rng.standard_normal((count, advertisers))
        value_OA = unit_A * taste_AS[:, sort_O].T * np.exp(kind.noise * own_OA)
        price_O = bids_T[tick_O] * dear_S[sort_O] * np.exp(0.36 * quality_O + 0.48 * rng.standard_normal(count))
        price_OA = price_O[:, None] * rival_A * np.exp(0.2 * rng.standard_normal((count, advertisers)))
        at_N, of_N = np.nonzero(rng.random((count, advertisers)) < kind.part)
        columns.append((np.full(len(at_N), day), tick_O[at_N], at_N, of_N, value_OA[at_N, of_N], price_OA[at_N, of_N]))
    day_N, tick_N, opportunity_N, advertiser_N, value_N, price_N = (
        np.concatenate(each) for each in zip(*columns, strict=True)
    )
    budget_A, cpa_A = _limits(rng, kind, advertiser_N, value_N, price_N, days, advertisers)
    return make_market(
        f"{name} {seed}", kind.family, budget_A, cpa_A,
        day_N=day_N, tick_N=tick_N, opportunity_N=opportunity_N,
        advertiser_N=advertiser_N, value_N=value_N, price_N=price_N,
    )  # fmt: skip


def _limits(rng, kind, advertiser_N, value_N, price_N, days, advertisers) -> tuple[Floats, Floats]:  # noqa: ANN001
    """Draw budgets and caps around what a share of an average day's value costs."""
    budget_A, cpa_A = np.zeros(advertisers), np.full(advertisers, NO_CAP)
    order_N = np.lexsort((price_N / value_N, advertiser_N))
    bounds = np.searchsorted(advertiser_N[order_N], np.arange(advertisers + 1))
    for advertiser in range(advertisers):
        rows_N = order_N[bounds[advertiser] : bounds[advertiser + 1]]
        cost_N, won_N = np.cumsum(price_N[rows_N]) / days, np.cumsum(value_N[rows_N]) / days
        at = min(int(np.searchsorted(won_N, rng.uniform(0.1, 0.7) * won_N[-1])), len(rows_N) - 1)
        if rng.random() < 0.5:
            budget_A[advertiser], cpa_A[advertiser] = cost_N[at], cost_N[at] / won_N[at] * rng.uniform(1.0, 2.0)
        else:
            budget_A[advertiser], cpa_A[advertiser] = cost_N[at] * rng.uniform(1.0, 2.5), cost_N[at] / won_N[at]
    return budget_A * kind.tight_budget, cpa_A * kind.tight_cap


def _waves(rng: np.random.Generator, spread: float, length: float, count: int, ticks: int) -> Floats:
    """Draw smooth curves over the day, shape (count, T)."""
    place_T = np.arange(ticks)
    alike_TT = np.exp(-0.5 * ((place_T[:, None] - place_T) / length) ** 2) + 1e-6 * np.eye(ticks)
    return spread * (np.linalg.cholesky(alike_TT) @ rng.standard_normal((ticks, count))).T


def _day_and_hours(rng: np.random.Generator, day: float, hour: float, length: float, ticks: int) -> Floats:
    return day * rng.standard_normal() + _waves(rng, hour, length, 1, ticks)[0]
