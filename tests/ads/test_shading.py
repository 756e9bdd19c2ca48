"""Where winners pay their bids, a campaign bids the share of its value that gains the most."""

import numpy as np
import pytest

from tenfold.ads.shading import Shading


def gained(shading, rng, rivals):
    """What bidding the learned share gains, of what the best fixed share would."""
    price_N = rivals(rng, 4000)

    def gain(share):
        return np.mean((1 - share) * (price_N <= share))

    return gain(shading.share_C()[0]) / max(gain(share) for share in np.arange(1, 100) / 100)


@pytest.mark.parametrize(
    "rivals",
    [
        lambda rng, count: rng.uniform(0, 1, count),
        lambda rng, count: 0.3 + 0.05 * rng.standard_normal(count),
        lambda rng, count: np.exp(-1.5 + 0.7 * rng.standard_normal(count)),
    ],
)
def test_it_gains_nearly_what_the_best_share_would(rivals):
    rng = np.random.default_rng(0)
    shading = Shading(1)
    shading.observe(np.zeros(2000, dtype=int), np.full(2000, 7.0), 7.0 * np.abs(rivals(rng, 2000)))
    assert gained(shading, rng, rivals) > 0.95


def test_it_begins_with_half_and_follows_rivals_that_change():
    shading = Shading(2)
    assert shading.share_C().tolist() == [0.5, 0.5]
    for price in (0.2, 0.6):
        for _ in range(40):
            shading.observe(np.zeros(100, dtype=int), np.ones(100), np.full(100, price))
            shading.forget()
        assert shading.share_C()[0] == pytest.approx(price, abs=0.03)
    assert shading.share_C()[1] == 0.5
