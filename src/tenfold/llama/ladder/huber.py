"""The same law fitted as Hoffmann et al. (2022) did: a Huber loss on the log of a sum of exponentials, all five free.

A cross-check with other assumptions: no prior, no floor given, every run equally loud. Where its prediction lies
outside the interval of the other fit, the runs do not settle the matter.
"""

import itertools

import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp

from tenfold.llama.ladder.law import Law, units_of
from tenfold.llama.ladder.runs_table import Floats, RunsTable

DELTA = 1e-3
STARTS = tuple(itertools.product((0.25, 0.5), (0.25, 0.5), (0.4, 0.7)))


def fit_huber(runs: RunsTable) -> Law:
    """Fit the law, from several starts; shapes: R runs."""
    params, tokens = units_of(runs)
    ln_params_R, ln_tokens_R = np.log(runs.params_R / params), np.log(runs.tokens_R / tokens)
    ln_loss_R, least = np.log(runs.loss_R), float(runs.loss_R.min())

    def score(theta: Floats) -> tuple[float, Floats]:
        ln_a, ln_b, ln_e, alpha, beta = theta
        terms_3R = np.stack([ln_a - alpha * ln_params_R, ln_b - beta * ln_tokens_R, np.full_like(ln_loss_R, ln_e)])
        total_R = logsumexp(terms_3R, axis=0)
        share_3R = np.exp(terms_3R - total_R)
        miss_R = total_R - ln_loss_R
        size_R = np.abs(miss_R)
        huber_R = np.where(size_R <= DELTA, miss_R**2 / 2, DELTA * (size_R - DELTA / 2))
        pull_R = np.clip(miss_R, -DELTA, DELTA)
        gradient = np.array(
            [
                pull_R @ share_3R[0],
                pull_R @ share_3R[1],
                pull_R @ share_3R[2],
                -(pull_R * share_3R[0]) @ ln_params_R,
                -(pull_R * share_3R[1]) @ ln_tokens_R,
            ]
        )
        return float(huber_R.sum()) / DELTA**2, gradient / DELTA**2

    found = []
    for alpha, beta, share in STARTS:
        rest = np.log(least * (1 - share) / 2)
        start = np.array([rest, rest, np.log(least * share), alpha, beta])
        bounds = [(-30, 5), (-30, 5), (-30, np.log(least)), (0.01, 3), (0.01, 3)]
        found.append(minimize(score, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 2000}))
    ln_a, ln_b, ln_e, alpha, beta = min(found, key=lambda each: each.fun).x
    return Law(float(np.exp(ln_e)), float(np.exp(ln_a)), float(np.exp(ln_b)), float(alpha), float(beta), params, tokens)
