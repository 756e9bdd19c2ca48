"""The pool as others see it: one JSON object a second, for the console, the CLI and scripts."""

from typing import Literal

from pydantic import Field, model_validator

from tenfold.core.frozen import Frozen

ResidentPhase = Literal["loading", "asleep", "waking", "awake", "draining", "dead"]
MoveState = Literal["draining", "waking", "done", "failed"]


OLD_NAMES = {"source": "donor", "target": "receiver", "price_usd_per_s": "gain_usd_per_s"}
"""What fields of a move were called in ledgers of 0.1.0's first weeks."""


class ResidentView(Frozen):
    """One resident."""

    resident: str = Field(description="workload@slot")
    workload: str
    phase: ResidentPhase
    pid: int | None
    url: str | None = Field(description="base URL of its HTTP server, none while it loads")
    restarts: int

    @property
    def doing(self) -> str:
        """Its phase for people: one that has not been started yet is not dead."""
        waits = self.phase == "dead" and self.pid is None and self.restarts == 0
        return "not started" if waits else self.phase


class SlotView(Frozen):
    """One slot and who lives on it."""

    slot: str = Field(description="node/kindN, e.g. n0/cpu1")
    kind: str
    node: str
    cores: tuple[int, ...]
    awake: str | None = Field(description="the workload that is awake here")
    residents: tuple[ResidentView, ...]


class PriceView(Frozen):
    """What a unit of a workload's work is taken to be worth, and how that is known."""

    usd: float = Field(description="USD per unit, the price in use")
    source: Literal["configured", "measured", "fixed"] = Field(
        description="configured: no product has earned with it yet; fixed: that does not matter"
    )
    configured_usd: float = Field(description="USD per unit in tenfold.toml")
    low_usd: float | None = Field(None, description="low end of the interval that holds what a unit earns, at 90%")
    high_usd: float | None = Field(None, description="its high end; none where no product has earned with it yet")
    earned_usd: float = Field(0.0, description="what products earned with it; fades over pool.price_memory_s")
    units: float = Field(0.0, description="units of work that this took; fades likewise")
    by_product: dict[str, float] = Field({}, description="USD that each product earned with it; fades likewise")


def configured_price(usd: float, *, is_fixed: bool) -> PriceView:
    """The price of a workload with which no product has earned yet."""
    return PriceView(usd=usd, source="fixed" if is_fixed else "configured", configured_usd=usd)


class WorkloadView(Frozen):
    """One workload: what it asks for, what it gets, what it is worth."""

    workload: str
    unit: str = Field(description="unit of its work: token, request")
    slots: int = Field(description="slots awake now")
    held: int = Field(description="slots given to it, those included that it is not awake on yet")
    floor: int
    ceiling: int
    arrival_per_s: float | None = Field(description="requests a second now; none where it takes no requests")
    forecast_per_s: float | None = Field(description="requests a second planned for, at the wake-up horizon")
    capacity_per_slot: float = Field(description="units a second one slot does with its whole share of a core")
    core_share: float = Field(1.0, description="part of that share which its cores lately gave it, 0 to 1")
    units_per_s: float = Field(description="units a second done over the last seconds")
    units_total: float
    waiting: int = Field(description="requests admitted and not yet answered")
    requests_total: int
    shed_total: int
    failed_total: int
    latency_p50_s: float | None
    latency_p95_s: float | None
    latency_target_s: float | None
    in_time_share: float | None = Field(description="share of recent requests answered within the target, 0 to 1")
    value_last_slot_usd_per_s: float = Field(description="value of the last slot it has")
    value_next_slot_usd_per_s: float = Field(description="value of one more slot")
    price: PriceView | None = Field(None, description="what a unit of its work is worth")
    facts: dict[str, float] = Field(description="gauges, e.g. loss, step")
    ended: str = Field("", description="why it has nothing to do any more; empty while it has")


class MoveView(Frozen):
    """One move: a resident slept, another woke. Ledgers from before have other names of some fields; they are read."""

    move: int
    epoch: int
    at: float = Field(description="Unix seconds when it was decided")
    slot: str
    donor: str | None = Field(description="workload that sleeps; none if the slot was idle")
    receiver: str | None = Field(description="workload that wakes; none if the slot goes idle")
    reason: str
    gain_usd_per_s: float = Field(description="value per second that the move gains")
    deadline_s: float
    state: MoveState
    seconds: float | None = Field(description="decision to done")

    @model_validator(mode="before")
    @classmethod
    def _old_names(cls, told: object) -> object:
        """Read a move that was recorded when its fields had other names."""
        if not isinstance(told, dict):
            return told
        return {OLD_NAMES.get(name, name): value for name, value in told.items()}


class HistoryPoint(Frozen):
    """The pool at one second, for charts."""

    at: float
    slots: dict[str, int] = Field(description="slots awake, by workload")
    demand: dict[str, float] = Field(description="arrivals per second, by workload")
    latency_p95_s: dict[str, float]
    value_next_slot: dict[str, float]
    units_per_s: dict[str, float]


class LossPoint(Frozen):
    """One point of the loss curve."""

    step: int
    tokens: float
    loss: float


class ShadowView(Frozen):
    """The shadow so far. Values are the policy's own estimates, from measured demand, capacity and prices."""

    seconds: float = Field(description="how long it has watched")
    slots: dict[str, int] = Field(description="slots that each workload would have now")
    moves: int = Field(description="moves that it would have made")
    real_usd: float = Field(description="expected value of the slots as they were")
    shadow_usd: float = Field(description="expected value of the slots as they would have been, less what moves cost")

    @classmethod
    def of(cls, sums: object) -> "ShadowView":
        """Show the ``ShadowSums`` of a shadow."""
        return cls.model_validate(sums, from_attributes=True)

    @property
    def gain(self) -> float | None:
        """By how much more the shadow's slots would have earned, as a share; none while nothing was earned."""
        return self.shadow_usd / self.real_usd - 1 if self.real_usd > 0 else None


class AccountView(Frozen):
    """What became of one workload's requests and slots since the controller started."""

    workload: str
    asked: int = Field(description="requests that came")
    in_time: int = Field(description="of these, answered within the latency target")
    shed: int
    working_s: float = Field(description="slot-seconds awake")
    starting_s: float = Field(description="slot-seconds from the decision until awake, while the donor leaves too")
    joined: int = Field(description="moves that gave it a slot")


class SpreadView(Frozen):
    """How durations are spread; a histogram."""

    bounds_s: tuple[float, ...] = Field(description="upper bounds, seconds, ascending")
    counts: tuple[int, ...] = Field(description="durations up to each bound and above the one before; then the rest")
    sum_s: float


class MoveTotal(Frozen):
    """How many moves from this donor to this receiver ended in this state."""

    donor: str | None
    receiver: str | None
    state: str
    count: int


class RestartTotal(Frozen):
    """How often residents or companions of a workload were started again."""

    workload: str
    role: str = Field(description="resident or companion")
    count: int


class ControllerTotals(Frozen):
    """What the controller has counted since it started."""

    tick: SpreadView = Field(description="a whole tick: reading counters, deciding, sending orders out")
    decision: SpreadView = Field(description="of a tick, the policy's part")
    moves: tuple[MoveTotal, ...]
    move: dict[str, SpreadView] = Field(description="decision to done, by the workload that got the slot")
    restarts: tuple[RestartTotal, ...]
    recorded: int = Field(description="events written to the ledger")
    dropped: int = Field(description="events that were never written")
    unrecorded: int = Field(description="events that wait until the ledger can be written")


class PoolState(Frozen):
    """Everything the console shows."""

    at: float
    epoch: int
    policy: str
    controller: Literal["running", "frozen", "starting"]
    ready: bool = Field(description="every workload answers now; from the controller itself: has served")
    served: bool = Field(False, description="every workload has served, so the pool has started")
    alarms: tuple[str, ...]
    slots: tuple[SlotView, ...]
    workloads: tuple[WorkloadView, ...]
    moves: tuple[MoveView, ...] = Field(description="latest first, at most 50")
    history: tuple[HistoryPoint, ...] = Field(description="oldest first, at most 240 points")
    loss: tuple[LossPoint, ...] = Field(description="oldest first, at most 240 points")
    account: tuple[AccountView, ...] = Field((), description="running sums, by workload")
    idle_s: float = Field(0.0, description="slot-seconds that nobody held")
    shadow: ShadowView | None = Field(None, description="what the policy would have done, where it only watches")
    totals: ControllerTotals | None = Field(None, description="what the controller has counted since it started")

    @property
    def phase(self) -> Literal["starting", "running", "failing", "frozen"]:
        """How the pool is, in a word: ``failing`` has started and does not answer, the alarms say why."""
        if self.controller != "running":
            return self.controller
        if self.ready:
            return "running"
        return "failing" if self.served else "starting"
