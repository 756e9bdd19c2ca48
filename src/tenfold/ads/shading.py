"""How far below its value to bid where a winner pays its bid: learned from what winning took.

What a campaign would bid in a second-price auction is its value of winning. In a first-price auction it gains nothing
if it pays that much, so it bids a share of it. The best share makes the most of what is gained times the chance to win,
and that chance is learned from prices to win, as shares of the value: a histogram that forgets (Gligorijevic 2020 fits
a curve to the same quantity).

Letters: C campaigns, B bins of the share.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Ints = NDArray[np.int64]

BINS = 50
_SHARE_B = np.arange(1, BINS + 1) / BINS
_PRIOR = 20.0
"""Prices to win that were made up: evenly spread, so that one begins by bidding half of the value."""


class Shading:
    """Learns the share of its value that each campaign bids.

    Args:
        campaigns: how many.
        keeps: share of what was learned that is kept at each ``forget``.
    """

    def __init__(self, campaigns: int, keeps: float = 0.9) -> None:
        self._keeps = keeps
        self._count_CB = np.full((campaigns, BINS), _PRIOR / BINS)
        self._seen_C = np.full(campaigns, _PRIOR)

    def observe(self, campaign_N: Ints, value_N: Floats, to_win_N: Floats) -> None:
        """Learn prices to win, won or not.

        Args:
            campaign_N: whose chance it was.
            value_N: what winning was worth, above 0; the bid before shading.
            to_win_N: the least bid that would have won.
        """
        bin_N = np.ceil(to_win_N / value_N * BINS).astype(np.int64) - 1
        reached_N = bin_N < BINS  # Others could not have been won at a gain.
        at_N = (campaign_N * BINS + np.clip(bin_N, 0, BINS - 1))[reached_N]
        self._count_CB += np.bincount(at_N, minlength=self._count_CB.size).reshape(self._count_CB.shape)
        self._seen_C += np.bincount(campaign_N, minlength=len(self._seen_C))

    def forget(self) -> None:
        """Let what was learned fade, as rivals change their bids."""
        self._count_CB *= self._keeps
        self._seen_C *= self._keeps

    def chance_CB(self) -> Floats:
        """Chance to win with each share of the value."""
        return np.cumsum(self._count_CB, axis=1) / self._seen_C[:, None]

    def share_C(self) -> Floats:
        """The share of its value that each campaign should bid."""
        return _SHARE_B[np.argmax((1.0 - _SHARE_B) * self.chance_CB(), axis=1)]
