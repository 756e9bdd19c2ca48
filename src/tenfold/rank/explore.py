"""A list with some chance in it, and how likely each of its places was to come out as it did.

A model that is trained on what it showed learns nothing of what it never shows. So each place is given, with a small
chance, to any of the candidates. With the propensities that are logged, other ways of ranking can be judged on the same
events without bias (inverse propensity scoring; Horvitz & Thompson 1952, Li et al. 2011).
"""

from typing import NamedTuple

import numpy as np

from tenfold.rank.diversity import Standing


class Place(NamedTuple):
    """One place of a list.

    ``candidate``: which stands there. ``propensity``: the probability that it stands there, given those above.
    """

    candidate: int
    propensity: float


def choose(standing: Standing, k: int, chance: float, draw: np.random.Generator) -> list[Place]:
    """Fill at most ``k`` places, the first first.

    Args:
        standing: of the candidates; those chosen are taken.
        k: places.
        chance: of each place to be given to any candidate, all alike; 0: the best always.
        draw: of whom to show.
    """
    places: list[Place] = []
    while len(places) < k:
        worth_K = standing.worth()
        best = int(worth_K.argmax()) if len(worth_K) else 0
        if not len(worth_K) or worth_K[best] == -np.inf:
            break
        chosen, propensity = best, 1.0
        if chance:
            open_K = worth_K > -np.inf
            if draw.random() < chance:
                chosen = int(draw.choice(np.flatnonzero(open_K)))
            propensity = chance / int(np.count_nonzero(open_K)) + (1.0 - chance) * (chosen == best)
        standing.take(chosen)
        places.append(Place(chosen, propensity))
    return places
