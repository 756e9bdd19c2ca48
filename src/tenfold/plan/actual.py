"""``actual.yaml``: what happened after a study was written, to score its plan on."""

from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field, ValidationError

from tenfold.core.errors import UsageError
from tenfold.core.explain import explain, text_of
from tenfold.plan.calendar import NotAPeriod
from tenfold.plan.columns import Floats
from tenfold.plan.study import Label, NotNegative, Positive, Study, Table
from tenfold.plan.study_file import yaml_table


class ActualError(UsageError):
    """A file of actuals is wrong, or does not fit its study."""


class ActualCapex(Table):
    """Capex of a calendar year, of the part of it that the study holds."""

    low_usd: NotNegative = Field(description="USD; the same as high_usd unless it is a range")
    high_usd: NotNegative
    kind: Literal["fact", "guide", "inference"]
    source: str


class Reading(Table):
    """One reading of what demand was."""

    basis: str = Field(description="where the figures come from, and what of them is inference")
    demand: dict[str, dict[Label, Positive]] = Field(description="by workload and period, in the workload's unit")


class Actual(Table):
    """All of ``actual.yaml``."""

    study: str = Field(description="name of the study")
    capex: dict[Label, ActualCapex] = Field(default_factory=dict, description="by calendar year")
    facts: tuple[str, ...] = Field((), description="what else bears on the plan, each with its source")
    readings: dict[str, Reading] = Field(min_length=1)


def load_actual(path: Path) -> Actual:
    """Read actuals.

    Raises:
        ActualError: the file is missing, or a key is unknown or wrong.
    """
    advice = "keys are listed in docs/plan-backtest.md"
    return parse_actual(text_of(path, ActualError, what="the actuals", advice=advice), str(path))


def parse_actual(text: str, origin: str = "actual.yaml") -> Actual:
    """Make actuals from YAML text; ``origin`` is the name that errors give it."""
    table = yaml_table(text, origin, ActualError)
    try:
        return Actual.model_validate(table)
    except ValidationError as error:
        lines = [explain(Actual, origin, problem) for problem in error.errors()]
        raise ActualError("\n".join(lines), next_step="keys are listed in docs/plan-backtest.md") from error


def demand_of(actual: Actual, name: str, study: Study) -> Floats:
    """Demand of the periods that a reading covers, from the study's first on, shape (T, K).

    Raises:
        ActualError: a workload or a period is missing or unknown.
    """
    demand, key = actual.readings[name].demand, f"readings.{name}.demand"
    if set(demand) != set(study.workloads):
        raise ActualError(f"{key!r} names {sorted(demand)}; the study's workloads are {sorted(study.workloads)}")
    covered = {len(by_period) for by_period in demand.values()}
    periods = min(covered)
    if len(covered) > 1 or not 0 < periods <= study.periods:
        raise ActualError(f"{key!r} must give each workload the same periods, 1 to {study.periods} of them")
    labels = study.calendar.labels()[:periods]
    demand_TK = np.empty((periods, len(study.workloads)))
    for k, workload in enumerate(study.workloads):
        for label, value in demand[workload].items():
            try:
                place = study.calendar.index(label)
            except NotAPeriod as error:
                raise ActualError(f"'{key}.{workload}': {error}") from error
            if not 0 <= place < periods:
                raise ActualError(f"'{key}.{workload}' has {label!r}; give it for {', '.join(labels)}")
            demand_TK[place, k] = value
    return demand_TK
