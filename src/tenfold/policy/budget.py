"""How generously a service is provided for, so that it answers the share of its requests in time that it should.

If 95% must be answered in time, 5% may be missed: that is the budget. While it is not used up, the service bids for
slots for only a part of its demand, and the other slots work for others. When it is overdrawn, each answer is worth
more than its price until the budget is kept again. Two limits keep this from costing more than it can bring: only
misses that slots could have prevented overdraw the budget, and an answer is never worth more than it takes to win slots
that would still answer something.

Letters: W services, or groups of services that share a budget; D demands that may come.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tenfold.policy.claims import Floats, Ints

MEMORY_S = 7 * 86400.0
"""Requests fade with this time constant."""

SHARE_PER_H = 0.04
"""Each hour of unspent budget lowers the share of demand that is provided for by this much."""

WORTH_PER_H, MOST_WORTH = 1.2, 200.0
"""Each hour of overdrawn budget multiplies an answer's worth by the first; the second is the most it may come to."""

LEAST_USE = 0.03
"""The least use of a slot, as a share of time, for which a service may outbid other work. A slot that is used even less
would answer next to nothing."""

BURN = 4.0
"""The share of demand that is left out is at most this many times the budget, however much is unspent."""

YIELD_S, LEAST_KEPT = 180.0, 0.5
"""A service that may still miss all requests of so many seconds yields slots in other services' surges: all but those
for the second, a share of the demand that it expects. With less of its budget unspent it yields fewer."""

RESERVE_S = 60.0
"""A part of the budget is kept for a burst that is missed as a whole: all requests of this many seconds."""

SPARE = 0.01
"""Worth of an answer beyond the provided share of demand, relative to one within it."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Requests asked for and requests missed; older ones fade.

    ``owed_W``: of those missed, the ones that slots could have answered. ``seconds_W``: since the first of them came,
    faded alike. Before it there is no budget that could be left unspent.
    """

    asked_W: Floats
    missed_W: Floats
    owed_W: Floats
    seconds_W: Floats

    @staticmethod
    def none(count: int) -> "Tally":
        """Nothing asked of so many services."""
        return Tally(np.zeros(count), np.zeros(count), np.zeros(count), np.zeros(count))

    @staticmethod
    def together(parts: Sequence["Tally"]) -> "Tally":
        """Make one of several, in their order; each keeps its own budget."""
        each = [(part.asked_W, part.missed_W, part.owed_W, part.seconds_W) for part in (Tally.none(0), *parts)]
        return Tally(*(np.concatenate(arrays) for arrays in zip(*each, strict=True)))

    @property
    def attained_W(self) -> Floats:
        """Share of requests answered in time; 1 where nothing was asked."""
        return 1.0 - self._share(self.missed_W)

    @property
    def owed_share_W(self) -> Floats:
        """Share of requests that were missed though slots could have answered them; 0 where nothing was asked."""
        return self._share(self.owed_W)

    def _share(self, of_W: Floats) -> Floats:
        return np.divide(of_W, self.asked_W, out=np.zeros_like(self.asked_W), where=self.asked_W > 0)

    def overdrawn_h(self, budget_W: Floats) -> Floats:
        """By how many hours' worth of budget a service is overdrawn; below 0 so much is unspent, less the reserve."""
        hours_W = self.seconds_W / 3600.0
        overdrawn_h_W = self.owed_share_W / budget_W * hours_W - hours_W + RESERVE_S / 3600.0 / budget_W
        return np.where(self.asked_W > 0, overdrawn_h_W, 0.0)

    def shared(self, group_W: Ints) -> "Tally":
        """Give each service the sums of its whole group, so that all in a group share one budget."""
        asked_G, missed_G, owed_G = (
            np.bincount(group_W, of_W).astype(np.float64) for of_W in (self.asked_W, self.missed_W, self.owed_W)
        )
        seconds_G = np.zeros(len(asked_G))
        np.maximum.at(seconds_G, group_W, self.seconds_W)
        return Tally(asked_G[group_W], missed_G[group_W], owed_G[group_W], seconds_G[group_W])

    def after(
        self, asked_W: Floats, missed_W: Floats, seconds: float, unpreventable_W: Floats | None = None
    ) -> "Tally":
        """Add the requests of the last ``seconds``; one that still waits may count as missed until it is answered.

        ``unpreventable_W``: how many of the requests missed, now or a moment ago, no slots could have answered; 0 if
        not given.
        """
        kept = math.exp(-seconds / MEMORY_S)
        asked_W = kept * self.asked_W + asked_W
        seconds_W = kept * self.seconds_W + np.where(asked_W > 0, seconds, 0.0)
        excused_W = np.zeros_like(missed_W) if unpreventable_W is None else np.maximum(0.0, unpreventable_W)
        owed_W = np.maximum(0.0, kept * self.owed_W + missed_W - excused_W)
        return Tally(asked_W, kept * self.missed_W + missed_W, owed_W, seconds_W)


@dataclass(frozen=True, slots=True)
class Generosity:
    """How generously services are provided for.

    ``share_W``: the share of demand that is worth its price. ``worth_W``: what an answer is worth, over its price.
    ``yields_W``: how much it yields to other services, from nothing (0) to all slots that it may yield (1).
    ``stretched_W``: the budget is overdrawn and the worth at its most: more slots would hardly answer more.
    """

    share_W: Floats
    worth_W: Floats
    yields_W: Floats
    stretched_W: NDArray[np.bool_]

    def provided(self, needs_WD: Floats, chances_D: Floats) -> tuple[Floats, Floats]:
        """Demands that may come, and their chances, of which only the share is worth its price.

        Demand beyond the share counts with 1% weight, so it only receives slots that would be idle.
        """
        if (self.share_W == 1.0).all():
            return needs_WD, chances_D
        both_WD = np.concatenate((needs_WD * self.share_W[:, None], needs_WD), axis=1)
        return both_WD, np.concatenate(((1.0 - SPARE) * chances_D, SPARE * chances_D))


def most_worth(rival_usd_per_s: float, slot_usd_per_s_W: Floats) -> Floats:
    """Find how many times its price an answer may be worth at most.

    At that worth, a slot that is in use for ``LEAST_USE`` of the time earns as much as jobs would earn with it; any
    further slot would be in use even less. Without jobs slots cost nothing, and the limit is ``MOST_WORTH``.

    Args:
        rival_usd_per_s: what jobs earn with a slot.
        slot_usd_per_s_W: what a slot earns that answers all the time, at the price.
    """
    if rival_usd_per_s <= 0:
        return np.full(len(slot_usd_per_s_W), MOST_WORTH)
    return np.clip(rival_usd_per_s / (LEAST_USE * np.maximum(slot_usd_per_s_W, 1e-30)), 1.0, MOST_WORTH)


def generosity(tally: Tally, attains_W: Floats, most_worth_W: Floats | float = MOST_WORTH) -> Generosity:
    """Find how generously each service is provided for now, given what it missed so far.

    A request that no slots could have answered is not owed: it does not count against the budget.

    Args:
        tally: requests asked for and missed.
        attains_W: share of requests to answer in time; NaN for services without one, for which the price decides.
        most_worth_W: see ``most_worth``.
    """
    budget_W = np.maximum(1.0 - attains_W, 1e-6)
    owed_h_W = tally.overdrawn_h(budget_W)
    share_W = np.clip(1.0 + SHARE_PER_H * owed_h_W, np.maximum(0.0, 1.0 - BURN * budget_W), 1.0)
    most_h_W = np.log(most_worth_W) / math.log(WORTH_PER_H)
    worth_W = WORTH_PER_H ** np.clip(owed_h_W, 0.0, most_h_W)
    unspent_s_W = np.maximum(0.0, -owed_h_W) * 3600.0 * budget_W
    steered_W = np.isfinite(attains_W)
    return Generosity(
        share_W=np.where(steered_W, share_W, 1.0),
        worth_W=np.where(steered_W, worth_W, 1.0),
        yields_W=np.where(steered_W, np.minimum(unspent_s_W / YIELD_S, 1.0), 0.0),
        stretched_W=steered_W & (owed_h_W > most_h_W) & (tally.attained_W < attains_W),
    )
