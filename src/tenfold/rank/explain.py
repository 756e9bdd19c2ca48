"""Why an item stands in a list: the events without which it would have scored less.

Shapes: L events read, K items, D width.
"""

import numpy as np

from tenfold.rank.retrieve import Vectors
from tenfold.rank.stream import Rows

MOST_REASONS = 3

LEAST_SHARE = 0.15
"""An event counts as a reason where it makes this share of all that events add to an item's score."""


def because(query_D: Vectors, without_LD: Vectors, vector_KD: Vectors) -> list[Rows]:
    """Places of the events that weigh most for each item, the weightiest first.

    An event weighs what the item's score loses when the network may not look at it.

    Args:
        query_D: what is expected next.
        without_LD: what would be, without each event.
        vector_KD: the items' vectors.
    """
    lost_KL = vector_KD @ (query_D - without_LD).T
    gained_KL = np.maximum(lost_KL, 0.0)
    enough_K1 = np.maximum(LEAST_SHARE * gained_KL.sum(axis=1, keepdims=True), 1e-6)
    order_KL = np.argsort(-gained_KL, axis=1, kind="stable")[:, :MOST_REASONS]
    rows = zip(order_KL, gained_KL, enough_K1, strict=True)
    return [places[gained_L[places] >= enough] for places, gained_L, enough in rows]
