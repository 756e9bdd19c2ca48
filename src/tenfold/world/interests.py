"""Hidden interests: each person's on each surface, which have a part in common; and how they drift.

    interest on surface s = sqrt(correlation) * common + sqrt(1 - correlation) * own on s

All are normal, so any two surfaces' interests of a person correlate by just that much. The correlation is the dial of
the world: at 0 what somebody does on one surface says nothing of another, at 1 people are the same everywhere.

Shapes: S surfaces, P people, D width, N pairs of a person and an item.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

WIDTH = 16


@dataclass(frozen=True, slots=True)
class Interests:
    """What people like, which no product is told: ``common_PD``, and ``own_SPD`` on each surface."""

    common_PD: Floats
    own_SPD: Floats
    correlation: float

    def on(self, surface: int) -> Floats:
        """Interests on a surface, (P, D); with an item's vector of length 1 the product is a standard normal."""
        return shared(self.common_PD, self.own_SPD[surface], self.correlation)

    def later(self, drift: float, random: np.random.Generator) -> "Interests":
        """A day later: a ``drift`` (0 to 1) of everything is new; spread and correlation stay (Ornstein-Uhlenbeck)."""
        return Interests(
            _drifted(self.common_PD, drift, random), _drifted(self.own_SPD, drift, random), self.correlation
        )


def draw_interests(people: int, surfaces: int, correlation: float, random: np.random.Generator) -> Interests:
    """Draw what ``people`` people like."""
    common_PD, own_SPD = random.standard_normal((people, WIDTH)), random.standard_normal((surfaces, people, WIDTH))
    return Interests(common_PD, own_SPD, correlation)


def shared(common: Floats, own: Floats, correlation: float) -> Floats:
    """Mix what is common to all surfaces with what is a surface's own."""
    return np.sqrt(correlation) * common + np.sqrt(1.0 - correlation) * own


def _drifted(interest: Floats, drift: float, random: np.random.Generator) -> Floats:
    return np.sqrt(1.0 - drift) * interest + np.sqrt(drift) * random.standard_normal(interest.shape)
