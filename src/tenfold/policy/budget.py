"""How generously a service is provided for, steered by the share of its requests that it answers in time.

A target leaves a budget of requests that may be missed. While less is missed, less of demand is provided for and the
slots work for others; once too much was missed, answers are worth more until it is made good. Only what slots could
have answered is made good, and an answer is worth more only as far as more slots answer more: a target out of reach
costs no more than coming close to it does.

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
"""How much less of demand is provided for, for each hour of the budget that is unspent."""

WORTH_PER_H, MOST_WORTH = 1.2, 200.0
"""By what factor an answer is worth more, for each hour of the budget that is overdrawn; and by what factor at most."""

LEAST_USE = 0.03
"""An answer is worth no more than lets slots outbid other work that are in use for this share of the time; the next
slot would be in use even less, so that it would answer next to nothing."""

BURN = 4.0
"""However much is unspent, no more than so many times the budget is left out at once."""

RESERVE_S = 60.0
"""What all requests of so many seconds are of the budget is kept for bursts, which are missed in whole."""

SPARE = 0.01
"""What an answer past the share that is provided for is worth, as a share of what the others are."""


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
        """Hours by which more is owed than the budget allows, below 0 less; some is kept in reserve for bursts."""
        hours_W = self.seconds_W / 3600.0
        overdrawn_h_W = self.owed_share_W / budget_W * hours_W - hours_W + RESERVE_S / 3600.0 / budget_W
        return np.where(self.asked_W > 0, overdrawn_h_W, 0.0)

    def shared(self, group_W: Ints) -> "Tally":
        """What was asked of each service's whole group, and missed by it, since the first service was asked."""
        asked_G, missed_G, owed_G = (
            np.bincount(group_W, of_W).astype(np.float64) for of_W in (self.asked_W, self.missed_W, self.owed_W)
        )
        seconds_G = np.zeros(len(asked_G))
        np.maximum.at(seconds_G, group_W, self.seconds_W)
        return Tally(asked_G[group_W], missed_G[group_W], owed_G[group_W], seconds_G[group_W])

    def after(
        self, asked_W: Floats, missed_W: Floats, seconds: float, unpreventable_W: Floats | None = None
    ) -> "Tally":
        """Add what came over the last ``seconds``; who still waits may count as missed until the answer comes.

        ``unpreventable_W``: so many requests that were missed, now or a moment ago, no slots could have answered; none
        if not given.
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
    ``stretched_W``: the budget is overdrawn and the worth at its most: more slots would hardly answer more.
    """

    share_W: Floats
    worth_W: Floats
    stretched_W: NDArray[np.bool_]

    def provided(self, needs_WD: Floats, chances_D: Floats) -> tuple[Floats, Floats]:
        """Demands that may come, and their chances, such that what lies past the share is worth next to nothing.

        A share of demand is a smaller demand, nearly surely; the rest gets slots that would be idle.
        """
        if (self.share_W == 1.0).all():
            return needs_WD, chances_D
        both_WD = np.concatenate((needs_WD * self.share_W[:, None], needs_WD), axis=1)
        return both_WD, np.concatenate(((1.0 - SPARE) * chances_D, SPARE * chances_D))


def most_worth(rival_usd_per_s: float, slot_usd_per_s_W: Floats) -> Floats:
    """Find how many times its price an answer is worth at most.

    As many as make a slot that is in use for ``LEAST_USE`` of the time worth what others would make of it. Further
    slots are in use even less. Where nothing else wants slots, they cost nothing: ``MOST_WORTH``.

    Args:
        rival_usd_per_s: what other work than requests makes of a slot.
        slot_usd_per_s_W: what a slot that is always in use earns by answers at their price.
    """
    if rival_usd_per_s <= 0:
        return np.full(len(slot_usd_per_s_W), MOST_WORTH)
    return np.clip(rival_usd_per_s / (LEAST_USE * np.maximum(slot_usd_per_s_W, 1e-30)), 1.0, MOST_WORTH)


def generosity(tally: Tally, attains_W: Floats, most_worth_W: Floats | float = MOST_WORTH) -> Generosity:
    """Find what steers services to the share of requests that they shall answer in time.

    What no slots could have answered is not owed: it neither overdraws the budget nor spends it.

    Args:
        tally: what was asked and missed.
        attains_W: that share; NaN for services without one, for which the price decides.
        most_worth_W: see ``most_worth``.
    """
    budget_W = np.maximum(1.0 - attains_W, 1e-6)
    owed_h_W = tally.overdrawn_h(budget_W)
    share_W = np.clip(1.0 + SHARE_PER_H * owed_h_W, np.maximum(0.0, 1.0 - BURN * budget_W), 1.0)
    most_h_W = np.log(most_worth_W) / math.log(WORTH_PER_H)
    worth_W = WORTH_PER_H ** np.clip(owed_h_W, 0.0, most_h_W)
    steered_W = np.isfinite(attains_W)
    return Generosity(
        share_W=np.where(steered_W, share_W, 1.0),
        worth_W=np.where(steered_W, worth_W, 1.0),
        stretched_W=steered_W & (owed_h_W > most_h_W) & (tally.attained_W < attains_W),
    )
