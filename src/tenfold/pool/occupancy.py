"""Who lives on each slot of the pool, and who of them is awake: what the controller knows, without any I/O."""

from collections.abc import Iterable, Iterator, Sequence

from tenfold.pool.host import ResidentStatus, Slot
from tenfold.pool.moves import Address


class Occupancy:
    """Slots, residents, holders and who is awake.

    Attributes:
        slots: all slots, by name.
        residents: all residents and companions that hosts report, by name.
        holder: the workload that each slot is given to; from the decision on, so before its resident is awake.
        awake: who is awake on each slot, or may be.
        unasked: slots that are new or back, whose residents have not been asked yet whether they are awake.
    """

    def __init__(self) -> None:
        self.slots: dict[str, Slot] = {}
        self.residents: dict[str, ResidentStatus] = {}
        self.holder: dict[str, str | None] = {}
        self.awake: dict[str, Address] = {}
        self.unasked: set[str] = set()

    def take(self, slots: Sequence[Slot], residents: Sequence[ResidentStatus]) -> bool:
        """Take what hosts report; whether anything about residents is new."""
        before, known = self.residents, self.slots.keys()
        self.slots = {slot.slot: slot for slot in slots}
        self.unasked = (self.unasked | (self.slots.keys() - known)) & self.slots.keys()
        self.residents = {resident.name: resident for resident in residents}
        return before != self.residents

    def dead(self) -> list[tuple[str, Address]]:
        """Slots whose resident was awake and is dead, with that resident."""
        return [(slot, address) for slot, address in self.awake.items() if self.is_dead(address)]

    def is_dead(self, address: Address) -> bool:
        """Whether this very process is gone; another of its name may live."""
        resident = self.residents.get(address.name)
        return resident is None or resident.pid != address.pid

    def occupy(self, slot: str, address: Address) -> None:
        """Note who is awake on a slot, or may be. Nobody else is woken there until that one is known to be dead."""
        resident = self.residents.get(address.name)
        self.holder[slot] = resident.workload if resident is not None else None
        self.awake[slot] = address

    def vacate(self, slot: str) -> str | None:
        """Note that nobody is awake on a slot and nobody holds it; who held it."""
        self.awake.pop(slot, None)
        holder, self.holder[slot] = self.holder.get(slot), None
        return holder

    def address(self, name: str) -> Address | None:
        """How to reach a resident; none if it is not loaded."""
        resident = self.residents.get(name)
        if resident is None or resident.url is None or resident.pid is None:
            return None
        return Address(name, resident.url, resident.pid)

    def addresses(self, workload: str) -> Iterator[Address]:
        """Residents of a workload that are awake, by the name of their slot."""
        return (address for slot, address in sorted(self.awake.items()) if self.holder.get(slot) == workload)

    def living_on(self, slot: str) -> list[ResidentStatus]:
        """All residents of a slot."""
        return [resident for resident in self.residents.values() if resident.slot == slot]

    def held(self, workloads: Iterable[str]) -> dict[str, int]:
        """Slots that each workload holds."""
        held = dict.fromkeys(workloads, 0)
        for workload in self.holder.values():
            if workload is not None:
                held[workload] += 1
        return held
