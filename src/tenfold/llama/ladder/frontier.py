"""Which runs speak of the best that can be reached, and how loudly.

A run that is far above the lowest loss of its compute says more of its bad shape or its long warm-up than of what is
possible, and a small one less of what a large one will do than one that is nearly as large.

Shape letters: R runs, F points of the frontier.
"""

from dataclasses import dataclass

import numpy as np

from tenfold.llama.ladder.runs_table import Floats, Mask, RunsTable

SAME_BUDGET = 1.03
"""FLOPs that differ by less are one budget: sizes are whole layers and steps."""


@dataclass(frozen=True, slots=True)
class Frontier:
    """The best run of each budget that is better than all cheaper ones, cheapest first."""

    flops_F: Floats
    loss_F: Floats
    params_F: Floats
    tokens_F: Floats


def lowest_so_far(runs: RunsTable) -> Floats:
    """Lowest loss of all runs that cost no more than each run, shape (R,)."""
    order_R = np.argsort(runs.flops_R, kind="stable")
    lowest_R = np.minimum.accumulate(runs.loss_R[order_R])
    last_R = np.searchsorted(runs.flops_R[order_R], runs.flops_R * SAME_BUDGET, side="right") - 1
    return lowest_R[last_R]


def near_frontier(runs: RunsTable, excess: float) -> Mask:
    """Runs whose loss is at most so much above the lowest of their compute, as a share of it; shape (R,)."""
    return runs.loss_R <= lowest_so_far(runs) * (1 + excess)


def budgets(runs: RunsTable) -> list[Mask]:
    """The runs of each budget, cheapest first: those within ``SAME_BUDGET`` of its cheapest."""
    found: list[Mask] = []
    left_R = np.ones(len(runs), dtype=bool)
    while left_R.any():
        least = runs.flops_R[left_R].min()
        mask_R = left_R & (runs.flops_R <= least * SAME_BUDGET)
        found.append(mask_R)
        left_R &= ~mask_R
    return found


def frontier(runs: RunsTable) -> Frontier:
    """Find the frontier."""
    lowest, places = np.inf, []
    for mask_R in budgets(runs):
        place = int(np.flatnonzero(mask_R)[np.argmin(runs.loss_R[mask_R])])
        if runs.loss_R[place] < lowest:
            lowest = runs.loss_R[place]
            places.append(place)
    return Frontier(runs.flops_R[places], runs.loss_R[places], runs.params_R[places], runs.tokens_R[places])


def compute_weights(runs: RunsTable, power: float) -> Floats:
    """Weight of each run by its FLOPs to a power, summing to 1; shape (R,)."""
    weight_R = (runs.flops_R / runs.flops_R.max()) ** power
    return weight_R / weight_R.sum()
