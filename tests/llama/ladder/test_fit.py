"""The fit finds a law that is known, agrees with a plain solver, and cannot be led astray by poor runs."""

from dataclasses import replace

import numpy as np
import pytest
from ladder_laws import TRUE, isoflop_runs
from scipy.optimize import nnls

from observed import best_at
from tenfold.llama.ladder.allocation import has_contrast
from tenfold.llama.ladder.frontier import frontier, near_frontier
from tenfold.llama.ladder.huber import fit_huber
from tenfold.llama.ladder.prior import FAMILY_PRIOR
from tenfold.llama.ladder.vpnls import _Squares, fit_vpnls

BELIEVING = replace(FAMILY_PRIOR, noise=1e-6, excess=10.0, compute_power=0.0)
"""A prior that says nothing beside runs without noise."""


def test_the_law_behind_runs_without_noise_is_found_again():
    runs = isoflop_runs()
    law = fit_vpnls(runs, BELIEVING, floor_share=TRUE.floor / runs.loss_R.min(), zooms=6).law
    assert (law.size_exponent, law.data_exponent) == pytest.approx((0.34, 0.36), abs=2e-3)
    assert law.plain_factors == pytest.approx(TRUE.plain_factors, rel=0.06)


def test_huber_finds_it_too_with_the_floor_left_free():
    law = fit_huber(isoflop_runs())
    assert (law.floor, law.size_exponent, law.data_exponent) == pytest.approx((1.7, 0.34, 0.36), abs=0.02)


def test_inner_least_squares_are_those_of_a_plain_solver():
    runs, rng = isoflop_runs(noise=0.05), np.random.default_rng(0)
    weight_R = rng.uniform(0.1, 1, len(runs))
    squares = _Squares.of(runs, weight_R, 1.5)
    alphas, betas = np.array([0.1, 0.4, 0.9]), np.array([0.05, 0.3, 1.1])
    residual_IJ, a_IJ, b_IJ = squares.solve(alphas, betas)
    for i, alpha in enumerate(alphas):
        for j, beta in enumerate(betas):
            columns = [(runs.params_R / squares.params) ** -alpha, (runs.tokens_R / squares.tokens) ** -beta]
            root_R = np.sqrt(weight_R)
            design_R2 = np.stack(columns, axis=1) / runs.loss_R[:, None] * root_R[:, None]
            factors, rest = nnls(design_R2, (runs.loss_R - 1.5) / runs.loss_R * root_R)
            assert (a_IJ[i, j], b_IJ[i, j]) == pytest.approx(tuple(factors), rel=1e-3, abs=1e-6)
            assert residual_IJ[i, j] == pytest.approx(rest**2, rel=1e-6, abs=1e-9)


def test_runs_far_from_the_best_of_their_compute_have_no_say():
    runs = isoflop_runs(noise=0.002)
    spoilt = replace(runs, loss_R=np.where(np.arange(len(runs)) % 6 == 5, runs.loss_R * 1.4, runs.loss_R))
    assert not near_frontier(spoilt, 0.05)[5::6].any()
    clean = runs.only(np.arange(len(runs)) % 6 != 5)
    assert fit_vpnls(spoilt).best(1e22).loss == pytest.approx(fit_vpnls(clean).best(1e22).loss, rel=1e-9)


def test_best_sizes_are_those_of_the_law():
    runs = isoflop_runs(noise=0.001)
    best = fit_vpnls(runs).best(1e22)
    grid_S = np.geomspace(1e8, 1e12, 4000)
    true = grid_S[np.argmin(TRUE.loss(grid_S, 1e22 / (6 * grid_S)))]
    assert best.params == pytest.approx(true, rel=0.35)
    assert 6 * best.params * best.tokens == pytest.approx(1e22, rel=0.01)


def test_where_each_budget_has_one_size_sizes_go_on_as_they_went():
    runs = isoflop_runs(sizes=1)
    assert not has_contrast(runs)
    best = fit_vpnls(runs).best(1e22)
    assert best.tokens / best.params == pytest.approx(20, rel=0.05)
    assert best.loss == pytest.approx(float(TRUE.loss(np.sqrt(1e22 / 120), 20 * np.sqrt(1e22 / 120))), rel=0.02)


def test_the_frontier_never_rises_and_a_budget_has_a_best_run():
    runs = isoflop_runs(noise=0.05)
    edge = frontier(runs)
    assert (np.diff(edge.loss_F) < 0).all()
    assert (np.diff(edge.flops_F) > 0).all()
    assert best_at(runs, 1e18) == runs.loss_R[:6].min()
    with pytest.raises(LookupError):
        best_at(runs, 5e17)
