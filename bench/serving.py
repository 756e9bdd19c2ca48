"""How well serving estimates hold on measurements that no constant was chosen on.

``bench/serving_held_out.csv`` holds whole sources, set apart before anything was tuned: MLPerf Inference 4.1 and 5.1,
and GPUStack's performance lab. What MLPerf does not say (how a replica shares the weights, the format of the cache) is
left to the defaults, as a user would.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tenfold.compute.inference import engine_interval
from tenfold.compute.measured import ServingRow, read_serving_rows, serving_runs

HELD_OUT = Path(__file__).with_name("serving_held_out.csv")


@dataclass(frozen=True, slots=True)
class ServingAccuracy:
    """Of some rows: factor by which the median estimate is off, its bias, and the share inside the 80% interval."""

    rows: int
    median_factor: float
    p90_factor: float
    bias: float
    coverage80: float


def held_out_rows() -> tuple[ServingRow, ...]:
    """The rows set apart."""
    return read_serving_rows(HELD_OUT)


def serving_accuracy(rows: Sequence[ServingRow]) -> ServingAccuracy:
    """Estimate over measured, as factors."""
    ratios = np.array([row.estimate() / row.tokens_per_s for row in rows])
    inside = [engine_interval(row.deployment()).scaled(row.estimate()).holds(row.tokens_per_s) for row in rows]
    factors = np.exp(np.abs(np.log(ratios)))
    return ServingAccuracy(
        rows=len(rows),
        median_factor=float(np.median(factors)),
        p90_factor=float(np.quantile(factors, 0.9)),
        bias=math.exp(float(np.median(np.log(ratios)))),
        coverage80=float(np.mean(inside)),
    )


def by_kind(rows: Sequence[ServingRow]) -> dict[str, ServingAccuracy]:
    """The same for dense models and mixtures in 16, 8 and 4 bits."""
    kinds = sorted({row.kind() for row in rows})
    return {kind: serving_accuracy([row for row in rows if row.kind() == kind]) for kind in kinds}


def by_source(rows: Sequence[ServingRow]) -> dict[str, ServingAccuracy]:
    """The same for each source."""
    sources = sorted({row.source for row in rows})
    return {source: serving_accuracy([row for row in rows if row.source == source]) for source in sources}


def tuned_rows() -> tuple[ServingRow, ...]:
    """The rows that the constants were chosen on."""
    return serving_runs()
