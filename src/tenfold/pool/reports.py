"""What supervisor, controller and gateway tell each other, as JSON over HTTP."""

from pydantic import BaseModel, ConfigDict

from tenfold.pool.demand import GatewayTotals
from tenfold.pool.host import ResidentStatus, Slot


class HostsReport(BaseModel):
    """All slots, residents and companions (which have no slot) of all nodes; what is not in it is gone.

    ``out_of_reach``: nodes whose hosts do not answer. They may come back, with residents that are awake.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    slots: tuple[Slot, ...]
    residents: tuple[ResidentStatus, ...]
    out_of_reach: tuple[str, ...] = ()


class GatewayReport(BaseModel):
    """What the gateway has seen, by workload."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    workloads: dict[str, GatewayTotals]


class Routes(BaseModel):
    """Where requests may go: URLs of awake residents by workload, and how many requests each workload takes.

    ``waking``: residents of each workload that are about to wake. ``leaving``: URLs of those that are put to sleep, or
    killed if they do not.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int
    epoch: int
    ready: bool
    awake: dict[str, tuple[str, ...]]
    queue_limit: dict[str, int]
    waking: dict[str, int] = {}
    leaving: tuple[str, ...] = ()
