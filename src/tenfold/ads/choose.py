"""Which of the approved variants somebody sees: hierarchical Thompson sampling, with its probabilities written down.

A variant's click rate in a segment is drawn around its rate in the other segments, and that around the campaign's, so
that little data in a segment is filled up by what is known elsewhere. The shares with which each variant comes out best
of many draws are computed beside the hot path; a choice then is one draw from them, mixed with a uniform slice, so its
probability is exact and never small.

Legend: V variants, S segments, D draws.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

UNIFORM = 0.02
"""Share of choices that are made at random, so that every variant can be judged by every other's data."""
SEGMENTS = 8
DRAWS = 400
STRENGTH_CAMPAIGN = 50.0
"""Impressions that a campaign's rate weighs in a variant's: clicks are rare, and one says little."""
STRENGTH_VARIANT = 100.0
"""Impressions that a variant's rate elsewhere weighs in its rate in a segment."""
FIRST_RATE, FIRST_WEIGHT = 0.01, 20.0
"""Of a campaign that nobody has seen: a click in a hundred."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Shown:
    """One impression, and whether it was clicked."""

    variant: str
    segment: int
    clicked: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """What is shown, and with which probability it was chosen."""

    variant: str
    propensity: float
    segment: int


class Chooser:
    """Chooses among the variants of one campaign.

    Args:
        random: draws everything.
        uniform: share of choices that are made at random.
    """

    def __init__(self, random: np.random.Generator, uniform: float = UNIFORM) -> None:
        self._random = random
        self._uniform = uniform
        self._variants: tuple[str, ...] = ()
        self._shares_SV: Floats = np.zeros((SEGMENTS, 0))

    def choose(self, variants: Sequence[str], segment: int) -> Choice:
        """Choose a variant for somebody in a segment; new variants are equal until the next ``learn``."""
        if tuple(variants) != self._variants:
            self.learn(variants, ())
        shares_V = self._shares_SV[segment]
        at = int(np.searchsorted(np.cumsum(shares_V), self._random.random() * shares_V.sum()))
        at = min(at, len(shares_V) - 1)
        return Choice(self._variants[at], float(shares_V[at]), segment)

    def learn(self, variants: Sequence[str], shown: Iterable[Shown]) -> None:
        """Take up which variants there are, and what became of those shown: all of it, not what is new."""
        self._variants = tuple(variants)
        seen_SV, clicked_SV = counts(self._variants, shown)
        self._shares_SV = shares(self._random, seen_SV, clicked_SV, self._uniform)


def counts(variants: Sequence[str], shown: Iterable[Shown]) -> tuple[Floats, Floats]:
    """Impressions and clicks by segment and variant, both of shape (S, V)."""
    place: Mapping[str, int] = {name: at for at, name in enumerate(variants)}
    seen_SV = np.zeros((SEGMENTS, len(variants)))
    clicked_SV = np.zeros((SEGMENTS, len(variants)))
    for each in shown:
        at = place.get(each.variant)
        if at is not None:
            seen_SV[each.segment, at] += 1.0
            clicked_SV[each.segment, at] += each.clicked
    return seen_SV, clicked_SV


def shares(random: np.random.Generator, seen_SV: Floats, clicked_SV: Floats, uniform: float) -> Floats:
    """With which probability each variant is shown in each segment, shape (S, V); each row sums to 1."""
    count = seen_SV.shape[1]
    if count == 0:
        return seen_SV
    rate = (clicked_SV.sum() + FIRST_RATE * FIRST_WEIGHT) / (seen_SV.sum() + FIRST_WEIGHT)
    won_SV = np.zeros_like(seen_SV)
    for segment in range(SEGMENTS):
        # Its own data counts once: a variant's rate elsewhere is drawn from the other segments alone.
        seen_V = seen_SV.sum(axis=0) - seen_SV[segment]
        clicked_V = clicked_SV.sum(axis=0) - clicked_SV[segment]
        prior = STRENGTH_CAMPAIGN * rate
        elsewhere_DV = random.beta(
            clicked_V + prior, seen_V - clicked_V + STRENGTH_CAMPAIGN - prior, size=(DRAWS, count)
        )
        elsewhere_DV = np.clip(elsewhere_DV, 1e-9, 1.0 - 1e-9)
        here_DV = random.beta(
            clicked_SV[segment] + STRENGTH_VARIANT * elsewhere_DV,
            seen_SV[segment] - clicked_SV[segment] + STRENGTH_VARIANT * (1.0 - elsewhere_DV),
        )
        won_SV[segment] = np.bincount(here_DV.argmax(axis=1), minlength=count) / DRAWS
    return (1.0 - uniform) * won_SV + uniform / count


class Segments:
    """Cuts the space of embeddings into ``SEGMENTS`` by fixed planes, alike in all processes and after each start."""

    def __init__(self, width: int) -> None:
        bits = SEGMENTS.bit_length() - 1
        self._planes_BW = np.random.default_rng(14).standard_normal((bits, width))
        self._powers_B = 2 ** np.arange(bits)

    def of(self, vector_W: NDArray[np.floating]) -> int:
        """The segment of a person; one of whom nothing is known is in 0."""
        return int(((self._planes_BW @ vector_W) > 0.0) @ self._powers_B)
