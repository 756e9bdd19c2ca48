"""What a campaign bids for one opportunity, and why it can overspend neither its budget nor its cap.

The plan gives a multiplier, money per unit of value (``pacing.py``). The bid is ``value * multiplier``, but never more
than what is left of the budget, and never more than the opportunity may cost so that the average cost per value stays
within the cap, given what was won so far and an overdraft that the plan allows. Both limits hold at each single
opportunity, so they hold whatever the market does: prices that double between two plans cost value, not the promise.

All functions take arrays that broadcast, or plain numbers. Money is in any unit, the same everywhere.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Amounts = Floats | float

NO_CAP = 1e60
"""Stands for no cap: no price per value is above it, and sums with it stay finite."""


def bid(
    value: Amounts,
    multiplier: Amounts,
    cap: Amounts,
    spent: Amounts,
    won: Amounts,
    left: Amounts,
    overdraft: Amounts,
) -> Floats:
    """Bid for opportunities.

    Args:
        value: what the opportunity brings if won.
        multiplier: money per value, by the plan.
        cap: most money per value on average; ``NO_CAP`` for none.
        spent: money so far, in the time for which the cap is kept.
        won: value so far, in the same time.
        left: of the budget.
        overdraft: by how much money the average may be above the cap for a while.
    Returns:
        The bid; 0 where nothing may be bid.
    """
    spare = np.maximum(cap * won - spent + overdraft, 0.0)
    return np.maximum(np.minimum(np.minimum(value * multiplier, cap * value + spare), left), 0.0)
