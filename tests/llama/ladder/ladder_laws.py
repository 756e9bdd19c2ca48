"""Runs whose law is known, for tests."""

import numpy as np

from tenfold.llama.ladder.law import Law
from tenfold.llama.ladder.runs_table import RunsTable

TRUE = Law(1.7, 0.45, 0.5, 0.34, 0.36, 1e9, 2e10)


def isoflop_runs(
    law: Law = TRUE, *, low: float = 1e18, count: int = 7, ratio: float = 10**0.5, sizes: int = 6, noise: float = 0.0
) -> RunsTable:
    """Budgets a factor apart, each spent on sizes around twenty tokens per parameter."""
    rng = np.random.default_rng(3)
    flops_R = np.repeat(low * ratio ** np.arange(count), sizes)
    spread_R = np.tile(np.linspace(-1.2, 1.2, sizes) if sizes > 1 else np.zeros(1), count)
    params_R = np.sqrt(flops_R / 120) * np.exp(spread_R)
    tokens_R = flops_R / (6 * params_R)
    loss_R = law.loss(params_R, tokens_R) * np.exp(noise * rng.standard_normal(len(flops_R)))
    return RunsTable(tuple(f"run-{place}" for place in range(len(flops_R))), params_R, tokens_R, flops_R, loss_R)
