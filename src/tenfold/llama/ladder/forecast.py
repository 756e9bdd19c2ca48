"""The best loss of a budget that nobody has spent yet, with an interval.

Three things make the interval: what the runs leave open (a bootstrap by run, with the prior's constants drawn anew each
time), what the law gets wrong whatever the runs (measured on other families, more for each tenfold), and how well the
same method would have predicted each of these runs' own budgets from the smaller ones (a rolling origin): where it
would have been wrong by more than it thought, the interval is widened by as much.

Shape letters: R runs, C runs as clusters, K draws, O origins.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import t as student

from tenfold.core.errors import UsageError
from tenfold.llama.ladder.allocation import has_contrast
from tenfold.llama.ladder.frontier import Frontier, frontier
from tenfold.llama.ladder.law import Best
from tenfold.llama.ladder.prior import FAMILY_PRIOR, FamilyPrior
from tenfold.llama.ladder.runs_table import Floats, RunsTable
from tenfold.llama.ladder.vpnls import Fit, fit_vpnls

DRAWS = 120
ORIGIN_DRAWS = 40
MOST_ORIGINS = 5
LEAST_RUNS = 3
LEAST_NOISE = 0.003
"""Relative: two trainings with different seeds differ by this much."""
BELIEF = 6.0
"""Origins that the families' own standing counts as, against those of the runs at hand."""
COVERAGE = 0.95
MANY_TOKENS = 2e7
FEW_TOKENS = 2.5
"""Widening where no run saw so many tokens: abilities such as copying may still come at once, as in two of the first
three runs that were predicted here (bench/ladder_runs), 7 and 11% better than foreseen."""
ONE_BUDGET = 1.25
"""Widening where a rate of fall cannot be seen at all."""
USUAL_STRANGENESS = 3.0
"""Standard deviations from the families' rate of fall within which a set of runs is one of them."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A budget of the past that was predicted from the smaller ones."""

    flops: float
    from_flops: float
    predicted: float
    observed: float
    log_sd: float

    @property
    def surprise(self) -> float:
        """The error in standard deviations."""
        return math.log(self.observed / self.predicted) / self.log_sd


@dataclass(frozen=True, slots=True)
class Forecast:
    """The best run of a budget and its loss, with a 95% interval.

    Attributes:
        best: size, tokens and loss.
        low, high: 95% interval of the loss.
        times: the budget over the largest one that the runs spent.
        fit: the law behind it.
        origins: what the same method made of the past.
        widened: factor by which the past widened the interval.
        reasons: in words, why the interval is as wide as it is, beyond the usual.
    """

    best: Best
    low: float
    high: float
    times: float
    fit: Fit
    origins: tuple[Origin, ...]
    widened: float
    reasons: tuple[str, ...]


def forecast(runs: RunsTable, flops: float, prior: FamilyPrior = FAMILY_PRIOR, seed: int = 0) -> Forecast:
    """Predict the best loss of a budget from runs of smaller ones.

    One budget is enough for a number: the rate of fall is then that of other families, and the interval says so.

    Raises:
        UsageError: there are no runs, or the budget is below all of them.
    """
    if not len(runs):
        raise UsageError("no runs to predict from", next_step="give runs of smaller budgets")
    if flops < runs.flops_R.min():
        raise UsageError(
            f"the budget of {flops:.3g} FLOPs is below all runs (the smallest has {runs.flops_R.min():.3g})",
            next_step="ask for a budget above them",
        )
    edge = frontier(runs)
    fit = fit_vpnls(runs, prior)
    best = fit.best(flops)
    own_sd = _log_sd(runs, flops, fit, prior, DRAWS, seed)
    origins = _origins(runs, edge, prior, seed)
    strange = _strangeness(edge, prior)
    widened = _widening([origin.surprise for origin in origins]) * max(1.0, strange / USUAL_STRANGENESS)
    if len(edge.flops_F) == 1:
        widened *= ONE_BUDGET
    if runs.tokens_R.max() < MANY_TOKENS:
        widened *= FEW_TOKENS
    reach = student.ppf(0.5 + COVERAGE / 2, BELIEF + len(origins)) * own_sd * widened
    return Forecast(
        best=best,
        low=max(best.loss * math.exp(-reach), 0.0),
        high=best.loss * math.exp(reach),
        times=flops / float(runs.flops_R.max()),
        fit=fit,
        origins=origins,
        widened=widened,
        reasons=tuple(_reasons(runs, edge, fit, widened, strange)),
    )


def _log_sd(runs: RunsTable, flops: float, fit: Fit, prior: FamilyPrior, draws: int, seed: int) -> float:
    """Standard deviation of the logarithm of the loss: of the draws, and of the law itself."""
    rng = np.random.default_rng(seed)
    clusters_R = runs.clusters_R
    noise = max(fit.residual, LEAST_NOISE)
    drawn_K = np.empty(draws)
    for k in range(draws):
        share = float(np.clip(rng.normal(prior.floor_share, prior.floor_share_sd), 0.3, 0.9))
        slope = prior.slope * math.exp(prior.slope_log_sd * rng.standard_normal())
        emphasis_R = rng.exponential(size=clusters_R.max() + 1)[clusters_R] + 1e-6
        noisy = replace(runs, loss_R=runs.loss_R * np.exp(noise * rng.standard_normal(len(runs))))
        drawn = fit_vpnls(noisy, replace(prior, slope=slope), floor_share=share, emphasis_R=emphasis_R, zooms=0)
        drawn_K[k] = math.log(drawn.best(flops).loss)
    decades = max(math.log10(flops / float(runs.flops_R.max())), 0.0)
    return math.hypot(_spread(drawn_K), LEAST_NOISE, prior.law_log_sd * decades)


def _spread(values_K: Floats) -> float:
    """A standard deviation that a few wild draws do not set: from the middle two thirds."""
    low, high = np.quantile(values_K, [0.16, 0.84])
    return float(high - low) / 2


def _origins(runs: RunsTable, edge: Frontier, prior: FamilyPrior, seed: int) -> tuple[Origin, ...]:
    """Predict the budgets of the past, the last ones first, each from those of a tenth of it, or what is nearest."""
    found: list[Origin] = []
    for place in range(len(edge.flops_F) - 1, 1, -1):
        flops, observed = float(edge.flops_F[place]), float(edge.loss_F[place])
        smaller = next((s for r in (10.0, 5.0, 2.5) if _enough(s := runs.up_to(flops / r))), None)
        if smaller is None:
            continue
        fit = fit_vpnls(smaller, prior)
        log_sd = _log_sd(smaller, flops, fit, prior, ORIGIN_DRAWS, seed)
        found.append(Origin(flops, float(smaller.flops_R.max()), fit.best(flops).loss, observed, log_sd))
        if len(found) == MOST_ORIGINS:
            break
    return tuple(found)


def _enough(runs: RunsTable) -> bool:
    return len(runs) >= LEAST_RUNS and len(frontier(runs).flops_F) >= 2


def _widening(surprises_O: Sequence[float]) -> float:
    """Root mean square of the past's surprises, shrunk to 1; the past narrows an interval by little."""
    mean = (BELIEF + sum(surprise**2 for surprise in surprises_O)) / (BELIEF + len(surprises_O))
    return min(max(math.sqrt(mean), 0.85), 4.0)


def _strangeness(edge: Frontier, prior: FamilyPrior) -> float:
    """How far the fall of the best loss is from what other families do, in the prior's standard deviations."""
    if len(edge.flops_F) < 2:
        return 0.0
    slope = math.log(edge.loss_F[0] / edge.loss_F[-1]) / math.log(edge.flops_F[-1] / edge.flops_F[0])
    return abs(math.log(slope / prior.slope)) / prior.slope_log_sd


def _reasons(runs: RunsTable, edge: Frontier, fit: Fit, widened: float, strange: float) -> list[str]:
    """What makes these runs poor witnesses, in words."""
    reasons = []
    span = float(edge.flops_F.max() / edge.flops_F.min())
    if len(edge.flops_F) == 1:
        reasons.append("there is only one budget, so the rate at which loss falls is that of other families")
    elif len(edge.flops_F) < 4:
        reasons.append(f"only {len(edge.flops_F)} budgets improve on the cheaper ones")
    if 1 < span < 4:
        reasons.append(f"the budgets span only a factor of {span:.2g}")
    if not has_contrast(runs):
        reasons.append("each budget was spent on one size only, so the best size is a continuation")
    if (dropped := int(len(runs) - fit.used_R.sum())) > len(runs) / 2:
        reasons.append(f"{dropped} of {len(runs)} runs are far above the best of their compute and were left out")
    if runs.tokens_R.max() < MANY_TOKENS:
        reasons.append("no run saw 20 million tokens: what models learn at once, such as copying, may still be to come")
    if strange > USUAL_STRANGENESS:
        reasons.append("loss falls along compute at another rate than in any family known: is it past its warm-up?")
    elif widened > 1.2:
        reasons.append(f"the same method missed these runs' own past by {widened:.1f} times what it thought")
    return reasons
