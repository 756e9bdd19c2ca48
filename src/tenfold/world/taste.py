"""Hidden tastes: how much each person likes each item, which no product is ever told.

A person's taste is that of two real people of a data set, mixed, as a truncated singular value decomposition of who
chose what sees them. So what people like goes together as it does among real people, and a model that has learned from
real people can find it out from what a person watches.

Where items are of several surfaces, a person can be less of a piece than real people are: with a correlation below 1
each surface has interests of its own, those of two more users, mixed in as ``interests.shared`` does.

Shapes: U users of the data, I items, P people of the world, D width of the decomposition.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tenfold.world.interests import shared

Floats = NDArray[np.float64]

WIDTH = 24
PICKY = 8.0
"""An item at share q of a person's order is liked with q to this power: a few much, most hardly. People who are more
picky like fewer."""

_TWIN = 0.75
"""Weight of the first of the two users that a person is mixed of."""


@dataclass(frozen=True, slots=True)
class Tastes:
    """How much each person likes each item, 0 to 1: the chance that one opens it. ``like_PI``: shape (P, I)."""

    like_PI: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.like_PI)

    def of(self, person: int, item: int) -> float:
        """How much a person likes an item, by their rows."""
        return float(self.like_PI[person, item])


def draw_tastes(
    user_E: NDArray[np.int64],
    row_E: NDArray[np.int64],
    *,
    items: int,
    people: int,
    seed: int,
    picky: float = PICKY,
    surface_I: NDArray[np.int64] | None = None,
    correlation: float = 1.0,
) -> Tastes:
    """Draw the tastes of ``people`` people from who chose what.

    Args:
        user_E: users of the data, one per event.
        row_E: the item that each chose, 0 to ``items - 1``.
        items: size of the catalog.
        people: people to draw.
        seed: draws the same people again.
        picky: see ``PICKY``.
        surface_I: the surface of each item; default: all are of one.
        correlation: of a person's interests on two surfaces, beyond what all people like, 0 to 1.
    """
    _, user_E = np.unique(user_E, return_inverse=True)
    chose_UI = np.zeros((int(user_E.max()) + 1, items))
    chose_UI[user_E, row_E] = 1.0
    count_I = np.maximum(chose_UI.sum(axis=0), 1.0)
    scaled_UI = chose_UI / np.sqrt(np.maximum(chose_UI.sum(axis=1, keepdims=True), 1.0)) / np.sqrt(count_I)
    left_UD, size_D, right_DI = np.linalg.svd(scaled_UI, full_matrices=False)
    user_UD = left_UD[:, :WIDTH] * size_D[:WIDTH]
    random = np.random.default_rng([seed, 11])
    person_PD = _mixed(user_UD, people, random)
    score_PI = person_PD @ right_DI[:WIDTH]
    if surface_I is not None and correlation < 1:
        usual_D = user_UD.mean(axis=0)
        for surface in np.unique(surface_I):
            own_PD = _mixed(user_UD, people, random)
            there_PD = usual_D + shared(person_PD - usual_D, own_PD - usual_D, correlation)
            score_PI[:, surface_I == surface] = there_PD @ right_DI[:WIDTH, surface_I == surface]
    order_PI = score_PI.argsort(axis=1).argsort(axis=1)
    return Tastes((((order_PI + 1.0) / items) ** picky).astype(np.float32))


def _mixed(user_UD: Floats, people: int, random: np.random.Generator) -> Floats:
    first, second = random.integers(0, len(user_UD), (2, people))
    return _TWIN * user_UD[first] + (1.0 - _TWIN) * user_UD[second]
