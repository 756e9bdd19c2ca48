"""What another way to choose would have brought, from what was shown, with which probability, and what came of it.

Inverse propensity scores (IPS), the same with weights that sum to one (SNIPS), and doubly robust (DR, Dudík et al.
2011), each with a 95% interval. Legend: N impressions.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_Z = 1.959964


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean reward per impression with its 95% interval. ``effective``: impressions that the weights are worth."""

    value: float
    low: float
    high: float
    effective: float


def ips(reward_N: Floats, propensity_N: Floats, target_N: Floats) -> Estimate:
    """Weigh each reward by how much likelier the other policy would have shown this; unbiased, with wide intervals.

    Args:
        reward_N: what came of each impression.
        propensity_N: with which probability it was shown; above 0.
        target_N: with which the other policy would have.

    Raises:
        ValueError: a propensity is not above 0, or there are fewer than two impressions.
    """
    weight_N = _weights(propensity_N, target_N)
    return _of(weight_N * reward_N, weight_N)


def snips(reward_N: Floats, propensity_N: Floats, target_N: Floats) -> Estimate:
    """As ``ips``, divided by the mean weight: a little biased, much steadier. Its interval is by the delta method."""
    weight_N = _weights(propensity_N, target_N)
    mean = weight_N.mean()
    if mean == 0.0:
        return Estimate(0.0, 0.0, float(reward_N.max()), 0.0)
    value = (weight_N * reward_N).mean() / mean
    residual_N = weight_N * (reward_N - value) / mean
    return _of(value + residual_N, weight_N)


def doubly_robust(
    reward_N: Floats, propensity_N: Floats, target_N: Floats, model_N: Floats, model_target_N: Floats
) -> Estimate:
    """A model's answer, corrected by what it gets wrong: right if either the model or the propensities are.

    Args:
        reward_N: what came of each impression.
        propensity_N: with which probability it was shown; above 0.
        target_N: with which the other policy would have.
        model_N: the reward that a model expects of what was shown.
        model_target_N: the reward that it expects of what the other policy shows there, on average.
    """
    weight_N = _weights(propensity_N, target_N)
    return _of(model_target_N + weight_N * (reward_N - model_N), weight_N)


def _weights(propensity_N: Floats, target_N: Floats) -> Floats:
    if len(propensity_N) < 2 or propensity_N.min() <= 0.0:
        least = propensity_N.min() if len(propensity_N) else "none"
        raise ValueError(f"estimates need two impressions with propensities above 0; the least here is {least}")
    return target_N / propensity_N


def _of(term_N: Floats, weight_N: Floats) -> Estimate:
    value = float(term_N.mean())
    half = _Z * float(term_N.std(ddof=1)) / len(term_N) ** 0.5
    squares = float(weight_N @ weight_N)
    effective = float(weight_N.sum()) ** 2 / squares if squares else 0.0
    return Estimate(value, value - half, value + half, effective)
