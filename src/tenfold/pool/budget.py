"""How generously a service is provided for, steered by the share of its requests that it answers in time.

A target leaves a budget of requests that may be missed. While less is missed, less of demand is provided for and the
slots work for others; once too much was missed, answers are worth more until it is made good.

Letters: W services, or groups of services that share a budget; D demands that may come.
"""

import math
from dataclasses import dataclass

import numpy as np

from tenfold.pool.claims import Floats, Ints

MEMORY_S = 7 * 86400.0
"""Requests fade with this time constant."""

SHARE_PER_H = 0.04
"""How much less of demand is provided for, for each hour of the budget that is unspent."""

WORTH_PER_H, MOST_WORTH = 1.2, 200.0
"""By what factor an answer is worth more, for each hour of the budget that is overdrawn; and by what factor at most."""

BURN = 4.0
"""However much is unspent, no more than so many times the budget is left out at once."""

RESERVE_S = 60.0
"""What all requests of so many seconds are of the budget is kept for bursts, which are missed in whole."""

SPARE = 0.01
"""What an answer past the share that is provided for is worth, as a share of what the others are."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Requests asked for and requests missed; older ones fade.

    ``seconds_W``: since the first of them came, faded alike. Before it there is no budget that could be left unspent.
    """

    asked_W: Floats
    missed_W: Floats
    seconds_W: Floats

    @staticmethod
    def none(count: int) -> "Tally":
        """Nothing asked of so many services."""
        return Tally(np.zeros(count), np.zeros(count), np.zeros(count))

    @property
    def attained_W(self) -> Floats:
        """Share of requests answered in time; 1 where nothing was asked."""
        missed_W = np.divide(self.missed_W, self.asked_W, out=np.zeros_like(self.asked_W), where=self.asked_W > 0)
        return 1.0 - missed_W

    def shared(self, group_W: Ints) -> "Tally":
        """What was asked of each service's whole group, and missed by it, since the first service was asked."""
        asked_G, missed_G = (np.bincount(group_W, of_W).astype(np.float64) for of_W in (self.asked_W, self.missed_W))
        seconds_G = np.zeros(len(asked_G))
        np.maximum.at(seconds_G, group_W, self.seconds_W)
        return Tally(asked_G[group_W], missed_G[group_W], seconds_G[group_W])

    def after(self, asked_W: Floats, missed_W: Floats, seconds: float) -> "Tally":
        """Add what came over the last ``seconds``; who still waits may count as missed until the answer comes."""
        kept = math.exp(-seconds / MEMORY_S)
        asked_W = kept * self.asked_W + asked_W
        seconds_W = kept * self.seconds_W + np.where(asked_W > 0, seconds, 0.0)
        return Tally(asked_W, kept * self.missed_W + missed_W, seconds_W)


@dataclass(frozen=True, slots=True)
class Generosity:
    """How generously services are provided for.

    ``share_W``: the share of demand that is worth its price. ``worth_W``: what an answer is worth, over its price.
    """

    share_W: Floats
    worth_W: Floats

    def provided(self, needs_WD: Floats, chances_D: Floats) -> tuple[Floats, Floats]:
        """Demands that may come, and their chances, such that what lies past the share is worth next to nothing.

        A share of demand is a smaller demand, nearly surely; the rest gets slots that would be idle.
        """
        if (self.share_W == 1.0).all():
            return needs_WD, chances_D
        both_WD = np.concatenate((needs_WD * self.share_W[:, None], needs_WD), axis=1)
        return both_WD, np.concatenate(((1.0 - SPARE) * chances_D, SPARE * chances_D))


def generosity(tally: Tally, attains_W: Floats) -> Generosity:
    """Find what steers services to the share of requests that they shall answer in time.

    Args:
        tally: what was asked and missed.
        attains_W: that share; NaN for services without one, for which the price decides.
    """
    budget_W = np.maximum(1.0 - attains_W, 1e-6)
    hours_W = tally.seconds_W / 3600.0
    overdrawn_h_W = (1.0 - tally.attained_W) / budget_W * hours_W - hours_W + RESERVE_S / 3600.0 / budget_W
    overdrawn_h_W = np.where(tally.asked_W > 0, overdrawn_h_W, 0.0)
    share_W = np.clip(1.0 + SHARE_PER_H * overdrawn_h_W, np.maximum(0.0, 1.0 - BURN * budget_W), 1.0)
    worth_W = WORTH_PER_H ** np.clip(overdrawn_h_W, 0.0, math.log(MOST_WORTH, WORTH_PER_H))
    steered_W = np.isfinite(attains_W)
    return Generosity(np.where(steered_W, share_W, 1.0), np.where(steered_W, worth_W, 1.0))
