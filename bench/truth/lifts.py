"""Experiments whose truth is known: campaigns that add nothing, and campaigns that add what is known.

Who would be shown a campaign, when, and with what predicted chance is the market's (``Market.first_AP``), so people
join an experiment as they really do. In each repetition the arms are drawn anew as ads draw them, everybody buys by
chance, and somebody looks each hour, at what ``lift.py`` compares. Letters: N people of a campaign, H hours.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tenfold.ads.lift import told_apart
from tenfold.ads.selling import lift_experiment
from tenfold.experiment.moments import moments_of
from tenfold.product.holdout import is_held_out
from truth.market import HELD_OUT

Floats = NDArray[np.float64]

DAY_S, HOUR_S = 86_400.0, 3_600.0


@dataclass(frozen=True)
class Joined:
    """People whom a campaign would reach: when, with what chance of its action, and what its ads really add."""

    at_N: Floats
    chance_N: Floats
    added_N: Floats
    """Purchases that being shown adds, expected, over the whole time, by the truth."""


@dataclass(frozen=True)
class Told:
    """One repetition: of each hour whether 0 and whether the truth was outside of the interval; none said is inside.

    ``width``: of the last interval, as a part of the truth.
    """

    is_sure_H: NDArray[np.bool_]
    misses_H: NDArray[np.bool_]
    said: bool
    width: float


def repetition(
    joined: Joined, *, lift: float, needs_a_day: float, prices: Floats, days: float, number: int, in_usd: bool
) -> Told:
    """Draw the arms of one campaign, let people buy, and look every hour.

    Args:
        joined: who would be reached.
        lift: how many times what the ads really add; 0 for a campaign that adds nothing.
        needs_a_day: purchases of each person in a day without any ad.
        prices: of what the shop sells, in dollars; a purchase has one of them.
        days: that the experiment lasts.
        number: of the repetition.
        in_usd: whether dollars are counted, or purchases.
    """
    rng = np.random.default_rng([number, 17])
    campaign = lift_experiment(f"repetition {number}")
    count = len(joined.at_N)
    held_N = np.array([is_held_out(f"person {person}", HELD_OUT, campaign) for person in range(count)])
    end = days * DAY_S
    left_N = np.maximum(0.0, end - joined.at_N)
    needs_N = rng.poisson(needs_a_day * left_N / DAY_S)
    adds_N = rng.poisson(lift * joined.added_N * ~held_N)
    who_M = np.concatenate((np.repeat(np.arange(count), needs_N), np.repeat(np.arange(count), adds_N)))
    # What an ad adds comes in the time after somebody joined, as what they need does.
    when_M = joined.at_N[who_M] + left_N[who_M] * rng.random(len(who_M))
    worth_M = rng.choice(prices, len(who_M)) if in_usd else np.ones(len(who_M))
    worth = float(prices.mean()) if in_usd else 1.0
    sure, misses, said, width = [], [], False, np.inf
    for hour in range(1, int(end // HOUR_S) + 1):
        now = hour * HOUR_S
        here_N, done_M = joined.at_N < now, when_M < now
        worth_N = np.bincount(who_M[done_M], worth_M[done_M], count)
        arms = []
        for arm_N in (here_N & ~held_N, here_N & held_N):
            steps = worth_M[done_M & arm_N[who_M]]
            arms.append(moments_of(worth_N[arm_N], pasts=joined.chance_N[arm_N], steps=steps))
        found = told_apart(*arms)
        if found is None:
            continue
        passed_N = np.clip((now - joined.at_N) / np.maximum(left_N, 1.0), 0.0, 1.0)
        truth = lift * worth * float((joined.added_N * passed_N)[here_N].mean())
        difference = found.difference
        sure.append(difference.is_sure)
        misses.append(not difference.low <= truth <= difference.high)
        if np.isfinite(difference.high):
            said, width = True, (difference.high - difference.low) / max(truth, 1e-12)
    return Told(np.array(sure, dtype=bool), np.array(misses, dtype=bool), said, width)
