"""What following a plan came to on futures that it had not seen, as data."""

from pydantic import Field

from tenfold.plan.result import Record, Spread, WorkloadOutlook, Year
from tenfold.plan.study import Study


class Course(Record):
    """What one way of deciding came to over all futures."""

    cost_usd: Spread = Field(description="discounted cost of a future")
    cvar_usd: float = Field(description="mean cost of the dearest futures, at the study's alpha")
    cost_by_percentile_usd: tuple[float, ...] = Field(description="cost that 0, 1, ..., 100% of futures stay below")
    capex: tuple[Year, ...]
    workloads: tuple[WorkloadOutlook, ...]
    below_floor: dict[str, float] = Field(description="by workload, share of futures that once miss its floor")


class Saving(Record):
    """What re-planning saves against the static plan on the same futures: the mean, and its interval of 95%."""

    usd: float
    low_usd: float
    high_usd: float
    share: float | None = Field(description="of the static plan's mean cost; None if that is nothing")


class Simulation(Record):
    """All of ``tenfold plan simulate``."""

    study: Study
    futures: int
    seed: int
    buffer: float = Field(description="by how much a re-plan raises its forecast of a year ahead")
    plan_cost_usd: Spread = Field(description="what the plan costs on its own tree")
    plan_cvar_usd: float
    plan_capex: tuple[Year, ...]
    plan_gap: float
    replanned: Course
    static: Course
    saved: Saving
    foreseen_usd: Spread = Field(description="the least that each future could cost, had it been known from the start")
    planning_s: float = Field(description="seconds for the plan and the static plan")
    following_s: float = Field(description="seconds for tuning the buffer and following the futures")
