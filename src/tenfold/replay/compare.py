"""Several policies on one week, side by side, with what none can exceed.

Letters: S services.
"""

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from tenfold.core.errors import UsageError
from tenfold.core.explain import suggest
from tenfold.replay.bounds import FREE_MOVES, INFORMED, TRUE_MOVES, Bound, at_least, clairvoyant, informed
from tenfold.replay.engine import replay
from tenfold.replay.foresee import coverage
from tenfold.replay.linear import Infeasible, NoSolution
from tenfold.replay.outcome import Outcome
from tenfold.replay.rule import Rule
from tenfold.replay.rules import Dials
from tenfold.replay.tune import FLOORS, OURS, PEERS, Tunable, tune
from tenfold.replay.week import Week

ALL = "all"
OTHER_TARGET = 0.99
STATIC, STATIC_QUANTILE = "static", 0.9
RULES: Mapping[str, Tunable] = {policy.key: policy for policy in (*PEERS, *OURS)}
OnStep = Callable[[str, int], None]


@dataclass(frozen=True, slots=True)
class Played:
    """One policy's outcome, the CPU seconds that the replay took, and its dials if they are not the rule's own."""

    outcome: Outcome
    cpu_s: float
    dials: Dials = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """What every policy made of a week.

    ``targets``: attainment by family, at which the bounds hold. ``coverage``: by family and quantile the share of
    steps in which no more was asked for than the forecast's quantile. ``settings``: the policies' other outcomes on
    this week, with the dials of their frontiers. ``tuned_on``: the week on which dials were found; none: they are the
    rules' own. ``out_of_reach``: names of the bounds by which no policy meets the targets. ``possible_h``: by policy,
    the most that anyone could have trained who answers as much of every service as it did. ``not_found``: by bound or
    policy, why nobody knows what was possible.
    """

    week: Week
    played: tuple[Played, ...]
    bounds: tuple[Bound, ...]
    targets: Mapping[str, float]
    coverage: Mapping[str, Mapping[float, float]] = field(default_factory=dict)
    settings: tuple[Outcome, ...] = ()
    tuned_on: str | None = None
    out_of_reach: tuple[str, ...] = ()
    possible_h: Mapping[str, float] = field(default_factory=dict)
    not_found: Mapping[str, str] = field(default_factory=dict)

    @property
    def families(self) -> tuple[str, ...]:
        """In the order in which services name them."""
        return tuple(dict.fromkeys(service.family for service in self.week.services))

    @property
    def bound_h(self) -> float | None:
        """The tightest bound that knows the week; none if none was found, or if there is nothing to train."""
        known = [bound.useful_training_h for bound in self.bounds if bound.name.startswith("clairvoyant")]
        return min(known, default=0.0) or None

    @property
    def bounded(self) -> bool:
        """Whether shares of what was possible are known."""
        return any(self.possible_h.values())

    def share_of_bound(self, outcome: Outcome) -> float | None:
        """Useful training as a share of ``possible_h``; none where that is not known, or nothing could be trained."""
        possible_h = self.possible_h.get(outcome.policy)
        return outcome.useful_training_h / possible_h if possible_h else None

    def meets(self, outcome: Outcome) -> bool:
        """Whether every family's attainment reaches its target."""
        return all(outcome.attainment(family) >= self.targets[family] for family in self.families)


def policies(names: str) -> tuple[Tunable, ...]:
    """Policies by their names, with commas between; ``all`` for every one.

    Raises:
        UsageError: there is none of a name.
    """
    wanted = list(RULES) if names == ALL else [name.strip() for name in names.split(",")]
    for name in wanted:
        if name not in RULES:
            raise UsageError(f"there is no policy {name!r}; {suggest(name, RULES)}", next_step="give --policy all")
    return tuple(RULES[name] for name in dict.fromkeys(wanted))


def rules(
    names: str, week: Week, targets: Mapping[str, float], dials: Mapping[str, Dials] | None = None
) -> tuple[Rule, ...]:
    """The same with their own dials: Tenfold's are the targets; ``static`` has 90% of this week's steps in full.

    Args:
        names: with commas between.
        week: what is played.
        targets: least attainment by family.
        dials: by policy, in place of its own; of families that they do not name its own stay.

    Raises:
        UsageError: there is none of a name.
    """
    quantiles = tuple((family, STATIC_QUANTILE) for family in targets)
    own: dict[str, Dials] = {STATIC: quantiles} | {policy.name: tuple(targets.items()) for policy in OURS}
    given = dials or {}
    return tuple(
        policy.make(week, tuple({**dict(own.get(policy.name, ())), **dict(given.get(policy.name, ()))}.items()))
        for policy in policies(names)
    )


def dials_of(texts: Sequence[str], names: str, targets: Mapping[str, float]) -> Mapping[str, Dials]:
    """Dials by policy, as they are written: ``kueue-like:llm=0.6,ranking=0.5``, or ``kueue-like:0.6`` for all families.

    Raises:
        UsageError: a policy is not played, a family is not in the week, or a value cannot be.
    """
    found: dict[str, Dials] = {}
    played = {policy.key: policy for policy in policies(names)}
    for text in texts:
        key, _, values = text.partition(":")
        policy = played.get(key.strip())
        if policy is None:
            raise UsageError(
                f"--dials {text!r}: {key!r} is not played; {suggest(key, played)}",
                next_step="write e.g. --dials kueue-like:llm=0.6",
            )
        given: dict[str, float] = dict(found.get(policy.name, ()))
        for part in filter(None, (each.strip() for each in values.split(","))):
            family, is_named, value = part.rpartition("=")
            if is_named and family.strip() not in targets:
                raise UsageError(
                    f"--dials {text!r}: the week has no family {family.strip()!r}; {suggest(family.strip(), targets)}",
                    next_step="mend --dials",
                )
            for each in [family.strip()] if is_named else targets:
                given[each] = _dial(text, policy, value)
        if not given:
            raise UsageError(f"--dials {text!r} has no value", next_step=f"write e.g. --dials {key}:0.6")
        found[policy.name] = tuple(given.items())
    return found


def _dial(text: str, policy: Tunable, value: str) -> float:
    low, high = min(policy.rungs), max(policy.rungs)
    try:
        dial = float(value)
    except ValueError:
        dial = math.nan
    if not low <= dial <= high:
        raise UsageError(
            f"--dials {text!r}: {value.strip()!r} is no dial of {policy.key}; it is the {policy.dial}",
            next_step=f"give a number from {low:.4g} to {high:.4g}",
        )
    return dial


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
    return {family: given.get(family, FLOORS.get(family, OTHER_TARGET)) for family in families}


def compare(
    week: Week,
    policies: Iterable[Rule],
    targets: Mapping[str, float],
    *,
    dials: Mapping[str, Dials] | None = None,
    on_step: OnStep | None = None,
) -> Comparison:
    """Play a week under each policy.

    Args:
        week: what is played.
        policies: with their dials.
        targets: least attainment by family.
        dials: of policies whose dials are not their own, to be told beside what they made of the week.
        on_step: told the policy's name and the step that is done.
    """
    played = []
    for policy in policies:
        told = None if on_step is None else partial(on_step, policy.name)
        began = time.process_time()
        outcome = replay(week, policy, on_step=told)
        played.append(Played(outcome, time.process_time() - began, (dials or {}).get(policy.name, ())))
    return Comparison(week, tuple(played), (), targets, coverage(week))


def compare_tuned(
    week: Week, other: Week, names: str, targets: Mapping[str, float], *, on_trial: Callable[[str], None]
) -> Comparison:
    """Tune each policy on another week with the same budget, then play this one with what was found.

    The dials of each policy's frontier on the other week are played as well, as ``settings``.

    Raises:
        UsageError: the weeks have not the same services.
    """
    if [service.name for service in week.services] != [service.name for service in other.services]:
        raise UsageError(
            f"{other.name!r} and {week.name!r} have not the same services in one order",
            next_step="tune on a week of the same services",
        )
    chosen, settings, dials_found = [], [], {}
    for policy in policies(names):
        found = tune(other, policy, targets, on_trial=lambda trial, name=policy.name: on_trial(name))
        chosen.append(found.rule)
        dials_found[found.rule.name] = found.chosen.dials
        dials = [trial.dials for trial in found.frontier() if trial.dials != found.chosen.dials]
        settings += [replay(week, policy.make(other, each)) for each in dials]
    comparison = compare(week, chosen, targets, dials=dials_found)
    return replace(comparison, settings=tuple(settings), tuned_on=other.name)


def find_bounds(comparison: Comparison) -> Comparison:
    """Add what no policy can exceed that meets the targets, and what each policy could have trained at most.

    A bound by which no policy can meet the targets is named instead, and one that was not found with its reason: the
    others are found all the same.
    """
    week, targets = comparison.week, comparison.targets
    find = {
        FREE_MOVES: partial(clairvoyant, week, targets, moves=False),
        TRUE_MOVES: partial(clairvoyant, week, targets, moves=True),
        INFORMED: partial(informed, week, targets),
    }
    found, out_of_reach, not_found = [], [], {}
    for name, bound in find.items():
        try:
            found.append(bound())
        except Infeasible:
            out_of_reach.append(name)
        except NoSolution as error:
            not_found[name] = str(error)
    possible_h = {}
    for outcome in (each.outcome for each in comparison.played):
        try:
            possible_h[outcome.policy] = at_least(week, np.array([each.answered for each in outcome.services]))
        except NoSolution as error:
            not_found[outcome.policy] = str(error)
    return replace(
        comparison,
        bounds=tuple(found),
        out_of_reach=tuple(out_of_reach),
        possible_h=possible_h,
        not_found=not_found,
    )
