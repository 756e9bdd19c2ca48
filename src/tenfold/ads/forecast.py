"""What a campaign will come to before it runs: spend and actions with intervals, and what holds it back.

Requests that came lately are predicted for the campaign as if it had been there: each gives a value and the least bid
that would have won it. The best constant multiplier within budget and cap is then found many times, each time with
other requests drawn from these, another number of requests a day, and another error of the prediction, so that the
interval holds what is not known. Pacing comes close to that multiplier (``bench/ads_value.py``), and reaches ``PACED``
of it.

Letters: N requests, S draws.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tenfold.ads.bid import NO_CAP

Floats = NDArray[np.floating]
Ints = NDArray[np.signedinteger]

Holds = Literal["budget", "cap", "supply"]

DRAWS = 300
LEAST_REQUESTS = 50
"""Fewer requests say too little for a forecast."""

PACED = 0.93
"""Share of the best in hindsight that pacing reaches where days differ."""

DAYS_DIFFER = 0.3
"""How much the number of requests differs between days, as a spread of logarithms."""

PREDICTION_ERRS = 0.15
"""Spread of the logarithm of what really happens over what was predicted, for a campaign that was never shown."""

_LOW, _HIGH = 0.05, 0.95


@dataclass(frozen=True, slots=True)
class Range:
    """A number that is not known: in nine of ten cases between ``low`` and ``high``."""

    low: float
    middle: float
    high: float

    @staticmethod
    def of(draws_S: Floats) -> "Range":
        """Of draws."""
        low, middle, high = np.quantile(draws_S, (_LOW, 0.5, _HIGH))
        return Range(float(low), float(middle), float(high))


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a campaign will come to in all its days.

    ``spend_micro``, ``impressions``, ``actions``: ranges. ``holds``: what holds it back: its budget, its cap, or that
    no more people come. ``feasible``: whether it would be shown at all. ``says``: warnings, each with what would help.
    """

    spend_micro: Range
    impressions: Range
    actions: Range
    holds: Holds
    feasible: bool
    says: tuple[str, ...]


def forecast(
    value_N: Floats,
    price_N: Floats,
    chance_N: Floats,
    *,
    requests_per_day: float,
    days: float,
    budget_micro: float,
    cap: float,
    most_impressions: float = np.inf,
    seed: int = 0,
) -> Forecast | None:
    """Forecast a campaign; none where too few requests came to say anything.

    Args:
        value_N: what each request would be worth, in the unit of the cap.
        price_N: micro-dollars that would have won it.
        chance_N: of the action that the campaign wants.
        requests_per_day: that come.
        days: it runs.
        budget_micro: for all of it.
        cap: most micro-dollars per value on average; ``bid.NO_CAP`` or more for none.
        most_impressions: that frequency caps let people see.
        seed: of the draws.
    """
    if len(value_N) < LEAST_REQUESTS:
        return None
    rng = np.random.default_rng(seed)
    order_N = np.argsort(price_N / np.maximum(value_N, 1e-300))
    value_N, price_N, chance_N = value_N[order_N], price_N[order_N], chance_N[order_N]
    spread = DAYS_DIFFER / np.sqrt(max(1.0, days))
    scale_S1 = requests_per_day * days / len(value_N) * np.exp(spread * rng.standard_normal((DRAWS, 1)))
    weight_SN = rng.poisson(1.0, (DRAWS, len(value_N))) * scale_S1
    real_S1 = np.exp(PREDICTION_ERRS * rng.standard_normal((DRAWS, 1)))
    spent_SN = np.cumsum(weight_SN * price_N, axis=1)
    won_SN = np.cumsum(weight_SN * value_N, axis=1)
    shown_SN = np.cumsum(weight_SN, axis=1)
    by_budget_S = _count(spent_SN <= budget_micro)
    by_cap_S = _count(spent_SN <= cap * won_SN) if cap < NO_CAP else np.full(DRAWS, len(value_N))
    by_supply_S = np.minimum(_count(shown_SN <= most_impressions), len(value_N))
    taken_S = np.minimum(np.minimum(by_budget_S, by_cap_S), by_supply_S)
    spend_S, shown_S, actions_S = (
        _upto(sum_SN, taken_S) for sum_SN in (spent_SN, shown_SN, np.cumsum(weight_SN * chance_N, axis=1))
    )
    # Where the budget ends within one request's worth, the rest of it is spent too.
    spend_S = np.where((taken_S == by_budget_S) & (taken_S < len(value_N)), budget_micro, spend_S)
    actions_S = rng.poisson(PACED * actions_S * real_S1[:, 0])
    holds = _holds(by_budget_S, by_cap_S, by_supply_S, len(value_N))
    spend = Range.of(spend_S)
    feasible = bool(spend.high > 0)
    return Forecast(
        spend_micro=spend,
        impressions=Range.of(shown_S),
        actions=Range.of(actions_S.astype(np.float64)),
        holds=holds,
        feasible=feasible,
        says=tuple(_says(spend, holds, feasible, budget_micro, cap, value_N, price_N)),
    )


def _count(within_SN: NDArray[np.bool_]) -> Ints:
    """How many requests, the cheapest for their value first, stay within a limit; sums only rise, by value too."""
    return within_SN.sum(axis=1)


def _upto(sum_SN: Floats, taken_S: Ints) -> Floats:
    taken_S1 = np.maximum(taken_S - 1, 0)[:, None]
    return np.where(taken_S > 0, np.take_along_axis(sum_SN, taken_S1, axis=1)[:, 0], 0.0)


def _holds(by_budget_S: Ints, by_cap_S: Ints, by_supply_S: Ints, count: int) -> Holds:
    budget, limit, supply = (float(np.median(each_S)) for each_S in (by_budget_S, by_cap_S, by_supply_S))
    if limit < min(budget, supply):
        return "cap"
    return "budget" if budget < min(count, supply) else "supply"


def _says(
    spend: Range, holds: Holds, feasible: bool, budget_micro: float, cap: float, value_N: Floats, price_N: Floats
) -> list[str]:
    share = spend.middle / budget_micro
    if not feasible:
        least = float(np.min(price_N / np.maximum(value_N, 1e-300)))
        return [
            f"the cap holds it back wholly: nothing costs so little. The cheapest opportunity asks {least / cap:.3g} "
            "times the cap per action; raise the cap to more than that, or take it away"
        ]
    if holds == "cap" and share < 0.9:
        return [
            f"the cap holds it back: within it about {share:.0%} of the budget can be spent; raise the cap, or lower "
            "the budget"
        ]
    if holds == "supply" and share < 0.9:
        return [
            f"too few people come: about {share:.0%} of the budget can be spent on all of them; widen the targeting, "
            "run longer, or lower the budget"
        ]
    return []
