"""Utilisation of a training run from what is known before it: a small Bayesian regression with conformal intervals.

Physics gives the FLOPs, the time lost to failures and the share of the peak to expect (``expected.py``). What is left
differs by a factor of eight between published runs. It is explained here by a few slopes, shrunk to zero, and by
effects shared within a generation of accelerators, a source and a family of models, each shrunk too. A source or a
generation that is not in the data adds its uncertainty instead.

Shapes: n runs, f features.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from tenfold.compute.expected import (
    YEAR_SPAN,
    early_years,
    expected_share,
    filling_params,
    has_experts,
    log_intensity,
    product_speed,
    smallness,
    within,
)
from tenfold.compute.interval import Interval
from tenfold.compute.run import DEFAULT_CONTEXT, Kind, Run

Array = NDArray[np.float64]

COVERAGE = 0.8
# Of a normal distribution; where too few runs are left out together to say.
NORMAL_WIDTH = 1.2816
FEWEST_LEFT_OUT = 10
# Deviations beyond which a run counts less, and how often that is settled anew.
OUTLYING = 3.0
OUTLYING_PASSES = 2
# Years after which a source's earlier runs say about 60% as much of it.
YEARS_OF_MEMORY = 3.0
# What not knowing the year adds to the variance of log utilisation.
UNDATED_VARIANCE = 0.02
# Years after the last run seen from which a run is later than all.
LATER_YEARS = 0.5
# First years of data that later ones are held against.
FIRST_CUT = 2021
# Who makes an accelerator knows how to run it; by the beginnings of names.
MADE_BY = {"tpu": ("Google", "DeepMind"), "mi": ("AMD",), "gaudi": ("Intel",)}
OTHERS_MADE_BY = ("NVIDIA",)


@dataclass(frozen=True, slots=True)
class Shrinkage:
    """Prior variances of log utilisation; chosen from ``CANDIDATES`` by leave-one-out score on the training runs."""

    slope_scale: float
    generation: float
    organisation: float
    family: float
    noise: float


CANDIDATES = tuple(
    Shrinkage(slope_scale=slope, generation=0.1, organisation=organisation, family=0.03, noise=0.03)
    for slope, organisation in product((0.1, 0.15), (0.06, 0.1))
)


def log_size(run: Run) -> float:
    """Log of parameters that fill matrices, over 10 billion."""
    return math.log(filling_params(run) / 1e10)


def log_share(run: Run) -> float:
    """Log of active parameters per accelerator over 10^8: the less each has to do, the more it waits for others."""
    return 0.0 if run.count is None else within(math.log(run.active_params / run.count / 1e8), -6, 4)


def log_context(run: Run) -> float:
    """Doublings of the context over 4,096."""
    return math.log2(within(run.context or DEFAULT_CONTEXT, 512, 131072) / DEFAULT_CONTEXT)


def by_its_maker(run: Run) -> bool:
    """Whether the accelerator's own maker ran it."""
    makers = next((who for begin, who in MADE_BY.items() if run.accelerator.name.startswith(begin)), OTHERS_MADE_BY)
    return run.organisation in makers


# Each feature with the prior standard deviation of its slope, to be multiplied by ``slope_scale``.
FEATURES: tuple[tuple[str, float, Callable[[Run], float]], ...] = (
    ("log size", 0.5, log_size),
    ("log size x log intensity", 0.5, lambda run: log_size(run) * log_intensity(run)),
    ("smallness", 0.5, smallness),
    ("log context", 0.5, log_context),
    ("early years", 0.5, early_years),
    ("mixture of experts", 1.0, lambda run: float(has_experts(run))),
    ("short format", 1.0, lambda run: float(product_speed(run) > 1)),
    ("steady state only", 1.0, lambda run: float(run.measured == "throughput")),
    ("benchmark", 1.0, lambda run: float(run.kind == "benchmark")),
    ("log intensity", 1.0, log_intensity),
    ("log parameters per accelerator", 0.2, log_share),
    ("run by its maker", 0.5, lambda run: float(by_its_maker(run))),
)


@dataclass(frozen=True, slots=True)
class Described:
    """Runs as arrays; a name that is not known is empty and equals no other."""

    features_nf: Array
    generation_n: NDArray[np.str_]
    organisation_n: NDArray[np.str_]
    family_n: NDArray[np.str_]
    kind_n: NDArray[np.str_]
    year_n: Array
    log_size_n: Array

    def only(self, kept_n: NDArray[np.bool_]) -> "Described":
        """Some of the runs."""
        return Described(
            features_nf=self.features_nf[kept_n],
            generation_n=self.generation_n[kept_n],
            organisation_n=self.organisation_n[kept_n],
            family_n=self.family_n[kept_n],
            kind_n=self.kind_n[kept_n],
            year_n=self.year_n[kept_n],
            log_size_n=self.log_size_n[kept_n],
        )


def describe(runs: Sequence[Run]) -> Described:
    """Read the features off n runs."""
    scales_f = np.array([scale for _, scale, _ in FEATURES])
    return Described(
        features_nf=scales_f * np.array([[feature(run) for _, _, feature in FEATURES] for run in runs]),
        generation_n=np.array([run.accelerator.entry.generation for run in runs]),
        organisation_n=np.array([run.organisation or "" for run in runs]),
        family_n=np.array([run.family or "" for run in runs]),
        kind_n=np.array([run.kind for run in runs]),
        year_n=np.array([YEAR_SPAN[1] if run.year is None else run.year for run in runs]),
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
class Widths:
    """Half-widths of 80% intervals of one kind of run, in deviations, by what of a run was seen before."""

    known: float
    new_source: float
    new_generation: float
    later: float


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
    widths: Mapping[str, Widths]

    def predict(self, run: Run) -> Interval:
        """Share of the 16-bit peak over the counted time of a run."""
        return self.predict_all([run])[0]

    def predict_all(self, runs: Sequence[Run]) -> list[Interval]:
        """Share of the 16-bit peak over the counted time of each of n runs; above 1 where shorter formats are faster.

        The estimate is the one whose hours have the least expected error relative to the actual ones: of a log-normal
        quantity with deviation s that is its median times ``exp(-s^2)``, since too many hours can be wrong by more than
        100% and too few cannot. The interval is around the median.
        """
        log_mean_n, deviation_n = self.log_moments(runs)
        found = []
        for run, log_mean, deviation, width in zip(
            runs, log_mean_n.tolist(), deviation_n.tolist(), self._widths(runs), strict=True
        ):
            # Nothing exceeds the peak of its format.
            most = 0.95 * max(1.0, product_speed(run)) ** 2
            median = min(math.exp(log_mean) * expected_share(run), 0.9 * most)
            high = min(median * math.exp(width * deviation), most)
            mid = min(median * math.exp(deviation**2), (median + high) / 2)
            found.append(Interval(median * math.exp(-width * deviation), mid, high))
        return found

    def _widths(self, runs: Sequence[Run]) -> Iterator[float]:
        """By what of a run was seen before: its source, its generation, its time; the widest if several were not."""
        organisations = set(self.seen.organisation_n.tolist()) - {""}
        generations, last = set(self.seen.generation_n.tolist()), float(self.seen.year_n.max())
        for run in runs:
            widths = self.widths[run.kind]
            unseen = [
                widths.new_source if run.organisation not in organisations else 0.0,
                widths.new_generation if run.accelerator.entry.generation not in generations else 0.0,
                widths.later if run.year is not None and run.year > last + LATER_YEARS else 0.0,
            ]
            yield max(unseen) or widths.known

    def without(self, left_out_n: NDArray[np.bool_]) -> "UtilisationModel":
        """The regression without some of its runs, shape (n,): their say is taken out in closed form.

        Shrinkage, centre and widths, which one run hardly moves, stay.
        """
        rest_n = ~left_out_n
        gain = self.precision_nn[np.ix_(rest_n, left_out_n)] @ np.linalg.inv(
            self.precision_nn[np.ix_(left_out_n, left_out_n)]
        )
        return replace(
            self,
            seen=self.seen.only(rest_n),
            noise_n=self.noise_n[rest_n],
            precision_nn=self.precision_nn[np.ix_(rest_n, rest_n)]
            - gain @ self.precision_nn[np.ix_(left_out_n, rest_n)],
            weights_n=self.weights_n[rest_n] - gain @ self.weights_n[left_out_n],
        )

    def log_moments(self, runs: Sequence[Run]) -> tuple[Array, Array]:
        """Mean and standard deviation of log utilisation over what is expected, shapes (n,) and (n,)."""
        asked = describe(runs)
        cross = likeness(asked, self.seen).covariance(self.shrinkage)
        prior = own_variance(asked, self.shrinkage) + self.shrinkage.noise
        variance = prior - np.sum(cross @ self.precision_nn * cross, axis=1)
        variance += UNDATED_VARIANCE * np.array([run.year is None for run in runs])
        return self.centre + cross @ self.weights_n, np.sqrt(np.maximum(variance, self.shrinkage.noise))


def fit(runs: Sequence[Run], utilisation_n: Sequence[float]) -> UtilisationModel:
    """Fit to runs whose utilisation is known, under each candidate shrinkage; keep the best leave-one-out score.

    Args:
        runs: n runs.
        utilisation_n: share of the 16-bit peak over their counted time, shape (n,).
    """
    log_n = np.log(utilisation_n) - np.log([expected_share(run) for run in runs])
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
    """Add the widths of intervals, for production runs and for benchmarks, which scatter less.

    They are conformal: the 80% quantile of residuals, odd ones in full, in units of their deviation, with the
    finite-sample correction of the jackknife+ (Barber et al. 2021). For sources with runs in the data these are
    leave-one-out residuals; for others, residuals with a whole source left out, a whole generation left out, or all
    from a year on. A run of a source with n runs weighs 1 / sqrt(n), so that no large table decides.
    """
    count = len(settled.noise_n)
    organisation_n = np.where(seen.organisation_n == "", np.arange(count).astype(str), seen.organisation_n)
    siblings_n = (organisation_n[:, None] == organisation_n).sum(axis=1)
    alone_n = np.where(siblings_n > 1, np.abs(settled.residual_n) / np.sqrt(settled.variance_n), np.nan)
    everywhere = np.full(count, True)
    left_out = {
        "known": alone_n,
        "new_source": _left_out(settled, [(organisation_n == name, everywhere) for name in np.unique(organisation_n)]),
        "new_generation": _left_out(
            settled, [(seen.generation_n == name, everywhere) for name in np.unique(seen.generation_n)]
        ),
        "later": _left_out(settled, list(_years_on(seen.year_n))),
    }
    return UtilisationModel(
        seen=seen,
        shrinkage=settled.shrinkage,
        centre=settled.centre,
        noise_n=settled.noise_n,
        precision_nn=settled.precision_nn,
        weights_n=settled.weights_n,
        score=settled.score,
        widths={
            kind: Widths(
                **{
                    name: _width(standard_n, 1 / np.sqrt(siblings_n), seen.kind_n == kind)
                    for name, standard_n in left_out.items()
                }
            )
            for kind in get_args(Kind)
        },
    )


def _years_on(year_n: Array) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """Runs from each year on; and of those the ones of that year, which are held against what came before."""
    last = max(FIRST_CUT, min(int(year_n.max()), int(YEAR_SPAN[1]) - 1))
    for year in range(FIRST_CUT, last + 1):
        on_n = year_n >= year
        if 0 < on_n.sum() < len(year_n):
            yield on_n, (year_n < year + 1) | np.full(len(year_n), year == last)


def _left_out(settled: _Settled, groups: Sequence[tuple[NDArray[np.bool_], NDArray[np.bool_]]]) -> Array:
    """Each run's residual over its deviation with its whole group left out, in closed form, shape (n,).

    Args:
        settled: the regression.
        groups: runs to leave out, and which runs to judge then; runs that are judged never are not a number.
    """
    standard_n = np.full(len(settled.noise_n), np.nan)
    for own_n, judged_n in groups:
        block = np.linalg.inv(settled.precision_nn[np.ix_(own_n, own_n)])
        spread = np.diag(block) - settled.noise_n[own_n] + settled.shrinkage.noise
        standard = np.abs(block @ settled.weights_n[own_n]) / np.sqrt(spread)
        standard_n[own_n & judged_n] = standard[judged_n[own_n]]
    return standard_n


def _width(standard_n: Array, weight_n: Array, own_n: NDArray[np.bool_]) -> float:
    """The wider of one kind's width and both kinds' together; as for a normal distribution if there are few."""
    judged_n = ~np.isnan(standard_n)
    widths = [
        _quantile(standard_n[chosen_n], weight_n[chosen_n])
        for chosen_n in (judged_n & own_n, judged_n)
        if chosen_n.sum() >= FEWEST_LEFT_OUT
    ]
    return max(widths, default=NORMAL_WIDTH)


def _quantile(standard_n: Array, weight_n: Array) -> float:
    """The conformal 80% quantile, the next draw weighing 1; the largest if there are too few."""
    order_n = np.argsort(standard_n)
    share_n = np.cumsum(weight_n[order_n]) / (weight_n.sum() + 1)
    reached = share_n >= COVERAGE - 1e-9
    return float(standard_n[order_n][reached][0]) if reached.any() else float(standard_n.max())


def _leave_one_out(kernel_nn: Array, noise_n: Array, deviation_n: Array) -> tuple[Array, Array, Array, Array]:
    """Inverse covariance, weights, and each run's residual and variance when it alone is left out."""
    precision_nn: Array = np.linalg.inv(kernel_nn + np.diag(noise_n)).astype(np.float64)
    weights_n = precision_nn @ deviation_n
    variance_n = 1 / np.diag(precision_nn)
    return precision_nn, weights_n, weights_n * variance_n, variance_n
