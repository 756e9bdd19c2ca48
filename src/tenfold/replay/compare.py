"""Several policies on one week, side by side, with what none can exceed.

Letters: S services.
"""

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from tenfold.core.errors import UsageError
from tenfold.core.explain import suggest
from tenfold.replay.bounds import Bound, clairvoyant, informed
from tenfold.replay.engine import replay
from tenfold.replay.outcome import Outcome
from tenfold.replay.rule import Rule
from tenfold.replay.rules import HpaLike, KueueLike, LyraLike, Priority, Static
from tenfold.replay.tenfold import Tenfold
from tenfold.replay.week import Week

ALL = "all"
TARGETS: Mapping[str, float] = {"llm": 0.95, "ranking": 0.999}
OTHER_TARGET = 0.99
OnStep = Callable[[str, int], None]


@dataclass(frozen=True, slots=True)
class Played:
    """One policy's outcome, and the CPU seconds that the replay took."""

    outcome: Outcome
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """What every policy made of a week. ``targets``: attainment by family, at which the bounds hold."""

    week: Week
    played: tuple[Played, ...]
    bounds: tuple[Bound, ...]
    targets: Mapping[str, float]

    @property
    def families(self) -> tuple[str, ...]:
        """In the order in which services name them."""
        return tuple(dict.fromkeys(service.family for service in self.week.services))

    def share_of_bound(self, outcome: Outcome) -> float:
        """Useful training as a share of the tightest bound that knows the week; NaN if none was found."""
        known = [bound.useful_training_h for bound in self.bounds if bound.name.startswith("clairvoyant")]
        return outcome.useful_training_h / min(known) if known else math.nan

    def meets(self, outcome: Outcome) -> bool:
        """Whether every family's attainment reaches its target."""
        return all(outcome.attainment(family) >= self.targets[family] for family in self.families)


def rules(names: str, week: Week) -> tuple[Rule, ...]:
    """Policies by their names, with commas between; ``all`` for every one.

    Raises:
        UsageError: there is none of a name.
    """
    wanted = list(RULES) if names == ALL else [name.strip() for name in names.split(",")]
    for name in wanted:
        if name not in RULES:
            raise UsageError(f"there is no policy {name!r}; {suggest(name, RULES)}", next_step="give --policy all")
    return tuple(RULES[name](week) for name in dict.fromkeys(wanted))


def targets_of(week: Week, given: Mapping[str, float]) -> Mapping[str, float]:
    """What each family must attain: what is given, or else 95% for llm, 99.9% for ranking, 99% for others.

    Raises:
        UsageError: a family is given that the week does not have.
    """
    families = dict.fromkeys(service.family for service in week.services)
    for family in given:
        if family not in families:
            raise UsageError(
                f"the week has no family {family!r}; {suggest(family, families)}", next_step="mend --attain"
            )
    return {family: given.get(family, TARGETS.get(family, OTHER_TARGET)) for family in families}


def compare(
    week: Week, policies: Iterable[Rule], targets: Mapping[str, float], *, on_step: OnStep | None = None
) -> Comparison:
    """Play a week under each policy; ``on_step`` is told the policy's name and the step that is done."""
    played = []
    for policy in policies:
        told = None if on_step is None else partial(on_step, policy.name)
        began = time.process_time()
        outcome = replay(week, policy, on_step=told)
        played.append(Played(outcome, time.process_time() - began))
    return Comparison(week, tuple(played), (), targets)


def find_bounds(comparison: Comparison) -> Comparison:
    """Add what no policy can exceed that reaches the targets."""
    week, targets = comparison.week, comparison.targets
    bounds = (
        clairvoyant(week, targets, moves=False),
        clairvoyant(week, targets, moves=True),
        informed(week, targets),
    )
    return replace(comparison, bounds=bounds)


def attainment(share: float) -> str:
    """A share near 1 in words, rounded down, so that 100.00% is all: 99.93%."""
    return f"{math.floor(1e4 * share + 1e-9) / 100:.2f}%"


def static(week: Week, share: float = 0.9) -> Rule:
    """Every service can always answer what is not exceeded in a share of the week's steps, known in hindsight."""
    return Static(np.array([np.quantile(service.rates_T, share) for service in week.services]))


RULES: Mapping[str, Callable[[Week], Rule]] = {
    "static": static,
    "priority": lambda week: Priority(),
    "kueue-like": lambda week: KueueLike(),
    "lyra-like": lambda week: LyraLike(),
    "hpa-like": lambda week: HpaLike(),
    "kueue-like-warm": lambda week: KueueLike(warm=True),
    "lyra-like-warm": lambda week: LyraLike(warm=True),
    "hpa-like-warm": lambda week: HpaLike(warm=True),
    "tenfold-cold": lambda week: Tenfold(warm=False),
    "tenfold": lambda week: Tenfold(),
}


def summary(comparison: Comparison) -> Sequence[Mapping[str, object]]:
    """A record for each policy: what its row in the table holds."""
    return [_record(comparison, each) for each in comparison.played]


def _record(comparison: Comparison, each: Played) -> Mapping[str, object]:
    outcome = each.outcome
    waits_s = outcome.waited_s_J[~np.isnan(outcome.waited_s_J)]
    return {
        "policy": outcome.policy,
        "attainment": {family: outcome.attainment(family) for family in comparison.families},
        "steps_in_full": {family: outcome.steps_in_full(family) for family in comparison.families},
        "services": {service.name: service.attainment for service in outcome.services},
        "meets_targets": comparison.meets(outcome),
        "useful_training_h": outcome.useful_training_h,
        "share_of_bound": comparison.share_of_bound(outcome) if comparison.bounds else None,
        "lost_to_kills_h": outcome.lost_to_kills_h,
        "lost_to_moves_h": outcome.lost_to_moves_h,
        "work_lost": outcome.work_lost,
        "moves_per_day": outcome.moves_per_day,
        "kills": outcome.kills,
        "idle_share": outcome.idle_share,
        "fragmentation": outcome.fragmentation,
        "earned_usd": outcome.earned_usd,
        "jobs_arrived": outcome.jobs_arrived,
        "jobs_done": outcome.jobs_done,
        "deadlines": outcome.deadlines,
        "deadlines_met": outcome.deadlines_met,
        "waited_s_mean": float(waits_s.mean()) if len(waits_s) else None,
        "waited_s_p90": float(np.quantile(waits_s, 0.9)) if len(waits_s) else None,
        "cpu_s": each.cpu_s,
    }
