"""Rules of thumb that say when an option is taken up: read off the tree's decisions, one threshold on one demand."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tenfold.plan.columns import Floats
from tenfold.plan.tree import Tree

LEAST_SHARE = 0.02
LEAST_AGREEMENT = 0.6


@dataclass(frozen=True, slots=True)
class Rule:
    """``amount`` is taken up at ``stage`` if demand of workload ``k`` is above (or below) ``threshold``."""

    stage: int
    k: int
    above: bool
    threshold: float
    amount: float
    agreement: float


def rule(tree: Tree, so_far_n: Floats, taken_n: NDArray[np.bool_], *, rising: bool = False) -> Rule | None:
    """The single threshold that best tells where a thing is taken up from where it is not.

    Looks at every stage after the first and every workload's demand there. The best rule is the one that agrees with
    the tree in the largest share of probability, weighed so that neither answer counts for more than the other; early
    rules win ties, since they can be acted on first.

    Args:
        tree: the scenario tree.
        so_far_n: how much has been taken up by each node.
        taken_n: whether that is called taken up.
        rising: whether only "if demand is above" is a rule.
    Returns:
        None if it is never taken up after the first stage, or demand does not tell when.
    """
    best: tuple[float, Rule] | None = None
    for stage in range(1, tree.stages):
        nodes = tree.at(stage)
        yes_m, weight_m = taken_n[nodes], tree.probability_n[nodes]
        if not LEAST_SHARE < weight_m[yes_m].sum() < 1 - LEAST_SHARE:
            continue
        for k in range(tree.demand_nK.shape[1]):
            found = _split(tree.demand_nK[nodes, k], yes_m, weight_m, rising=rising)
            if found is None:
                continue
            balanced, agreement, threshold, above = found
            if agreement <= LEAST_AGREEMENT:
                continue
            score = balanced - 0.005 * stage
            if best is None or score > best[0] + 1e-9:
                picked = nodes[yes_m]
                mean = float(np.average(so_far_n[picked], weights=tree.probability_n[picked]))
                best = score, Rule(stage, k, above, threshold, mean, agreement)
    return best[1] if best and best[0] > LEAST_AGREEMENT else None


def levels(tree: Tree, so_far_n: Floats) -> Floats:
    """The amount of each stage above which much has been taken up and not little, shape (T,).

    Of all levels the one that leaves the least spread on both sides of it; infinite where all nodes have the same.
    """
    return np.array([_level(so_far_n[nodes], tree.probability_n[nodes]) for nodes in map(tree.at, range(tree.stages))])


def _level(amount_m: Floats, weight_m: Floats) -> float:
    order = np.argsort(amount_m)
    rising_m, weight_m = amount_m[order], weight_m[order]
    gaps = np.flatnonzero(np.diff(rising_m) > 1e-9 * max(1.0, abs(rising_m[-1])))
    if not len(gaps):
        return float("inf")
    below_m, sum_m = np.cumsum(weight_m), np.cumsum(weight_m * rising_m)
    low, high = sum_m / below_m, (sum_m[-1] - sum_m[gaps]) / (below_m[-1] - below_m[gaps])
    between = below_m[gaps] * (below_m[-1] - below_m[gaps]) * (high - low[gaps]) ** 2
    best = gaps[int(between.argmax())]
    return float((rising_m[best] + rising_m[best + 1]) / 2)


def _split(
    demand_m: Floats, yes_m: NDArray[np.bool_], weight_m: Floats, *, rising: bool
) -> tuple[float, float, float, bool] | None:
    """Balanced and plain agreement, threshold and direction of the best split; None if all demand is the same."""
    order = np.argsort(demand_m)
    demand_m, yes_m, weight_m = demand_m[order], yes_m[order], weight_m[order]
    gaps = np.flatnonzero(np.diff(demand_m) > 1e-9 * demand_m[-1])
    if not len(gaps):
        return None
    below_yes = np.cumsum(weight_m * yes_m)
    below_no = np.cumsum(weight_m * ~yes_m)
    all_yes, all_no = below_yes[-1], below_no[-1]
    right_above = ((all_yes - below_yes) / all_yes + below_no / all_no)[gaps] / 2
    above = rising or bool(right_above.max() >= 1 - right_above.min())
    split = gaps[int(right_above.argmax() if above else right_above.argmin())]
    balanced = float(right_above.max() if above else 1 - right_above.min())
    right = all_yes - below_yes[split] + below_no[split]
    agreement = float((right if above else all_yes + all_no - right) / (all_yes + all_no))
    return balanced, agreement, float((demand_m[split] + demand_m[split + 1]) / 2), above
