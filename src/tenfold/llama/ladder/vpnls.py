"""Fits the law by variable projection: a search over the two exponents, non-negative least squares inside.

Given the exponents and the floor, the law is linear in A and B, so the best of them follow in closed form; what is left
is a search in two dimensions that cannot get stuck as one in five does (Open-Athena's VPNLS; Golub and Pereyra 1973).
The prior of other families is added to the squares of the residuals, which are relative and weighted by compute.

Shape letters: R runs, I values of alpha, J values of beta.
"""

from dataclasses import dataclass

import numpy as np

from tenfold.llama.ladder.allocation import Allocation, allocation_of
from tenfold.llama.ladder.frontier import compute_weights, near_frontier
from tenfold.llama.ladder.law import Best, Cost, Law, best_run, cost_of, units_of
from tenfold.llama.ladder.prior import FAMILY_PRIOR, FamilyPrior
from tenfold.llama.ladder.runs_table import Floats, Mask, RunsTable

EXPONENTS = (0.05, 1.2)
GRID = 37
ZOOMS = 3
EVENLY = 1e-9


@dataclass(frozen=True, slots=True)
class Fit:
    """A law with what is needed to use it.

    Attributes:
        law: the loss.
        cost: what a run costs.
        allocation: which sizes the best run may have.
        used_R: the runs that had a say.
        residual: root mean square of the relative residuals, weighted as the fit was.
    """

    law: Law
    cost: Cost
    allocation: Allocation
    used_R: Mask
    residual: float

    def best(self, flops: float) -> Best:
        """The best run of a budget."""
        return best_run(self.law, self.cost, flops, self.allocation)


def fit_vpnls(
    runs: RunsTable,
    prior: FamilyPrior = FAMILY_PRIOR,
    *,
    floor_share: float | None = None,
    emphasis_R: Floats | None = None,
    zooms: int = ZOOMS,
) -> Fit:
    """Fit the law to runs.

    Args:
        runs: at least one run.
        prior: of other families.
        floor_share: E over the lowest loss seen, in place of the prior's.
        emphasis_R: further weights of the runs, e.g. those of a bootstrap.
        zooms: how often the grid is drawn again around its best point.
    """
    used_R = near_frontier(runs, prior.excess)
    allocation = allocation_of(runs, prior.allocation_excess, prior.allocation_factor)
    near = allocation.straightened(runs.only(used_R))
    weight_R = compute_weights(near, prior.compute_power)
    if emphasis_R is not None:
        weight_R = weight_R * emphasis_R[used_R]
        weight_R = weight_R / weight_R.sum()
    share = prior.floor_share if floor_share is None else floor_share
    floor = share * float(near.loss_R.min())
    squares = _Squares.of(near, weight_R, floor)
    importance = 1.0 / float(np.sum(weight_R**2)) / prior.noise**2
    ln_low, ln_high = np.log(EXPONENTS[0]), np.log(EXPONENTS[1])
    alpha_I = beta_J = np.exp(np.linspace(ln_low, ln_high, GRID))
    step = float(ln_high - ln_low) / (GRID - 1)
    for _ in range(zooms):
        i, j = _best_pair(squares, alpha_I, beta_J, importance, share, prior)
        around = np.linspace(-step, step, 9)
        alpha_I, beta_J = alpha_I[i] * np.exp(around), beta_J[j] * np.exp(around)
        step /= 4
    i, j = _best_pair(squares, alpha_I, beta_J, importance, share, prior)
    alpha, beta = float(alpha_I[i]), float(beta_J[j])
    residual_11, a_11, b_11 = squares.solve(np.array([alpha]), np.array([beta]))
    law = Law(floor, float(a_11[0, 0]), float(b_11[0, 0]), alpha, beta, squares.params, squares.tokens)
    return Fit(law, cost_of(allocation.straightened(runs)), allocation, used_R, float(np.sqrt(residual_11[0, 0])))


def _best_pair(
    squares: "_Squares", alpha_I: Floats, beta_J: Floats, importance: float, share: float, prior: FamilyPrior
) -> tuple[int, int]:
    """Places of the exponents with the least sum of squares, the prior's among them."""
    residual_IJ, _, _ = squares.solve(alpha_I, beta_J)
    score_IJ = residual_IJ * importance + _penalty(alpha_I, beta_J, share, prior)
    i, j = np.unravel_index(int(np.argmin(score_IJ)), score_IJ.shape)
    return int(i), int(j)


def _penalty(alpha_I: Floats, beta_J: Floats, share: float, prior: FamilyPrior) -> Floats:
    """What the prior holds against exponents, in squared standard deviations, shape (I, J)."""
    rate_IJ = alpha_I[:, None] * beta_J / (alpha_I[:, None] + beta_J)
    slope = np.log(rate_IJ * (1 - share) / prior.slope) / prior.slope_log_sd
    apart = np.log(alpha_I[:, None] / beta_J) / prior.exponents_log_ratio_sd
    return slope**2 + apart**2


@dataclass(frozen=True, slots=True)
class _Squares:
    """The weighted sum of squares of ``(L - E - A n^-alpha - B d^-beta) / L``, for any pair of exponents."""

    ln_params_R: Floats
    ln_tokens_R: Floats
    loss_R: Floats
    weight_R: Floats
    target_R: Floats
    params: float
    tokens: float

    @classmethod
    def of(cls, runs: RunsTable, weight_R: Floats, floor: float) -> "_Squares":
        params, tokens = units_of(runs)
        target_R = (runs.loss_R - floor) / runs.loss_R
        ln_params_R, ln_tokens_R = np.log(runs.params_R / params), np.log(runs.tokens_R / tokens)
        return cls(ln_params_R, ln_tokens_R, runs.loss_R, weight_R, target_R, params, tokens)

    def solve(self, alpha_I: Floats, beta_J: Floats) -> tuple[Floats, Floats, Floats]:
        """Least squares with A and B not below 0: the sum, A and B, each of shape (I, J)."""
        size_IR = np.exp(-np.outer(alpha_I, self.ln_params_R)) / self.loss_R
        data_JR = np.exp(-np.outer(beta_J, self.ln_tokens_R)) / self.loss_R
        weighted_R = self.weight_R * self.target_R
        total = float(weighted_R @ self.target_R)
        # The little more splits what sizes and tokens explain alike evenly between them.
        size_size = (size_IR**2 @ self.weight_R)[:, None] * (1 + EVENLY)
        data_data = (data_JR**2 @ self.weight_R)[None] * (1 + EVENLY)
        size_data = (size_IR * self.weight_R) @ data_JR.T
        size_target, data_target = (size_IR @ weighted_R)[:, None], (data_JR @ weighted_R)[None]
        determinant = size_size * data_data - size_data**2
        a = (size_target * data_data - size_data * data_target) / determinant
        b = (data_target * size_size - size_data * size_target) / determinant
        inside = (a >= 0) & (b >= 0)
        a_alone, b_alone = size_target / size_size, data_target / data_data
        left_a, left_b = total - a_alone * size_target, total - b_alone * data_target
        data_only = ~inside & (left_b < left_a)
        a = np.where(inside, a, np.where(data_only, 0.0, a_alone))
        b = np.where(inside, b, np.where(data_only, b_alone, 0.0))
        left = total - 2 * (a * size_target + b * data_target) + a * a * size_size + b * b * data_data
        return np.maximum(left + 2 * a * b * size_data, 0.0), a, b
