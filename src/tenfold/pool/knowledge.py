"""What the controller knows of its pool. Its parts share it: each changes it, and none keeps a copy."""

import asyncio
from collections.abc import Callable, Sequence

from tenfold.core.config import PoolSettings
from tenfold.ledger.recorder import Recorder
from tenfold.policy.account import Account
from tenfold.pool.alarms import Alarms
from tenfold.pool.core_supply import CoreSupply
from tenfold.pool.demand import DemandMeter, WorkloadPlan
from tenfold.pool.move_book import MoveBook
from tenfold.pool.moves import Address
from tenfold.pool.occupancy import Occupancy
from tenfold.pool.routes import RoutesVersion
from tenfold.pool.totals import Totals


class Knowledge:
    """Everything that more than one part of the controller reads or changes.

    Attributes:
        settings: the pool's settings.
        ledger: where decisions are recorded.
        clock: gives Unix seconds.
        alarms: what is wrong now.
        occupancy: who lives on each slot, who holds it and who is awake.
        meters: what each workload asks for and what its slots do, most important workload first.
        supply: which cores other programs take part of.
        moves: moves under way and ended.
        account: what became of requests and slots since the controller started.
        totals: what ``/metrics`` tells beside it.
        routes: the number of the routes, and those who wait for the next.
        served: workloads that have served.
        epoch: number of the allocation.
        nudged: set when the next tick shall not wait.
    """

    def __init__(
        self, settings: PoolSettings, plans: Sequence[WorkloadPlan], ledger: Recorder, clock: Callable[[], float]
    ) -> None:
        self.settings = settings
        self.ledger = ledger
        self.clock = clock
        self.alarms = Alarms(ledger)
        self.occupancy = Occupancy()
        self.meters = {plan.workload: DemandMeter(plan) for plan in plans}
        self.supply = CoreSupply()
        self.moves = MoveBook(self.meters)
        self.account = Account(len(plans))
        self.totals = Totals(self.meters)
        self.routes = RoutesVersion()
        self.served: set[str] = set()
        self.epoch = 0
        self.nudged = asyncio.Event()

    @property
    def ready(self) -> bool:
        """Whether every workload has served that has anything to do."""
        return all(name in self.served or meter.ended for name, meter in self.meters.items())

    def held(self) -> dict[str, int]:
        """Slots that each workload holds."""
        return self.occupancy.held(self.meters)

    def adopt(self, slot: str, address: Address) -> None:
        """Note that somebody is awake on a slot who was so before it was known of here."""
        self.occupy(slot, address)
        workload = self.occupancy.holder.get(slot)
        if workload is not None:
            self.served.add(workload)
        self.routes.raise_quietly()

    def occupy(self, slot: str, occupant: Address | None) -> None:
        """Note who is awake on a slot; it may have died meanwhile."""
        if occupant is None:
            self.occupancy.vacate(slot)
            return
        self.occupancy.occupy(slot, occupant)
        if self.occupancy.is_dead(occupant):
            self.lose(slot, occupant)

    def lose(self, slot: str, address: Address) -> None:
        """A resident that was awake is dead: its slot is free, and routes must not name it."""
        workload = self.occupancy.vacate(slot)
        self.ledger.append("resident_died", address.name, {"pid": address.pid, "slot": slot, "workload": workload})
        self.routes.raise_quietly()
        self.nudged.set()
