"""What opportunities cost and bring, by how much they ask per unit of value: all that a plan needs of a market.

An opportunity is won by any bid of at least its price to win. A campaign that bids ``multiplier * value`` wins those
whose price per value is at most the multiplier. So two histograms over the price per value, of the money and of the
value, say what every multiplier would cost and bring.

The bins are a twelfth of an octave wide and reach eight octaves to either side of a campaign's ``scale``, a price per
value of its own, so nothing here depends on units. Letters: A campaigns, N opportunities, G bins.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Ints = NDArray[np.int64]

OCTAVES, PER_OCTAVE = 8, 12
BINS = 2 * OCTAVES * PER_OCTAVE

_TINY = 1e-300


@dataclass(frozen=True, slots=True)
class Curves:
    """Money and value of opportunities by price per value, and how many there were.

    ``cost_AG``, ``value_AG``: of opportunities whose price per value lies in bin g; those below the lowest bin count in
    it, and those above the highest only in ``count_A``. ``scale_A``: price per value in the middle of the bins.
    """

    cost_AG: Floats
    value_AG: Floats
    count_A: Floats
    scale_A: Floats

    @staticmethod
    def none(scale_A: Floats) -> "Curves":
        """No opportunities."""
        nothing_AG = np.zeros((len(scale_A), BINS))
        return Curves(nothing_AG, nothing_AG, np.zeros(len(scale_A)), scale_A)

    @staticmethod
    def of(campaign_N: Ints, value_N: Floats, price_N: Floats, scale_A: Floats) -> "Curves":
        """Sort opportunities into bins.

        Args:
            campaign_N: whose opportunity it is.
            value_N: what it brings if won, above 0.
            price_N: the least bid that wins it.
            scale_A: price per value in the middle of the bins.
        """
        campaigns = len(scale_A)
        ratio_N = price_N / (np.maximum(value_N, _TINY) * scale_A[campaign_N])
        bin_N = np.ceil((np.log2(np.maximum(ratio_N, _TINY)) + OCTAVES) * PER_OCTAVE - 1e-9).astype(np.int64) - 1
        near_N = bin_N < BINS
        at_N = (campaign_N * BINS + np.clip(bin_N, 0, BINS - 1))[near_N]
        size = campaigns * BINS
        return Curves(
            np.bincount(at_N, price_N[near_N], size).astype(np.float64).reshape(campaigns, BINS),
            np.bincount(at_N, value_N[near_N], size).astype(np.float64).reshape(campaigns, BINS),
            np.bincount(campaign_N, minlength=campaigns).astype(np.float64),
            scale_A,
        )

    def plus(self, other: "Curves") -> "Curves":
        """Both together."""
        return Curves(
            self.cost_AG + other.cost_AG, self.value_AG + other.value_AG, self.count_A + other.count_A, self.scale_A
        )

    def times(self, factor_A: Floats | float) -> "Curves":
        """As many times as many opportunities of the same kind."""
        factor_A = np.broadcast_to(np.asarray(factor_A, dtype=np.float64), self.count_A.shape)
        factor_A1 = factor_A[:, None]
        return Curves(self.cost_AG * factor_A1, self.value_AG * factor_A1, self.count_A * factor_A, self.scale_A)

    def reached(self) -> "Curves":
        """Sum up along the bins: what each multiplier would cost and bring, not what each bin holds."""
        return Curves(np.cumsum(self.cost_AG, axis=1), np.cumsum(self.value_AG, axis=1), self.count_A, self.scale_A)


def first_scale(campaign_N: Ints, value_N: Floats, price_N: Floats, campaigns: int) -> Floats:
    """Find the geometric mean price per value of each campaign, to centre its bins on; NaN where it has none."""
    good_N = (value_N > 0) & (price_N > 0)
    of_N = campaign_N[good_N]
    log_N = np.log(price_N[good_N] / value_N[good_N])
    count_A = np.bincount(of_N, minlength=campaigns)
    sum_A = np.bincount(of_N, log_N, campaigns)
    return np.where(count_A > 0, np.exp(sum_A / np.maximum(count_A, 1)), np.nan)


def highest_within(reached: Curves, sum_AG: Floats, limit_A: Floats) -> Floats:
    """Find the highest multiplier at which a sum stays within a limit, in units of the scale.

    Args:
        reached: summed up along the bins.
        sum_AG: the sum at the upper edge of each bin, made of ``reached``. It may fall first and rise later; the last
            crossing counts.
        limit_A: what it may come to.
    Returns:
        Where a part of a bin is within, so far from the middle of what the bin holds, as parts of its width: so bids
        that are spread by a bin's width win that part, also where all in it ask the same price. Where the limit is
        never reached, the highest edge.
    """
    within_AG = sum_AG <= limit_A[:, None]
    last_A = np.where(within_AG.any(axis=1), BINS - 1 - np.argmax(within_AG[:, ::-1], axis=1), -1)
    row_A, next_A = np.arange(len(limit_A)), np.minimum(last_A + 1, BINS - 1)

    def in_next(of_AG: Floats) -> Floats:
        return of_AG[row_A, next_A] - np.where(last_A >= 0, of_AG[row_A, np.maximum(last_A, 0)], 0.0)

    below_A = np.where(last_A >= 0, sum_AG[row_A, np.maximum(last_A, 0)], 0.0)
    rise_A = in_next(sum_AG)
    part_A = np.divide(limit_A - below_A, rise_A, out=np.zeros_like(limit_A), where=rise_A > 0)
    cost_A, value_A = in_next(reached.cost_AG), in_next(reached.value_AG)
    ratio_A = np.divide(cost_A, value_A, out=np.zeros_like(cost_A), where=value_A > 0) / reached.scale_A
    middle_A = (np.log2(np.maximum(ratio_A, _TINY)) + OCTAVES) * PER_OCTAVE
    # What lies far below the lowest bin is in it too.
    middle_A = np.where(ratio_A > 0, np.clip(middle_A, next_A, next_A + 1.0), next_A + 0.5)
    place_A = np.where(last_A == BINS - 1, BINS, middle_A + np.clip(part_A, 0.0, 1.0) - 0.5)
    return 2.0 ** (place_A / PER_OCTAVE - OCTAVES)


def at_multiplier(reached_AG: Floats, multiplier_A: Floats) -> Floats:
    """Read a sum at a multiplier, given in units of the scale; linear between the edges."""
    place_A = np.clip((np.log2(np.maximum(multiplier_A, _TINY)) + OCTAVES) * PER_OCTAVE, 0.0, BINS)
    whole_A = np.minimum(place_A.astype(np.int64), BINS - 1)
    padded_AG = np.concatenate((np.zeros((len(reached_AG), 1)), reached_AG), axis=1)
    row_A = np.arange(len(reached_AG))
    low_A, high_A = padded_AG[row_A, whole_A], padded_AG[row_A, whole_A + 1]
    return low_A + (high_A - low_A) * (place_A - whole_A)
