"""Utilisation of a training run from what is known before it: a small Bayesian regression with conformal intervals.

Physics gives the FLOPs and the time lost to failures; what is left, the share of the 16-bit peak that a run reaches
while it runs, differs by a factor of eight between published runs. It is explained here by a few slopes, shrunk to
zero, and by effects shared within a generation of accelerators, an organisation and a family of models, each shrunk
too. An organisation that is not in the data adds its uncertainty instead.

Shapes: n runs, f features.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from tenfold.compute.interval import Interval
from tenfold.compute.run import DEFAULT_CONTEXT, Run, goodput, training_flops

Array = NDArray[np.float64]

COVERAGE = 0.8
# Deviations beyond which a run counts less, and how often that is settled anew.
OUTLYING = 3.0
OUTLYING_PASSES = 2
# First and last start that the published runs cover; the last is taken where none is given.
YEAR_SPAN = (2020.0, 2026.0)
# Years after which an organisation's earlier runs say about 60% as much of it.
YEARS_OF_MEMORY = 3.0
# Parameters below which a model's matrices no longer fill an accelerator: ten billion over e.
SMALL_PARAMS = 3.7e9


@dataclass(frozen=True, slots=True)
class Shrinkage:
    """Prior variances of log utilisation; chosen from ``CANDIDATES`` by leave-one-out score on the training runs."""

    slope_scale: float
    generation: float
    organisation: float
    family: float
    noise: float


CANDIDATES = tuple(
    Shrinkage(slope_scale=slope, generation=0.1, organisation=organisation, family=0.02, noise=noise)
    for slope, organisation, noise in product((0.2, 0.3), (0.02, 0.05, 0.1), (0.01, 0.02))
)


def within(value: float, low: float, high: float) -> float:
    """The value, or the edge of the data if it lies beyond: slopes are not stretched where nothing was seen."""
    return min(max(value, low), high)


def log_size(run: Run) -> float:
    """Log of active parameters over 10 billion."""
    return math.log(within(run.active_params, 5e7, 3e12) / 1e10)


def log_peak(run: Run) -> float:
    """Log of the 16-bit peak over an A100's: a faster accelerator is harder to keep busy."""
    return math.log(within(run.accelerator.peak_16bit_flops, 1e14, 2.5e15) / 312e12)


def smallness(run: Run) -> float:
    """How far the active parameters lie below ``SMALL_PARAMS``, in logs: the smaller, the faster utilisation falls."""
    return max(0.0, math.log(SMALL_PARAMS / within(run.active_params, 5e7, 3e12)))


def log_context(run: Run) -> float:
    """Doublings of the context over 4,096."""
    return math.log2(within(run.context or DEFAULT_CONTEXT, 512, 131072) / DEFAULT_CONTEXT)


def year(run: Run) -> float:
    """Start in years since mid-2023; the end of the data's span if not known."""
    return within(run.year or YEAR_SPAN[1], *YEAR_SPAN) - 2023.5


# Each feature with the prior standard deviation of its slope, to be multiplied by ``slope_scale``.
FEATURES: tuple[tuple[str, float, Callable[[Run], float]], ...] = (
    ("log size", 0.5, log_size),
    ("log peak", 1.0, log_peak),
    ("log size x log peak", 0.5, lambda run: log_size(run) * log_peak(run)),
    ("smallness", 0.5, smallness),
    ("log context", 0.5, log_context),
    ("year", 0.5, year),
    ("mixture of experts", 1.0, lambda run: float(run.total_params > run.active_params)),
    ("fp8", 1.0, lambda run: float(run.precision in ("fp8", "fp4"))),
    ("steady state only", 1.0, lambda run: float(run.measured == "throughput")),
)


def likely_count(run: Run) -> float:
    """Accelerators of a run that does not say: what finishes it in 45 days at 35% of peak, 32,000 at most."""
    peak_hours = training_flops(run) / (3600 * run.accelerator.peak_16bit_flops)
    return within(peak_hours / 0.35 / (45 * 24), 1, 32000)


def failures_factor(run: Run) -> float:
    """Share of counted time that is progress; 1 if only the steady state counts."""
    return 1.0 if run.measured == "throughput" else goodput(run.count or likely_count(run))


@dataclass(frozen=True, slots=True)
class Described:
    """Runs as arrays; a name that is not known is empty and equals no other."""

    features_nf: Array
    generation_n: NDArray[np.str_]
    organisation_n: NDArray[np.str_]
    family_n: NDArray[np.str_]
    year_n: Array
    log_size_n: Array


def describe(runs: Sequence[Run]) -> Described:
    """Read the features off n runs."""
    scales_f = np.array([scale for _, scale, _ in FEATURES])
    return Described(
        features_nf=scales_f * np.array([[feature(run) for _, _, feature in FEATURES] for run in runs]),
        generation_n=np.array([run.accelerator.entry.generation for run in runs]),
        organisation_n=np.array([run.organisation or "" for run in runs]),
        family_n=np.array([run.family or "" for run in runs]),
        year_n=np.array([year(run) for run in runs]),
        log_size_n=np.array([log_size(run) for run in runs]),
    )


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike runs are, pair by pair, before any prior is chosen; shapes (n left, n right)."""

    slopes: Array
    generation: NDArray[np.bool_]
    organisation: Array
    family: Array

    def covariance(self, shrinkage: Shrinkage) -> Array:
        """Prior covariance of log utilisation between runs."""
        return (
            1.0
            + shrinkage.slope_scale**2 * self.slopes
            + shrinkage.generation * self.generation
            + shrinkage.organisation * self.organisation
            + shrinkage.family * self.family
        )


def likeness(left: Described, right: Described) -> Likeness:
    """Compare runs with runs."""

    def same(left_n: NDArray[np.str_], right_n: NDArray[np.str_]) -> NDArray[np.bool_]:
        return (left_n[:, None] == right_n) & (left_n != "")[:, None]

    def close(left_n: Array, right_n: Array, reach: float) -> Array:
        return np.exp(-0.5 * ((left_n[:, None] - right_n) / reach) ** 2)

    return Likeness(
        slopes=left.features_nf @ right.features_nf.T,
        generation=same(left.generation_n, right.generation_n),
        organisation=same(left.organisation_n, right.organisation_n)
        * close(left.year_n, right.year_n, YEARS_OF_MEMORY),
        family=same(left.family_n, right.family_n) * close(left.log_size_n, right.log_size_n, 1.0),
    )


def own_variance(described: Described, shrinkage: Shrinkage) -> Array:
    """Prior variance of each run, shape (n,): a name that is not known is as uncertain as a new one."""
    slopes_n = shrinkage.slope_scale**2 * np.sum(described.features_nf**2, axis=1)
    return 1.0 + slopes_n + shrinkage.generation + shrinkage.organisation + shrinkage.family


@dataclass(frozen=True, slots=True)
class UtilisationModel:
    """The fitted regression; ``predict`` gives a run's utilisation with its 80% interval."""

    seen: Described
    shrinkage: Shrinkage
    centre: float
    noise_n: Array
    precision_nn: Array
    weights_n: Array
    score: float
    width_stranger: float
    width_known: float

    def predict(self, run: Run) -> Interval:
        """Share of the 16-bit peak over the counted time of a run."""
        return self.predict_all([run])[0]

    def predict_all(self, runs: Sequence[Run]) -> list[Interval]:
        """Share of the 16-bit peak over the counted time of each of n runs.

        The estimate is the one whose hours have the least expected error relative to the actual ones: of a log-normal
        quantity with deviation s that is its median times ``exp(-s^2)``, since too many hours can be wrong by more than
        100% and too few cannot. The interval is around the median.
        """
        log_mean_n, deviation_n = self.log_moments(runs)
        known = set(self.seen.organisation_n.tolist()) - {""}
        found = []
        for run, log_mean, deviation in zip(runs, log_mean_n.tolist(), deviation_n.tolist(), strict=True):
            half_width = (self.width_known if run.organisation in known else self.width_stranger) * deviation
            median = math.exp(log_mean) * failures_factor(run)
            # Nothing exceeds its peak.
            high = min(median * math.exp(half_width), max(median, 0.95))
            mid = min(median * math.exp(deviation**2), high)
            found.append(Interval(median * math.exp(-half_width), mid, high))
        return found

    def log_moments(self, runs: Sequence[Run]) -> tuple[Array, Array]:
        """Mean and standard deviation of log utilisation while running, shapes (n,) and (n,)."""
        asked = describe(runs)
        cross = likeness(asked, self.seen).covariance(self.shrinkage)
        prior = own_variance(asked, self.shrinkage) + self.shrinkage.noise
        variance = prior - np.sum(cross @ self.precision_nn * cross, axis=1)
        return self.centre + cross @ self.weights_n, np.sqrt(np.maximum(variance, self.shrinkage.noise))


def fit(runs: Sequence[Run], utilisation_n: Sequence[float]) -> UtilisationModel:
    """Fit to runs whose utilisation is known, under each candidate shrinkage; keep the best leave-one-out score.

    Args:
        runs: n runs.
        utilisation_n: share of the 16-bit peak over their counted time, shape (n,).
    """
    log_n = np.log(utilisation_n) - np.log([failures_factor(run) for run in runs])
    seen = describe(runs)
    alike = likeness(seen, seen)
    settled = [_settle(shrinkage, alike, log_n) for shrinkage in CANDIDATES]
    return _with_widths(seen, max(settled, key=lambda each: each.score))


@dataclass(frozen=True, slots=True)
class _Settled:
    """A regression under one candidate, its leave-one-out residuals and variances, and the score of them."""

    shrinkage: Shrinkage
    centre: float
    noise_n: Array
    precision_nn: Array
    weights_n: Array
    residual_n: Array
    variance_n: Array
    score: float


def _settle(shrinkage: Shrinkage, alike: Likeness, log_n: Array) -> _Settled:
    """Gaussian-process regression, with leave-one-out residuals in closed form (Sundararajan and Keerthi 2001).

    A run that lies beyond ``OUTLYING`` of its own leave-one-out deviations gets as much more noise as puts it there, so
    that an odd run does not pull its kind. The score is heavy-tailed for the same reason.
    """
    centre = float(np.median(log_n))
    kernel_nn = alike.covariance(shrinkage)
    noise_n = np.full(len(log_n), shrinkage.noise)
    for _ in range(OUTLYING_PASSES):
        _, _, residual_n, variance_n = _leave_one_out(kernel_nn, noise_n, log_n - centre)
        variance_n = variance_n - noise_n + shrinkage.noise
        excess_n = np.maximum(residual_n**2 / (OUTLYING**2 * variance_n) - 1, 0)
        noise_n = shrinkage.noise + variance_n * excess_n
    precision_nn, weights_n, residual_n, variance_n = _leave_one_out(kernel_nn, noise_n, log_n - centre)
    variance_n = variance_n - noise_n + shrinkage.noise
    score = float(np.sum(-0.5 * np.log(variance_n) - 2.5 * np.log1p(residual_n**2 / (4 * variance_n))))
    return _Settled(shrinkage, centre, noise_n, precision_nn, weights_n, residual_n, variance_n, score)


def _with_widths(seen: Described, settled: _Settled) -> UtilisationModel:
    """Add the widths of intervals.

    They are conformal: the 80% quantile of residuals, odd ones in full, in units of their deviation, with the
    finite-sample correction of the jackknife+ (Barber et al. 2021). For organisations with runs in the data these are
    leave-one-out residuals; for strangers, residuals with all runs of an organisation left out, each organisation
    weighing the same.
    """
    count, precision_nn, weights_n = len(settled.noise_n), settled.precision_nn, settled.weights_n
    organisation_n = np.where(seen.organisation_n == "", np.arange(count).astype(str), seen.organisation_n)
    siblings_n = (organisation_n[:, None] == organisation_n).sum(axis=1)
    standard_n = np.abs(settled.residual_n) / np.sqrt(settled.variance_n)
    known = _quantile(standard_n[siblings_n > 1], np.ones(int((siblings_n > 1).sum())))
    as_stranger_n = np.zeros(count)
    for name in np.unique(organisation_n):
        own_n = organisation_n == name
        block = np.linalg.inv(precision_nn[np.ix_(own_n, own_n)])
        spread_n = np.diag(block) - settled.noise_n[own_n] + settled.shrinkage.noise
        as_stranger_n[own_n] = np.abs(block @ weights_n[own_n]) / np.sqrt(spread_n)
    return UtilisationModel(
        seen=seen,
        shrinkage=settled.shrinkage,
        centre=settled.centre,
        noise_n=settled.noise_n,
        precision_nn=precision_nn,
        weights_n=weights_n,
        score=settled.score,
        width_stranger=_quantile(as_stranger_n, 1 / siblings_n),
        width_known=known,
    )


def _quantile(standard_n: Array, weight_n: Array) -> float:
    """The conformal 80% quantile, the next draw weighing 1; as for a normal distribution if there are too few."""
    order_n = np.argsort(standard_n)
    share_n = np.cumsum(weight_n[order_n]) / (weight_n.sum() + 1)
    reached = share_n >= COVERAGE - 1e-9
    return float(standard_n[order_n][reached][0]) if reached.any() else 1.2816


def _leave_one_out(kernel_nn: Array, noise_n: Array, deviation_n: Array) -> tuple[Array, Array, Array, Array]:
    """Inverse covariance, weights, and each run's residual and variance when it alone is left out."""
    precision_nn: Array = np.linalg.inv(kernel_nn + np.diag(noise_n)).astype(np.float64)
    weights_n = precision_nn @ deviation_n
    variance_n = 1 / np.diag(precision_nn)
    return precision_nn, weights_n, weights_n * variance_n, variance_n
