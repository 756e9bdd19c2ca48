"""What following a plan costs on futures that it has not seen: what its commitments of now lead to, re-planned.

A tree averages over futures near each other, so its plan expects too little. What a future costs is mostly little, and
now and then very much: a hundred futures as they come would miss those, and their interval would hold the mean in 75%
of draws or fewer (measured on the study of two racks). So many paths of demand are drawn, which is cheap, and sorted by
how far demand goes beyond its usual; the futures followed are drawn from each part of that order, most of all from its
end, and weighed by how many paths they stand for (stratified sampling).

Shapes: N futures, M paths, T periods, K workloads, D decisions of a node.
"""

import math
import time
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from tenfold.plan.account import account
from tenfold.plan.columns import DECISIONS, Floats, Restriction
from tenfold.plan.demand import DemandProcess
from tenfold.plan.model import Template, template
from tenfold.plan.outcomes import SHORT, spread, tail_mean, weighed
from tenfold.plan.result import Unseen
from tenfold.plan.rolling import Forecast, Replanning
from tenfold.plan.solve import Progress, Report
from tenfold.plan.solved import Solved
from tenfold.plan.study import Study

PARTS = (0.0, 0.5, 0.8, 0.95, 0.99, 1.0)
"""Shares of the paths, mildest first, between which as many futures are drawn as between any others."""
EACH = 20
FUTURES = EACH * (len(PARTS) - 1)
SEED = 1
BUFFERS = (0.0, 0.3, 0.6)
TUNING_FUTURES = 20
PATHS = 50_000
SURE = 1.96
"""Standard errors to either side of a mean that hold it in 95% of draws."""

Told = Callable[[], None]


class _Stopped(Exception):
    """The report said to stop."""


def cost_unseen(solved: Solved, report: Report | None = None) -> Unseen | None:
    """Follow a plan along futures that it has not seen, planned anew every period; None if the report says to stop.

    Args:
        solved: the plan.
        report: told of progress.
    """
    study, process = solved.node.study, DemandProcess.fit(solved.node.study)
    unseen, tuning, forecast = streams(SEED)
    node, told = to_follow(solved), _teller(report)
    try:
        replanning = Replanning(node, Forecast.of(process, forecast), commitments(solved))
        tried_NTK = process.simulate(TUNING_FUTURES, tuning)
        buffer = best_buffer(study, node, replanning, tried_NTK, BUFFERS, told)
        price_K = np.array([workload.shortage_usd_per_unit_month for workload in study.workloads.values()])
        demand_NTK, weight_N = drawn(process.simulate(PATHS, unseen), node.discount_T, price_K, unseen)
        found = account(node, replanning.follow(demand_NTK, buffer, told), demand_NTK)
    except _Stopped:
        return None
    cost_N, is_short_NK = found.cost_usd_N, (found.short_NTK > SHORT * demand_NTK).any(axis=1)
    mean, noise = mean_of(cost_N, weight_N)
    return Unseen(
        futures=FUTURES,
        buffer=buffer,
        mean_usd=mean,
        low_usd=mean - noise,
        high_usd=mean + noise,
        cost_usd=spread(cost_N, weight_N),
        cvar_usd=tail_mean(cost_N, weight_N, study.risk.alpha),
        capex=found.capex_by_year(study, weight_N),
        shortage_probability=dict(zip(study.workloads, (weight_N @ is_short_NK).tolist(), strict=True)),
    )


def _teller(report: Report | None) -> Told:
    began = time.monotonic()

    def told() -> None:
        step = Progress("on futures it has not seen", -math.inf, math.inf, time.monotonic() - began, 1.0)
        if report is not None and not report(step):
            raise _Stopped

    return told


def drawn(many_MTK: Floats, discount_T: Floats, price_K: Floats, random: np.random.Generator) -> tuple[Floats, Floats]:
    """Draw futures from all parts of the paths, and how much each counts (a sum of 1): ``EACH`` in a row of a part."""
    beyond_MTK = np.maximum(0.0, many_MTK - np.quantile(many_MTK, 0.8, axis=0))
    order_M = np.argsort(np.einsum("mtk,t,k->m", beyond_MTK, discount_T, price_K), kind="stable")
    parts = [order_M[round(low * len(order_M)) : round(high * len(order_M))] for low, high in pairwise(PARTS)]
    picked_N = np.concatenate([random.choice(part, EACH, replace=False) for part in parts])
    return many_MTK[picked_N], np.repeat(np.diff(PARTS) / EACH, EACH)


def mean_of(cost_N: Floats, weight_N: Floats) -> tuple[float, float]:
    """The mean cost over all futures, and how far it may be off at 95%, from what ``drawn`` drew."""
    cost_PE, share_P = cost_N.reshape(-1, EACH), weight_N.reshape(-1, EACH).sum(axis=1)
    variance = float((share_P**2 * cost_PE.var(axis=1, ddof=1) / EACH).sum())
    return float(cost_N @ weight_N), SURE * math.sqrt(variance)


def streams(seed: int) -> tuple[np.random.Generator, np.random.Generator, np.random.Generator]:
    """For the futures, for tuning and for the forecast; none is that of a tree, whatever its seed."""
    unseen, tuning, forecast = (np.random.default_rng(own) for own in np.random.SeedSequence(seed).spawn(3))
    return unseen, tuning, forecast


def commitments(solved: Solved) -> Floats:
    """What a plan commits to now, shape (D,), in the solver's units."""
    columns = solved.program.column_nV[0, solved.node.columns.of(DECISIONS)]
    return whole(solved.node, solved.solution.value_C[columns])


def whole(node: Template, value_D: Floats) -> Floats:
    """Decisions without a solver's rounding, where they must be whole."""
    return np.where(node.columns.integer_V[node.columns.of(DECISIONS)], np.round(value_D), value_D)


def to_follow(solved: Solved) -> Template:
    """The plan's template for one future at a time: no weight on risk, and floors bend; units are the plan's."""
    study = solved.node.study
    riskless = study.model_copy(update={"risk": study.risk.model_copy(update={"weight": 0.0})})
    return template(riskless, solved.tree.demand_nK.max(axis=0), Restriction(floors=False))


def best_buffer(
    study: Study, node: Template, replanning: Replanning, demand_NTK: Floats, buffers: Sequence[float], told: Told
) -> float:
    """The buffer with the least of what the study wants low: its mean cost, and the tail by its weight on risk."""

    def cost_usd(buffer: float) -> float:
        found = account(node, replanning.follow(demand_NTK, buffer, told), demand_NTK)
        return weighed(found.cost_usd_N, np.ones(len(demand_NTK)), study.risk)

    return min(buffers, key=cost_usd)
