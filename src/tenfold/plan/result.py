"""``plan.json``: a plan as data, with the study that it answers and how far it was solved."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from tenfold.core.errors import UsageError
from tenfold.core.explain import unread
from tenfold.core.frozen import Frozen
from tenfold.page.figures import amount
from tenfold.plan.proven import TOLERANCE
from tenfold.plan.study import Study


class PlanFileError(UsageError):
    """A file is not a ``plan.json`` of this version."""


class Record(Frozen):
    """Base of what a plan is made of: frozen, and an unknown key is an error."""


class Verdict(StrEnum):
    """What to do about a thing now."""

    COMMIT = "commit now"
    LATER = "do later"
    OPTION = "keep as option"
    NOTHING = "do nothing"


FEW = 0.02
"""A share of futures that counts as none, in words."""

What = Literal["phase", "lease", "accelerators", "fit-out", "conversion"]
COUNTED: tuple[What, ...] = ("accelerators", "conversion")
"""What comes in whole pieces: the plan's averages and later amounts need not be whole, but are shown so."""


def count(what: What, value: float) -> str:
    """An amount in words."""
    return amount(round(value) if what in COUNTED else value)


class Spread(Record):
    """A quantity over all scenarios."""

    mean: float
    p10: float
    p50: float
    p90: float


class Trigger(Record):
    """When to take up an option: if demand passes a threshold by a period."""

    by: str = Field(description="period in which it is looked at")
    workload: str
    above: bool = Field(description="whether demand must be above the threshold, or below")
    threshold: float = Field(description="in the workload's unit")
    amount: float = Field(description="how much is then taken up on average, in the item's unit")
    agreement: float = Field(description="share of scenarios in which the tree decides as this rule says")
    text: str
    otherwise: str = Field("", description="what is done where the rule does not hold")


class Item(Record):
    """A thing that can be committed to."""

    what: What
    name: str = Field(description="site and phase, lease, or kind")
    verdict: Verdict
    unit: str
    now: float = Field(description="amount committed to in the first period")
    cost_now_usd: float = Field(description="capex that this amount will cost, spent over its lead time")
    later: Spread = Field(description="amount committed to in later periods")
    probability: float = Field(description="of ever being committed to")
    share_by_period: tuple[float, ...] = Field(description="mean of what has been committed to by each period")
    begun_by_period: tuple[float, ...] = Field(
        (), description="share of scenarios in which some of it has been committed to by each period"
    )
    triggers: tuple[Trigger, ...]

    def begins(self, labels: Sequence[str]) -> str:
        """In which periods some of it is first committed to; empty if it is now, or never."""
        sure = [place for place, share in enumerate(self.begun_by_period) if share > self.probability - FEW]
        some = [place for place, share in enumerate(self.begun_by_period) if share > FEW]
        if self.now or not some:
            return ""
        first, last = labels[some[0]], labels[sure[0]]
        return f"first in {first}" if first == last else f"first in {first} to {last}"


class Year(Record):
    """Capex of a calendar year over all scenarios, USD."""

    year: int
    capex_usd: Spread


class WorkloadPeriod(Record):
    """One workload in one period over all scenarios, in its unit."""

    period: str
    demand: Spread
    served: Spread
    shortage_probability: float = Field(description="of serving less than 99.9% of demand")
    unserved_share: float = Field(description="mean demand not served, per mean demand")
    served_by: dict[str, float] = Field(default_factory=dict, description="mean served, by kind and rent")

    @property
    def short_by(self) -> float:
        """Demand not served where it is short, on average, in the workload's unit; 0 if it never is."""
        if not self.shortage_probability:
            return 0.0
        return self.unserved_share * self.demand.mean / self.shortage_probability


class WorkloadOutlook(Record):
    """One workload over all periods."""

    workload: str
    unit: str
    shortage_probability: float = Field(description="of a shortage in any period")
    periods: tuple[WorkloadPeriod, ...]

    @property
    def unserved_share(self) -> float:
        """Mean demand not served over all periods, per mean demand."""
        demand = sum(period.demand.mean for period in self.periods)
        return sum(period.unserved_share * period.demand.mean for period in self.periods) / demand

    @property
    def worst(self) -> WorkloadPeriod:
        """The period with the most demand not served."""
        return max(self.periods, key=lambda period: period.unserved_share * period.demand.mean)


class PowerPeriod(Record):
    """IT power in one period over all scenarios, MW."""

    period: str
    available: Spread = Field(description="of finished phases and leases held")
    drawn: Spread


class RunPeriod(Record):
    """Work on a run in one period over all scenarios."""

    period: str
    accelerators: dict[str, float] = Field(description="mean at work on it, by kind and rent; what is 0 is left out")


class RunOutlook(Record):
    """A training run with a due date."""

    run: str
    due: str
    missed_probability: float = Field(description="of not being done when it is due")
    undone_share: float = Field(description="mean share that is not done then")
    periods: tuple[RunPeriod, ...]
    price_usd_per_accelerator_hour: dict[str, float] = Field(
        description="what one more hour of it costs the plan, by kind and rent: a dual, see plan/shadow.py"
    )
    price_usd_per_token: float | None = Field(description="the same per token trained on, if the study says how many")


MISSING = {
    "stochastic solution": "the plan for mean demand breaks a floor",
    "adaptivity": "no commitments fixed now meet all floors and limits",
}
"""Why a value has no figure where what is compared with the plan is no plan itself."""


class Worth(Record):
    """What having, or being denied, something changes in cost. Low and high allow for the gaps of both solves.

    Below zero only within the gaps, since no true value is.
    """

    name: str
    definition: str
    usd: float | None = Field(description="None: what it is compared with meets not all floors and limits")
    low_usd: float | None
    high_usd: float | None
    share: float | None = Field(description="of the plan's cost; None if the plan costs nothing")

    @property
    def missing(self) -> str:
        """Why there is no figure, where there is none."""
        return MISSING.get(self.name, "without it no plan meets all floors and limits")

    @property
    def nothing(self) -> bool:
        """Whether the plan denied nothing is not cheaper than the other by more than a solver's tolerances."""
        return self.usd is not None and (self.usd <= 0 or (self.share is not None and self.share <= TOLERANCE))

    @property
    def proven(self) -> bool:
        """Whether it is surely above zero: what was found is more than the gaps of the two solves."""
        return self.low_usd is not None and self.low_usd > 0


class Sensitivity(Record):
    """What one input, lowered and raised, changes in cost."""

    name: str
    low: str = Field(description="what it is lowered to, or by")
    high: str = Field(description="what it is raised to, or by")
    low_usd: float | None = Field(description="change of cost; None: no plan meets all floors and limits then")
    high_usd: float | None


class Tornado(Record):
    """The inputs that move cost, the most moving first; of the linear relaxation on a tree of so many nodes."""

    nodes: int
    base_usd: float
    bars: tuple[Sensitivity, ...]


class Unseen(Record):
    """What following the plan costs on futures that are not in its tree, planned anew every period, USD."""

    futures: int
    buffer: float = Field(description="by how much a re-plan raises its forecast of a year ahead")
    mean_usd: float = Field(description="mean over all futures that the study's demand may bring")
    low_usd: float = Field(description="low end of the mean's interval of 95%")
    high_usd: float
    cost_usd: Spread = Field(description="of the futures followed")
    cvar_usd: float = Field(description="mean cost of the dearest of them, at the study's alpha")
    capex: tuple[Year, ...] = Field((), description="by calendar year, of all futures that demand may bring")
    shortage_probability: dict[str, float] = Field(
        default_factory=dict, description="of a shortage in any period, by workload"
    )


class SolveStep(Record):
    """A step of the ladder."""

    step: str
    bound_usd: float
    incumbent_usd: float | None
    gap: float | None
    seconds: float


class Solve(Record):
    """How far the plan was solved."""

    nodes: int
    columns: int
    rows: int
    whole: int = Field(description="variables that must be whole")
    objective_usd: float
    bound_usd: float
    gap: float
    seconds: float
    stopped: bool = Field(description="whether it was stopped by hand")
    steps: tuple[SolveStep, ...]


class Plan(Record):
    """All of ``plan.json``."""

    version: Literal[1] = 1
    study: Study
    solve: Solve
    cost_usd: Spread = Field(description="discounted cost of a scenario")
    cvar_usd: float = Field(description="mean cost of the worst scenarios, at the study's alpha")
    unseen: Unseen | None = Field(None, description="None if the plan was not followed")
    cost_by_category_usd: dict[str, float] = Field(description="mean, discounted")
    items: tuple[Item, ...]
    capex: tuple[Year, ...]
    workloads: tuple[WorkloadOutlook, ...]
    runs: tuple[RunOutlook, ...] = ()
    worth: tuple[Worth, ...]
    notes: tuple[str, ...] = Field((), description="what in the study has no effect, or less than may be thought")
    power: tuple[PowerPeriod, ...] = Field((), description="empty without sites and leases")
    tornado: Tornado | None = Field(None, description="None if it was not asked for")

    def save(self, path: Path) -> None:
        """Write the plan."""
        path.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")


def load_plan(path: Path) -> Plan:
    """Read a plan.

    Raises:
        PlanFileError: the file is missing or is no plan.
    """
    try:
        return Plan.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise PlanFileError(
            f"cannot read the plan {str(path)!r}: {unread(error)}", next_step="make one with 'tenfold plan solve'"
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise PlanFileError(
            f"{path} is no plan of this version: {key!r}: {first['msg']}",
            next_step="make it anew with 'tenfold plan solve'",
        ) from error
