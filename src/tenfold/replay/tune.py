"""Tuning of every policy with the same budget, on a week that it is not judged on.

A policy has one dial for each family of services, from thrifty to generous. All dials climb together first, then each
family's range is halved, all at once: an evaluation says for each whether it was generous enough, and a family's
attainment hardly depends on the others' dials. What is left of the budget follows the frontier on both sides.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from tenfold.replay.engine import replay
from tenfold.replay.outcome import Outcome
from tenfold.replay.rule import Rule
from tenfold.replay.rules import Dials, HpaLike, KueueLike, LyraLike, Priority, Static
from tenfold.replay.tenfold import Tenfold
from tenfold.replay.week import Week

BUDGET = 18
"""Replays that each policy gets."""

SCANNED = 7
"""Of these, so many climb from thrifty to generous."""

FLOORS: Mapping[str, float] = {"llm": 0.95, "ranking": 0.999}
"""Share of requests that each family answers in time at least."""

RUNGS = 64
FRONTIER = (-4, 4, -10, 10, -20, 20, -32, 32)
"""Rungs of a dial, and how far from the chosen ones the frontier is followed, as far as the budget goes."""


@dataclass(frozen=True, slots=True)
class Tunable:
    """A policy with its dials.

    ``rungs``: values of each dial, from thrifty to generous. ``make``: the policy with these dials; the week is the one
    tuned on, of which a policy may keep what a planner would know of it. ``dial``: what a dial says.
    """

    name: str
    rungs: tuple[float, ...]
    make: Callable[[Week, Dials], Rule]
    dial: str = "dial"

    @property
    def key(self) -> str:
        """Its name on a command line."""
        return self.name.replace(", cold starts", "-cold").replace(", ", "-")


@dataclass(frozen=True, slots=True)
class Trial:
    """One evaluation."""

    dials: Dials
    outcome: Outcome

    def shortfall(self, floors: Mapping[str, float]) -> float:
        """Sum up by how much families miss their floors; 0 if all attain."""
        return sum(max(0.0, floor - self.outcome.attainment(family)) for family, floor in floors.items())


@dataclass(frozen=True, slots=True)
class Tuned:
    """What tuning found: the rule, the trial that chose it, and all trials in the order in which they were made."""

    rule: Rule
    chosen: Trial
    trials: tuple[Trial, ...]

    def frontier(self) -> tuple[Trial, ...]:
        """The trials that no other beats both in every family's attainment and in training; most training first."""
        best = [trial for trial in self.trials if not any(_beats(other, trial) for other in self.trials)]
        return tuple(sorted(best, key=lambda trial: -trial.outcome.useful_training_h))


def tune(
    week: Week,
    policy: Tunable,
    floors: Mapping[str, float] = FLOORS,
    *,
    budget: int = BUDGET,
    on_trial: Callable[[Trial], None] | None = None,
) -> Tuned:
    """Find the dials with the most useful training among those that attain every family's floor.

    If none attains, those that miss the least. Families without a floor are left at the generous end.

    Args:
        week: the one to tune on.
        policy: what to tune.
        floors: least attainment by family.
        budget: how many replays; the same for every policy that is compared.
        on_trial: called after each.
    """
    families = tuple(dict.fromkeys(service.family for service in week.services))
    floors = {family: floor for family, floor in floors.items() if family in families}
    search = _Search(families, floors, len(policy.rungs))
    trials: dict[tuple[int, ...], Trial] = {}
    for rungs in chain(search.scan(trials), search.halve(trials), search.follow(trials)):
        if rungs in trials:
            continue
        if len(trials) == budget:
            break
        dials = tuple((family, policy.rungs[rung]) for family, rung in zip(families, rungs, strict=True))
        trials[rungs] = Trial(dials, replay(week, policy.make(week, dials)))
        if on_trial is not None:
            on_trial(trials[rungs])
    chosen = min(trials.values(), key=lambda trial: (trial.shortfall(floors), -trial.outcome.useful_training_h))
    return Tuned(policy.make(week, chosen.dials), chosen, tuple(trials.values()))


class _Search:
    """Which rungs to try next. ``trials`` grow between the steps of its generators."""

    def __init__(self, families: Sequence[str], floors: Mapping[str, float], count: int) -> None:
        self._families, self._floors, self._count = families, floors, count
        self._low = [-1 if family in floors else count - 2 for family in families]
        self._high = [count - 1] * len(families)

    def scan(self, trials: Mapping[tuple[int, ...], Trial]) -> Iterator[tuple[int, ...]]:
        """Climb with all dials together, and find for each family where it attains first.

        Not by halving: who is provided for too generously starves the others, so attainment falls again near the top.
        """
        steps = np.linspace(0, self._count - 1, SCANNED + 2).astype(int)[1:-1].tolist()
        for step in steps:
            yield (step,) * len(self._families)
        for place, family in enumerate(self._families):
            if family not in self._floors:
                continue
            found = [trials[(step,) * len(self._families)].outcome.attainment(family) for step in steps]
            first = next((at for at, share in enumerate(found) if share >= self._floors[family]), int(np.argmax(found)))
            self._low[place], self._high[place] = steps[first - 1] if first else -1, steps[first]

    def halve(self, trials: Mapping[tuple[int, ...], Trial]) -> Iterator[tuple[int, ...]]:
        """Halve every dial's range until one rung is left in each: the thriftiest that attains."""
        low, high = self._low, self._high
        while True:
            rungs = tuple((a + b) // 2 if b - a > 1 else b for a, b in zip(low, high, strict=True))
            yield rungs
            attains = [self._attains(trials[rungs].outcome, family) for family in self._families]
            if all(b - a <= 1 for a, b in zip(low, high, strict=True)):
                # Families that share a fleet are not quite apart: who falls short in the end goes a rung up.
                if all(attains):
                    return
                high = [b if ok else min(b + 1, self._count - 1) for b, ok in zip(high, attains, strict=True)]
                low = [b - 1 for b in high]
                if tuple(high) == rungs:
                    return
                continue
            low = [a if ok or b - a <= 1 else r for a, b, r, ok in zip(low, high, rungs, attains, strict=True)]
            high = [r if ok else b for b, r, ok in zip(high, rungs, attains, strict=True)]

    def follow(self, trials: Mapping[tuple[int, ...], Trial]) -> Iterator[tuple[int, ...]]:
        """Walk away from the best rungs, all dials together, both ways."""
        best = min(
            trials,
            key=lambda rungs: (trials[rungs].shortfall(self._floors), -trials[rungs].outcome.useful_training_h),
        )
        for offset in FRONTIER:
            yield tuple(int(np.clip(rung + offset, 0, self._count - 1)) for rung in best)

    def _attains(self, outcome: Outcome, family: str) -> bool:
        return family not in self._floors or outcome.attainment(family) >= self._floors[family]


def _beats(other: Trial, trial: Trial) -> bool:
    """Tell whether another trial is at least as good in everything and better in something."""
    mine, theirs = (
        [each.outcome.useful_training_h, *(family.attainment for family in each.outcome.families)]
        for each in (trial, other)
    )
    return all(b >= a for a, b in zip(mine, theirs, strict=True)) and theirs != mine


UTILISATIONS = tuple(np.geomspace(1.4, 0.35, RUNGS).tolist())
QUANTILES = tuple((1.0 - np.geomspace(0.8, 1e-4, RUNGS)).tolist())
_STEPS = (1.0, 0.9, 0.8, 0.7, 0.6, 0.55, 0.5, 0.45, 0.4, 0.35, 0.3, 0.25, 0.2, 0.17, 0.15, 0.13, 0.12, 0.11)
_MISSED = (*[step for step in _STEPS if step <= 0.4], *[step / scale for scale in (10, 100, 1000) for step in _STEPS])
ATTAINMENTS = tuple(round(1.0 - missed, 9) for missed in _MISSED)
"""What Tenfold steers to; the round ones among them."""


def _static(week: Week, dials: Dials) -> Rule:
    known = dict(dials)
    return Static(np.array([np.quantile(service.rates_T, known[service.family]) for service in week.services]))


QUANTILE = "share of the week's steps that are answered in full"
UTILISATION = "utilisation aimed at, of what slots answer in time"
ATTAINMENT = "share of requests to answer in time"

PEERS: tuple[Tunable, ...] = (
    Tunable("static", QUANTILES, _static, QUANTILE),
    Tunable("priority", UTILISATIONS, lambda _, dials: Priority(dials), UTILISATION),
    Tunable("kueue-like", UTILISATIONS, lambda _, dials: KueueLike(dials), UTILISATION),
    Tunable("kueue-like, warm", UTILISATIONS, lambda _, dials: KueueLike(dials, warm=True), UTILISATION),
    Tunable("lyra-like", UTILISATIONS, lambda _, dials: LyraLike(dials), UTILISATION),
    Tunable("lyra-like, warm", UTILISATIONS, lambda _, dials: LyraLike(dials, warm=True), UTILISATION),
    Tunable("hpa-like", UTILISATIONS, lambda _, dials: HpaLike(dials), UTILISATION),
    Tunable("hpa-like, warm", UTILISATIONS, lambda _, dials: HpaLike(dials, warm=True), UTILISATION),
)
"""What Tenfold is compared with: the field's rules on the field's mechanism, and on Tenfold's."""

OURS: tuple[Tunable, ...] = (
    Tunable("tenfold", ATTAINMENTS, lambda _, dials: Tenfold(dials), ATTAINMENT),
    Tunable("tenfold, cold starts", ATTAINMENTS, lambda _, dials: Tenfold(dials, warm=False), ATTAINMENT),
)
"""Tenfold's rule on its own mechanism, and on the field's."""
