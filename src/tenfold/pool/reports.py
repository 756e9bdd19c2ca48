"""What supervisor, controller and gateway tell each other, as JSON over HTTP."""

from pydantic import Field

from tenfold.core.frozen import Frozen
from tenfold.pool.demand import GatewayTotals
from tenfold.pool.host import ResidentStatus, Slot


class HostsReport(Frozen):
    """All slots, residents and companions (which have no slot) of all nodes; what is not in it is gone.

    ``out_of_reach``: nodes whose hosts do not answer. They may come back, with residents that are awake. ``troubles``:
    processes that the supervisor keeps alive itself (controller, front, products) and that do not stay up, name to what
    is wrong.
    """

    slots: tuple[Slot, ...]
    residents: tuple[ResidentStatus, ...]
    out_of_reach: tuple[str, ...] = ()
    troubles: dict[str, str] = Field(default_factory=dict)


class GatewayReport(Frozen):
    """What the gateway has seen, by workload."""

    workloads: dict[str, GatewayTotals]


class Routes(Frozen):
    """Where requests may go: URLs of awake residents by workload, and how many requests each workload takes.

    ``waking``: residents of each workload that are about to wake. ``leaving``: URLs of those that are put to sleep, or
    killed if they do not.
    """

    version: int
    epoch: int
    ready: bool
    awake: dict[str, tuple[str, ...]]
    queue_limit: dict[str, int]
    waking: dict[str, int] = Field(default_factory=dict)
    leaving: tuple[str, ...] = ()
