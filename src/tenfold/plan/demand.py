"""Demand as a seeded stochastic process: growth, spread, jumps and correlation, fitted from ranges or from the past.

Shapes: N paths, T periods, K workloads, G points of a table.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tenfold.plan.calendar import Calendar
from tenfold.plan.study import Demand, Jumps, Range, Study

Floats = NDArray[np.float64]

P90 = NormalDist().inv_cdf(0.9)
GRID_POINTS = 241
GRID_REACH = 7.0
LEAST_VARIANCE = 1e-8
LEAST_DIFFUSION = 0.1


@dataclass(frozen=True, slots=True)
class DemandProcess:
    """A Markov process per workload: a latent level that diffuses and jumps, and what demand it stands for.

    The latent level is a Brownian motion on a clock that runs as fast as the ranges widen, plus Poisson jumps. A
    monotone table per period turns it into demand so that p10, p50 and p90 of each period are those given (between them
    the logarithm is normal, with one spread upwards and another downwards). Jumps and correlation thus shape the paths,
    and the ranges hold in every period.

    Attributes:
        step_sd_TK: standard deviation of the latent level's diffusion in each period.
        mixing_KK: a square root of the correlation of the diffusions.
        jump_rate_K: jumps per period.
        jump_size_K: what a jump adds to the latent level.
        level_GTK: latent levels of the table, rising along G.
        log_demand_GTK: natural logarithm of demand at those levels.
    """

    step_sd_TK: Floats
    mixing_KK: Floats
    jump_rate_K: Floats
    jump_size_K: Floats
    level_GTK: Floats
    log_demand_GTK: Floats

    @classmethod
    def fit(cls, study: Study) -> Self:
        """The process that a study's demands describe."""
        calendar = study.calendar
        fitted = [_fit(workload.demand, calendar) for workload in study.workloads.values()]
        names = list(study.workloads)
        correlation_KK = np.eye(len(names))
        for given in study.correlations:
            one, other = (names.index(name) for name in given.between)
            correlation_KK[one, other] = correlation_KK[other, one] = given.value
        vectors_KK, roots_K = _square_root(correlation_KK)
        return cls(
            step_sd_TK=np.stack([f.step_sd_T for f in fitted], axis=1),
            mixing_KK=vectors_KK * roots_K,
            jump_rate_K=np.array([f.jump_rate for f in fitted]),
            jump_size_K=np.array([f.jump_size for f in fitted]),
            level_GTK=np.stack([f.level_GT for f in fitted], axis=2),
            log_demand_GTK=np.stack([f.log_demand_GT for f in fitted], axis=2),
        )

    def simulate(self, paths: int, rng: np.random.Generator) -> Floats:
        """Demand of ``paths`` independent futures, shape (N, T, K)."""
        return self._demand(0, np.cumsum(self._steps(0, paths, rng), axis=1))

    def simulate_from(self, period: int, demand_K: Floats, paths: int, rng: np.random.Generator) -> Floats:
        """Demand after ``period``, given what it is in it, shape (N, T - period - 1, K)."""
        level_K = np.array(
            [
                np.interp(math.log(demand), self.log_demand_GTK[:, period, k], self.level_GTK[:, period, k])
                for k, demand in enumerate(demand_K)
            ]
        )
        return self._demand(period + 1, level_K + np.cumsum(self._steps(period + 1, paths, rng), axis=1))

    def _steps(self, first: int, paths: int, rng: np.random.Generator) -> Floats:
        periods, workloads = self.step_sd_TK[first:].shape
        normal_NTK = rng.standard_normal((paths, periods, workloads)) @ self.mixing_KK.T
        jumps_NTK = rng.poisson(self.jump_rate_K, (paths, periods, workloads))
        return normal_NTK * self.step_sd_TK[first:] + jumps_NTK * self.jump_size_K

    def _demand(self, first: int, level_NTK: Floats) -> Floats:
        demand_NTK = np.empty_like(level_NTK)
        for t in range(level_NTK.shape[1]):
            for k in range(level_NTK.shape[2]):
                table = self.level_GTK[:, first + t, k], self.log_demand_GTK[:, first + t, k]
                demand_NTK[:, t, k] = np.exp(np.interp(level_NTK[:, t, k], *table))
        return demand_NTK


@dataclass(frozen=True, slots=True)
class _Fitted:
    step_sd_T: Floats
    jump_rate: float
    jump_size: float
    level_GT: Floats
    log_demand_GT: Floats


def _fit(demand: Demand, calendar: Calendar) -> _Fitted:
    if demand.ranges is not None:
        middle_T, up_T, down_T = _from_ranges(demand.ranges, calendar)
    else:
        assert demand.series is not None
        middle_T, up_T, down_T = _from_series(demand.series, calendar.count)
    rate, size = _jump(demand.jumps, calendar)
    clock_T = np.maximum.accumulate(((up_T + down_T) / 2) ** 2)
    steps_T = np.maximum(np.diff(clock_T, prepend=0.0), LEAST_VARIANCE)
    diffusion_T = np.maximum(steps_T - rate * size**2, LEAST_DIFFUSION * steps_T)
    spread_T = np.sqrt(np.cumsum(diffusion_T))
    columns = [
        _table(middle_T[t], up_T[t], down_T[t], float(spread_T[t]), rate * (t + 1), size) for t in range(calendar.count)
    ]
    return _Fitted(
        step_sd_T=np.sqrt(diffusion_T),
        jump_rate=rate,
        jump_size=size,
        level_GT=np.stack([level_G for level_G, _ in columns], axis=1),
        log_demand_GT=np.stack([log_G for _, log_G in columns], axis=1),
    )


def _from_ranges(ranges: dict[str, Range], calendar: Calendar) -> tuple[Floats, Floats, Floats]:
    """Logarithm of the median, and the spreads up and down, per period; straight lines in the logarithm between."""
    known = sorted((calendar.index(label), values) for label, values in ranges.items())
    at = np.array([index for index, _ in known], dtype=float)
    periods_T = np.arange(calendar.count, dtype=float)
    low_T, middle_T, high_T = (
        np.interp(periods_T, at, np.log([values[place] for _, values in known])) for place in range(3)
    )
    return middle_T, (high_T - middle_T) / P90, (middle_T - low_T) / P90


def _from_series(series: Sequence[float], periods: int) -> tuple[Floats, Floats, Floats]:
    """Growth continues at its mean; the spread holds its variation and how little of it the series shows."""
    growth = np.diff(np.log(series))
    mean, sd = float(growth.mean()), float(growth.std(ddof=1))
    ahead_T = np.arange(1, periods + 1, dtype=float)
    spread_T = sd * np.sqrt(ahead_T + ahead_T**2 / len(growth))
    return math.log(series[-1]) + mean * ahead_T, spread_T, spread_T


def _jump(jumps: Jumps | None, calendar: Calendar) -> tuple[float, float]:
    """Jumps per period, and the logarithm of what one multiplies demand by."""
    if jumps is None:
        return 0.0, 0.0
    return jumps.per_year * calendar.months / 12, math.log(jumps.factor)


def _table(middle: float, up: float, down: float, spread: float, jumps: float, size: float) -> tuple[Floats, Floats]:
    """Latent levels and the logarithm of demand at the same quantile.

    Args:
        middle: logarithm of the median.
        up: standard deviation of the logarithm above the median.
        down: the same below it.
        spread: standard deviation of the latent level's diffusion so far.
        jumps: mean number of jumps so far.
        size: what a jump adds to the latent level.
    """
    most = math.ceil(jumps + 6 * math.sqrt(jumps) + 3) if jumps else 0
    lowest, highest = min(0.0, most * size), max(0.0, most * size)
    level_G = np.linspace(lowest - GRID_REACH * spread, highest + GRID_REACH * spread, GRID_POINTS)
    normal = NormalDist()
    if jumps:
        count = np.arange(most + 1)
        log_weight = count * math.log(jumps) - jumps - np.array([math.lgamma(n + 1) for n in count])
        weight = np.exp(log_weight) / np.exp(log_weight).sum()
        score_G = np.array(
            [
                normal.inv_cdf(
                    min(
                        1 - 1e-12,
                        max(
                            1e-12,
                            sum(w * normal.cdf((x - n * size) / spread) for w, n in zip(weight, count, strict=True)),
                        ),
                    )
                )
                for x in level_G
            ]
        )
    else:
        score_G = level_G / spread
    return level_G, middle + up * np.maximum(score_G, 0) + down * np.minimum(score_G, 0)


def _square_root(matrix_KK: Floats) -> tuple[Floats, Floats]:
    """Eigenvectors and roots of eigenvalues; works where Cholesky does not, at correlation 1."""
    values_K, vectors_KK = np.linalg.eigh(matrix_KK)
    return vectors_KK, np.sqrt(np.maximum(values_K, 0.0))
