"""The policy for a study: kinds of policy are tuned, and the best of them is taken if it is surely better.

Each kind has a margin per workload (re-planning: a buffer on its forecast; cuts: a caution). Margins are tuned on one
set of paths. The tuned kinds are then compared on paths that none was tuned on, all on the same ones. Re-planning is
the safe kind: it needs no lattice and no training. Cuts take its place if they are better by more than the noise of
the comparison and not dearer in the mean; else the policy *is* re-planning.

Shapes: N paths, T periods, K workloads, G margins to try.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from tenfold.plan.columns import Floats
from tenfold.plan.demand import DemandProcess
from tenfold.plan.lattice import Lattice
from tenfold.plan.model import Template
from tenfold.plan.rolling import Forecast, Replan
from tenfold.plan.sddp import Cuts
from tenfold.plan.simulate import Policy, simulate


@dataclass(frozen=True, slots=True)
class Score:
    """What is wanted of a policy: a low mean + weight x CVaR of its cost."""

    weight: float = 0.2
    alpha: float = 0.95

    def parts(self, cost_N: Floats) -> Floats:
        """What each path adds to the score, which is the mean of it (Rockafellar and Uryasev 2000)."""
        start = np.sort(cost_N)[min(len(cost_N) - 1, round(self.alpha * len(cost_N)))]
        return cost_N + self.weight * (start + np.maximum(cost_N - start, 0.0) / (1 - self.alpha))


@dataclass(frozen=True, slots=True)
class Kind:
    """Policies that differ by a margin per workload.

    Attributes:
        name: for reports.
        make: the policy with a margin.
        common_G: margins to try for all workloads at once.
        step: then each workload's own is tried this much lower and higher.
    """

    name: str
    make: Callable[[Floats], Policy]
    common_G: tuple[float, ...]
    step: float


@dataclass(frozen=True, slots=True)
class Tuned:
    """A kind with the margins that did best, and what it cost on the paths that decide between kinds."""

    kind: str
    margin_K: Floats
    policy: Policy
    cost_usd_N: Floats

    def __str__(self) -> str:
        return f"{self.kind} {np.round(self.margin_K, 2).tolist()}"


@dataclass(frozen=True, slots=True)
class Effort:
    """How much work goes into a policy.

    Attributes:
        nodes: of the lattice, per period.
        iterations: of SDDP.
        training_paths: that the lattice and the cuts are made from.
        tuning_paths: that margins are tuned on.
        choice_paths: that decide between the tuned kinds.
        score: what is wanted.
        seed: of all paths.
    """

    nodes: int = 10
    iterations: int = 500
    training_paths: int = 4000
    tuning_paths: int = 150
    choice_paths: int = 300
    score: Score = field(default_factory=Score)
    seed: int = 1001


@dataclass(frozen=True, slots=True)
class Learned:
    """The policy for a study, and what it was chosen from.

    Attributes:
        chosen: the policy; either ``replan`` or ``cuts``.
        replan: re-planning with its best buffers.
        cuts: the cuts with their best caution.
        bound: lower bound on the mean cost on the lattice, in the template's unit of money.
    """

    chosen: Tuned
    replan: Tuned
    cuts: Tuned
    bound: float


def learn(template: Template, process: DemandProcess, effort: Effort = Effort()) -> Learned:
    """Tune re-planning and cuts, and choose between them.

    Args:
        template: of the study, without a weight on risk: ``effort.score`` weighs it.
        process: of its demand.
        effort: how much work.
    """
    seeds = np.random.SeedSequence(effort.seed).spawn(4)
    training, tuning, choice = (
        process.simulate(paths, np.random.default_rng(seed))
        for paths, seed in zip((effort.training_paths, effort.tuning_paths, effort.choice_paths), seeds, strict=False)
    )
    replan = Replan.of(template, Forecast.of(process, np.random.default_rng(seeds[3])))
    replanned = [tune(template, kind, tuning, choice, effort.score) for kind in replan_kinds(replan)]
    cuts = Cuts(template, Lattice.of_paths(training, effort.nodes))
    cuts.train(effort.iterations, training)
    cut = tune(template, cuts_kind(cuts), tuning, choice, effort.score)
    best = min(replanned, key=lambda tuned: effort.score.parts(tuned.cost_usd_N).mean())
    return Learned(choose(best, [cut], effort.score), best, cut, cuts.bound())


def replan_kinds(replan: Replan) -> list[Kind]:
    """Re-planning with a flat buffer, and with one that rises with the time ahead."""
    common_G = (0.0, 0.1, 0.2, 0.3, 0.45, 0.6)
    return [
        Kind("buffer, flat", lambda buffer_K: replan.with_buffer(buffer_K, "flat"), common_G, 0.15),
        Kind("buffer, rising", lambda buffer_K: replan.with_buffer(buffer_K, "rising"), common_G, 0.15),
    ]


def cuts_kind(cuts: Cuts) -> Kind:
    """Cuts with a caution: smaller than a buffer, as the cuts know of the spread."""
    return Kind("cuts, caution", cuts.cautious, (-0.05, 0.0, 0.05, 0.1, 0.15, 0.2), 0.1)


def tune(template: Template, kind: Kind, tuning_NTK: Floats, choice_NTK: Floats, score: Score) -> Tuned:
    """The best margins of a kind: one for all workloads, then each a step down or up, one after the other."""

    def scored(margin_K: Floats) -> float:
        return float(score.parts(simulate(template, kind.make(margin_K), tuning_NTK).cost_usd_N).mean())

    workloads = len(template.study.workloads)
    best, common = min((scored(np.full(workloads, common)), common) for common in kind.common_G)
    margin_K = np.full(workloads, common)
    for k in range(workloads):
        for step in (-kind.step, kind.step):
            other_K = margin_K.copy()
            other_K[k] += step
            found = scored(other_K)
            if found < best:
                best, margin_K = found, other_K
                break
    policy = kind.make(margin_K)
    return Tuned(kind.name, margin_K, policy, simulate(template, policy, choice_NTK).cost_usd_N)


def choose(safe: Tuned, others: Sequence[Tuned], score: Score) -> Tuned:
    """The best by score, if it is better than the safe one by a standard error and not dearer in the mean.

    The error is that of the difference on the same paths, so that what all suffer from alike does not count.
    """
    chosen, most = safe, 0.0
    for other in others:
        less_N = score.parts(safe.cost_usd_N) - score.parts(other.cost_usd_N)
        gain, noise = float(less_N.mean()), float(less_N.std(ddof=1) / np.sqrt(len(less_N)))
        cheaper = other.cost_usd_N.mean() <= safe.cost_usd_N.mean()
        if cheaper and gain > max(noise, most):
            chosen, most = other, gain
    return chosen
