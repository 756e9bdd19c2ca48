"""How a plan fared: where the actual fell in its fan, which triggers fired, what its policy would have done.

The plan is made from the study alone; actuals are only compared with it. Along each reading of demand, the study's
policy (plan anew in every period for all futures) is followed; beside it rolling deterministic planning, which plans
anew for the mean and a buffer, and the static plan for mean demand.
"""

from typing import Literal

import numpy as np
from pydantic import Field

from tenfold.plan.actual import Actual, ActualError, Reading, demand_of
from tenfold.plan.columns import Floats
from tenfold.plan.follow import Followed, mean_with_buffer, replan, static
from tenfold.plan.outcomes import Outcomes
from tenfold.plan.plan import read_plan
from tenfold.plan.result import Plan, Record, Spread, Trigger
from tenfold.plan.solve import DEFAULT_EFFORT, Effort
from tenfold.plan.solved import solve_study
from tenfold.plan.study import Study

BUFFER = 0.15
"""What rolling deterministic planning adds to mean demand; the best of a tuning on made-up companies."""


class FanScore(Record):
    """A year's capex in the plan's fan, and what came."""

    year: int
    planned_usd: Spread
    actual_low_usd: float
    actual_high_usd: float
    percentile_low: float = Field(description="share of the plan's futures with less capex than the low actual")
    percentile_high: float
    kind: Literal["fact", "guide", "inference"]
    source: str


class TriggerScore(Record):
    """Whether a trigger of the plan fired along a reading."""

    text: str
    by: str
    state: Literal["fired", "did not fire", "not due"]
    first_met: str | None = Field(description="first period of the reading in which its condition held")


class Way(Record):
    """What a way of deciding spent, and was short of, along a reading."""

    capex_usd: dict[str, float] = Field(description="by period of the reading")
    unserved_share: dict[str, dict[str, float]] = Field(description="by workload and period, of demand")
    cost_usd: float = Field(
        description="discounted cost of the whole study, mean over what may follow the reading, planned as well as can "
        "be from then on"
    )
    outlook_usd: dict[str, Spread] = Field(description="capex by calendar year, as seen at the reading's end")


class ReadingScore(Record):
    """Everything along one reading of demand."""

    basis: str
    triggers: tuple[TriggerScore, ...]
    ways: dict[str, Way] = Field(description="policy, rolling and static")


class Backtest(Record):
    """All of the score."""

    study: str
    fan: tuple[FanScore, ...]
    facts: tuple[str, ...]
    readings: dict[str, ReadingScore]


def backtest(study: Study, actual: Actual, effort: Effort = DEFAULT_EFFORT) -> Backtest:
    """Score a study's plan on what happened.

    Raises:
        ActualError: the actuals are of another study, or lack a period or a workload.
        NoPlan: the study has no plan.
    """
    if actual.study != study.name:
        raise ActualError(f"the actuals are of the study {actual.study!r}, not of {study.name!r}")
    demands = {name: demand_of(actual, name, study) for name in actual.readings}
    solved = solve_study(study, effort)
    outcomes, plan = solved.outcomes(), read_plan(solved)
    readings = {
        name: _reading(study, plan, reading, demands[name], effort) for name, reading in actual.readings.items()
    }
    return Backtest(study=study.name, fan=_fan(outcomes, plan, actual), facts=actual.facts, readings=readings)


def _fan(outcomes: Outcomes, plan: Plan, actual: Actual) -> tuple[FanScore, ...]:
    weight_s = outcomes.tree.probability_n[outcomes.tree.leaves()]
    scores = []
    for year in plan.capex:
        came = actual.capex.get(str(year.year))
        if came is None:
            continue
        capex_s = outcomes.capex_usd(year.year)
        scores.append(
            FanScore(
                year=year.year,
                planned_usd=year.capex_usd,
                actual_low_usd=came.low_usd,
                actual_high_usd=came.high_usd,
                percentile_low=float(weight_s[capex_s < came.low_usd].sum()),
                percentile_high=float(weight_s[capex_s < came.high_usd].sum()),
                kind=came.kind,
                source=came.source,
            )
        )
    return tuple(scores)


def _reading(study: Study, plan: Plan, reading: Reading, demand_TK: Floats, effort: Effort) -> ReadingScore:
    triggers = [trigger for item in plan.items for trigger in item.triggers]
    return ReadingScore(
        basis=reading.basis.strip(),
        triggers=tuple(_trigger(study, trigger, demand_TK) for trigger in triggers),
        ways={
            "policy": _way(study, demand_TK, replan(study, demand_TK, effort)),
            "rolling": _way(study, demand_TK, replan(study, demand_TK, effort, mean_with_buffer(BUFFER))),
            "static": _way(study, demand_TK, static(study, demand_TK, effort)),
        },
    )


def _trigger(study: Study, trigger: Trigger, demand_TK: Floats) -> TriggerScore:
    demand_T = demand_TK[:, list(study.workloads).index(trigger.workload)]
    met_T = demand_T > trigger.threshold if trigger.above else demand_T < trigger.threshold
    due = study.calendar.index(trigger.by)
    first = study.calendar.label(int(np.argmax(met_T))) if met_T.any() else None
    state = "not due" if due >= len(met_T) else "fired" if met_T[due] else "did not fire"
    return TriggerScore(text=trigger.text, by=trigger.by, state=state, first_met=first)


def _way(study: Study, demand_TK: Floats, followed: Followed) -> Way:
    labels = study.calendar.labels()[: len(demand_TK)]
    outlook = followed.outlook
    return Way(
        capex_usd=dict(zip(labels, followed.capex_T.tolist(), strict=True)),
        unserved_share={
            name: dict(zip(labels, (followed.short_TK[:, k] / demand_TK[:, k]).tolist(), strict=True))
            for k, name in enumerate(study.workloads)
        },
        cost_usd=followed.cost_usd,
        outlook_usd={str(year): outlook.spread(outlook.capex_usd(year)) for year in study.calendar.years()},
    )
