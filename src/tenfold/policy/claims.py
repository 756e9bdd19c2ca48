"""What workloads ask of the pool, as arrays: the same for four slots and for a hundred thousand.

Letters: W workloads, R runs of slots of equal value.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tenfold.core.errors import TenfoldError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class NotConcave(TenfoldError):
    """A marginal value rises with slots, so greedy allocation would not be optimal."""


@dataclass(frozen=True, slots=True)
class Claims:
    """Claims of W workloads, most important first: floors are met in this order, and ties broken.

    Args:
        names: who they are.
        owner_R: whose run it is, an index into ``names``, ascending.
        usd_R: USD per second of each slot of the run; non-increasing within an owner. What lies past an owner's last
            run is worth nothing.
        slots_R: how many slots the run has.
        floor_W: slots that each has before any value counts.
        ceiling_W: slots that each never exceeds.
        least_W: a gang works on this many slots or on none; 1 for everybody else.
        held_W: slots that each has now.
        join_cost_W: share of its earnings that a slot loses by joining: the seconds in which it works for nobody over
            the seconds that the change is expected to last. At 1 slots join only to reach a floor.
        resize_cost_W: the same share for every slot that the workload holds, since all stand still when some join.
    """

    names: tuple[str, ...]
    owner_R: Ints
    usd_R: Floats
    slots_R: Ints
    floor_W: Ints
    ceiling_W: Ints
    least_W: Ints
    held_W: Ints
    join_cost_W: Floats
    resize_cost_W: Floats

    def require_concave(self) -> None:
        """Check that no further slot is worth more than the one before it.

        Raises:
            NotConcave: one is; names the workload.
        """
        rises = (np.diff(self.owner_R) == 0) & (self.usd_R[1:] > self.usd_R[:-1] * (1 + 1e-9))
        if rises.any():
            run = int(np.argmax(rises))
            owner = int(self.owner_R[run])
            slot = int(self.slots_R[: run + 1][self.owner_R[: run + 1] == owner].sum())
            raise NotConcave(
                f"{self.names[owner]}: slot {slot + 1} is worth {self.usd_R[run + 1]:.3g} USD/s, more than slot {slot} "
                f"({self.usd_R[run]:.3g})"
            )

    def start_R(self) -> Ints:
        """How many slots of the same owner lie before each run."""
        before_R = np.cumsum(self.slots_R) - self.slots_R
        first_R = np.searchsorted(self.owner_R, self.owner_R)
        return before_R - before_R[first_R]

    def usd_per_s(self, held_W: Ints) -> float:
        """Value per second of all, if each holds so many slots."""
        used_R = np.clip(held_W[self.owner_R] - self.start_R(), 0, self.slots_R)
        return float(self.usd_R @ used_R)

    def marginal_usd_per_s(self, workload: int, slot: int) -> float:
        """Value per second of a workload's ``slot``-th slot, counted from 0."""
        low, high = np.searchsorted(self.owner_R, (workload, workload + 1))
        run = int(low + np.searchsorted(np.cumsum(self.slots_R[low:high]), slot, side="right"))
        return float(self.usd_R[run]) if run < high else 0.0

    def last_and_next_usd_per_s(self, workload: int, held: int) -> tuple[float, float]:
        """Value per second of the last of ``held`` slots, 0 where there is none, and of one more."""
        last = self.marginal_usd_per_s(workload, held - 1) if held else 0.0
        return last, self.marginal_usd_per_s(workload, held)
