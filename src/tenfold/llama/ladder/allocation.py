"""How a budget may be split between parameters and tokens: only near to how the best runs split theirs.

The law is a fit. Far from the runs its optimum may be anywhere, so it is asked only about splits that were tried. Where
no budget was spent on two sizes, the runs say nothing of the best size at all: sizes are taken to go on as they went.

Shape letters: R runs, S sizes considered.
"""

from dataclasses import dataclass

import numpy as np

from tenfold.llama.ladder.frontier import budgets, near_frontier
from tenfold.llama.ladder.runs_table import Floats, Mask, RunsTable

CONTRAST = 1.5
"""Sizes of one budget that differ by less than this factor are one size."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """Least and most tokens per parameter; or, with ``path``, one size per budget.

    ``path``: slope and level of ln params along ln FLOPs.
    """

    ratios: tuple[float, float]
    path: tuple[float, float] | None = None

    def allowed(self, flops: float, params_S: Floats, tokens_S: Floats) -> Mask:
        """Which of the sizes may be considered, shape (S,); one at least."""
        if self.path is not None:
            return _nearest(np.log(params_S), self.path[0] * np.log(flops) + self.path[1])
        ratio_S = tokens_S / params_S
        allowed_S = (ratio_S >= self.ratios[0]) & (ratio_S <= self.ratios[1])
        return allowed_S if allowed_S.any() else _nearest(np.log(ratio_S), float(np.log(self.ratios).mean()))

    def straightened(self, runs: RunsTable) -> RunsTable:
        """The runs, on the path if there is one: what sizes differ from it by is then noise, not knowledge."""
        if self.path is None:
            return runs
        params_R = np.exp(self.path[0] * np.log(runs.flops_R) + self.path[1])
        tokens_R = runs.params_R * runs.tokens_R / params_R
        return RunsTable(runs.names, params_R, tokens_R, runs.flops_R, runs.loss_R)


def allocation_of(runs: RunsTable, excess: float, factor: float) -> Allocation:
    """How the runs within ``excess`` of the best of their compute split it, with room by a factor."""
    near = runs.only(near_frontier(runs, excess))
    ratio_R = near.tokens_R / near.params_R
    ratios = float(ratio_R.min()) / factor, float(ratio_R.max()) * factor
    if has_contrast(runs) or len(np.unique(runs.flops_R)) == 1:
        return Allocation(ratios)
    slope, level = np.polyfit(np.log(runs.flops_R), np.log(runs.params_R), 1)
    return Allocation(ratios, (float(slope), float(level)))


def has_contrast(runs: RunsTable) -> bool:
    """Whether some budget was spent on two sizes, or one size got two budgets."""
    sizes = (runs.params_R[mask_R] for mask_R in budgets(runs))
    if any(params_R.max() > CONTRAST * params_R.min() for params_R in sizes):
        return True
    return len(np.unique(runs.params_R.round(-3))) < len(np.unique(runs.flops_R.round(-3)))


def _nearest(values_S: Floats, target: float) -> Mask:
    return np.arange(len(values_S)) == np.argmin(np.abs(values_S - target))
