"""The surfaces of a world: what they show, how people use them, and how often a card is opened there.

What is published and what is assumed:

- `short`: opened is 0.177 of the cards drawn at random and 0.444 of those that the platform's own policy chose:
  KuaiRand (Gao et al. 2022, CIKM), tab 1 of its log; there a person sees one video after another.
- `shop`: a policy's list is opened 1.2 times as often as a random one, and the place among neighbours hardly matters:
  the sample of the Open Bandit Dataset (Saito et al. 2020: 0.0052 of 30,000 against 0.0043). Its level is that of a
  banner on a page of other things; here people come to look at the shop, so 0.1 is opened of a random list.
- All else is assumed: how often the other surfaces are used and opened, lengths, and how long an item is of interest.
  No log of real people over several such surfaces can be had.

The shares are those of people who have seen little: whoever has opened most of what they like in a small stock opens
less.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SLOPE = 2.0
"""How much the log odds of opening rise with a standard deviation of liking."""

QUALITY = 0.16
"""Share of the variance of liking that is the item's: some items please nearly everybody."""

CANDIDATES = 60
"""Items that the platform's policy chooses a page from."""


@dataclass(frozen=True, slots=True)
class Surface:
    """A place that shows items.

    ``share``: of all pages that people open. ``cards``: on a page. ``looks_on``: chance that who saw a card goes on to
    the next, so that what stands lower is seen less. ``items``: how many there are at a time, and ``life_days`` how
    long each is there on average. ``length_s``: median time that an item takes, and ``spread`` the deviation of its
    logarithm. ``opened_random``, ``opened_policy``: share of the seen cards that is opened, if they are drawn at random
    or chosen by the platform's policy.
    """

    name: str
    share: float
    cards: int
    looks_on: float
    items: int
    life_days: float
    length_s: float
    spread: float
    opened_random: float
    opened_policy: float


SURFACES = (
    Surface("short", 0.50, 8, 0.97, 1500, 20.0, 20.0, 0.7, 0.177, 0.444),
    Surface("long", 0.15, 8, 0.85, 600, 120.0, 480.0, 0.8, 0.12, 0.35),
    Surface("live", 0.10, 4, 0.90, 200, 4.0, 900.0, 0.6, 0.15, 0.36),
    Surface("groups", 0.10, 8, 0.90, 400, 60.0, 30.0, 0.8, 0.20, 0.42),
    Surface("shop", 0.15, 9, 1.00, 600, 90.0, 40.0, 0.6, 0.10, 0.12),
)


@dataclass(frozen=True, slots=True)
class Opening:
    """How opening comes about on a surface.

    ``base``: log odds of opening an item that is liked as usual. ``skill``: correlation of what the platform's policy
    sees with what a person likes.
    """

    base: float
    skill: float

    def chance(self, like: Floats) -> Floats:
        """Chance that a card is opened that is seen and liked so much (standard deviations)."""
        return 1.0 / (1.0 + np.exp(-(self.base + SLOPE * like)))


@lru_cache
def opening_of(surface: Surface) -> Opening:
    """Find what gives a surface its published shares of opened cards.

    By bisection on a fixed sample of pages, liking being normal.

    Raises:
        ValueError: no policy can have so much opened, or it would have to avoid what people like.
    """
    random = np.random.default_rng(7)
    like_NC = random.standard_normal((2000, CANDIDATES))
    noise_NC = random.standard_normal((2000, CANDIDATES))
    seen_K = surface.looks_on ** np.arange(surface.cards)

    def opened_random(base: float) -> float:
        return float(Opening(base, 0.0).chance(like_NC).mean())

    base = _where(opened_random, surface.opened_random, -12.0, 12.0)

    def opened_policy(skill: float) -> float:
        score_NC = skill * like_NC + math.sqrt(1.0 - skill**2) * noise_NC
        best_NK = np.argsort(-score_NC, axis=1)[:, : surface.cards]
        chance_NK = Opening(base, skill).chance(np.take_along_axis(like_NC, best_NK, axis=1))
        return float((chance_NK @ seen_K).mean() / seen_K.sum())

    if not opened_policy(0.0) <= surface.opened_policy + 0.01 <= opened_policy(1.0) + 0.01:
        raise ValueError(
            f"surface {surface.name!r}: a policy can have {opened_policy(0.0):.3f} to {opened_policy(1.0):.3f} of the "
            f"cards opened, not {surface.opened_policy!r}; change opened_policy"
        )
    return Opening(base, _where(opened_policy, surface.opened_policy, 0.0, 1.0))


def _where(rising: Callable[[float], float], target: float, low: float, high: float) -> float:
    """Where a rising function reaches ``target``."""
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < target else (low, middle)
    return (low + high) / 2
