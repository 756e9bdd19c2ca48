"""What a unit of a workload's work is worth, from what products say that it earned them.

A product reports, every few seconds, a sum of USD that a workload's work earned it and the units of work that this
took. What it earned is a difference: with the workload, minus what the product's fallback earns without it, from a
holdout of people that always runs (``product/holdout.py`` has the formula). So a single report may be negative, and
most of what it tells is noise.

The price is the posterior mean of the earnings per unit. The model is normal, with the configured price as prior:

    prior       p ~ N(p0, s0^2)                     s0^2 = max(p0^2, s^2 / PRIOR_UNITS)
    evidence    u_i ~ N(p n_i, s^2 n_i)             earnings u_i of the n_i units of one bin of ``BIN_S`` seconds
    fading      each bin's log-likelihood counts w_i = exp(-age_i / memory)

With N = sum w n, U = sum w u, Q = sum w u^2 / n and M = sum w over the bins, the evidence alone says U / N, with
variance s^2 / N, and the two are joined by their precisions:

    mean = (p0 / s0^2 + U / s^2) / (1 / s0^2 + N / s^2),    variance = 1 / (1 / s0^2 + N / s^2)

The noise of one unit, s^2, is estimated from how the bins differ among themselves, Q - U^2 / N being their weighted sum
of squares, with a guess (ten times the price, for earnings that are mostly nothing and now and then much) that counts
as three bins:

    s^2 = (3 (10 p0)^2 + Q - U^2 / N) / (3 + max(0, M - 1))

A configured price is easily wrong by its own size, and it may be wrong by any factor: where units earn so differently
that it would take long to find that out, the prior counts as ``PRIOR_UNITS`` units and no more (a unit-information
prior, Kass & Wasserman 1995).

So a small holdout, which makes bins differ much, moves the price slowly, and the interval says so. Discounting the
likelihood (West & Harrison, Bayesian Forecasting and Dynamic Models, 1997, ch. 6; the power prior of Ibrahim & Chen
2000) rather than only weighting a mean makes old evidence worth less, not just less than new: without news the price
goes back to the configured one within a few memories. The interval is then wider than a weighted mean's by a factor of
about 1.4. Bins are longer than reports because reports follow one another too closely to be independent (batch means,
Law & Carson 1979). People who come again and again still tie bins together: with few people the interval is too narrow.

A price below zero would say that the fallback is better. Then the work is taken to be worth ``LEAST_SHARE`` of its
configured price: nobody can be worse off than with the fallback, and some work has to go on for the price to be
measured.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

BIN_S = 20.0
PRIOR_BINS = 3.0
LEAST_UNITS = 0.5
PRIOR_UNITS = 200.0
NOISE_SHARE = 10.0
"""Guess of one unit's noise before bins were seen, as a multiple of the configured price."""

LEAST_SHARE = 0.01
CONFIDENCE = 0.9
_Z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Fading sums over bins, as of ``at`` (Unix seconds); the names are those of the module's formulas.

    ``open_units`` and ``open_usd``: of the bin that began at ``open_since``. They count in the mean at once, and in the
    noise once the bin is full.
    """

    at: float = 0.0
    units: float = 0.0
    usd: float = 0.0
    squares: float = 0.0
    bins: float = 0.0
    open_since: float = 0.0
    open_units: float = 0.0
    open_usd: float = 0.0

    def after(self, at: float, memory_s: float) -> "Evidence":
        """The same evidence later: older, and with its bin closed if that is full.

        A bin without a unit stays open: late earnings belong to the units that come next.
        """
        kept = math.exp(-max(0.0, at - self.at) / memory_s)
        aged = Evidence(
            max(at, self.at),
            kept * self.units,
            kept * self.usd,
            kept * self.squares,
            kept * self.bins,
            self.open_since,
            kept * self.open_units,
            kept * self.open_usd,
        )
        if at - self.open_since < BIN_S or aged.open_units < LEAST_UNITS:
            return aged
        # The bin was faded as its units were; its square per unit fades once with them.
        return Evidence(
            aged.at,
            aged.units + aged.open_units,
            aged.usd + aged.open_usd,
            aged.squares + aged.open_usd**2 / aged.open_units,
            aged.bins + kept,
            at,
        )

    def plus(self, at: float, units: float, usd: float, memory_s: float) -> "Evidence":
        """Add what was earned up to ``at`` by units that are not counted yet."""
        aged = self.after(at, memory_s)
        return Evidence(
            aged.at,
            aged.units,
            aged.usd,
            aged.squares,
            aged.bins,
            aged.open_since if aged.open_units or aged.open_usd else aged.at,
            aged.open_units + units,
            aged.open_usd + usd,
        )


@dataclass(frozen=True, slots=True)
class Price:
    """What a unit is worth, USD: the mean of what is believed, and the interval that holds it with ``CONFIDENCE``.

    ``usd``: the price to go by, which is never zero. ``earned_usd`` and ``units``: the fading sums behind it.
    """

    usd: float
    mean_usd: float
    low_usd: float
    high_usd: float
    earned_usd: float
    units: float


def price(configured_usd: float, evidence: Evidence) -> Price:
    """Join the configured price with what was earned; see the module for the formulas.

    Args:
        configured_usd: USD per unit in the config, above 0.
        evidence: of now (``Evidence.after``).
    """
    units, usd = evidence.units + evidence.open_units, evidence.usd + evidence.open_usd
    spread = evidence.squares - evidence.usd**2 / evidence.units if evidence.units > 0 else 0.0
    noise = PRIOR_BINS * (NOISE_SHARE * configured_usd) ** 2 + max(0.0, spread)
    noise /= PRIOR_BINS + max(0.0, evidence.bins - 1.0)
    prior_precision, precision = min(configured_usd**-2, PRIOR_UNITS / noise), units / noise
    mean = (prior_precision * configured_usd + usd / noise) / (prior_precision + precision)
    half = _Z / math.sqrt(prior_precision + precision)
    return Price(
        usd=max(mean, LEAST_SHARE * configured_usd),
        mean_usd=mean,
        low_usd=mean - half,
        high_usd=mean + half,
        earned_usd=usd,
        units=units,
    )
