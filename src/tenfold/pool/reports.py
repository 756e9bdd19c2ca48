"""What supervisor, controller and gateway tell each other, as JSON over HTTP."""

from pydantic import BaseModel, ConfigDict

from tenfold.pool.demand import GatewayTotals


class SlotReport(BaseModel):
    """A slot, as its host reports it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    slot: str
    kind: str
    node: str
    cores: tuple[int, ...]
    gpu: int | None


class ResidentReport(BaseModel):
    """A resident, as its host reports it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    workload: str
    slot: str | None
    pid: int | None
    url: str | None
    restarts: int
    last_words: str


class HostsReport(BaseModel):
    """All slots, residents and companions (which have no slot) of all nodes; what is not in it is gone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    slots: tuple[SlotReport, ...]
    residents: tuple[ResidentReport, ...]


class GatewayReport(BaseModel):
    """What the gateway has seen, by workload."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    workloads: dict[str, GatewayTotals]


class Routes(BaseModel):
    """Where requests may go: URLs of awake residents by workload, and how many requests each workload takes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int
    epoch: int
    ready: bool
    awake: dict[str, tuple[str, ...]]
    queue_limit: dict[str, int]
