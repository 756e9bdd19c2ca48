"""A comparison in words and as one record.

Letters: J jobs.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from tenfold.page.figures import amount, counted, percent_down
from tenfold.replay.compare import Comparison, Played
from tenfold.replay.tune import OURS
from tenfold.replay.waits import Waits, recorded_waits, waits_of
from tenfold.replay.week import Week

CLUSTER, UNKNOWN = "the cluster itself", "n/a"
STEERED = {policy.name for policy in OURS}
"""Policies that steer to the targets themselves."""


def attainment(share: float) -> str:
    """A share near 1 in words, rounded down, so that 100.00% is all: 99.93%."""
    return f"{percent_down(share):.2f}%"


def size_of(week: Week) -> Sequence[str]:
    """How large a week is: its slots of each kind, services, jobs, and steps."""
    slots = ", ".join(f"{kind.slots:,} {kind.name}" for kind in week.kinds)
    steps = f"{counted(week.steps, 'step')} of {week.step_s:g} s"
    return slots, counted(len(week.services), "service"), counted(len(week.jobs), "job"), steps


def summary(comparison: Comparison) -> Mapping[str, object]:
    """All figures as one record; ``policies`` has one for each row of the table."""
    return {
        "week": comparison.week.name,
        "step_s": comparison.week.step_s,
        "assumed": list(comparison.week.notes),
        "targets": dict(comparison.targets),
        "tuned_on": comparison.tuned_on,
        "policies": [_record(comparison, each) for each in comparison.played],
        "cluster": _cluster(comparison),
        "bounds": [
            *({"name": bound.name, "useful_training_h": bound.useful_training_h} for bound in comparison.bounds),
            *({"name": name, "useful_training_h": None} for name in comparison.out_of_reach),
        ],
        "bounds_not_found": dict(comparison.not_found),
        "forecast_coverage": {
            family: {f"p{100 * quantile:g}": share for quantile, share in shares.items()}
            for family, shares in comparison.coverage.items()
        },
    }


def notes(comparison: Comparison) -> Sequence[str]:
    """What a reader of the table must know."""
    tuned = comparison.tuned_on
    lines = list(comparison.week.notes)
    lines += [
        f"Every policy was tuned with the same budget on {tuned!r}."
        if tuned
        else "Policies run with their own dials, not tuned; --tune gives each the same budget on another week."
    ]
    for family, shares in comparison.coverage.items():
        words = ", ".join(f"{share:.1%} of steps within its p{100 * level:g}" for level, share in shares.items())
        lines.append(f"The forecast of {family}: {words}.")
    if comparison.week.recorded is not None:
        lines.append(f"{CLUSTER.capitalize()} is as its files tell it; what they do not tell is n/a.")
    if comparison.bounded:
        lines.append(
            "Of what was possible: training as a share of the most that anyone could have trained who knew the whole "
            "week, paid for its moves, and answered as much of every single service as that policy did."
        )
    lines += [
        line for each in comparison.played if each.outcome.policy in STEERED for line in _missed(comparison, each)
    ]
    lines += [
        f"No policy that meets the targets can train more than {amount(bound.useful_training_h)} h: {bound.name}."
        for bound in comparison.bounds
    ]
    lines += [f"No policy can meet the targets: {name}." for name in comparison.out_of_reach]
    lines += [f"What was possible is not known of {name}: {why}." for name, why in comparison.not_found.items()]
    return lines


def _missed(comparison: Comparison, each: Played) -> Sequence[str]:
    """Say which targets a policy that steers to them missed, and what of it no slots could have answered."""
    return [
        f"{each.outcome.policy} missed {1 - family.attainment:.3%} of {family.name}, where its target allows "
        f"{1 - comparison.targets[family.name]:.3%}: no slots could have answered {family.unpreventable_share:.3%}; "
        "as much of the rest was made good as more slots answer more."
        for family in each.outcome.families
        if family.attainment < comparison.targets[family.name]
    ]


def _record(comparison: Comparison, each: Played) -> Mapping[str, object]:
    outcome = each.outcome
    return {
        "policy": outcome.policy,
        "dials": dict(each.dials) or None,
        "attainment": {family: outcome.attainment(family) for family in comparison.families},
        "steps_in_full": {family: outcome.steps_in_full(family) for family in comparison.families},
        "unpreventable": {family.name: family.unpreventable_share for family in outcome.families},
        "services": {service.name: service.attainment for service in outcome.services},
        "meets_targets": comparison.meets(outcome),
        "useful_training_h": outcome.useful_training_h,
        "possible_training_h": comparison.possible_h.get(outcome.policy),
        "share_of_bound": comparison.share_of_bound(outcome),
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
        **_waits(waits_of(comparison.week, outcome)),
        "cpu_s": each.cpu_s,
    }


def _waits(waits: Waits | None) -> Mapping[str, object]:
    return {
        "waited_s_mean": None if waits is None else waits.mean_s,
        "waited_s_p90": None if waits is None else waits.p90_s,
        "never_started": None if waits is None else waits.never_started,
    }


def _cluster(comparison: Comparison) -> Mapping[str, object] | None:
    """What the cluster itself did; none if the week does not tell."""
    week, recorded = comparison.week, comparison.week.recorded
    if recorded is None:
        return None
    known_TS = ~np.isnan(recorded.service_slots_TS)
    return {
        "attainment": {family: recorded.attainment(week.members(family)) for family in comparison.families},
        "services": {service.name: recorded.attainment([place]) for place, service in enumerate(week.services)},
        "service_slots_mean": {
            service.name: float(recorded.service_slots_TS[known_TS[:, place], place].mean())
            if known_TS[:, place].any()
            else None
            for place, service in enumerate(week.services)
        },
        "training_h": recorded.training_h,
        "jobs_done": recorded.jobs_done,
        **_waits(recorded_waits(week)),
    }
