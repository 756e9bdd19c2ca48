"""Choosing among variants in a running process: what was shown is read now and then, choices are made in memory.

The same stored choices, each with its probability, tell afterwards what choosing has brought over chance.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from pydantic import Field
from sqlalchemy import Connection

from tenfold.ads.choose import SEGMENTS, Chooser, Segments, Shown
from tenfold.ads.contract import VariantOut
from tenfold.ads.money.charge import CREDITED
from tenfold.ads.off_policy import Estimate, snips
from tenfold.ads.tables import charges, clicks
from tenfold.core.frozen import Frozen

MOST_LEARNED = 20_000
"""Impressions that are learned from, the latest: what people like changes."""
MOST_JUDGED = 100_000
LEAST_JUDGED = 100
"""Impressions below which nothing is said of what choosing brought."""


class RateOut(Frozen):
    """Clicks per impression, with a 95% interval."""

    rate: float
    low: float
    high: float


class ChoosingOut(Frozen):
    """What choosing among variants brought, from stored choices and their probabilities."""

    impressions: int
    chosen: float = Field(description="clicks per impression as it was")
    by_chance: RateOut = Field(description="had each variant been shown equally often, estimated by SNIPS")


class Choosing:
    """Chooses for all campaigns of a process.

    Args:
        random: draws everything.
        width: of people's embeddings.
    """

    def __init__(self, random: np.random.Generator, width: int) -> None:
        self._random = random
        self._segments = Segments(width)
        self._choosers: dict[str, Chooser] = {}

    def choose(
        self, campaign: str, variants: Sequence[VariantOut], person_W: NDArray[np.floating]
    ) -> tuple[VariantOut, float, int]:
        """Choose a variant for a person: with its probability, and the segment that the person is in."""
        segment = self._segments.of(person_W)
        chooser = self._choosers.get(campaign)
        if chooser is None:
            chooser = self._choosers[campaign] = Chooser(self._random)
        choice = chooser.choose([each.id for each in variants], segment)
        chosen = next(each for each in variants if each.id == choice.variant)
        return chosen, choice.propensity, choice.segment

    def learn(self, variants: Mapping[str, Sequence[VariantOut]], shown: Mapping[str, Sequence[Shown]]) -> None:
        """Take up what became of what was shown; campaigns that are over are forgotten."""
        self._choosers = {id: self._choosers.get(id) or Chooser(self._random) for id in variants}
        for id, chooser in self._choosers.items():
            chooser.learn([each.id for each in variants[id]], shown.get(id, ()))


def read_shown(connection: Connection, campaigns: Iterable[str]) -> dict[str, list[Shown]]:
    """The latest impressions of some campaigns, and whether each was clicked; not what programs have seen."""
    found: dict[str, list[Shown]] = defaultdict(list)
    query = _shown(charges.c.campaign.in_(list(campaigns))).order_by(charges.c.number.desc()).limit(MOST_LEARNED)
    for row in connection.execute(query):
        segment = int(row.decision.get("segment", 0)) % SEGMENTS
        found[row.campaign].append(Shown(row.variant, segment, row.clicked is not None))
    return found


def choosing_of(connection: Connection, campaign: str) -> ChoosingOut | None:
    """What choosing brought over showing all variants equally often; none while that is too little to say."""
    query = _shown(charges.c.campaign == campaign).order_by(charges.c.number.desc()).limit(MOST_JUDGED)
    rows = connection.execute(query).all()
    variants = {row.variant for row in rows}
    if len(rows) < LEAST_JUDGED or len(variants) < 2:
        return None
    clicked_N = np.array([row.clicked is not None for row in rows], dtype=float)
    propensity_N = np.array([row.decision.get("propensity", 1.0) for row in rows], dtype=float)
    by_chance = snips(clicked_N, propensity_N, np.full(len(rows), 1.0 / len(variants)))
    return ChoosingOut(impressions=len(rows), chosen=float(clicked_N.mean()), by_chance=_rate(by_chance))


def _shown(which: sa.ColumnElement[bool]) -> sa.Select:
    chosen = (charges.c.campaign, charges.c.variant, charges.c.decision, clicks.c.event.label("clicked"))
    joined = charges.outerjoin(clicks, (clicks.c.event == charges.c.event) & clicks.c.valid)
    return sa.select(*chosen).select_from(joined).where(which, charges.c.state != CREDITED)


def _rate(estimate: Estimate) -> RateOut:
    return RateOut(rate=estimate.value, low=max(0.0, estimate.low), high=min(1.0, estimate.high))
