"""Loss by parameters N and tokens D: ``L = E + A (N / N0)^-alpha + B (D / D0)^-beta`` (Hoffmann et al. 2022).

N0 and D0 are the middle of the data, so that A and B are shares of a loss and not numbers of ten digits.
"""

from dataclasses import dataclass

import numpy as np

from tenfold.llama.ladder.allocation import Allocation
from tenfold.llama.ladder.runs_table import FLOPS_PER_PARAM_AND_TOKEN, Floats, RunsTable

SIZES = 2400


@dataclass(frozen=True, slots=True)
class Law:
    """The law; ``floor`` is E, the loss that no compute takes off."""

    floor: float
    size_factor: float
    data_factor: float
    size_exponent: float
    data_exponent: float
    params_unit: float
    tokens_unit: float

    def loss(self, params: Floats, tokens: Floats) -> Floats:
        """Loss of runs of these parameters and tokens."""
        return (
            self.floor
            + self.size_factor * (params / self.params_unit) ** -self.size_exponent
            + self.data_factor * (tokens / self.tokens_unit) ** -self.data_exponent
        )

    @property
    def compute_exponent(self) -> float:
        """Exponent by which the best loss nears the floor as compute grows: alpha beta / (alpha + beta)."""
        total = self.size_exponent + self.data_exponent
        return self.size_exponent * self.data_exponent / total

    @property
    def plain_factors(self) -> tuple[float, float]:
        """A and B as papers print them: for N and D in ones."""
        return (
            self.size_factor * self.params_unit**self.size_exponent,
            self.data_factor * self.tokens_unit**self.data_exponent,
        )


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run costs: ``flops = N D (base + factor (N / params_unit)^slope)``; 6 N D where the runs say nothing else.

    ``base`` is 6 where all runs cost more than that: the rest is attention and the output matrix, which matter less the
    larger the model. Elsewhere FLOPs were counted in another way, and it is 0.
    """

    base: float
    factor: float
    slope: float
    params_unit: float

    def per_token(self, params: Floats) -> Floats:
        """FLOPs of a token, by parameters."""
        return params * (self.base + self.factor * (params / self.params_unit) ** self.slope)

    def tokens(self, flops: float, params: Floats) -> Floats:
        """Tokens that a budget pays for, by parameters."""
        return flops / self.per_token(params)


@dataclass(frozen=True, slots=True)
class Best:
    """The best run of a budget, as the law has it."""

    flops: float
    params: float
    tokens: float
    loss: float


def cost_of(runs: RunsTable) -> Cost:
    """Fit what a parameter and a token cost: attention, embeddings and other counts make it other than 6."""
    ratio_R, unit = runs.flops_R / (runs.params_R * runs.tokens_R), _middle(runs.params_R)
    if np.ptp(np.log(ratio_R)) < 0.02:
        return Cost(0.0, float(np.exp(np.log(ratio_R).mean())), 0.0, unit)
    base = FLOPS_PER_PARAM_AND_TOKEN if ratio_R.min() > 1.01 * FLOPS_PER_PARAM_AND_TOKEN else 0.0
    rest_R = np.log(ratio_R - base)
    if np.ptp(np.log(runs.params_R)) < 0.05:
        return Cost(base, float(np.exp(rest_R.mean())), 0.0, unit)
    slope, level = np.polyfit(np.log(runs.params_R / unit), rest_R, 1)
    return Cost(base, float(np.exp(level)), float(np.clip(slope, -0.9, 0.9)), unit)


def best_run(law: Law, cost: Cost, flops: float, allocation: Allocation) -> Best:
    """Find the size with the least loss for a budget.

    Args:
        law: the loss.
        cost: what a run costs.
        flops: the budget.
        allocation: which sizes may be considered.
    """
    centre = np.log(np.sqrt(flops / FLOPS_PER_PARAM_AND_TOKEN))
    params_S = np.exp(np.linspace(centre - 12, centre + 12, SIZES))
    tokens_S = cost.tokens(flops, params_S)
    allowed_S = allocation.allowed(flops, params_S, tokens_S)
    params_S, tokens_S = params_S[allowed_S], tokens_S[allowed_S]
    loss_S = law.loss(params_S, tokens_S)
    place = int(np.argmin(loss_S))
    return Best(flops, float(params_S[place]), float(tokens_S[place]), float(loss_S[place]))


def _middle(values: Floats) -> float:
    return float(np.exp(np.log(values).mean()))


def units_of(runs: RunsTable) -> tuple[float, float]:
    """Geometric means of parameters and of tokens."""
    return _middle(runs.params_R), _middle(runs.tokens_R)
