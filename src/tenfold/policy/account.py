"""What became of requests, of slots and of work, as running sums: those of the live pool and of a replay.

Letters: W workloads.
"""

from dataclasses import dataclass

import numpy as np

from tenfold.policy.claims import Floats, Ints


@dataclass(frozen=True, slots=True)
class SlotSeconds:
    """Slot-seconds by what the slots did.

    ``working``: for the workload that holds them. ``starting``: held, but not working yet or standing still.
    ``draining``: held by nobody, while the last holder leaves. ``idle``: the rest.
    """

    working: float = 0.0
    starting: float = 0.0
    draining: float = 0.0
    idle: float = 0.0

    @property
    def total(self) -> float:
        """All of them: slots times seconds, whatever happened."""
        return self.working + self.starting + self.draining + self.idle


class Account:
    """Running sums over W workloads; a workload that asks for nothing, such as training, has zeros there.

    ``asked_W``, ``in_time_W``, ``shed_W``: requests. ``working_s_W``, ``starting_s_W``: slot-seconds. ``joined_W``:
    slots that joined. ``saving_s_W``: slot-seconds that leaving slots spent on saving. ``undone_W``: work that was lost
    because nothing was saved.
    """

    def __init__(self, workloads: int) -> None:
        self.asked_W: Floats = np.zeros(workloads)
        self.in_time_W: Floats = np.zeros(workloads)
        self.shed_W: Floats = np.zeros(workloads)
        self.working_s_W: Floats = np.zeros(workloads)
        self.starting_s_W: Floats = np.zeros(workloads)
        self.saving_s_W: Floats = np.zeros(workloads)
        self.undone_W: Floats = np.zeros(workloads)
        self.joined_W: Ints = np.zeros(workloads, dtype=np.int64)
        self.draining_s = 0.0
        self.idle_s = 0.0

    def served(self, who: Ints | slice, asked: Floats, in_time: Floats, shed: Floats) -> None:
        """Add requests asked for, answered in time, and shed."""
        self.asked_W[who] += asked
        self.in_time_W[who] += in_time
        self.shed_W[who] += shed

    def spent(self, who: Ints | slice, working_s: Floats, starting_s: Floats) -> None:
        """Add slot-seconds of slots that workloads held."""
        self.working_s_W[who] += working_s
        self.starting_s_W[who] += starting_s

    def unheld(self, draining_s: float, idle_s: float) -> None:
        """Add slot-seconds of slots that nobody held, or that were done before their time was over."""
        self.draining_s += draining_s
        self.idle_s += idle_s

    def moved(self, who: Ints | slice, joined: Ints, saving_s: Floats | float = 0.0) -> None:
        """Add slots that joined, and slot-seconds of saving of those that left."""
        self.joined_W[who] += joined
        self.saving_s_W[who] += saving_s

    def undone(self, who: Ints | slice, work: Floats) -> None:
        """Add work that a kill undid."""
        self.undone_W[who] += work

    @property
    def moves(self) -> int:
        """Slots that joined anybody."""
        return int(self.joined_W.sum())

    def slot_seconds(self) -> SlotSeconds:
        """Sum up all slots by what they did."""
        return SlotSeconds(float(self.working_s_W.sum()), float(self.starting_s_W.sum()), self.draining_s, self.idle_s)
